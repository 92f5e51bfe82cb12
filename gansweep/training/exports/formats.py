"""The formats of exported weights: how each is written, and how its images are drawn again."""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gansweep.config import from_record
from gansweep.store.errors import UserError
from gansweep.store.run import write_bytes
from gansweep.training.data import Prepared
from gansweep.training.exports.plain import plain
from gansweep.training.hosted import Hosted
from gansweep.training.job import one_line
from gansweep.training.train import build_trainee

CONFIG = "gansweep"  # the key of a safetensors file's metadata that has the configuration


class Drawing(nn.Module):
    """Latents, float32 N × z_dim, and labels, int64 (N,), if there are classes → float32 images."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = plain(net)

    def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
        return self.net(z, *labels).float()


class HostedDrawing(nn.Module):
    """The same of a user's LightningModule, by its method `sample`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.requires_grad_(False)

    def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
        return self.module.sample(z, *labels).float()  # type: ignore[operator]

    def hidden(self) -> nn.Module:
        """Return the same without submodules, for a trace, which has the weights as constants.

        A trace would read the properties of a LightningModule that need a Trainer.
        """
        forward = self.forward

        class Hidden(nn.Module):
            def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
                return forward(z, *labels)

        return Hidden().eval()


@dataclass(frozen=True)
class Exported:
    """What is exported: a network, and an example of its inputs.

    net: the generator, or the module of `model=`; config: the record of config.json without the
    paths of this machine; inputs: latents and, with classes, labels.
    """

    net: nn.Module
    config: Mapping[str, Any]
    inputs: tuple[Tensor, ...]
    hosted: bool

    def drawing(self) -> nn.Module:
        """Return a module that maps the inputs to images."""
        return (HostedDrawing if self.hosted else Drawing)(self.net).eval()


@dataclass(frozen=True)
class Format:
    """A format. packages: those that it needs, which the extra of the same name installs."""

    file: str
    packages: tuple[str, ...]
    write: Callable[[Exported, Path], None]
    draw: Callable[[Path, tuple[Tensor, ...]], Tensor]


def write_safetensors(exported: Exported, path: Path) -> None:
    """Write the weights as gansweep names them, with the configuration as metadata."""
    from safetensors.torch import save

    weights = {n: w.detach().cpu().contiguous().clone() for n, w in _weights(exported.net).items()}
    write_bytes(path, save(weights, {CONFIG: json.dumps(exported.config), "format": "pt"}))


def _weights(net: nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in net.state_dict().items() if isinstance(value, Tensor)}


def load_safetensors(path: Path) -> tuple[nn.Module, Hosted | None]:
    """Return the generator of an exported file in evaluation mode, and what hosts it, if anything.

    Raises UserError if the file cannot be read, or if its network cannot be built here.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(str(path), framework="pt") as opened:
            record = json.loads((opened.metadata() or {})[CONFIG])
        config = from_record(record["params"])
        data = Prepared.from_description(record["data"])
        with torch.random.fork_rng(devices=[]):
            trainee = build_trainee(config, data)
        if isinstance(trainee, Hosted):
            trainee.module.load_state_dict(load_file(str(path)))
            return trainee.module.eval(), trainee
        trainee.generator.load_state_dict(load_file(str(path)))
        return trainee.generator.eval(), None
    except UserError:
        raise
    except KeyError as error:
        raise UserError(f"{path} is no export of gansweep's: it has no {error}") from None
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{path} cannot be used ({one_line(error)[:200]})") from None


@torch.no_grad()
def draw_safetensors(path: Path, inputs: tuple[Tensor, ...]) -> Tensor:
    net, hosted = load_safetensors(path)
    return (net(*inputs) if hosted is None else hosted.sample(*inputs)).float()


def write_torchscript(exported: Exported, path: Path) -> None:
    """Trace the network for any number of images, for `torch.jit.load` in Python and C++."""
    drawing = exported.drawing()
    if isinstance(drawing, HostedDrawing):
        drawing = drawing.hidden()
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(drawing, exported.inputs, check_trace=False)
        buffer = io.BytesIO()
        torch.jit.save(traced, buffer)
    write_bytes(path, buffer.getvalue())


@torch.no_grad()
def draw_torchscript(path: Path, inputs: tuple[Tensor, ...]) -> Tensor:
    with _quiet():
        images: Tensor = torch.jit.load(str(path), map_location="cpu")(*inputs)
    return images


def write_onnx(exported: Exported, path: Path) -> None:
    """Write an ONNX graph for any number of images, with inputs `z` and `labels`."""
    names = ["z", "labels"][: len(exported.inputs)]
    count = torch.export.Dim("n", min=1)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            exported.drawing(), exported.inputs, input_names=names, output_names=["images"],
            dynamic_shapes=_dynamic(len(names), count), dynamo=True, verbose=False,
        )  # fmt: skip
    assert program is not None
    write_bytes(path, program.model_proto.SerializeToString())


def _dynamic(inputs: int, count: Any) -> tuple[Any, ...]:
    """Return the dynamic first axis of z, and of the labels that `forward` takes as *labels."""
    further = tuple({0: count} for _ in range(inputs - 1))
    return ({0: count}, further) if further else ({0: count},)


def draw_onnx(path: Path, inputs: tuple[Tensor, ...]) -> Tensor:
    """Draw with onnxruntime if it is installed, else with ONNX's reference in Python."""
    arrays = {name: part.numpy() for name, part in zip(("z", "labels"), inputs, strict=False)}
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (images,) = session.run(None, arrays)
    else:
        import onnx
        from onnx.reference import ReferenceEvaluator

        (images,) = ReferenceEvaluator(onnx.load(path)).run(None, arrays)
    return torch.from_numpy(images)


FORMATS = {
    "safetensors": Format(
        "generator.safetensors", ("safetensors",), write_safetensors, draw_safetensors
    ),
    "onnx": Format("generator.onnx", ("onnx", "onnxscript"), write_onnx, draw_onnx),
    "torchscript": Format("generator.pt", (), write_torchscript, draw_torchscript),
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the warnings of torch's exporters, which concern code of gansweep or of torch."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
