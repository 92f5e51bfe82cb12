"""What the judge says of a run, in the words of a table, and what these words mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gansweep.judge.equilibrium import FLAGS
from gansweep.judge.metrics import METRICS

FEWEST = 5  # runs to compare ranks of
AGREE = 0.7  # Spearman's correlation of two opinions that are called one


def headline(judge: dict[str, Any]) -> str:
    """`FLD 93.1`."""
    return f"{METRICS[judge['primary']].label} {distance(judge['primary'], _value(judge))}"


def distance(metric: str, value: float) -> str:
    """A metric's value with its digits."""
    return f"{value:,.{METRICS[metric].digits}f}"


def remainder(judge: dict[str, Any]) -> list[str]:
    """What follows the headline: `at epoch 2.4, still improving, collapsed`, `(FID 80.1)`."""
    words = marks(judge)
    equilibrium = judge.get("equilibrium")
    if equilibrium and equilibrium["step"] > 0:
        words.insert(0, f"at epoch {equilibrium['epoch']:.3g}, {equilibrium['label']}")
    parts = [", ".join(words)] if words else []
    if "fid" in judge["score"]:
        parts.append(f"(FID {judge['score']['fid']:,.1f})")
    if "ema" in judge:
        averaged = distance(judge["primary"], judge["ema"][judge["primary"]])
        parts.append(f"(EMA, at the end: {averaged})")
    return parts


def _value(judge: dict[str, Any]) -> float:
    return judge["score"][judge["primary"]]


def marks(judge: dict[str, Any]) -> list[str]:
    """The flags' words."""
    return [FLAGS[flag].word for flag in judge["flags"]]


def opinions(scores: list[dict[str, Any]], primary: str, second: str) -> list[str]:
    """Whether the two distances rank these runs alike; nothing for a handful of runs."""
    import pandas as pd

    table = pd.DataFrame([{m: score[m] for m in (primary, second)} for score in scores])
    if len(table) < FEWEST:
        return []
    rho = table[primary].rank().corr(table[second].rank())  # Spearman's, without SciPy
    verdict = "metrics disagree" if not rho >= AGREE else "a second opinion agrees"
    one, other = METRICS[primary].label, METRICS[second].label
    return [f"{verdict}: {one} and {other} rank these {len(table)} runs with Spearman {rho:.2f}"]


def _fid(scores: list[dict[str, Any]]) -> list[str]:
    of = [score for score in scores if "fid" in score]
    if not of:
        return []
    counts = " or ".join(sorted({f"{score['n']:,}" for score in of}))
    reals = " or ".join(sorted({f"{score['fid_reals']:,}" for score in of}))
    nets = " and ".join(sorted({score["fid_net"] for score in of}))
    return [f"FID: {METRICS['fid'].help}; {counts} generated images against {reals} real; {nets}"]


def legend(results: Iterable[dict[str, Any]]) -> list[str]:
    """What the metrics and the marks of these runs mean, a sentence each."""
    judged = [r["judge"] for r in results if r.get("judge")]
    sentences = []
    for primary in dict.fromkeys(judge["primary"] for judge in judged):
        alike = [judge for judge in judged if judge["primary"] == primary]
        of = [judge["score"] for judge in alike]
        metric = METRICS[primary]
        counts = " or ".join(sorted({f"{score['n']:,}" for score in of}))
        reals = "held-out real images" if all(s["held_out"] for s in of) else "the real images"
        nets = " and ".join(sorted({score["net"] for score in of}))
        sentences.append(
            f"{metric.label}: {metric.help}, less is better; {counts} generated images against "
            f"{reals}, at the equilibrium, with fresh latents; {nets}"
        )
        by_second = [judge["score"] for judge in alike if judge["second"] == alike[0]["second"]]
        sentences += opinions(by_second, primary, alike[0]["second"])
        sentences += _fid(of)
    found = dict.fromkeys(flag for judge in judged for flag in judge["flags"])
    sentences += [f"{FLAGS[flag].word}: {FLAGS[flag].what}" for flag in FLAGS if flag in found]
    return sentences
