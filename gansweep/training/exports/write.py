"""Export the weights of a run, and check each file by the images that are drawn from it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from gansweep.store.errors import UserError
from gansweep.store.run import Run
from gansweep.training.exports.formats import FORMATS, Exported, Format, load_safetensors
from gansweep.training.generator import load_generator
from gansweep.training.hosted import Hosted, build_hosted
from gansweep.training.job import one_line, read_plan
from gansweep.training.labels import drawn_labels
from gansweep.training.latents import latents

if TYPE_CHECKING:
    import pytorch_lightning as pl

COUNT, EXAMPLE = 24, 3  # images of the check, and of the pass from which a graph is made
SEED = 20  # of the latents of the check
# The largest difference of two images, in [−1, 1], that rounding explains: 1/80 of a grey level.
LIMIT = 1e-4


def check_formats(names: Iterable[str]) -> None:
    """Raise UserError if a package of one of these formats is not installed."""
    for name in names:
        missing = [p for p in FORMATS[name].packages if importlib.util.find_spec(p) is None]
        if missing:
            raise UserError(
                f"--{name} needs the package {missing[0]}: pip install 'gansweep[{name}]'"
            )


def export_weights(
    run: Run, names: Iterable[str], folder: Path, weights: str = "best", ema: float | None = None
) -> Iterator[tuple[str, Path, float]]:
    """Write each of the formats `names` into `folder`; yield it, its file and its difference.

    The difference is the largest one between images drawn from the file and by the run's own
    generator, from the same latents. weights, ema: see `load_generator`. Raises UserError if the
    run has no such weights, if a network cannot be exported, and if the difference is above LIMIT;
    the file then does not exist.
    """
    config, data = read_plan(run)
    net = load_generator(run, weights, ema)
    hosted = None
    if config.model is not None:
        hosted = Hosted(cast("pl.LightningModule", net), config.z_dim, data.classes)
    z, labels = latents(config.z_dim, COUNT, seed=SEED), drawn_labels(data.classes, COUNT, SEED)
    inputs = (z,) if labels is None else (z, labels)
    with torch.no_grad():
        expected = net(*inputs).float() if hosted is None else hosted.sample(*inputs)
    example = tuple(part[:EXAMPLE] for part in inputs)
    exported = Exported(net, _portable(run), example, hosted is not None)
    for name in names:
        if hosted is not None and hosted.takes_count and name != "safetensors":
            raise UserError(
                f"--{name} needs latents, and sample(n) of model={config.model} draws its own: "
                "write sample(z)"
            )
        path = folder / FORMATS[name].file
        yield name, path, _written(name, FORMATS[name], exported, path, inputs, expected)


def _written(
    name: str, chosen: Format, exported: Exported, path: Path, inputs: Any, expected: Tensor
) -> float:
    """Write a file under a temporary name, check it, and rename it. Returns the difference."""
    temporary = path.with_name(f".{path.name}")
    try:
        try:
            chosen.write(exported, temporary)
            images = chosen.draw(temporary, inputs)
        except (UserError, OSError):
            raise
        except Exception as error:
            raise UserError(
                f"--{name}: the network cannot be exported: {_reason(error)}"
            ) from error
        if images.shape != expected.shape:
            raise UserError(
                f"--{name}: the export draws {tuple(images.shape)}, not as the run does"
            )
        difference = float((images - expected).abs().max())
        if not difference <= LIMIT:
            raise UserError(
                f"--{name}: the export is refused, as its images differ from those of the run by "
                f"{difference:.2g} (at most {LIMIT:g} in [-1, 1] is rounding)"
            )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def _reason(error: BaseException) -> str:
    """Return the first cause of an error, as torch's exporters wrap it into many lines."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {one_line(error)[:200]}"


def _portable(run: Run) -> dict[str, Any]:
    """Return the record of a run from which its network is built, without this machine's paths."""
    record = run.read_config()
    assert record is not None  # `read_plan` has read it
    params = {n: v for n, v in record["params"].items() if n not in ("out", "judge_weights")}
    params["data"] = {n: v for n, v in params["data"].items() if n != "root"}
    return {"id": run.id, "params": params, "data": record["data"]}


def takes_count(run: Run) -> bool:
    """Return whether a run's module draws its own latents, by a method `sample(n)`."""
    config, data = read_plan(run)
    if config.model is None:
        return False
    return build_hosted(config, data.channels, data.classes).takes_count


def load_export(path: str | Path) -> nn.Module:
    """Return the generator of a `.safetensors` file that gansweep has exported.

    See `load_generator` for what it maps. Raises UserError if the file cannot be used here.
    """
    check_formats(["safetensors"])
    return load_safetensors(Path(path))[0]
