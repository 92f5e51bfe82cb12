"""What the judge says of a run, in the words of a table, and what these words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gansweep.plugins import METRICS
from gansweep.report.table.text import format_measured
from gansweep.store.check import number
from gansweep.store.records import JudgeRecord, Score
from gansweep.training.metrics.equilibrium import FLAGS, flag_of

FEWEST = 5  # runs to compare ranks of
AGREE = 0.7  # Spearman's correlation of two opinions that are called one


def headline(judge: JudgeRecord) -> str:
    """`FD (LeNet) 93.1`."""
    return f"{METRICS.entry(judge['primary']).label} {_measured(judge['score'], judge['primary'])}"


def _measured(score: Score, metric: str) -> str:
    value = number(score, metric)
    return "–" if value is None else distance(metric, value, number(score, f"{metric}_error"))


def distance(metric: str, value: float, error: float | None = None) -> str:
    """A metric's value with its digits; with no more of them than an error leaves meaning."""
    return format_measured(value, METRICS.entry(metric).digits, error)


def remainder(judge: JudgeRecord) -> list[str]:
    """What follows the headline: `at epoch 2.4, still improving, collapsed`, `(FID 80.1)`."""
    words = marks(judge)
    equilibrium = judge.get("equilibrium")
    if equilibrium and equilibrium["step"] > 0:
        words.insert(0, f"at epoch {equilibrium['epoch']:.3g}, {equilibrium['label']}")
    parts = [", ".join(words)] if words else []
    if published := judge["score"].get("published"):
        parts.append(f"({METRICS.entry(published).label} {_measured(judge['score'], published)})")
    if "ema" in judge:
        parts.append(f"(EMA, at the end: {_measured(judge['ema'], judge['primary'])})")
    return parts


def marks(judge: JudgeRecord) -> list[str]:
    """The flags' words."""
    return [flag_of(flag).word for flag in judge["flags"]]


def opinions(scores: Sequence[Mapping[str, Any]], primary: str, second: str) -> list[str]:
    """Whether the two distances rank these runs alike; nothing for a handful of runs."""
    import pandas as pd

    table = pd.DataFrame([{m: number(score, m) for m in (primary, second)} for score in scores])
    if len(table) < FEWEST:
        return []
    one, other = (METRICS.sign(metric) * table[metric] for metric in (primary, second))
    rho = one.rank().corr(other.rank())  # Spearman's, without SciPy
    verdict = "metrics disagree" if not rho >= AGREE else "a second opinion agrees"
    labels = f"{METRICS.entry(primary).label} and {METRICS.entry(second).label}"
    return [f"{verdict}: {labels} rank these {len(table)} runs with Spearman {rho:.2f}"]


def _published(scores: list[Score]) -> list[str]:
    sentences = []
    for name in dict.fromkeys(score["published"] for score in scores if "published" in score):
        of = [score for score in scores if score.get("published") == name]
        nets = " and ".join(sorted({score.get("published_net", "") for score in of}))
        metric = METRICS.entry(name)
        sentences.append(f"{metric.label}: {metric.help}; {nets}")
    return sentences


def _reals(scores: list[Score]) -> str:
    """`5,000 of its own test images`: what generated images are compared with."""
    phrases = []
    for score in scores:
        if "reals" not in score:  # by a version that held images out of the judging alone
            phrases.append("real images that were trained on, too")
            continue
        if not score.get("held_out"):
            phrase = "{} of the training images themselves, as none are held out"
        elif score.get("own_test"):
            phrase = "{} of the data set's own test images"
        else:
            phrase = "{} real images that no network was trained on"
        if score.get("held_out") and score.get("shared"):
            phrase += " (too few to be split: they chose the best weights, too)"
        phrases.append(phrase.format(f"{score['reals']:,}"))
    return " or ".join(dict.fromkeys(phrases))


def legend(judged: list[JudgeRecord]) -> list[str]:
    """What the metrics and the marks of these runs mean, a sentence each."""
    sentences = []
    for primary in dict.fromkeys(judge["primary"] for judge in judged):
        alike = [judge for judge in judged if judge["primary"] == primary]
        of = [judge["score"] for judge in alike]
        metric, better = METRICS.entry(primary), METRICS.better(primary)
        counts = " or ".join(sorted({f"{score['n']:,}" for score in of}))
        nets = " and ".join(sorted({score["net"] for score in of}))
        sentences.append(
            f"{metric.label}: {metric.help}, {better}; {counts} generated images, with fresh "
            f"latents, at the equilibrium, against {_reals(of)}; {nets}"
        )
        if second := alike[0].get("second"):
            by_second = [judge["score"] for judge in alike if judge.get("second") == second]
            sentences += opinions(by_second, primary, second)
        sentences += _published(of)
    found = {flag for judge in judged for flag in judge["flags"]}
    names = [*(name for name in FLAGS if name in found), *sorted(found - FLAGS.keys())]
    return sentences + [f"{flag.word}: {flag.meaning}" for flag in map(flag_of, names)]
