"""Format the judge's results of runs for tables, and explain the metrics and flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gansweep.notation import format_measured
from gansweep.plugins import METRICS
from gansweep.store.check import number
from gansweep.store.records import EmaLength, JudgeRecord, Score
from gansweep.training.metrics.equilibrium import FLAGS, flag_of

MIN_RUNS = 5  # fewer runs are too few to compare ranks
MIN_AGREEMENT = 0.7  # least Spearman correlation of two metrics that are said to agree


def headline(judge: JudgeRecord) -> str:
    """Return the primary metric with its value: `FD (LeNet) 93.1`."""
    return f"{METRICS.entry(judge['primary']).label} {_measured(judge['score'], judge['primary'])}"


def _measured(score: Score, metric: str) -> str:
    value = number(score, metric)
    return "–" if value is None else distance(metric, value, number(score, f"{metric}_error"))


def distance(metric: str, value: float, error: float | None = None) -> str:
    """Format a metric's value with the metric's digits, fewer if its standard error is large."""
    return format_measured(value, METRICS.entry(metric).digits, error)


def remainder(judge: JudgeRecord) -> list[str]:
    """Return the texts after the headline: `at epoch 2.4, plateau, collapsed`, `(FID 80.1)`."""
    words = marks(judge)
    equilibrium = judge.get("equilibrium")
    if equilibrium and equilibrium["step"] > 0:
        place = f"at step {equilibrium['step']}"
        if "epoch" in equilibrium:
            place = f"at epoch {equilibrium['epoch']:.3g}"
        words.insert(0, f"{place}, {equilibrium['label']}")
    parts = [", ".join(words)] if words else []
    if published := judge["score"].get("published"):
        parts.append(f"({METRICS.entry(published).label} {_measured(judge['score'], published)})")
    if "ema" in judge:
        parts.append(f"(EMA, at the end: {_measured(judge['ema'], judge['primary'])})")
    if found := best_average(judge):
        name = f"EMA of length {found['length']:g}" if found["length"] else "no EMA"
        parts.append(f"({name}, at the end: {distance(judge['primary'], found['value'] or 0)})")
    return parts


def best_average(judge: JudgeRecord) -> EmaLength | None:
    """Return the length of the average with the best primary metric, 0 for none, and the metric.

    Returns None for a run without averages of its weights.
    """
    found = [each for each in judge.get("ema_lengths", []) if each["value"] is not None]
    if not any(each["length"] for each in found):
        return None
    sign = METRICS.sign(judge["primary"])
    return min(found, key=lambda each: sign * (each["value"] or 0), default=None)


def marks(judge: JudgeRecord) -> list[str]:
    """Return the flags in words."""
    return [flag_of(flag).word for flag in judge["flags"]]


def opinions(scores: Sequence[Mapping[str, Any]], primary: str, second: str) -> list[str]:
    """State whether two metrics rank these runs alike, by Spearman's rank correlation.

    Returns no sentence for fewer than MIN_RUNS runs.
    """
    import pandas as pd

    table = pd.DataFrame([{m: number(score, m) for m in (primary, second)} for score in scores])
    if len(table) < MIN_RUNS:
        return []
    one, other = (METRICS.sign(metric) * table[metric] for metric in (primary, second))
    rho = one.rank().corr(other.rank())  # method="spearman" would import SciPy
    verdict = "metrics disagree" if not rho >= MIN_AGREEMENT else "a second metric agrees"
    labels = f"{METRICS.entry(primary).label} and {METRICS.entry(second).label}"
    return [
        f"{verdict}: {labels} rank these {len(table)} runs with a Spearman correlation of {rho:.2f}"
    ]


def _published(scores: list[Score]) -> list[str]:
    """Explain each published metric of these scores, with the networks that computed it."""
    sentences = []
    for name in dict.fromkeys(score["published"] for score in scores if "published" in score):
        found = [score for score in scores if score.get("published") == name]
        nets = " and ".join(sorted({score.get("published_net", "") for score in found}))
        metric = METRICS.entry(name)
        sentences.append(f"{metric.label}: {metric.help}; {nets}")
    return sentences


def _reals(scores: list[Score]) -> str:
    """Describe the real images of the comparison: `5,000 of the data set's own test images`."""
    phrases = []
    for score in scores:
        if "reals" not in score:  # an older version trained on all images
            phrases.append("real images that were also trained on")
            continue
        if not score.get("held_out"):
            phrase = "{} of the training images themselves, as none are held out"
        elif score.get("own_test"):
            phrase = "{} of the data set's own test images"
        else:
            phrase = "{} real images that no network was trained on"
        if score.get("held_out") and score.get("shared"):
            phrase += " (too few to be split: the same images chose the best weights)"
        phrases.append(phrase.format(f"{score['reals']:,}"))
    return " or ".join(dict.fromkeys(phrases))


def _scale(scores: list[Score], primary: str) -> str:
    """Return the value of real images, which is that of a perfect generator; empty if not known."""
    found = []
    for score in scores:
        value = number(score, "real_value")
        if value is not None:
            count = score.get("real_n", score["n"])
            fewer = f" with {count:,} of them" if count < score["n"] else ""
            found.append(f"{distance(primary, value)}{fewer}")
    if not found:
        return ""
    return (
        f"; real against real {' or '.join(sorted(set(found)))} "
        "(training images in the place of the generated ones)"
    )


def legend(judged: list[JudgeRecord], *, by_scripts: bool = False) -> list[str]:
    """Explain the metrics and the flags of these runs, in one sentence each.

    by_scripts: whether scripts drew the images; gansweep does not know their latents.
    """
    drawn = "that did not choose the best step" if by_scripts else "with new latents"
    sentences = []
    for primary in dict.fromkeys(judge["primary"] for judge in judged):
        alike = [judge for judge in judged if judge["primary"] == primary]
        scores = [judge["score"] for judge in alike]
        metric, better = METRICS.entry(primary), METRICS.better(primary)
        numbers = sorted({score["n"] for score in scores})
        counts = " or ".join(f"{n:,}" for n in numbers)
        if len(numbers) > 1 and numbers[-1] > 2 * numbers[0]:
            counts += " (fewer images give worse values)"
        nets = " and ".join(sorted({score["net"] for score in scores}))
        sentences.append(
            f"{metric.label}: {metric.help}, {better}; {counts} generated images {drawn}, "
            f"at the equilibrium, against {_reals(scores)}; {nets}{_scale(scores, primary)}"
        )
        if second := alike[0].get("second"):
            by_second = [judge["score"] for judge in alike if judge.get("second") == second]
            sentences += opinions(by_second, primary, second)
        sentences += _published(scores)
    found = {flag for judge in judged for flag in judge["flags"]}
    names = [*(name for name in FLAGS if name in found), *sorted(found - FLAGS.keys())]
    return sentences + [f"{flag.word}: {flag.meaning}" for flag in map(flag_of, names)]
