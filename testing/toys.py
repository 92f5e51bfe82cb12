"""Run real searches, slots and processes on toy objectives in place of GAN trainings."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from gansweep.config import Config
from gansweep.launch.local import prepare
from gansweep.launch.sweep import LocalSweep
from gansweep.launch.task import PlannedRun, SweepTask
from gansweep.plugins import Direction
from gansweep.search.optimize import train
from gansweep.search.search import Search
from gansweep.search.study import SearchProcess, fail_abandoned_trials, open_study
from gansweep.store.run import Run, now, write_json

Values = dict[str, Any]


def branin(v: Values) -> float:
    """Return the Branin function, whose least value is 0.397887."""
    x, y = v["x"], v["y"]
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    return (y - b * x**2 + c * x - 6) ** 2 + 10 * (1 - t) * math.cos(x) + 10


def branin_space(trial: optuna.Trial) -> Values:
    return {"x": trial.suggest_float("x", -5, 10), "y": trial.suggest_float("y", 0, 15)}


def mixed(v: Values) -> float:
    """Return a function of six parameters of all kinds, whose least value is 0."""
    value = (math.log10(v["lr"]) + 3) ** 2 + 4 * (v["beta"] - 0.5) ** 2
    value += ((v["n"] - 7) / 4) ** 2 + (0 if v["net"] == "b" else 1)
    value += 2 * (v["smooth"] - 0.1) ** 2
    return value + ((v["drop"] - 0.3) ** 2 if v["net"] == "b" else 0.5)


def mixed_space(trial: optuna.Trial) -> Values:
    values: Values = {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "beta": trial.suggest_float("beta", 0, 1),
        "n": trial.suggest_int("n", 1, 20),
        "net": trial.suggest_categorical("net", ["a", "b", "c"]),
        "smooth": trial.suggest_float("smooth", 0, 0.3),
    }
    if values["net"] == "b":
        values["drop"] = trial.suggest_float("drop", 0, 0.6)
    return values


def slow(v: Values) -> float:
    """Return a second objective of `mixed`: the larger n is, the better the first may be."""
    return float(10 / v["n"] + 5 * v["smooth"])


TOYS: dict[str, tuple[Callable[[optuna.Trial], Values], Callable[[Values], float]]] = {
    "branin": (branin_space, branin),
    "mixed": (mixed_space, mixed),
    "pair": (mixed_space, mixed),
}
SECOND = {"pair": slow}  # the second objective of the toys that have two
STEPS = 10


def play(out: str, run_id: str, title: str, planned: str, place: dict[str, Any]) -> list[str]:
    """Imitate a GAN run in a job's process: write evaluations and a result; stop on request."""
    from gansweep.training import stop

    run = Run(out, run_id)
    with run.owned():
        if run.result.exists():
            return []
        config = json.loads(run.config.read_text())
        began = time.time()
        value = TOYS[config["toy"]][1](config["values"])
        done = len(run.read_evaluations())
        for step in range(done + 1, STEPS + 1):
            time.sleep(config["seconds"] / STEPS)
            distance = value + 2 * (STEPS - step) / STEPS
            run.append_evaluation({"step": step, "value": distance})
            if stop.requested() and step < STEPS:
                raise stop.Stopped(f"stopped at step {step}")
        with (Path(out) / "trained.txt").open("a") as log:
            log.write(run_id + "\n")
        result = {"status": "done", "value": value, "began": began, "ended": time.time()}
        # The line that is printed for a finished run shows these values.
        result |= {"images_per_second": 0.0, "seconds": 0.0, "loss_d": 0.0, "loss_g": 0.0}
        result |= {"training_seconds": 0.0, "epochs": 1.0}
        if config["toy"] in SECOND:
            result["second"] = SECOND[config["toy"]](config["values"])
        write_json(run.result, result)
        run.picture.write_bytes(b"IEND\xaeB`\x82")
    return [f"{title} played"]


class ToyPlanner:
    """Plans toy runs for the proposed parameters."""

    metric = "value"

    def __init__(self, toy: str, out: str, seconds: Callable[[Values], float]) -> None:
        self.toy, self.out, self.seconds = toy, out, seconds

    def propose(self, trial: optuna.Trial) -> Values:
        return TOYS[self.toy][0](trial)

    def start(self, number: int) -> Values | None:
        return None  # The toys measure the samplers, so no fixed settings come first.

    def plan(self, values: Values) -> list[PlannedRun]:
        identity = {"values": values, "steps": STEPS, "toy": self.toy}
        run = Run(self.out, Run.make_id(identity, 1))
        identity = {
            "steps": STEPS, "batch_size": 1, "precision": "fp32", "gen_width": 1, "disc_width": 1,
            "data": {"images": 1},
        }  # fmt: skip
        data = {"name": self.toy, "images": 1, "size": 1}
        record = {"identity": identity, "data": data, "toy": self.toy, "values": values}
        run.plan({**record, "seconds": self.seconds(values)})
        return [PlannedRun(run, "")]

    def measure(self, results: list[dict[str, Any]]) -> list[float]:
        second = [results[0]["second"]] if self.toy in SECOND else []
        return [results[0]["value"], *second]

    def early(self, run: Run, best: Any) -> float | None:
        record: Any = run.read_config()
        return SECOND[self.toy](record["values"])

    def why_not_measured(self, results: list[dict[str, Any]]) -> str:
        return "a toy always has a value"

    def violations(self, runs: list[Run]) -> dict[str, float]:
        return {}

    def illustrate(self, trial: optuna.Trial, runs: list[Run]) -> None:
        pass


def search(
    toy: str,
    out: Path,
    trials: int,
    *,
    seconds: Callable[[Values], float] = lambda values: 0.0,
    slots: int = 2,
    on_result: Callable[[], None] = lambda: None,
    **settings: Any,
) -> optuna.Study:
    """Run a whole search with `slots` concurrent processes."""
    config = Config(**{"pruner": "none", **settings}, out=str(out))
    folder = out / "sweeps" / toy
    directions: list[Direction] = ["minimize"] * (2 if toy in SECOND else 1)
    study = open_study(config, toy, folder, directions, {"toy": toy})
    fail_abandoned_trials(study)
    task = SweepTask(out=str(out), planned=now(), jobs_per_device=slots)
    prepare(task)
    process = SearchProcess(folder)
    planner = ToyPlanner(toy, str(out), seconds)
    feed = Search(study, planner, process, trials=trials, on_result=on_result)
    try:
        train(study, lambda: LocalSweep(task, [], feed=feed, work=play))
    finally:
        process.close()
    return study


if __name__ == "__main__":  # The arguments are toy, out, trials, seconds, storage and seed.
    # A job's process has another `__main__`, so it imports the functions from this module.
    from testing import toys

    toy, out, trials, seconds, storage, seed = sys.argv[1:]
    toys.search(
        toy, Path(out), int(trials), seconds=lambda values: float(seconds),
        storage=None if storage == "journal" else storage, seed=int(seed), sampler="random",
    )  # fmt: skip
