"""Choose between two ways to compute the same on a CPU, by one measurement on each machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

from gansweep.machine import cache_folder, measured_once, processor

ROUNDS = 20
GAIN = 1.1  # A smaller one may be noise.


def is_slower(name: str, plain: Callable[[], object], other: Callable[[], object]) -> bool:
    """Return whether `plain`, PyTorch's own form, is slower than `other` by GAIN on this machine.

    The choice is recorded as `name` in the cache, since a run that is resumed must compute what it
    has computed before. Where the cache cannot be written, the answer is PyTorch's form.
    """
    key = f"{name}, {processor()}, torch {torch.__version__}"
    with suppress(OSError):
        path = cache_folder() / "kernels.json"
        return bool(measured_once(path, key, lambda: measure(plain, other))["slow"])
    return False


def measure(plain: Callable[[], object], other: Callable[[], object]) -> dict[str, Any]:
    """Return the least microseconds of both forms on one thread, and whether `plain` is slow."""
    forms = {"plain": plain, "other": other}
    fastest = dict.fromkeys(forms, float("inf"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # The number of threads of a run must not decide for all others.
    try:
        for form in forms.values():  # The first calls allocate memory and choose kernels.
            form()
        for _ in range(ROUNDS):
            for name, form in forms.items():
                started = time.perf_counter()
                form()
                fastest[name] = min(fastest[name], 1e6 * (time.perf_counter() - started))
    finally:
        torch.set_num_threads(threads)
    return {**fastest, "slow": fastest["plain"] > GAIN * fastest["other"]}
