"""Choose between two ways to compute the same on a CPU, by one measurement on each machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

from gansweep.machine import cache_folder, measured_once, processor

ROUNDS = 20


def is_slower(
    name: str, plain: Callable[[], object], other: Callable[[], object], by: float = 1.0
) -> bool:
    """Return whether `plain`, PyTorch's own form, takes more than `by` times as long as `other`.

    The choice is recorded as `name` in the cache, since a run that is resumed must compute what it
    has computed before. A cache that cannot be written does not stop a run.
    """
    key = f"{name}, {processor()}, torch {torch.__version__}"
    with suppress(OSError):
        path = cache_folder() / "kernels.json"
        return bool(measured_once(path, key, lambda: measure(plain, other, by))["slow"])
    return bool(measure(plain, other, by)["slow"])


def measure(plain: Callable[[], object], other: Callable[[], object], by: float) -> dict[str, Any]:
    """Return the least microseconds of both forms, and whether `plain` is the slow one."""
    forms = {"plain": plain, "other": other}
    fastest = dict.fromkeys(forms, float("inf"))
    for form in forms.values():  # The first calls allocate memory and choose kernels.
        form()
    for _ in range(ROUNDS):
        for name, form in forms.items():
            started = time.perf_counter()
            form()
            fastest[name] = min(fastest[name], 1e6 * (time.perf_counter() - started))
    return {**fastest, "slow": fastest["plain"] > by * fastest["other"]}
