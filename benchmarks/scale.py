"""Simulate 10,000 runs of 60 s by 1,000 workers, against the file server that they share.

The workers are the real ones (`launch/worker.py`, `launch/sweep.py`, `store/`), on real files; only
the training, the processes, the clock and the server's latency are simulated; see shared_folder.py.
`tests/test_scale.py` holds the counted operations against those that strace sees.

Prediction, written before the first simulation. Every worker looked at the folder of every run,
with six requests a look, and a new worker read the costs of 300 finished runs: 10^7 looks are about
10^8 requests, or 10 % of a run's time at 1 ms and more than its time at 20 ms; the server breaks
first, at 10^5 requests a second. With a listing, a run is found in two looks on average (a look in
ten meets a run of another worker, and half of them when as many runs are left as workers), so that
its claim, its heartbeats and its end remain: about 100 requests a run, 1,700 a second, of which 30
follow each other between two trainings: 0.03 s, 0.15 s and 0.6 s at 1, 5 and 20 ms.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

from greenlet import getcurrent

from benchmarks import strace
from benchmarks.measure import write
from benchmarks.shared_folder import Clock, Server, Threads
from gansweep.launch import devices, pool, processes, slots, stop_request, sweep, task, worker
from gansweep.launch.child import Ended
from gansweep.store import lease, work
from gansweep.store import run as store_run
from gansweep.store.manifest import Manifest, Table, manifest_path
from gansweep.store.run import PNG_END, Run, write_json
from gansweep.terminal.console import console
from gansweep.training import job

SECONDS = 60.0  # of a training, ± 10 %
NAME = "s"


class Simulation:
    """A sweep of `runs` runs that `workers` workers train, each in one slot of its own host."""

    def __init__(self, server: Server, runs: int, workers: int, seed: int = 0) -> None:
        self.server, self.workers = server, workers
        self.out = server.folder
        self.ids = [f"{number:010x}-s1" for number in range(runs)]
        self.manifest = Manifest(
            NAME, "Scale", "python -m gansweep -m", ["digits"], {}, [Table(["n"], [])],
            [], titles={run_id: run_id for run_id in self.ids},
        )  # fmt: skip
        self.random = random.Random(seed)
        self.trained: dict[str, int] = {}
        self.gaps: list[float] = []  # seconds of a slot between two trainings
        self.last: dict[str, float] = {}  # the last end of a training, by worker
        self.ends: dict[str, float] = {}  # the end of each worker
        for number, run_id in enumerate(self.ids):
            run = Run(self.out, run_id)
            write_json(run.config, {"identity": {"steps": 100}, "params": {"judge": "false"},
                                    "data": {"name": "mnist5k"}, "number": number})  # fmt: skip

    def go(self) -> None:
        """Run all workers, which start within 10 s, to their ends."""
        manifest_path(self.out, NAME).parent.mkdir(parents=True, exist_ok=True)
        self.manifest.write(self.out)
        work.Work().write(self.out, NAME)
        with self._simulated():
            for number in range(self.workers):
                host = f"host{number}"
                start = 10 * self.random.random()
                self.server.start(self._work, start, host=host, watch=lease.Watch())
            self.server.run()

    def _work(self) -> None:
        host = vars(getcurrent())["host"]
        self.last[host] = self.server.now
        worker.work_on(self.out, NAME)
        self.ends[host] = self.server.now

    def _train(self, run: Run, title: str, *more: Any) -> dict[str, Any]:
        """Stand for the training of a run: what it writes itself is not of the protocol."""
        run.record("started", step=0)
        host = vars(getcurrent())["host"]
        self.gaps.append(self.server.now - self.last[host])
        self.trained[run.id] = self.trained.get(run.id, 0) + 1
        run.append_metrics({"step": 1, "memory_mib": 100})  # type: ignore[typeddict-item]
        self.server.sleep(SECONDS * (0.9 + 0.2 * self.random.random()))
        run.picture.write_bytes(PNG_END)
        self.last[host] = self.server.now
        result = {"steps": 100, "seconds": 60.0, "training_seconds": 60.0, "peak_memory_mib": 100,
                  "final_losses": {}, "images": 1}  # fmt: skip
        more[-1]("a line for the user")
        run.finish(result)
        return result

    @contextlib.contextmanager
    def _simulated(self) -> Iterator[None]:
        server, clock = self.server, Clock(self.server)
        cpu = devices.Device("cpu", "", "cpu", "CPU", 1, 1 << 20)

        def read_manifest(out: Any, name: str) -> Manifest:
            manifest_path(out, name).open().close()
            return self.manifest

        class Process(_Process):
            def __init__(self, function: Any, arguments: Any, **_: Any) -> None:
                super().__init__(server, function, arguments)

        def wait(connections: list[_Process], seconds: float) -> None:
            # Nothing happens in most of the four looks that a worker takes in a second.
            new = any(server.now < one.started + 1 for one in connections)
            _wait(server, connections, seconds if new else 2.0)

        with contextlib.ExitStack() as stack:
            for target, name, value in (
                (lease, "time", clock), (lease, "threading", Threads(server)),
                (lease, "host", lambda: vars(getcurrent())["host"]),
                (lease, "_watch", _Watches()), (store_run, "time", clock), (pool, "time", clock),
                (sweep, "time", clock), (worker, "time", clock), (pool, "Process", Process),
                (pool, "wait", wait), (pool, "keep_warm", lambda: None),
                (processes, "warm_up", lambda: None), (processes, "shut_down", lambda: None),
                (processes, "reap_strays", lambda known: None),
                (slots, "find_devices", lambda wanted: [cpu]),
                (worker, "read_manifest", read_manifest), (task, "read_manifest", read_manifest),
                (stop_request.StopRequest, "listening", lambda self: contextlib.nullcontext()),
                (job, "_train_or_repair", self._train), (job, "summary", lambda result: ""),
            ):  # fmt: skip
                stack.enter_context(patch.object(target, name, value))
            console.quiet = True
            stack.callback(setattr, console, "quiet", False)
            stack.enter_context(server.serving())
            yield


class _Watches:
    """What each host has seen of the leases of others."""

    def silent(self, *arguments: Any) -> float:
        return float(vars(getcurrent())["watch"].silent(*arguments))


class _Process:
    """The process of a job, as a task."""

    pids = itertools.count(10**6)

    def __init__(self, server: Server, function: Any, arguments: Any) -> None:
        self.server, self.connection, self.pid = server, self, next(self.pids)
        self.started, self.waiting, self.how = server.now, None, None
        server.start(lambda: self._run(function, arguments))

    def _run(self, function: Any, arguments: Any) -> None:
        try:
            how = Ended(result=function(*arguments), returned=True)
        except Exception as error:
            how = Ended(error=error)
        self.how = how
        if self.waiting is not None:
            self.server.wake(self.waiting)

    def ended(self) -> Any:
        return self.how

    def stop(self) -> None:
        raise AssertionError("no run is stopped here")


def _wait(server: Server, connections: list[Any], seconds: float) -> None:
    """Wait until a process has ended, for some seconds at most."""
    if any(c.how is not None for c in connections):
        return
    for one in connections:
        one.waiting = getcurrent()
    server.sleep(seconds)
    for one in connections:
        one.waiting = None


def simulate(runs: int, workers: int, latency: float, most: float | None = None) -> dict[str, Any]:
    """Return what one simulation has counted."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        server = Server(Path(folder), latency, most)
        simulation = Simulation(server, runs, workers)
        simulation.go()
        statuses = {Run(folder, run_id).status() for run_id in simulation.ids}
        assert statuses == {"done"}, statuses
    times = simulation.gaps
    busy = [n for second, n in server.seconds.items()]
    return {
        "trained": len(times), "twice": sum(n > 1 for n in simulation.trained.values()),
        "gap": fmean(times), "worst": max(times), "operations": server.kinds.total(),
        "kinds": dict(server.kinds.most_common()), "peak": max(busy),
        "end": max(simulation.last.values()) - 1000, "left": max(simulation.ends.values()) - 1000,
        "seconds": dict(sorted(server.seconds.items())),
    }  # fmt: skip


# The same simulation of the version before the listing, at commit bfa6278: its cost grows with
# runs × workers, so that the full size was not simulated.
BEFORE = [
    ["before: 1,000 × 100", "1", "0.96", "1.6 %", "2,752", "46,188"],
    ["before: 1,000 × 100", "5", "6.93", "12 %", "2,780", "17,036"],
    ["before: 1,000 × 100", "20", "13.73", "23 %", "2,589", "5,000"],
]
RUNS, WORKERS = 10_000, 1_000
LATENCIES = (1, 5, 20)  # ms
SLOW = (3000, 1500, 1000)  # operations a second that a server can do, for 1,000 workers


def scale() -> None:
    """Write the table of the simulations, and what happens if the server is too slow."""
    rows = list(BEFORE)
    for latency in LATENCIES:
        found = simulate(RUNS, WORKERS, latency / 1000)
        assert (found["trained"], found["twice"]) == (RUNS, 0)
        rows.append(_row(f"{RUNS:,} × {WORKERS:,}", latency, found, RUNS))
        print(rows[-1], found["kinds"], flush=True)
    for most in SLOW:
        found = simulate(RUNS // 10, WORKERS // 10, 0.005, most / 10)
        name = f"{RUNS // 10:,} × {WORKERS // 10}, server does {most // 10:,}/s"
        rows.append(_row(name, 5, found, RUNS // 10))
        print(rows[-1], flush=True)
    write(
        "scale",
        "Many workers and one file server: a simulation",
        [
            "The real workers, on real files, in virtual time: each run trains for 60 s ± 10 %, "
            "each worker has one slot, and all start within 10 s. Every call that NFS sends to its "
            "server without caches costs a round trip of the latency, and is counted. What a run "
            "itself writes (metrics, pictures, checkpoints) is left out. Lost: what passes in a "
            "slot between the end of a training and the start of the next: result, history, "
            "release, listing, search, claim, history. Peak: in the busiest second.",
            _own_files(),
            "A server that is too slow, in the last rows, breaks nothing: every request waits. "
            "Below the mean load of the protocol the time lost grows without bound; above it "
            "nothing changes but the peaks, which last seconds. The load is proportional to the "
            "workers, so that a tenth of them at a tenth of the rate stands for all.",
            "The starting command looks at 100 runs a second at most and reads the listing, "
            "whatever the size of the sweep. Searches are not simulated: their workers share "
            "Optuna's journal or a database.",
        ],
        ["runs × workers", "ms a request", "s lost a run", "of 60 s", "requests a run",
         "peak requests/s"],
        rows,
    )  # fmt: skip


def _row(name: str, latency: int, found: dict[str, Any], runs: int) -> list[str]:
    return [
        name, str(latency), f"{found['gap']:.2f}", f"{100 * found['gap'] / SECONDS:.2g} %",
        f"{found['operations'] / runs:,.0f}", f"{found['peak']:,}",
    ]  # fmt: skip


def _own_files() -> str:
    """Count by strace what a whole short run asks of the folder of runs."""
    if shutil.which("strace") is None:
        return "The files of a run itself were not counted, as strace is missing."
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "gansweep", "data=mnist5k", "steps=200", "width=0.0625", "batch_size=8",
                 "threads=1", f"out={folder}"]  # fmt: skip
        here = Path(__file__).parents[1]
        seen = strace.count([sys.executable, *words], Path(folder) / "runs", here)
    return (
        f"A whole run of 200 steps with all its files asks {seen.total()} times, as strace counts "
        "(the protocol included, without heartbeats). These are the run's own files, which it "
        "writes on any machine: `sample_every`, `log_every` and `judge_every` set how many. On a "
        f"server of 20 ms they cost {seen.total() * 0.02:.0f} s, far more than the protocol."
    )


if __name__ == "__main__":  # python -m benchmarks.scale RUNS WORKERS MS
    given = simulate(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000)
    print(json.dumps(given))
