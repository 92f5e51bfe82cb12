"""Measure the best rates of matrix products, convolutions and copies on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from benchmarks import charts
from benchmarks.measure import Series, write
from gansweep.launch.devices import cpu_cores

ROUNDS = 3
SECONDS = 0.2  # the time of a point in a round, unless a single call takes longer
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
GEMM = {"cpu": (512, 1024, 2048, 4096), "cuda": (1024, 2048, 4096, 8192, 16384)}
CHANNELS, KERNEL = (64, 128, 256, 512), 5
IMAGES = {"cpu": (32, 14), "cuda": (128, 28)}  # the number and the size of a convolution's images
COPY_BYTES = {"cpu": 1 << 28, "cuda": 1 << 30}


@dataclass(frozen=True)
class Place:
    """A place of measurement: the CPU with a number of threads, or the GPU."""

    device: str
    threads: int

    def __str__(self) -> str:
        if self.device == "cuda":
            return "GPU"
        return f"{self.threads} thread" + ("s" if self.threads > 1 else "")

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Use this number of threads within the `with` block, and fp32 instead of TF32 on a GPU."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def wait(self) -> None:
        """Wait until the device has finished its work."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def places() -> list[Place]:
    """Return the GPU if PyTorch sees one, else the CPU with one thread and with all threads."""
    if torch.cuda.is_available():
        return [Place("cuda", cpu_cores())]
    return [Place("cpu", threads) for threads in sorted({1, cpu_cores()})]


def suffix() -> str:
    """Return the suffix of a report's name, so that a GPU's report does not replace a CPU's."""
    return "_gpu" if torch.cuda.is_available() else ""


def seconds_a_call(work: Callable[[], object], place: Place, calls: int = 1) -> float:
    """Return the seconds of one of `calls` calls in a row, by the clock of the device."""
    place.wait()
    if place.device == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(calls):
            work()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1000 / calls
    started = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - started) / calls


def rates(work: Callable[[], object], cost: float, place: Place, rounds: int) -> list[float]:
    """Return the rate of each round, `cost` per second in units of 10⁹, after calls to warm up."""
    with place.taken():
        work()
        calls = max(1, int(SECONDS / seconds_a_call(work, place)))
        return [cost / seconds_a_call(work, place, calls) / 1e9 for _ in range(rounds)]


def gemm(place: Place, precision: str, size: int, rounds: int = ROUNDS) -> list[float]:
    """Return the GFLOP/s of the product of two square matrices in each round."""
    a, b = (torch.randn(size, size, device=place.device).to(DTYPES[precision]) for _ in range(2))
    out = torch.empty_like(a)
    return rates(lambda: torch.mm(a, b, out=out), 2 * size**3, place, rounds)


def convolutions(place: Place, precision: str, channels: int) -> dict[str, list[float]]:
    """Return the GFLOP/s of a convolution together with its two gradients in each round."""
    n, size = IMAGES[place.device]

    def tensor(*shape: int) -> Tensor:
        made = torch.randn(*shape, device=place.device).to(DTYPES[precision])
        return made.to(memory_format=torch.channels_last).requires_grad_()

    x, w = tensor(n, channels, size, size), tensor(channels, channels, KERNEL, KERNEL)
    flop = 2 * n * channels**2 * KERNEL**2 * size**2

    def forward() -> Tensor:
        return conv2d(x, w, padding=KERNEL // 2)

    with place.taken():
        y = forward()
    gradient = torch.ones_like(y)

    def backward() -> tuple[Tensor, ...]:
        return torch.autograd.grad(y, (x, w), gradient, retain_graph=True)

    return {
        "convolution, forward": rates(forward, flop, place, ROUNDS),
        "convolution, backward": rates(backward, 2 * flop, place, ROUNDS),
    }


def ceilings(place: Place, precision: str) -> tuple[float, float]:
    """Return the best GFLOP/s of matrix products, and of matrix products and convolutions.

    The measurement takes a few seconds.
    """
    sizes, channels = ((4096, 8192), 512) if place.device == "cuda" else ((1024, 2048), 256)
    product = max(max(gemm(place, precision, size)) for size in sizes)
    return product, max(product, *map(max, convolutions(place, precision, channels).values()))


def copies(place: Place) -> list[float]:
    """Return the GB/s, read and written, of copies in each round."""
    size = COPY_BYTES[place.device]
    a, b = (torch.ones(size // 4, device=place.device) for _ in range(2))
    return rates(lambda: b.copy_(a), 2 * size, place, ROUNDS)


def roofline() -> None:
    """Write the best rate of each kind of work, by precision and number of threads."""
    found: dict[tuple[str, str, Place], dict[int, Series]] = {}
    rows = []
    for place in places():
        for precision in DTYPES:
            work: dict[str, dict[int, Series]] = {"matrix product": {}}
            for size in GEMM[place.device]:
                work["matrix product"][size] = Series("", gemm(place, precision, size))
            for channels in CHANNELS:
                for kind, values in convolutions(place, precision, channels).items():
                    work.setdefault(kind, {})[channels] = Series("", values)
            for kind, series in work.items():
                found[kind, precision, place] = series
                best = max(series, key=lambda size: max(series[size].values))
                rows.append([kind, precision, str(place), str(best), series[best].spread(0)])
                print(*rows[-1], sep=", ", flush=True)
        rows.append(["copy, GB/s", "–", str(place), "–", Series("", copies(place)).spread(0)])
    name = "roofline" + suffix()
    n, size = IMAGES[places()[0].device]
    write(
        name,
        "What the machine can do",
        [
            f"GFLOP/s of the best size, {ROUNDS} rounds, min–median–max; a ceiling is the largest. "
            "Products of square matrices; convolutions of "
            f"{KERNEL}×{KERNEL} with as many channels in as out on {n} maps of {size}×{size}, "
            "channels last; backward is both gradients. Copies count what is read and what "
            "is written. TF32 is off.",
            _draw(name, found),
        ],
        ["work", "precision", "where", "best size", "GFLOP/s"],
        sorted(rows),
    )


def _draw(name: str, found: dict[tuple[str, str, Place], dict[int, Series]]) -> str:
    kinds = list(dict.fromkeys(kind for kind, _, _ in found))
    figure, axes = charts.panels(len(kinds), width=9.5)
    where = list(dict.fromkeys(place for _, _, place in found))
    for ax, kind in zip(axes, kinds, strict=True):
        for (other, precision, place), series in found.items():
            if other == kind:
                best = [max(s.values) for s in series.values()]
                which = 2 * (precision == "bf16") + where.index(place)
                charts.line(
                    ax, list(series), best, f"{precision}, {place}", which, precision == "fp32"
                )
        sizes = list(found[kind, "fp32", where[0]])
        charts.marks(ax, sizes, list(map(str, sizes)))
        ax.set(title=kind, xlabel="channels" if "conv" in kind else "rows and columns")
        ax.set_ylim(bottom=0)
    axes[0].set_ylabel("GFLOP/s")
    axes[0].legend(frameon=False, fontsize=8)
    return charts.save(figure, name)
