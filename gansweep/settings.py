"""Settings that are not part of a run's id: settings of runs, sweeps and searches.

Runs that differ only in these settings have the same id and are interchangeable. Device and threads
still change the last bits of the numbers, as another machine does, because sums are taken in
another order.
"""

from __future__ import annotations

from dataclasses import dataclass

from gansweep.declare import param
from gansweep.plugins import LOGGERS, METRICS, PRUNERS, SAMPLERS

DEVICES = ("auto", "cpu", "cuda")
JUDGES = ("true", "false", "inception", "dinov2")


def objectives() -> list[str]:
    """Return the objectives of a search: quality, votes by eye, or quality and a second one."""
    names = ["time", "size", *METRICS.names()]
    return ["quality", "eye", *(f"quality+{name}" for name in names)]


@dataclass
class RunSettings:
    """The settings with which a run is trained and judged on this machine."""

    plugins: str | None = param(
        None,
        "modules to import first, which register networks, losses or metrics: plugins=mypkg.gans,…",
        null="those of $GANSWEEP_PLUGINS and of installed packages",
        group="machine",
    )
    judge: str = param(
        "true",
        "measure the distance to the real images during training and keep the best weights; "
        "inception, dinov2: also measure the distances that papers print, at the end",
        "judged",
        choices=JUDGES,
        group="judging",
    )
    judge_images: int | None = param(
        None,
        "number of images that are generated for the score of a run",
        low=100,
        null="by the length of the run; in a sweep or a search, by that of the shortest run",
        group="judging",
    )
    judge_weights: str | None = param(
        None,
        "file of the weights of judge=inception or judge=dinov2",
        null="downloaded once",
        group="judging",
    )
    device: str = param("auto", "device for training", choices=DEVICES, group="machine")
    threads: int | None = param(
        None,
        "CPU threads of a run",
        low=1,
        high=1024,
        null="all cores; one core in a sweep",
        group="machine",
    )
    log_every: int = param(10, "steps between two lines of metrics", low=1, group="machine")
    sample_every: int | None = param(
        None,
        "steps between two sample pictures and checkpoints",
        low=1,
        null="ten times a run",
        group="machine",
    )
    keep_states: float = param(
        2.0,
        "GiB for the final states of finished runs, the latest ones, from which extend continues "
        "them; 0: none",
        low=0,
        group="machine",
    )
    logger: str | None = param(
        None,
        "also write losses, distances and pictures to these trackers: logger=tensorboard,csv",
        choices=LOGGERS,
        several=True,
        null="none",
        group="machine",
    )


@dataclass
class OutputSettings:
    """The folder of runs and sweeps, and the run that a sweep's job trains."""

    out: str = param("outputs", "folder of runs and sweeps", group="files and sweeps")
    run_id: str | None = param(
        None,
        "train this planned run (set by sweeps)",
        null="a run is planned",
        group="files and sweeps",
    )


@dataclass
class SweepSettings:
    """The rows of a sweep, how its runs share the machine, and its report."""

    reports: str = param("reports", "folder of the reports", group="files and sweeps")
    sweep: str | None = param(
        None,
        "a row list: a name in sweeps/, or a YAML file (with -m)",
        null="the grid of the command line",
        group="files and sweeps",
    )
    rows: str | None = param(
        None,
        "rows of the list to train, as in rows=0-5,34",
        null="all",
        group="files and sweeps",
    )
    name: str | None = param(
        None,
        "the sweep's name",
        null="made from the parameters that vary",
        group="files and sweeps",
    )
    digits: str = param(
        "mnist5k",
        "the profile's digits; each row of a sweep is trained on digits and on faces",
        group="files and sweeps",
    )
    faces: str = param("toyfaces", "the profile's faces", group="files and sweeps")
    stand_ins: bool = param(
        False,
        "train on mnist5k and toyfaces if the profile's digits or faces are missing",
        group="files and sweeps",
    )
    thumbnail: str = param(
        "equilibrium",
        "the pictures of a report: those of a run's best step, or its last ones",
        choices=("equilibrium", "last"),
        group="files and sweeps",
    )
    retry: str | None = param(
        None,
        "also retry runs that failed before or have a damaged result",
        choices=("failed",),
        null="failed runs are skipped",
        group="execution of sweeps",
    )
    fail_fast: bool = param(
        False,
        "stop a sweep at the first run that fails",
        group="execution of sweeps",
    )
    jobs_per_device: int | None = param(
        None,
        "runs at a time on each GPU, or on the CPU",
        low=1,
        null="as many as memory allows; one per core on a CPU",
        group="execution of sweeps",
    )
    packing: str = param(
        "memory",
        "what limits the runs at a time on a device: memory alone, or also speed, which is "
        "measured before the sweep starts",
        choices=("memory", "speed"),
        group="execution of sweeps",
    )
    plan: bool = param(
        False,
        "print which runs would be trained and for how long; train nothing",
        group="execution of sweeps",
    )

    json: bool = param(
        False,
        "with plan=true, print the plan as JSON alone (--json for short)",
        group="execution of sweeps",
    )
    quiet: bool = param(
        False,
        "print errors and failed runs only",
        group="execution of sweeps",
    )
    on_done: str | None = param(
        None,
        "shell command at the end of a sweep, as in on_done='notify-send \"$GANSWEEP_NAME: "
        "$GANSWEEP_DONE done\"'",
        null="none",
        group="execution of sweeps",
    )


@dataclass
class SearchSettings:
    """The settings of a search."""

    search: str | None = param(
        None,
        "parameters to search in their usual ranges, as in search=lr,beta1,gen",
        null="those whose values are ranges",
        group="searches",
    )
    trials: int = param(
        40,
        "total number of trials, including those of earlier calls",
        low=1,
        group="searches",
    )
    budget: str | None = param(
        None,
        "time after which a search starts no further trial, as in budget=2h; without trials=, only "
        "the time ends it",
        null="trials decide",
        group="searches",
    )
    sampler: str = param("tpe", "method that proposes settings", choices=SAMPLERS, group="searches")
    pruner: str = param(
        "asha", "method that ends unpromising runs early", choices=PRUNERS, group="searches"
    )
    objective: str = param(
        "quality",
        "the distance at the equilibrium, alone or against training time, parameters or a metric; "
        "eye: your votes on pairs of pictures",
        choices=objectives,
        group="searches",
    )
    constraint: str | None = param(
        None,
        "condition on the runs of a trial, without which it is never the best, as in "
        "constraint='training_time<60'; the names are those of report --where",
        null="none",
        group="searches",
    )
    seeds_per_trial: int = param(
        1, "runs of each trial; the objective is their mean", low=1, group="searches"
    )
    storage: str | None = param(
        None,
        "database of the study, as in postgresql://USER@HOST/DB",
        null="a journal in the sweep's folder",
        group="searches",
    )
    warm_start: str | None = param(
        None,
        "sweeps whose finished runs are added to a new study, as in warm_start=lr-beta1-baea07",
        null="none",
        group="searches",
    )
