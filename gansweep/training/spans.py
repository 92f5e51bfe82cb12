"""Spans of steps: Lightning's loop and the callbacks cost half a millisecond a turn, not a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from torch import Tensor

from gansweep.training.data.batches import Batches
from gansweep.training.gan import GAN

SECONDS = 0.2  # that a span takes, about: how often the bar can be redrawn


class Spans:
    """The batches of a run in spans, lists of consecutive ones.

    A span ends with the first step that is `due`, and is short enough for SECONDS at the pace of
    the run so far; the first ones are single steps, as there is no pace yet.
    """

    def __init__(self, batches: Batches, gan: GAN, due: Callable[[int], bool]) -> None:
        self.batches = batches
        self.gan = gan
        self.due = due

    def __iter__(self) -> Iterator[list[Tensor]]:
        first, started = self.batches.first, time.monotonic()
        span: list[Tensor] = []
        for step, batch in enumerate(self.batches, first + 1):
            span.append(batch)
            pace = (self.gan.steps_done - first) / max(time.monotonic() - started, 1e-6)
            if self.due(step) or len(span) >= SECONDS * pace:
                yield span
                span = []
        if span:
            yield span
