"""Tests of `logger=` and of `gansweep export`: what the trackers store, read back from them."""

from __future__ import annotations

import csv
import dataclasses
import json
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, one_line_error, plan_small

from gansweep.config import Config, check
from gansweep.planning.plan import Preparer
from gansweep.plugins import LOGGERS
from gansweep.store.errors import UserError
from gansweep.store.records import LoggerRecord, RunConfig
from gansweep.store.run import Run, read_json, write_json
from gansweep.training import callbacks
from gansweep.training.job import execute
from gansweep.training.loggers import base
from gansweep.training.loggers.base import Logger, Value
from gansweep.training.loggers.content import params_of
from gansweep.training.loggers.follower import Follower
from gansweep.training.loggers.live import Forwarding


@dataclasses.dataclass
class Stored:
    """What a tracker has stored of a run. scalars and pictures: [step, value] by name."""

    params: dict[str, str]
    scalars: dict[str, list[tuple[int, float]]]
    pictures: dict[str, list[int]]


def read_csv(run: Run) -> Stored:
    with (run.folder / "csv/metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (run.folder / "csv/parameters.csv").open(newline="") as stream:
        params = {row["name"]: row["value"] for row in csv.DictReader(stream)}
    scalars: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        step = int(row.pop("step"))
        for name, value in row.items():
            if value:
                scalars[name].append((step, float(value)))
    return Stored(params, dict(scalars), {})


def read_tensorboard(run: Run) -> Stored:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    events = EventAccumulator(str(run.folder / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    tags = events.Tags()
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    given = metadata.parse_session_start_info_plugin_data(content).hparams
    params = {}
    for name, value in given.items():
        kind = value.WhichOneof("kind")
        params[name] = str(getattr(value, kind))
    pictures = {}
    for name in tags["images"]:
        found = events.Images(name)
        assert all(image.encoded_image_string.startswith(b"\x89PNG") for image in found)
        pictures[name] = [image.step for image in found]
    return Stored(
        params,
        {n: [(e.step, e.value) for e in events.Scalars(n)] for n in tags["scalars"]},
        pictures,
    )


def read_mlflow(run: Run) -> Stored:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{run.folder.parents[1].resolve() / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("gansweep")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id], f"tags.`gansweep.run` = '{run.id}'")
    assert found.info.status in ("FINISHED", "KILLED")
    history = {
        name: [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, name)]
        for name in found.data.metrics
    }
    pictures: dict[str, list[int]] = {"samples": []}
    for file in client.list_artifacts(found.info.run_id, "samples"):
        pictures["samples"].append(int(file.path.removesuffix(".png").rpartition("_")[2]))
    for file in client.list_artifacts(found.info.run_id):
        if file.path.endswith(".png"):
            pictures[file.path.removesuffix(".png")] = [-1]
    return Stored(found.data.params, {n: sorted(h) for n, h in history.items()}, pictures)


def records_of(path: Path) -> Iterator[bytes]:
    """Yield the records of an offline file of wandb, which has the format of LevelDB's logs.

    A block has 32 KiB. A chunk has a checksum (4 bytes), a length (2), a kind (1: whole, 2: first,
    3: middle, 4: last) and data. The file begins with 7 other bytes.
    """
    data, place, record = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


def read_wandb(run: Run) -> Stored:
    from wandb.proto import wandb_internal_pb2

    params: dict[str, str] = {}
    scalars: dict[str, list[tuple[int, float]]] = defaultdict(list)
    pictures: dict[str, list[int]] = defaultdict(list)
    for path in sorted(run.folder.glob("wandb/offline-run-*/*.wandb")):
        for data in records_of(path):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            for item in (*record.config.update, *record.run.config.update):
                params[item.key] = str(json.loads(item.value_json))
            values = {
                item.key or "/".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }
            for name, value in values.items():
                if name.endswith("/_type"):
                    pictures[name.removesuffix("/_type")].append(values["_step"])
                elif not name.startswith(("_", "samples/", "best/", "nearest/")):
                    scalars[name].append((values["_step"], value))
    return Stored(params, dict(scalars), dict(pictures))


READERS = {
    "csv": read_csv, "tensorboard": read_tensorboard, "mlflow": read_mlflow, "wandb": read_wandb
}  # fmt: skip
TRACKERS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name != "csv" and find_spec(name) is None, reason=f"the package {name} is missing"
        ),
    )
    for name in READERS
]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Forwarding, "SECONDS", 0.0)
    monkeypatch.setattr(Forwarding, "SHARE", 1e9)


@pytest.fixture
def registry() -> Iterator[None]:
    """Remove the loggers that a test has registered."""
    before = dict(LOGGERS._load())
    yield
    LOGGERS._entries = before


def holds_all(stored: Stored, run: Run, pictures: bool) -> None:
    """Check that a tracker has each record of the run exactly once."""
    lines, evaluations = run.read_metrics(), run.read_evaluations()
    for name, field in (("loss/d", "loss_d"), ("loss/g", "loss_g"), ("gradient/d", "grad_d")):
        expected = [(line["step"], line[field]) for line in lines]  # type: ignore[literal-required]
        assert stored.scalars[name] == [(s, pytest.approx(v, rel=1e-6)) for s, v in expected]
    primary = "fd_lenet"
    distances = [(line["step"], line[primary]) for line in evaluations]  # type: ignore[literal-required]
    assert stored.scalars[f"distance/{primary}"] == [
        (step, pytest.approx(value, rel=1e-6)) for step, value in distances
    ]
    assert len(stored.scalars["judge/coverage"]) == len(evaluations)
    record, result = run.read_config(), run.read_result()
    assert record is not None
    for name, value in params_of(record).items():
        found = stored.params[name]
        text = isinstance(value, str | bool)
        assert found == str(value) if text else float(found) == value  # type: ignore[comparison-overlap]
    assert stored.params["gen"] == "1"
    assert float(stored.params["seed"]) == 1
    assert float(stored.params["lr"]) == record["params"]["lr"]
    if result is not None:
        assert result["judge"] is not None
        score = result["judge"]["score"][primary]  # type: ignore[literal-required]
        assert stored.scalars[f"result/{primary}"] == [
            (result["steps"], pytest.approx(score, rel=1e-6))
        ]
    if pictures:
        assert stored.pictures["samples"] == list(run.sample_pictures())
        assert {"best", "nearest"} <= stored.pictures.keys() or result is None


@pytest.mark.slow
@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_tracker_stores_a_run_and_changes_no_bit_of_it(tracker: str, tmp_path: Path) -> None:
    plain, logged = plan_small(tmp_path / "a"), plan_small(tmp_path / "b", logger=tracker)
    assert plain.id == logged.id
    for run in (plain, logged):
        execute(run, "")
    assert plain.final.read_bytes() == logged.final.read_bytes()
    assert plain.picture.read_bytes() == logged.picture.read_bytes()
    assert not plain.loggers.exists()
    stored = READERS[tracker](logged)
    holds_all(stored, logged, pictures=tracker != "csv")
    others = {path.name for path in logged.folder.iterdir()} - {
        path.name for path in plain.folder.iterdir()
    }
    assert others <= {"loggers.json", tracker}


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next run be interrupted after this step, without closing its loggers."""
    write = callbacks.Metrics.write
    close = Follower.close

    def interrupted(self: callbacks.Metrics, gan: Any) -> None:
        write(self, gan)
        if gan.steps_done == step:
            monkeypatch.setattr(callbacks.Metrics, "write", write)
            monkeypatch.setattr(Follower, "close", lambda *_: restore())
            raise KeyboardInterrupt

    def restore() -> None:
        monkeypatch.setattr(Follower, "close", close)

    monkeypatch.setattr(callbacks.Metrics, "write", interrupted)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_resumed_run_continues_its_tracker_without_repeated_steps(
    tracker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan_small(tmp_path, logger=tracker, log_every=2)
    killed_at(18, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        execute(run, "")
    received = (read_json(run.loggers) or {})["loggers"][tracker]
    assert received["metrics"] == 16
    assert received["status"] == "running"
    if tracker == "wandb":  # Its service is another process, and has not noticed the kill.
        import wandb

        wandb.teardown()
    execute(run, "")
    started = [e for e in run.read_history() if e["event"] == "started"]
    assert [e["step"] for e in started] == [0, 10]
    holds_all(READERS[tracker](run), run, pictures=tracker != "csv")


@pytest.mark.slow
@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_run_that_is_trained_again_replaces_what_the_tracker_had(
    tracker: str, tmp_path: Path
) -> None:
    run = plan_small(tmp_path, logger=tracker)
    execute(run, "")
    first = READERS[tracker](run)
    run.result.unlink()
    run.last.unlink(missing_ok=True)
    execute(run, "")
    if tracker == "wandb":  # Each attempt is a run of its own there, with another id.
        folders = {p.name.rpartition("-")[2] for p in run.folder.glob("wandb/offline-run-*")}
        assert len(folders) == 2
        return
    second = READERS[tracker](run)
    holds_all(second, run, pictures=tracker != "csv")
    assert second.scalars["loss/d"] == first.scalars["loss/d"]


@pytest.mark.slow
@pytest.mark.parametrize("tracker", TRACKERS)
def test_an_export_equals_a_live_log_and_repeats_nothing(
    tracker: str, cli: Cli, tmp_path: Path
) -> None:
    done = cli(
        "-m", "lr=1e-3,5e-4", "data=mnist5k", "steps=20", "log_every=5", "sample_every=10",
        "name=pair", "threads=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = sorted((tmp_path / "outputs/runs").iterdir())
    runs = [Run(tmp_path / "outputs", path.name) for path in found]
    first = cli("export", "pair/0", "--to", tracker)
    assert first.returncode == 0, first.stderr
    assert f"{tracker}: 1 run, 1 exported" in first.stdout
    both = cli("export", "pair", "--to", tracker)
    assert f"{tracker}: 2 runs, 1 exported, 1 there already" in both.stdout, both.stderr
    for run in runs:
        holds_all(READERS[tracker](run), run, pictures=tracker != "csv")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "outputs").rglob("*.*")}
    again = cli("export", "pair", runs[0].id, "--to", tracker)
    assert f"{tracker}: 2 runs, 2 there already" in again.stdout, again.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "outputs").rglob("*.*")} == before


@pytest.mark.skipif(find_spec("mlflow") is None, reason="the package mlflow is missing")
def test_mlflow_finds_a_run_whose_marker_is_lost(cli: Cli, tmp_path: Path) -> None:
    run = plan_small(tmp_path / "outputs", logger="mlflow")
    execute(run, "")
    run.loggers.unlink()
    done = cli("export", run.id, "--to", "mlflow")
    assert "1 exported" in done.stdout, done.stderr
    holds_all(read_mlflow(run), run, pictures=True)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_new_judgement_is_exported(tracker: str, tmp_path: Path, cli: Cli) -> None:
    run = plan_small(tmp_path / "outputs", logger=tracker, judge="false")
    execute(run, "")
    assert "result/fd_lenet" not in READERS[tracker](run).scalars
    record = read_json(run.config)
    assert record is not None
    record["params"]["judge"] = "true"
    write_json(run.config, record)
    execute(run, "")  # This judges the final weights, and does not train.
    done = cli("export", run.id, "--to", tracker)
    assert "1 exported" in done.stdout, done.stderr
    assert "result/fd_lenet" in READERS[tracker](run).scalars


# --- Failures -------------------------------------------------------------------------------------


def failing(method: str) -> type[Logger]:
    """Return a logger of which a method fails."""

    def fail(*_: Any) -> None:
        raise ConnectionError("the server is down")

    return type("Failing", (Logger,), {method: fail})


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("method", ["__init__", "params", "scalars", "picture", "flush", "close"])
def test_a_logger_that_fails_costs_one_warning(method: str, tmp_path: Path) -> None:
    LOGGERS.register("bad")(failing(method))
    run = plan_small(tmp_path, logger="bad,csv")
    lines: list[str] = []
    result = execute(run, "title", tell=lines.append)
    assert result["status"] == "done"
    warnings = [line for line in lines if "logger=" in line]
    assert len(warnings) == 1
    assert "title  logger=bad failed" in warnings[0]
    assert "(the server is down)" in warnings[0]
    assert f"gansweep export {run.id} --to bad" in warnings[0]
    holds_all(read_csv(run), run, pictures=False)


@pytest.mark.slow
@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_diverged_run_is_closed_as_failed(
    tracker: str, tmp_path: Path, faulty_cli: Callable[[str], Cli]
) -> None:
    done = faulty_cli("do=nan step=7")(
        "steps=20", "log_every=5", "sample_every=10", f"logger={tracker}"
    )
    assert done.returncode == 1, done.stderr
    (folder,) = (tmp_path / "outputs/runs").iterdir()
    run = Run(tmp_path / "outputs", folder.name)
    received = (read_json(run.loggers) or {})["loggers"][tracker]
    assert received["status"] == "diverged"
    assert received["metrics"] == 10
    if tracker in ("csv", "tensorboard"):
        stored = READERS[tracker](run).scalars
        assert [step for step, _ in stored["loss/d"]] == [5]  # NaN is no number of a tracker.
        assert [step for step, _ in stored["loss/g"]] == [5, 10]


def test_a_missing_package_is_named_before_training(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "find_spec", lambda name: None)
    expected = "needs the package mlflow: pip install 'gansweep[mlflow]'"
    with pytest.raises(UserError, match="logger=mlflow") as error:
        Preparer()(Config(logger="csv,mlflow"))
    assert expected in str(error.value)
    with pytest.raises(UserError, match="--to mlflow needs the package mlflow"):
        base.check_installed(["mlflow"], "--to ")


def test_every_adapter_names_its_extra() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    for entry in LOGGERS:
        if entry.facts.get("package"):
            assert entry.facts["install"] == f"gansweep[{entry.name}]"
            assert f"\n{entry.name} = [" in text


# --- The command line -----------------------------------------------------------------------------


def test_the_value_is_a_list() -> None:
    assert check("logger", "csv") == "csv"
    assert check("logger", "tensorboard, csv,csv") == "tensorboard,csv"
    assert check("logger", None) is None
    with pytest.raises(UserError, match="logger=tensorbord: did you mean 'tensorboard'"):
        check("logger", "csv,tensorbord")


@pytest.mark.parametrize("spelling", ["csv,tensorboard", "[csv,tensorboard]", "'csv,tensorboard'"])
def test_commas_make_no_sweep(spelling: str, cli: Cli) -> None:
    if find_spec("tensorboard") is None:
        pytest.skip("the package tensorboard is missing")
    done = cli(f"logger={spelling}", "plan=true")
    assert done.returncode == 0, done.stderr
    done = cli("-m", f"logger={spelling}", "lr=1e-3,1e-4", "data=mnist5k", "plan=true")
    assert done.returncode == 0, done.stderr
    assert "2 rows, 2 runs" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("logger=cvs",), "logger=cvs: did you mean 'csv'? valid: csv, mlflow"),
        (("-m", "logger=csv,nope", "lr=1e-3"), "logger=nope: valid: csv, mlflow"),
        (("export", "x", "--to", "cvs"), "--to=cvs: did you mean 'csv'?"),
        (("export", "x", "--to", "csv"), "x: there are no runs in outputs/runs"),
    ],
)
def test_bad_input_gets_one_line(words: tuple[str, ...], said: str, cli: Cli) -> None:
    assert said in one_line_error(cli(*words))


def test_a_sweep_logs_its_runs_and_records_the_logger(cli: Cli, tmp_path: Path) -> None:
    words = ("-m", "lr=1e-3,5e-4", "data=mnist5k", "steps=20", "name=g", "logger=csv")
    done = cli(*words)
    assert done.returncode == 0, done.stderr
    folders = list((tmp_path / "outputs/runs").iterdir())
    assert len(folders) == 2
    for folder in folders:
        run = Run(tmp_path / "outputs", folder.name)
        assert read_csv(run).scalars["result/fd_lenet"]
    manifest = json.loads((tmp_path / "outputs/sweeps/g/manifest.json").read_text())
    assert "logger=csv" in manifest["command"]
    done = cli(*words[:-1])
    assert "2 done" in done.stdout  # The logger is not part of the id of a run.


PLUGIN = """
import gansweep
from gansweep.training.loggers import Logger

@gansweep.logger("lines")
class Lines(Logger):
    def scalars(self, step, values):
        with (self.run.folder / "lines.txt").open("a") as stream:
            stream.write(f"{step} {len(values)}\\n")
"""


@pytest.mark.slow
def test_a_plugin_adds_a_logger(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    done = cli("plugins=mine", "logger=lines,csv", "steps=20", "log_every=10", "data=mnist5k")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs/runs").iterdir()
    steps = [int(line.split()[0]) for line in (folder / "lines.txt").read_text().splitlines()]
    assert steps == [0, 10, 20, 20]  # An evaluation, two lines of metrics, and the result.
    again = cli("export", folder.name, "--to", "lines", "--plugins", "mine")
    assert "1 there already" in again.stdout, again.stderr


def test_without_loggers_nothing_is_imported(tmp_path: Path) -> None:
    """The follower and the packages are imported only if they are chosen."""
    import subprocess
    import sys

    code = (
        "import sys\n"
        "import gansweep.training.train, gansweep.planning.plan, gansweep.launch.sweep\n"
        "names = ['tensorboard', 'mlflow', 'wandb', 'trackio']\n"
        "names += ['gansweep.training.loggers.follower', 'gansweep.training.loggers.content']\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


class Recorder(Logger):
    """A logger that keeps its calls."""

    calls: list[tuple[str, Any]]

    def __init__(self, run: Run, record: RunConfig, earlier: LoggerRecord) -> None:
        super().__init__(run, record, earlier)
        Recorder.calls = []

    def params(self, values: Any) -> None:
        self.calls.append(("params", dict(values)))

    def scalars(self, step: int, values: Any) -> None:
        self.calls.append(("scalars", step))

    def picture(self, step: int, name: str, path: Path) -> None:
        self.calls.append((name, step))

    def close(self, status: str) -> None:
        self.calls.append(("close", status))


@pytest.mark.usefixtures("registry")
def test_the_order_of_the_calls(tmp_path: Path) -> None:
    LOGGERS.register("recorder")(Recorder)
    execute(plan_small(tmp_path, logger="recorder"), "")
    kinds = [kind for kind, _ in Recorder.calls]
    assert kinds[0] == "params"
    assert Recorder.calls[-1] == ("close", "done")
    assert kinds.count("close") == 1
    steps = [step for _, step in Recorder.calls[1:-1]]
    assert steps == sorted(steps)
    params: dict[str, Value] = Recorder.calls[0][1]
    assert params["steps"] == 20
    assert params["data"] == "mnist5k"
    assert "gen_drop" not in params  # Generator 1 has no dropout.
