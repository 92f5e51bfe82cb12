"""Measure a training step as it is, as a CUDA graph, and with networks that torch.compile compiles.

A step of small networks launches hundreds of kernels that take less time than their launch. A CUDA
graph launches all of them at once. On a CPU there are no graphs, and only the others are measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.bare_loop import bare_step
from benchmarks.measure import write
from benchmarks.roofline import Place, places, seconds_a_call, suffix
from gansweep.config import Config
from gansweep.training.bare_step import step_of
from gansweep.training.train import build_gan

PAIRS = (("1", "1"), ("5", "4"))
BATCHES = (64, 256)
PRECISIONS = ("fp32", "bf16")
ROUNDS = 5
STEPS = 20  # in a round
Step = Callable[[Tensor], None]


def graphs(
    pairs: tuple[tuple[str, str], ...] = PAIRS,
    batches: tuple[int, ...] = BATCHES,
    width: float = 1.0,
    steps: int = STEPS,
    compiles: bool = True,
) -> None:
    """Measure each pair of networks, batch and precision.

    compiles: whether to measure torch.compile, which takes up to a minute for each pair.
    """
    place = places()[0]
    rows, notes = [], []
    for gen, disc in pairs:
        for precision in PRECISIONS:
            for batch in batches:
                config = Config(
                    gen=gen, disc=disc, width=width, precision=precision, batch_size=batch,
                    device=place.device, judge="false",
                )  # fmt: skip
                forms: dict[str, Callable[[Config], Step]] = {"plain": plain}
                if place.device == "cuda":
                    forms["graph"] = graphed
                if compiles and batch == batches[0]:
                    forms["compiled"] = compiled
                found = {}
                for form, make in forms.items():
                    torch._dynamo.reset()  # else the limit of recompilations counts all cases
                    try:
                        found[form] = _milliseconds(make(config), config, steps, place)
                    except Exception as error:
                        if form == "plain":
                            raise
                        notes.append(f"{form} failed: {type(error).__name__}: {_line(error)}")
                rows.append([
                    f"G{gen}/D{disc}", str(batch), precision,
                    *(_shown(found, form) for form in ("plain", "graph", "compiled")),
                ])  # fmt: skip
                print(*rows[-1], sep="; ", flush=True)
    write(
        "graphs" + suffix(),
        "A training step as a CUDA graph, and compiled",
        [
            f"Milliseconds of a step at width {width:g}, the median of {ROUNDS} rounds of {steps} "
            "steps; in brackets, how many times as fast as the plain step. A graph repeats one "
            "step with new images and random numbers. `-` means not measured: graphs need a GPU, "
            "and torch.compile is tried with the first batch only.",
            *dict.fromkeys(notes),
        ],
        ["networks", "batch", "precision", "plain", "CUDA graph", "torch.compile"],
        rows,
    )


def _milliseconds(step: Step, config: Config, steps: int, place: Place) -> float:
    shape = (config.batch_size, 1, 28, 28)
    batch = torch.randint(0, 256, shape, dtype=torch.uint8, device=place.device)
    with place.taken():
        for _ in range(3):
            step(batch)
        rounds = [seconds_a_call(lambda: step(batch), place, steps) for _ in range(ROUNDS)]
    return 1000 * median(rounds)


def plain(config: Config) -> Step:
    """Return the step as it is."""
    return bare_step(config, 1, config.device)[1]


def graphed(config: Config) -> Step:
    """Return the step as a CUDA graph. Raises RuntimeError if it computes no finite losses.

    The graph has fixed addresses: a batch is copied to that of the first one.
    """
    gan = build_gan(config, 1).to("cuda").train()
    batch = torch.zeros(config.batch_size, 1, 28, 28, dtype=torch.uint8, device="cuda")
    once = step_of(_with_capturable_optimizers(gan), config, "cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # The first steps allocate memory and choose kernels.
        for _ in range(3):
            once(batch)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        once(batch)

    def step(images: Tensor) -> None:
        batch.copy_(images)
        graph.replay()

    step(torch.randint(0, 256, batch.shape, dtype=torch.uint8, device="cuda"))
    losses = {name: loss.item() for name, loss in gan.losses.items()}
    if not all(map(math.isfinite, losses.values())):
        raise RuntimeError(f"the losses of the graph are not finite: {losses}")
    return step


def _with_capturable_optimizers(gan: Any) -> Any:
    """Let the optimizers of `gan` keep their step numbers on the GPU, as a graph needs them."""
    make = gan.configure_optimizers

    def capturable() -> list[torch.optim.Optimizer]:
        optimizers: list[torch.optim.Optimizer] = make()
        for group in (group for o in optimizers for group in o.param_groups):
            group["capturable"] = True
        return optimizers

    gan.configure_optimizers = capturable
    return gan


def compiled(config: Config) -> Step:
    """Return the step with both networks compiled."""
    gan = build_gan(config, 1).to(config.device).train()
    gan.generator.compile()
    gan.discriminator.compile()
    return step_of(gan, config, config.device)


def _shown(found: dict[str, float], form: str) -> str:
    if form not in found:
        return "-"
    ratio = f" ({found['plain'] / found[form]:.2f})" if form != "plain" else ""
    return f"{found[form]:.2f}{ratio}"


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
