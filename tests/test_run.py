"""Tests of run ids and run folders: one id for each configuration, and a status by its files."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gansweep.config import Config
from gansweep.planning.identity import identity, plan_run
from gansweep.planning.plan import keep_record
from gansweep.report.table.outcome import read_outcome
from gansweep.store.errors import UserError, one_line_errors, refused_by_disk
from gansweep.store.run import (
    SCHEMA,
    Run,
    damaged,
    read_json,
    row_key,
    was_edited,
    write_file,
    write_json,
)
from gansweep.training.checkpoint import load_checkpoint
from gansweep.training.data import Prepared
from gansweep.training.job import load_plan
from gansweep.training.metrics.files import load
from testing.synthetic import write_sweep

DATA = Prepared("mnist5k", "Number Output", Path(), 5000, 1, 28, "abc")


def key(data: Prepared = DATA, **params: Any) -> str:
    return row_key(identity(Config(**{"steps": 100, **params}), data))


@pytest.mark.parametrize(
    "params",
    [
        {"device": "cpu", "threads": 1, "log_every": 1, "out": "x", "reports": "y"},
        {"seed": 9},
        {"gen": "conv2", "disc": "conv2", "alpha": 0.3, "width": 0.125},
        {"sweep": "readme_table", "rows": "0", "name": "n"},
        {"gen": "1", "disc": "1", "width": 1 / 16, "momentum": 0.5},
        {"steps": None, "epochs": 1, "batch_size": 50},
    ],
    ids=[
        "machine",
        "seed",
        "unused alpha",
        "sweep",
        "resolved width, unused momentum",
        "epochs as steps",
    ],
)
def test_parameters_without_effect_on_results_are_not_in_the_id(params: dict[str, Any]) -> None:
    networks = {k: params[k] for k in ("gen", "disc", "batch_size") if k in params}
    assert key(**params) == key(**networks)


@pytest.mark.parametrize(
    "params",
    [
        {"lr": 1e-3}, {"gen": "3"}, {"steps": 101}, {"smooth": 0.2}, {"precision": "bf16"},
        {"memory_format": "contiguous"}, {"shuffle": True}, {"joint_d": True},
        {"fresh_z": True}, {"reuse_fake": False}, {"width": 0.5}, {"parametrization": "standard"},
        {"labels": True},
    ],
    ids=lambda p: "".join(p),
)  # fmt: skip
def test_parameters_with_effect_on_results_are_in_the_id(params: dict[str, Any]) -> None:
    assert key(**params) != key()


def test_dropout_is_in_the_id() -> None:
    networks = {"gen": "5", "disc": "4"}
    assert key(**networks, gen_drop=0.5) != key(**networks)


def test_other_pixels_make_another_run() -> None:
    other = Prepared("mnist5k", "Number Output", Path(), 5000, 1, 28, "def")
    assert key(other) != key()


def test_ids_are_stable() -> None:
    """A changed id makes every finished run unusable; raise SCHEMA and this id only on purpose."""
    assert key() == "73fe1b41e1"


def test_a_new_parameter_keeps_the_ids_of_earlier_runs(tmp_path: Path) -> None:
    """A copy of the package gets a new parameter by one line in params.py."""
    import gansweep

    package = Path(gansweep.__file__).parent
    shutil.copytree(package, tmp_path / "gansweep", ignore=shutil.ignore_patterns("__pycache__"))
    declarations = tmp_path / "gansweep" / "params.py"
    text = declarations.read_text(encoding="utf-8")
    new = '    sharpness: float = param(0.5, "a test\'s parameter", "sharpness", low=0)\n'
    before = "    beta1: float = param("
    assert text.count(before) == 1
    declarations.write_text(text.replace(before, new + before), encoding="utf-8")
    code = (
        "import pathlib\n"
        "from gansweep.config import Config, from_record\n"
        "from gansweep.planning.identity import identity\n"
        "from gansweep.store.run import row_key\n"
        "from gansweep.training.data import Prepared\n"
        "data = Prepared('mnist5k', 'Number Output', pathlib.Path(), 5000, 1, 28, 'abc')\n"
        "for config in Config(steps=100), Config(steps=100, sharpness=0.7):\n"
        "    print(row_key(identity(config, data)))\n"
        "print(from_record({'lr': 0.5}).sharpness)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    default, other, read_from_an_older_record = done.stdout.split()
    assert default == key(), "a run of before the declaration keeps its id"
    assert other != default
    assert read_from_an_older_record == "0.5"


def test_learning_rates_of_a_network_are_in_the_id_if_they_differ() -> None:
    assert key(gen_lr=1e-4) == key(), "1e-4 equals lr"
    assert len({key(), key(gen_lr=1e-5), key(disc_lr=1e-5), key(gen_lr=1e-5, disc_lr=1e-5)}) == 4
    both = {"gen_lr": 1e-5, "disc_lr": 1e-3}
    assert key(**both, lr=1e-2) == key(**both), "lr has no effect if both rates are set"


def test_the_seed_is_a_suffix_of_the_id(tmp_path: Path) -> None:
    one, _ = plan_run(Config(steps=5, seed=1, out=str(tmp_path)), DATA)
    two, _ = plan_run(Config(steps=5, seed=2, out=str(tmp_path)), DATA)
    assert one.id.rpartition("-s")[0] == two.id.rpartition("-s")[0]
    assert (one.id[-3:], two.id[-3:]) == ("-s1", "-s2")


def planned(tmp_path: Path) -> Run:
    run, record = plan_run(Config(steps=5, lr=1e-3, out=str(tmp_path)), DATA)
    run.plan(record)
    return run


def test_an_edited_configuration_is_found_and_restored(tmp_path: Path) -> None:
    run = planned(tmp_path)
    whole = json.loads(run.config.read_text())
    assert not was_edited(run.id, whole)
    for part, name, value in (
        ("params", "lr", 0.9), ("params", "lr", "abc"), ("params", "lr", float("nan")),
        ("params", "width", 0.5), ("params", "seed", 2), ("identity", "lr", 0.9),
        ("identity", "steps", 50),
    ):  # fmt: skip
        write_json(run.config, {**whole, part: {**whole[part], name: value}})
        assert was_edited(run.id, json.loads(run.config.read_text())), (part, name, value)
        assert "config.json was edited" in read_outcome(run).note
        assert read_outcome(run).config is None, "its values are not shown"
        with pytest.raises(UserError, match="has been edited: its values are not those of run"):
            load_plan(run)
    write_json(run.result, {"training_seconds": 1.0, "epochs": 1.0})
    keep_record(run, whole)
    assert json.loads(run.config.read_text()) == whole, (
        "planning restores the record of a finished run"
    )


def test_configurations_with_earlier_ids_do_not_count_as_edited() -> None:
    identity = {"lr": 0.001, "steps": 5}
    for schema in (1, SCHEMA):
        run_id = f"{row_key(identity, schema)}-s1"
        assert not was_edited(run_id, {"identity": identity, "params": {"lr": 0.001, "seed": 1}})


@pytest.mark.parametrize("name", ["best.png", "samples.png", "log.txt", "result.json", "last.ckpt"])
def test_a_named_pipe_does_not_block_readers(name: str, tmp_path: Path) -> None:
    run = planned(tmp_path)
    run.append_metrics({"step": 1})
    write_json(run.failure, {"error": "x"})
    os.mkfifo(run.folder / name)
    with within(10):
        found = read_outcome(run)
        run.read_metrics(last=1)
        load_checkpoint(run)
    assert found.picture is None
    assert found.log == []


@contextmanager
def within(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def make_run(tmp_path: Path) -> Run:
    run = Run(tmp_path, "abc-s1")
    run.folder.mkdir(parents=True)
    return run


def test_the_status_follows_from_the_files(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert run.status() == "planned"
    run.append_metrics({"step": 1})
    assert run.status() == "interrupted"
    write_json(run.failure, {"error": "x"})
    assert run.status() == "failed"
    write_json(run.result, {"status": "done"})
    assert run.status() == "done"
    assert not run.complete()  # The picture is missing.
    Image.new("L", (8, 8)).save(run.picture)
    assert run.complete()
    run.picture.write_bytes(run.picture.read_bytes()[:-1])
    assert not run.complete()


@pytest.mark.parametrize("content", ["", '{"status": "do', "[1]", "\x00\x00"])
def test_a_partial_result_does_not_count(content: str, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.result.write_text(content)
    assert run.status() == "planned"
    assert damaged(run.result)


def test_a_partial_line_of_metrics_is_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.append_metrics({"step": 1})
    with run.metrics.open("a") as stream:
        stream.write('{"step": 2, "lo')
    assert run.read_metrics() == [{"step": 1}]


def hold(folder: Path, ready: Any, go: Any) -> None:
    with Run(folder, "abc-s1").owned():
        ready.set()
        go.wait(30)


def test_a_run_belongs_to_one_living_process(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    context = multiprocessing.get_context("spawn")
    ready, go = context.Event(), context.Event()
    owner = context.Process(target=hold, args=(tmp_path, ready, go))
    owner.start()
    assert ready.wait(30)
    assert run.status() == "running"
    with pytest.raises(UserError, match="abc-s1 is being trained by another process"), run.owned():
        pass
    owner.kill()  # A killed process cleans nothing up.
    owner.join()
    assert run.status() == "planned"
    with run.owned():
        pass


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})

    def fail(temporary: Path) -> None:
        temporary.write_text('{"a":')
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_file(path, fail)
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_planning_twice_writes_once(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.plan({"lr": 0.1})
    before = run.config.stat().st_mtime_ns
    run.plan({"lr": 0.1})
    assert run.config.stat().st_mtime_ns == before
    run.config.write_text("half")
    run.plan({"lr": 0.1})
    assert json.loads(run.config.read_text()) == {"lr": 0.1}


def test_other_files_among_the_samples_are_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, "0123456789-s1")
    run.samples.mkdir(parents=True)
    for name in ("step_abc.png", "step_000005.png"):
        (run.samples / name).write_bytes(b"")
    run.rewind(0)
    assert [path.name for path in run.samples.iterdir()] == ["step_abc.png"]


def test_sample_pictures_are_listed_by_step_without_other_files(tmp_path: Path) -> None:
    run = Run(tmp_path, "0123456789-s1")
    assert run.sample_pictures() == {}
    run.samples.mkdir(parents=True)
    for name in ("step_1000000.png", "step_000005.png", "step_7.png", "step_².png", "x_000006.png"):
        (run.samples / name).write_bytes(b"")
    assert list(run.sample_pictures().items()) == [
        (5, run.sample(5)), (1_000_000, run.sample(1_000_000)),
    ]  # fmt: skip


def test_the_checkpoint_is_removed_after_the_result_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut must not remove both files."""
    run = make_run(tmp_path)
    run.last.write_bytes(b"weights")
    # Each entry has the inode of the file, and whether the checkpoint exists.
    synced: list[tuple[int, bool]] = []
    fsync = os.fsync

    def record(handle: int) -> None:
        fsync(handle)
        synced.append((os.fstat(handle).st_ino, run.last.exists()))

    monkeypatch.setattr(os, "fsync", record)
    run.finish({"status": "done"})
    assert synced == [(run.result.stat().st_ino, True), (run.folder.stat().st_ino, True)]
    assert not run.last.exists()
    assert run.status() == "done"


def test_an_empty_result_is_reported_with_a_remedy(tmp_path: Path) -> None:
    """A sweep counts such a run as done; test_damage.py tests its retry."""
    write_sweep(tmp_path / "out", 1, pictures=0)
    folder = next((tmp_path / "out/runs").iterdir())
    (folder / "result.json").write_text("{}")
    assert read_outcome(Run(tmp_path / "out", folder.name)).note == (
        "result.json damaged (training_seconds is missing): run the sweep again with retry=failed "
        "to repeat the training"
    )


class CreatesFile:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_weights_with_code_is_refused(
    zipped: bool, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "final.ckpt"
    if zipped:
        torch.save({"weights": CreatesFile(tmp_path / "owned")}, path)
    else:
        path.write_bytes(pickle.dumps(CreatesFile(tmp_path / "owned")))
    with pytest.raises(ValueError, match=r"^final\.ckpt is damaged, or holds more than weights$"):
        load(path)
    assert not (tmp_path / "owned").exists()
    assert not recwarn.list


@pytest.mark.parametrize("number", [errno.EIO, errno.EFBIG, errno.ELOOP, errno.ESTALE])
def test_errors_of_the_file_system_are_one_line(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, os.strerror(number), "there")
    assert refused_by_disk(error), "the error ends the sweep"
    with pytest.raises(SystemExit) as exit, one_line_errors():
        raise error
    assert exit.value.code == 2
    assert capsys.readouterr().err == f"gansweep: error: there: {os.strerror(number)}\n"


def test_a_failure_names_its_log_if_it_has_one(tmp_path: Path) -> None:
    run = Run(tmp_path, "aa-s1")
    write_json(run.failure, {"error": "killed", "cause": "killed"})
    assert run.describe_failure() == "failed: killed"
    run.log.write_text("words")
    assert run.describe_failure() == f"failed: killed (log: {run.log})"
