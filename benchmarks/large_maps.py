"""Compare a step of the 128 px networks with the same step of plain PyTorch layers, on one core.

The plain form is that of document 000, and of gansweep until commit be842b4: upsampling and
convolution, tanh and average pooling, each over the whole batch.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from statistics import median

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from benchmarks import measure
from benchmarks.measure import Series
from gansweep.config import Config
from gansweep.training.bare_step import step_of
from gansweep.training.gan import GAN
from gansweep.training.train import build_gan
from testing.plain_layers import plain

NETWORKS = ("conv2", "conv3")
WIDTHS = (1 / 16, 1 / 8)
PRECISIONS = ("fp32", "bf16")
BATCH = 100  # as in document 000
ROUNDS = 5
PROFILED = 2  # steps whose operations are profiled
# The first entry that is part of an operation's name decides where its time is counted.
KINDS = {
    "convolution": "convolutions", "tanh": "tanh", "sigmoid": "tanh", "pool": "pooling",
    "upsample": "upsampling", "mm": "products", "cat": "copies", "copy": "copies",
    "fill": "copies", "chunks": "Python",
}  # fmt: skip


def large_maps() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows, shares = [], []
    try:
        for name in NETWORKS:
            for width in WIDTHS:
                for precision in PRECISIONS:
                    rows.append(_compare(name, width, precision))
                    print(rows[-1], flush=True)
        for precision in PRECISIONS:
            for form, make in (("plain layers", plain), ("ours", nn.Identity())):
                shares.append([form, precision, _profile(make, precision)])
    finally:
        torch.set_num_threads(threads)
    measure.write(
        "large_maps",
        "A step of the 128 px networks, against plain layers",
        [
            f"images/s on one core, batches of {BATCH}, SGD with momentum, {ROUNDS} rounds in "
            "turns: min–median–max. Plain: the layers as document 000 has them, each over the "
            "whole batch, as they were at be842b4.",
            "Where the time of a conv2 step at width 1/8 goes:",
            *(f"* {form}, {precision}: {text}" for form, precision, text in shares),
            "Products are dense layers and, in our form, pooling. Python is our loop over chunks; "
            "the profile of many short operations exaggerates it.",
        ],
        ["networks", "width", "precision", "plain, images/s", "ours, images/s", "ratio"],
        rows,
    )


def _config(name: str, width: float, precision: str) -> Config:
    """Return the configuration of a case of document 000."""
    return Config(
        gen=name, disc=name, width=width, precision=precision, batch_size=BATCH, device="cpu",
        gen_opt="sgd", disc_opt="sgd", momentum=0.9, nesterov=True, joint_d=True, fresh_z=True,
        smooth=0.0, lr=5e-4,
    )  # fmt: skip


def _steps(config: Config, form: Callable[[nn.Module], nn.Module]) -> Callable[[], None]:
    """Return a step on random pixels, after one step to warm up."""
    torch.manual_seed(0)
    gan: GAN = build_gan(config, 1).train()
    gan.generator, gan.discriminator = form(gan.generator), form(gan.discriminator)
    step = step_of(gan, config, "cpu")
    batch = torch.randint(0, 256, (BATCH, 1, 128, 128), dtype=torch.uint8)
    step(batch)
    return lambda: step(batch)


def _compare(name: str, width: float, precision: str) -> list[str]:
    config = _config(name, width, precision)
    contestants = {
        "plain": _steps(config, plain),
        "ours": _steps(config, nn.Identity()),
    }
    found = {form: Series(form) for form in contestants}
    for _ in range(ROUNDS):
        for form, step in contestants.items():
            began = time.perf_counter()
            step()
            found[form].values.append(BATCH / (time.perf_counter() - began))
    ratio = median(found["ours"].values) / median(found["plain"].values)
    speeds = [found[form].spread(0) for form in ("plain", "ours")]
    return [name, str(Fraction(width)), precision, *speeds, f"{ratio:.1f}"]


def _profile(form: Callable[[nn.Module], nn.Module], precision: str) -> str:
    """Return the shares of a step by kind of operation, as `convolutions 40 %, tanh 12 %, …`."""
    step = _steps(_config("conv2", 1 / 8, precision), form)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        for _ in range(PROFILED):
            step()
    times: Counter[str] = Counter()
    for event in recorded.key_averages():
        kind = next((kind for part, kind in KINDS.items() if part in event.key.lower()), "the rest")
        times[kind] += event.self_cpu_time_total
    total = sum(times.values())
    parts = ", ".join(
        f"{kind} {100 * t / total:.0f} %" for kind, t in times.most_common() if t > total / 200
    )
    return f"{total / PROFILED / 1000:,.0f} ms a step, profiled: {parts}"
