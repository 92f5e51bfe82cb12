"""Measure the cost of launchers with jobs that do nothing and with the demo sweep."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.measure import Series, seconds, write

HERE = Path(__file__).parent
JOBS = 100
ROUNDS = 3
LAUNCHERS = {
    "basic": ["hydra/launcher=basic"],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit_local": ["hydra/launcher=submitit_local"],
}
NAMES = {
    "gansweep": ("gansweep's pool", "yes"),
    "submitit_local": ("hydra-submitit-launcher, local", "yes"),
    "ray": ("Ray Tune", "yes"),
    "joblib": ("hydra-joblib-launcher, 2 jobs", "no"),
    "basic": ("Hydra's basic launcher", "no"),
}


def command(contestant: str, jobs: int) -> list[str]:
    """Return the command that runs N trivial jobs with one launcher."""
    if contestant == "gansweep":
        return [str(HERE / "pool.py"), str(jobs)]
    if contestant == "ray":
        return [str(HERE / "ray_tune.py"), str(jobs)]
    values = f"+i=range({jobs})" if jobs > 1 else "+i=0"
    return [str(HERE / "hydra_app.py"), "-m", values, *LAUNCHERS[contestant]]


def trivial_jobs() -> None:
    """Measure the cost of a job, as the difference of 100 jobs and one, and the start-up."""
    first = {key: Series(key) for key in NAMES}
    each = {key: Series(key) for key in NAMES}
    for key in NAMES:  # The first call loads the files of its packages into memory.
        seconds(command(key, 1))
    for _ in range(ROUNDS):
        for key in NAMES:
            one = seconds(command(key, 1))
            many = seconds(command(key, JOBS))
            first[key].values.append(one)
            each[key].values.append(1000 * (many - one) / (JOBS - 1))
            print(f"{key}: {one:.1f} s for one job, {many:.1f} s for {JOBS}", flush=True)
    ours = median(each["gansweep"].values)
    rows = [
        [
            name,
            isolates,
            each[key].spread(0),
            f"{median(each[key].values) / ours:.1f}",
            first[key].spread(),
        ]
        for key, (name, isolates) in NAMES.items()
    ]
    write(
        "sweep_overhead",
        "Sweep overhead: jobs that do nothing",
        [
            f"{JOBS} jobs and one job, {ROUNDS} rounds, interleaved; min–median–max. A job's cost "
            f"is what {JOBS} jobs take beyond one, divided by {JOBS - 1}. A launcher isolates if a "
            "job that is killed costs only itself. gansweep's jobs have torch, Lightning and "
            "torchvision imported, which is its time to the first; the others' import nothing. "
            "Its pool alone is timed: planning adds 0.4 ms a row, a training job its locks and "
            "records. submitit's local executor starts all its jobs at once.",
        ],
        ["launcher", "isolates", "ms a job", "ratio", "s to the end of one job"],
        rows,
    )


def demo_sweep(rounds: int = 2) -> None:
    """Compare gansweep's launcher with Hydra's basic launcher on the demo sweep, with start-up."""
    grid = ["-m", "gansweep", "-m", "lr=1e-4,5e-5", "beta1=0.3,0.5,0.9"]
    seconds(["-m", "gansweep", "-m", "steps=1"])  # This call prepares the data sets.
    times = {"basic": Series("Hydra's basic launcher"), "local": Series("gansweep's launcher")}
    for _ in range(rounds):
        for launcher, series in times.items():
            series.values.append(seconds([*grid, f"hydra/launcher={launcher}"]))
            print(f"demo sweep, {launcher}: {series.values[-1]:.0f} s", flush=True)
    ratios = Series("", [b / o for b, o in zip(*(s.values for s in times.values()), strict=True)])
    rows = [
        [series.name, series.spread(0), ratios.spread(2) if key == "local" else "1"]
        for key, series in times.items()
    ]
    write(
        "demo_sweep",
        "The demo sweep, 6 rows on two data sets",
        [
            f"Wall time with start-up, {rounds} rounds, interleaved; min–median–max. The same "
            "training in both: the basic launcher trains a run after the other on all cores, ours "
            "a run a core, each on one thread.",
        ],
        ["launcher", "s", "times as fast"],
        rows,
    )
