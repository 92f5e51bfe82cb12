"""Networks of users: called with what they declare, and tried by one pass before a run is planned.

A generator maps latents, N × z_dim (or N × z_dim × 1 × 1, whichever it takes), to images,
N×C×H×H in [−1, 1]. A discriminator maps such images to N outputs without a sigmoid, of any shape
with the batch first.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from gansweep.components import KINDS, arguments_of, not_passed, size_for
from gansweep.config import Config, refuse_batch_norm, widths
from gansweep.store.errors import UserError
from gansweep.training.networks.stack import MEMORY_FORMATS

BATCH = 2  # images of a trial pass
SIGMOIDS = (nn.Sigmoid, nn.LogSigmoid, nn.Softmax, nn.LogSoftmax)


def build_foreign(config: Config, kind: str, settings: dict[str, Any]) -> nn.Module:
    """Build the network that `gen=` or `disc=` names. Raises UserError if it cannot be built.

    kind: "gen" or "disc"; settings: what gansweep can pass, by name.
    """
    name = getattr(config, kind)
    size = image_size(config) if kind == "disc" else size_for(config, "gen")
    settings = {**settings, "image_size": size}
    try:
        net = KINDS[kind].registry[name].build(**arguments_of(config, kind, settings))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{kind}={name} cannot be built: {one_line(error)}") from error
    _check_module(net, f"{kind}={name}")
    if kind == "gen":
        _adapt_latents(net, config.z_dim, name, settings["n_classes"])
    else:
        last = [m for m in net.modules() if not list(m.children())][-1:]
        if last and isinstance(last[0], SIGMOIDS):
            raise UserError(
                f"disc={name} ends in {type(last[0]).__name__}, but gansweep's losses take D's "
                "output without it: remove this layer"
            )
        if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules()):
            refuse_batch_norm(config)
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.dim() == 4:  # `Module.to` refuses a network that also has weights of five axes
            memory_format = MEMORY_FORMATS[settings["memory_format"]]
            tensor.data = tensor.data.contiguous(memory_format=memory_format)
    return net


def _check_module(net: Any, what: str) -> None:
    if not isinstance(net, nn.Module):
        raise UserError(f"{what} returns {type(net).__name__}, not a torch.nn.Module")


def trial_labels(n_classes: int) -> tuple[Tensor, ...]:
    """Return what a network is called with beside latents or images: labels, if there are any."""
    return (torch.zeros(BATCH, dtype=torch.int64),) if n_classes else ()


def _adapt_latents(net: nn.Module, z_dim: int, name: str, n_classes: int) -> None:
    """Let `net` take N × z_dim, if it takes N × z_dim × 1 × 1. Raises UserError if neither."""
    labels = trial_labels(n_classes)
    error = _failure(net, torch.zeros(BATCH, z_dim), *labels)
    if error is None:
        return
    if _failure(net, torch.zeros(BATCH, z_dim, 1, 1), *labels) is not None:
        beside = " and labels" if labels else ""
        why = not_passed("gen", name, "z_dim")
        raise UserError(
            f"gen={name} cannot take latents of {BATCH}×{z_dim}{beside}{why}: {one_line(error)}"
        ) from error
    net.register_forward_pre_hook(lambda _, inputs: (inputs[0][:, :, None, None], *inputs[1:]))


def _failure(net: nn.Module, *inputs: Tensor) -> Exception | None:
    try:
        pass_through(net, *inputs)
    except Exception as error:
        return error
    return None


@torch.no_grad()
def pass_through(net: nn.Module, *inputs: Tensor) -> Any:
    """Return the output for `inputs`; leave the network and the random numbers as they were."""
    was_training = net.training
    with torch.random.fork_rng(devices=[]):
        try:
            return net.eval()(*inputs)
        finally:
            net.train(was_training)


def image_size(config: Config) -> int:
    """Return the height and width in pixels of the images that `gen=` makes.

    It is declared, or what one pass shows. Raises UserError if the generator cannot be built.
    """
    entry = KINDS["gen"].registry[config.gen]
    if entry.image_size is not None:
        return int(entry.image_size)
    return _shape(config.gen, *_key(config))[-1]


def _key(config: Config) -> tuple[Any, ...]:
    supplied = {
        "z_dim": config.z_dim, "channels": 1, "width": widths(config)[0], "alpha": config.alpha,
        "drop": config.gen_drop, "norm": config.gen_norm, "image_size": size_for(config, "gen"),
        "n_classes": BATCH if config.labels else 0,  # the data, and so their classes, come later
    }  # fmt: skip
    return config.z_dim, tuple(sorted(arguments_of(config, "gen", supplied).items()))


@functools.cache
def _shape(name: str, z_dim: int, arguments: tuple[tuple[str, Any], ...]) -> tuple[int, ...]:
    """Return the shape of one image of a generator."""
    with torch.random.fork_rng(devices=[]):
        try:
            net = KINDS["gen"].registry[name].build(**dict(arguments))
        except Exception as error:
            raise UserError(f"gen={name} cannot be built: {one_line(error)}") from error
        _check_module(net, f"gen={name}")
        n_classes = dict(arguments).get("n_classes", 0)
        _adapt_latents(net, z_dim, name, n_classes)
        images = pass_through(net, torch.zeros(BATCH, z_dim), *trial_labels(n_classes))
    return checked_shape(images, name)


def checked_shape(images: Any, name: str) -> tuple[int, ...]:
    if not isinstance(images, Tensor) or images.dim() != 4 or len(images) != BATCH:
        shown = "×".join(map(str, images.shape)) if isinstance(images, Tensor) else type(images)
        raise UserError(f"gen={name} returns {shown} for {BATCH} latents, not images N×C×H×W")
    if images.shape[-1] != images.shape[-2]:
        raise UserError(
            f"gen={name} makes images of {text(images.shape[1:])}; gansweep takes square ones, "
            "with the channels first"
        )
    return tuple(images.shape[1:])


def text(shape: Any) -> str:
    return "×".join(map(str, shape))


def one_line(error: BaseException) -> str:
    remedy = ""
    if "view size is not compatible" in str(error):
        remedy = "; add memory_format=contiguous, or write .reshape in the place of .view"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{remedy}"
