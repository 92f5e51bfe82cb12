"""Compare K GANs fused into grouped convolutions with K separate GANs.

HFTA (Wang et al., MLSys 2021) trains models of equal shapes as one model. This benchmark fuses both
networks, so that gansweep's own step can train them. The fused models share their images, dropout
masks and learning rates, as fused models must.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.bare_loop import bare_step
from benchmarks.measure import Series, write
from benchmarks.roofline import Place, places, seconds_a_call, suffix
from gansweep.config import Config
from gansweep.training.bare_step import step_of
from gansweep.training.gan import GAN
from gansweep.training.networks.stack import MEMORY_FORMATS, Reshape
from gansweep.training.optimizers import make_optimizer
from gansweep.training.recipe.objective import make_objective
from gansweep.training.train import build_gan

PAIRS = (("5", "4"), ("1", "1"))  # Each network has its demo width.
TOGETHER = (2, 4, 8)
PRECISIONS = ("fp32", "bf16")
BATCH = 32
ROUNDS = 5
STEPS = 8  # steps of each model in a round


def fuse(net: nn.Sequential, count: int, memory_format: torch.memory_format) -> nn.Sequential:
    """Fuse `count` networks into one, whose channels are those of the networks side by side."""
    layers: list[nn.Module] = []
    for layer in net:
        if isinstance(layer, nn.Linear):
            inputs, outputs = count * layer.in_features, count * layer.out_features
            bias = layer.bias is not None
            layers += [nn.Flatten(), nn.Unflatten(1, (inputs, 1, 1))]
            layers += [nn.Conv2d(inputs, outputs, 1, groups=count, bias=bias)]
        elif isinstance(layer, Reshape):
            channels, *sizes = layer.unflattened_size
            layers += [nn.Flatten(), Reshape((count * channels, *sizes), memory_format)]
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layers += [type(layer)(
                count * layer.in_channels, count * layer.out_channels, layer.kernel_size,
                layer.stride, layer.padding, groups=count, bias=layer.bias is not None,
            )]  # fmt: skip
        elif isinstance(layer, nn.BatchNorm2d):
            layers += [nn.BatchNorm2d(count * layer.num_features, layer.eps, layer.momentum)]
        elif isinstance(layer, nn.BatchNorm1d):
            raise ValueError("batch norm of a vector is not fused here")
        else:
            layers += [layer]
    return nn.Sequential(*layers).to(memory_format=memory_format)


def fused_step(config: Config, count: int, device: str) -> Callable[[Tensor], None]:
    """Return the step of `count` fused GANs, a function of one batch, uint8, for all of them."""
    single = build_gan(config, 1)
    memory_format = MEMORY_FORMATS[config.memory_format]
    gan = GAN(
        fuse(single.generator, count, memory_format),  # type: ignore[arg-type]
        fuse(single.discriminator, count, memory_format),  # type: ignore[arg-type]
        z_dim=count * config.z_dim, objective=make_objective(config), joint_d=False, fresh_z=False,
        reuse_fake=True, memory_format=memory_format,
        gen_optimizer=functools.partial(make_optimizer, config, "gen_opt"),
        disc_optimizer=functools.partial(make_optimizer, config, "disc_opt"),
    ).to(device).train()  # fmt: skip
    step = step_of(gan, config, device)
    return lambda batch: step(batch.repeat(1, count, 1, 1))


def fusion() -> None:
    """Measure seconds per model and step, separate and fused, on one CPU thread or the GPU."""
    place = places()[0]
    rows = []
    for gen, disc in PAIRS:
        for precision in PRECISIONS:
            config = Config(
                gen=gen, disc=disc, width=None, precision=precision, batch_size=BATCH, smooth=0.1
            )
            times = _measure(config, place)
            alone = times.pop(1)
            for count, series in times.items():
                ratio = [a / b for a, b in zip(alone.values, series.values, strict=True)]
                rows.append([
                    f"G{gen}/D{disc}", precision, str(count),
                    f"{1000 * median(alone.values):.1f}", f"{1000 * median(series.values):.1f}",
                    Series("", ratio).spread(2),
                ])  # fmt: skip
                print(*rows[-1], sep=", ", flush=True)
    write(
        "fusion" + suffix(),
        "Horizontal fusion: K models as one array of grouped convolutions",
        [
            f"Milliseconds for a step of one model, batch {BATCH}, {place}, at the demo profile's "
            f"widths; {ROUNDS} rounds, in turns; the ratio as min–median–max. Above 1: fusing is "
            "faster than one model after the other on the same thread or GPU. On a CPU, separate "
            "processes of one thread take exactly that time each, so that this is the whole gain; "
            "on a GPU processes also run at the same time, so that the gain over them is less.",
            "Fused models share their images and their random stream, need equal shapes and "
            "lengths, and their results depend on their company.",
        ],
        ["networks", "precision", "K", "alone, ms", "fused, ms a model", "times as fast"],
        rows,
    )


def _measure(config: Config, place: Place) -> dict[int, Series]:
    """Return the seconds by the number of fused models."""
    torch.manual_seed(1)
    batch = torch.randint(0, 256, (BATCH, 1, 28, 28), dtype=torch.uint8, device=place.device)
    times = {count: Series(str(count)) for count in (1, *TOGETHER)}
    with place.taken():
        steps = {count: fused_step(config, count, place.device) for count in TOGETHER}
        steps[1] = bare_step(config, 1, place.device)[1]
        for step in steps.values():
            for _ in range(3):
                step(batch)
        for _ in range(ROUNDS):
            for count, series in times.items():
                took = seconds_a_call(functools.partial(steps[count], batch), place, STEPS)
                series.values.append(took / count)
    return times
