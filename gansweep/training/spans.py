"""Group the batches into spans, one for each turn of Lightning's loop.

A turn of the loop with its callbacks costs half a millisecond, which a span pays once and not at
every step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from gansweep.training.data.batches import Batch, Batches
from gansweep.training.gan import GAN

SPAN_SECONDS = 0.2  # A span takes about this long; the progress bar is redrawn between spans.


class Spans:
    """This iterable yields the batches of a run as spans, which are lists of consecutive batches.

    A span ends at the first step that is `due`, or when it would take longer than SPAN_SECONDS at
    the run's pace so far. The first spans are single steps, because no pace is known yet. A batch
    is uint8 B×C×H×W, or a pair of that and labels.
    """

    def __init__(self, batches: Batches, gan: GAN, due: Callable[[int], bool]) -> None:
        self.batches = batches
        self.gan = gan
        self.due = due

    def __iter__(self) -> Iterator[list[Batch]]:
        first_step, started = self.batches.first, time.monotonic()
        span: list[Batch] = []
        for step, batch in enumerate(self.batches, first_step + 1):
            span.append(batch)
            seconds = max(time.monotonic() - started, 1e-6)
            steps_per_second = (self.gan.steps_done - first_step) / seconds
            if self.due(step) or len(span) >= SPAN_SECONDS * steps_per_second:
                yield span
                span = []
        if span:
            yield span
