"""Tests of the simulation of many workers, and of what a worker asks of its file server."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("greenlet", reason="needs SQLAlchemy's greenlet")
if sys.version_info < (3, 11):
    pytest.skip("pathlib of Python 3.10 keeps its own copies of os.stat", allow_module_level=True)

from benchmarks import strace
from benchmarks.scale import simulate
from benchmarks.shared_folder import Server
from gansweep.launch.worker import Queue
from gansweep.store.listing import BEGUN, ENDED, FREE, Listing, begin_listing, listing_path
from gansweep.store.manifest import Manifest
from gansweep.store.run import PNG_END, Run, write_json
from gansweep.store.work import Work

IDS = [f"{number:010x}-s1" for number in range(20)]
MANIFEST = Manifest("s", "", "", [], {}, [], [], dict.fromkeys(IDS, "a run"))


def scenario(out: str) -> None:
    """Take each run as a worker does, and end it."""
    feed = Queue(out, MANIFEST, Work())
    while (planned := feed.next()) is not None:
        feed.runs_to_prune()
        run = planned.run
        with run.owned():
            run.read_result(), run.read_failure()
            run.record("started", step=0)
            run.picture.write_bytes(PNG_END)
            run.finish({"steps": 1})
            run.record("ended", cause="done")
        feed.ended(run.id, "done")
        run.status()


def planned(folder: Path) -> Path:
    for run_id in IDS:
        write_json(Run(folder, run_id).config, {"params": {"judge": "false"}})
    (folder / "sweeps/s").mkdir(parents=True)
    return folder


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_simulation_counts_what_strace_sees(tmp_path: Path) -> None:
    out = planned(tmp_path / "traced")
    code = f"import sys; sys.path[:0] = {[str(Path(__file__).parent)]}\n" \
           f"from test_scale import scenario; scenario({str(out)!r})"  # fmt: skip
    seen = strace.count([sys.executable, "-c", code], out, Path(__file__).parents[1])
    server = Server(planned(tmp_path / "simulated"))
    with server.serving():
        server.start(lambda: scenario(server.folder))
        server.run()
    same = {"replace": "rename", "lstat": "stat", "remove": "unlink"}
    counted: Counter[str] = Counter()
    for kind, number in server.kinds.items():
        counted[same.get(kind, kind)] += number
    assert counted == seen
    assert counted.total() / len(IDS) < 40


def test_a_small_sweep_by_simulated_workers() -> None:
    """All runs are trained once, and a slot waits for less than 1 % of 60 s at 5 ms."""
    found = simulate(60, 12, 0.005)
    assert (found["trained"], found["twice"]) == (60, 0)
    assert found["gap"] < 0.3


# --- The listing ----------------------------------------------------------------------------------


def queue(folder: Path) -> Queue:
    return Queue(folder, MANIFEST, Work())


def drain(feed: Queue) -> set[str]:
    found = set()
    while (planned := feed.next()) is not None:
        found.add(planned.run.id)
    return found


def test_workers_tell_each_other_what_they_have_begun(tmp_path: Path) -> None:
    planned(tmp_path)
    first, second = queue(tmp_path), queue(tmp_path)
    taken = []
    for number in range(len(IDS)):
        feed = (first, second)[number % 2]
        got: Any = feed.next()
        taken.append(got.run.id)
        feed.runs_to_prune()
    assert sorted(taken) == IDS, "no run was chosen twice, although none was claimed yet"


def test_a_listing_that_is_wrong_costs_no_run(tmp_path: Path) -> None:
    """Ended runs are looked at before a worker leaves, and begun ones when there are no others."""
    planned(tmp_path)
    begin_listing(tmp_path, "s", IDS[:5])
    listing = Listing(tmp_path, "s")
    for run_id in IDS[5:]:
        listing.tell(BEGUN, run_id)
    listing.write()
    with listing_path(tmp_path, "s").open("a") as stream:
        stream.write("ended nonsense\nbeg")
    feed = queue(tmp_path)
    assert drain(feed) == set(IDS)


def test_a_finished_run_of_the_listing_is_not_looked_at(tmp_path: Path) -> None:
    planned(tmp_path)
    begin_listing(tmp_path, "s", IDS[1:])
    server = Server(tmp_path)
    with server.serving():
        server.start(lambda: queue(tmp_path).next())
        server.run()
    assert server.kinds["listing"] == 1, "one folder was looked at"


def test_a_listing_that_was_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    reader, writer = Listing(tmp_path, "s"), Listing(tmp_path, "s")
    begin_listing(tmp_path, "s", IDS)
    reader.read()
    assert reader.ended == set(IDS)
    begin_listing(tmp_path, "s", IDS[:2])
    writer.tell(ENDED, IDS[7])
    writer.tell(FREE, IDS[0])
    writer.write()
    assert reader.read() == [*IDS[:2], IDS[7], IDS[0]]
    assert IDS[0] not in reader.ended
