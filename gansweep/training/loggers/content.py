"""The parameters and the numbers of a run by the names that they have in every tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gansweep.components import recorded_values
from gansweep.config import HYPERPARAMETERS, effective, from_record
from gansweep.plugins import METRICS
from gansweep.store.check import is_number
from gansweep.store.errors import UserError
from gansweep.store.records import Result, RunConfig
from gansweep.training.loggers.base import Value

# The names of the fields of metrics.jsonl. Another field is named `training/FIELD`.
TRAINING = {
    "loss_d": "loss/d",
    "loss_g": "loss/g",
    "penalty": "loss/penalty",
    "d_real": "balance/d_real",
    "d_fake": "balance/d_fake",
    "output_real": "balance/output_real",
    "output_fake": "balance/output_fake",
    "grad_d": "gradient/d",
    "grad_g": "gradient/g",
    "epoch": "time/epoch",
    "seconds": "time/seconds",
    "memory_mib": "time/memory_mib",
}
# Fields of result.json besides the score.
RESULT = ("training_seconds", "seconds", "images_per_second", "peak_memory_mib")


def params_of(record: RunConfig) -> dict[str, Value]:
    """Return the parameters that have an effect, the data set and the options of components."""
    given: dict[str, Any] = record.get("params", {})
    values: dict[str, Any]
    try:
        config = from_record(given)
        values = effective(config) | recorded_values(config)
    except UserError:  # a plugin of the run is missing, or a newer version has written the record
        values = given | given.get("options", {})
    chosen = {
        name: value
        for name, value in values.items()
        if (name in HYPERPARAMETERS and not HYPERPARAMETERS[name].resolved) or "." in name
    }
    # The identity has the values that were used, such as steps for epochs and bf16 for auto.
    chosen |= {name: v for name, v in record["identity"].items() if not name.endswith(".code")}
    chosen |= {"data": record["data"]["name"], "images": record["data"]["images"]}
    chosen["seed"] = given.get("seed")
    return {n: v for n, v in sorted(chosen.items()) if isinstance(v, str | int | float | bool)}


def training(line: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a line of metrics.jsonl."""
    return _numbers({TRAINING.get(n, f"training/{n}"): v for n, v in line.items() if n != "step"})


def evaluation(line: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a line of judge.jsonl: `distance/NAME` if less is better.

    The others are `judge/NAME`.
    """
    named = {}
    for name, value in line.items():
        if name in ("step", "n"):
            continue
        distance = name == "ema" or (name in METRICS and METRICS.sign(name) > 0)
        group = "distance" if distance else "time" if name == "judging_seconds" else "judge"
        named[f"{group}/{name}"] = value
    return _numbers(named)


def outcome(result: Result) -> dict[str, float]:
    """Return the numbers of a result as `result/NAME`, and 1 for each flag as `flag/NAME`."""
    found: dict[str, Any] = {name: result.get(name) for name in RESULT}
    found |= {f"parameters_{n}": v for n, v in result.get("parameters", {}).items()}
    flags: dict[str, Any] = {}
    if judge := result.get("judge"):
        found |= {n: v for n, v in judge["score"].items() if n not in ("n", "reals", "step")}
        found |= {f"{n}_ema": v for n, v in judge.get("ema", {}).items() if n == judge["primary"]}
        for each in judge.get("ema_lengths", []):
            found[f"{judge['primary']}_ema_{each['length']:g}"] = each["value"]
        best = judge.get("equilibrium")
        found |= {f"equilibrium_{n}": best.get(n) for n in ("step", "epoch")} if best else {}
        flags = {f"flag/{name.replace(' ', '_')}": 1.0 for name in judge["flags"]}
    return _numbers({f"result/{name}": value for name, value in found.items()}) | flags


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers among the values."""
    return {name: value for name, value in values.items() if is_number(value)}
