"""What the judge says of a run, in the words of a table, and what these words mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gansweep.plugins import METRICS
from gansweep.report.table.text import format_measured
from gansweep.training.metrics.equilibrium import FLAGS

FEWEST = 5  # runs to compare ranks of
AGREE = 0.7  # Spearman's correlation of two opinions that are called one


def headline(judge: dict[str, Any]) -> str:
    """`FD (LeNet) 93.1`."""
    metric, score = judge["primary"], judge["score"]
    value = distance(metric, score[metric], score.get(f"{metric}_error"))
    return f"{METRICS[metric].label} {value}"


def distance(metric: str, value: float, error: float | None = None) -> str:
    """A metric's value with its digits; with no more of them than an error leaves meaning."""
    return format_measured(value, METRICS[metric].digits, error)


def remainder(judge: dict[str, Any]) -> list[str]:
    """What follows the headline: `at epoch 2.4, still improving, collapsed`, `(FID 80.1)`."""
    words = marks(judge)
    equilibrium = judge.get("equilibrium")
    if equilibrium and equilibrium["step"] > 0:
        words.insert(0, f"at epoch {equilibrium['epoch']:.3g}, {equilibrium['label']}")
    parts = [", ".join(words)] if words else []
    if published := judge["score"].get("published"):
        value = distance(published, judge["score"][published])
        parts.append(f"({METRICS[published].label} {value})")
    if "ema" in judge:
        metric, of = judge["primary"], judge["ema"]
        averaged = distance(metric, of[metric], of.get(f"{metric}_error"))
        parts.append(f"(EMA, at the end: {averaged})")
    return parts


def marks(judge: dict[str, Any]) -> list[str]:
    """The flags' words."""
    return [FLAGS[flag].word for flag in judge["flags"]]


def opinions(scores: list[dict[str, Any]], primary: str, second: str) -> list[str]:
    """Whether the two distances rank these runs alike; nothing for a handful of runs."""
    import pandas as pd

    table = pd.DataFrame([{m: score[m] for m in (primary, second)} for score in scores])
    if len(table) < FEWEST:
        return []
    one, other = (METRICS.sign(metric) * table[metric] for metric in (primary, second))
    rho = one.rank().corr(other.rank())  # Spearman's, without SciPy
    verdict = "metrics disagree" if not rho >= AGREE else "a second opinion agrees"
    labels = f"{METRICS[primary].label} and {METRICS[second].label}"
    return [f"{verdict}: {labels} rank these {len(table)} runs with Spearman {rho:.2f}"]


def _published(scores: list[dict[str, Any]]) -> list[str]:
    sentences = []
    for metric in dict.fromkeys(score["published"] for score in scores if "published" in score):
        of = [score for score in scores if score.get("published") == metric]
        nets = " and ".join(sorted({score["published_net"] for score in of}))
        sentences.append(f"{METRICS[metric].label}: {METRICS[metric].help}; {nets}")
    return sentences


def _reals(scores: list[dict[str, Any]]) -> str:
    """`5,000 of its own test images`: what generated images are compared with."""
    phrases = []
    for score in scores:
        if not score["held_out"]:
            phrase = "{} of the training images themselves, as none are held out"
        elif score["own_test"]:
            phrase = "{} of the data set's own test images"
        else:
            phrase = "{} real images that no network was trained on"
        if score["held_out"] and score["shared"]:
            phrase += " (too few to be split: they chose the best weights, too)"
        phrases.append(phrase.format(f"{score['reals']:,}"))
    return " or ".join(dict.fromkeys(phrases))


def legend(results: Iterable[dict[str, Any]]) -> list[str]:
    """What the metrics and the marks of these runs mean, a sentence each."""
    judged = [r["judge"] for r in results if r.get("judge")]
    sentences = []
    for primary in dict.fromkeys(judge["primary"] for judge in judged):
        alike = [judge for judge in judged if judge["primary"] == primary]
        of = [judge["score"] for judge in alike]
        metric = METRICS[primary]
        better = METRICS.better(primary)
        counts = " or ".join(sorted({f"{score['n']:,}" for score in of}))
        nets = " and ".join(sorted({score["net"] for score in of}))
        sentences.append(
            f"{metric.label}: {metric.help}, {better}; {counts} generated images, with fresh "
            f"latents, at the equilibrium, against {_reals(of)}; {nets}"
        )
        by_second = [judge["score"] for judge in alike if judge["second"] == alike[0]["second"]]
        sentences += opinions(by_second, primary, alike[0]["second"])
        sentences += _published(of)
    found = dict.fromkeys(flag for judge in judged for flag in judge["flags"])
    sentences += [f"{FLAGS[flag].word}: {FLAGS[flag].what}" for flag in FLAGS if flag in found]
    return sentences
