"""How many images are generated to evaluate and to score a run.

Distances depend on the number of generated images, so runs that are compared must have the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from gansweep.config import Config, total_steps
from gansweep.store.errors import UserError
from gansweep.training.data import Prepared

# Each entry has the least number of images that a run trains on, and the numbers of images that are
# generated for an evaluation and for the score. Short runs generate fewer, so that judging takes
# about a twentieth of the time.
SAMPLE_SIZES = ((1_000_000, 2000, 10_000), (100_000, 750, 4000), (10_000, 200, 400), (0, 200, 250))


def sample_sizes(images: int, pixels: int = 28) -> tuple[int, int]:
    """Return the numbers of generated images for an evaluation and for the score.

    The run trains on `images` images, repetitions included, of `pixels` × `pixels`. The judge takes
    a larger part of the time for larger images, so fewer of these are generated.
    """
    equivalent = images * 28 / max(pixels, 28)
    return next(
        (evaluation, score) for least, evaluation, score in SAMPLE_SIZES if equivalent >= least
    )


def chosen_sizes(score: int) -> tuple[int, int]:
    """Return the same for judge_images=`score`."""
    evaluation = next((e for _, e, usual in SAMPLE_SIZES if score >= usual), SAMPLE_SIZES[-1][1])
    return evaluation, score


def score_size(config: Config, data: Prepared) -> int | None:
    """Return the number of images of a run's score, or None if gansweep does not decide it.

    It does not for scripts, which draw their images themselves, nor with judge=false.
    """
    if config.judge == "false" or config.command is not None:
        return None
    if config.judge_images is not None:
        return config.judge_images
    return sample_sizes(total_steps(config, data.images) * config.batch_size, data.size)[1]


def common_size(runs: Iterable[tuple[Config, Prepared]]) -> int | None:
    """Return the number of images for the scores of all these runs, that of the shortest one.

    Returns None if their numbers are equal anyway, or one was chosen.
    """
    sizes = set()
    for config, data in runs:
        if config.judge_images is not None:
            return None
        # Another check refuses a batch that is larger than the data set.
        with suppress(UserError):
            if (size := score_size(config, data)) is not None:
                sizes.add(size)
    return min(sizes) if len(sizes) > 1 else None
