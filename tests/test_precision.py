"""Tests of `precision=auto`, which is measured once, recorded and resolved before the run's id."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest
from conftest import Cli, one_line_error

from gansweep.config import Config
from gansweep.planning import precision
from gansweep.store.run import Run, read_json


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "precision.json"


@pytest.mark.slow
def test_the_faster_precision_is_measured_once_and_recorded(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = precision.choice("cpu")
    (record,) = json.loads(own_cache.read_text()).values()
    assert chosen == record["choice"]
    assert (chosen == "bf16") == (record["fp32"] / record["bf16"] >= precision.MIN_SPEEDUP)
    assert "precision=auto: bf16 steps are " in capsys.readouterr().out
    monkeypatch.setattr(precision, "_run_benchmark", None)  # The measurement is not repeated.
    assert precision.choice("cpu") == chosen


@pytest.mark.parametrize(("bf16", "expected"), [(0.5, "bf16"), (0.95, "fp32")])
def test_the_resolved_precision_is_in_the_runs_configuration(
    bf16: float,
    expected: str,
    own_cache: Path,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = {"fp32": 1.0, "bf16": bf16, "choice": expected}
    monkeypatch.setattr(precision, "_run_benchmark", lambda kind: measured)
    precision.choice("cpu")  # An earlier call has recorded this.
    assert precision.resolve(Config(precision="auto")).precision == expected
    assert precision.resolve(Config(precision="fp32")) == Config()
    done = cli("precision=auto", "steps=1", "judge=false", "device=cpu")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs/runs").iterdir()
    record = read_json(Run(tmp_path / "outputs", folder.name).config)
    assert record is not None
    assert record["identity"]["precision"] == expected
    again = cli(f"precision={expected}", "steps=1", "judge=false", "device=cpu")
    assert "is done already" in again.stdout, "auto and the resolved precision are the same run"


def test_a_failed_measurement_is_refused_in_one_line(own_cache: Path, cli: Cli) -> None:
    own_cache.parent.mkdir()
    own_cache.with_suffix(".lock").mkdir()
    assert "precision.lock" in one_line_error(cli("precision=auto", "steps=1"))


def test_a_plan_with_a_recorded_choice_imports_no_torch(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        precision, "_run_benchmark", lambda kind: {"fp32": 1.0, "bf16": 0.5, "choice": "bf16"}
    )
    precision.choice("cpu")
    code = (
        "import sys; from gansweep.planning.precision import choice; choice('cpu'); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_bf16_follows_fp32(cli: Cli, tmp_path: Path) -> None:
    """The mean losses over the second half of a run agree in both precisions."""
    means = {}
    for chosen in ("fp32", "bf16"):
        done = cli(
            f"precision={chosen}", f"out={chosen}", "steps=80", "log_every=1", "judge=false",
            "threads=1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (folder,) = (tmp_path / chosen / "runs").iterdir()
        lines = Run(tmp_path / chosen, folder.name).read_metrics()
        assert len(lines) == 80
        means[chosen] = [fmean(line[name] for line in lines[40:]) for name in ("loss_d", "loss_g")]
    for reference, other in zip(means["fp32"], means["bf16"], strict=True):
        assert other == pytest.approx(reference, rel=0.1)


def test_thousands_of_rows_look_for_devices_once(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    find = precision.find_devices
    monkeypatch.setattr(
        precision, "find_devices", lambda wanted: asked.append(wanted) or find("cpu")
    )
    monkeypatch.setattr(
        precision, "_run_benchmark", lambda kind: {"fp32": 1.0, "bf16": 0.5, "choice": "bf16"}
    )
    for _ in range(100):
        assert precision.resolve(Config(precision="auto")).precision == "bf16"
        assert precision.resolve(Config(precision="auto", device="cpu")).precision == "bf16"
    assert asked == ["auto", "cpu"]


def test_a_plan_for_a_cluster_says_where_precision_was_measured(
    own_cache: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="needs the extra gansweep[slurm]")
    monkeypatch.setattr(
        precision, "_run_benchmark", lambda kind: {"fp32": 1.0, "bf16": 0.5, "choice": "bf16"}
    )
    precision.choice("cpu")
    grid = ("-m", "lr=1e-3", "data=mnist5k", "steps=1", "device=cpu", "plan=true")
    there = "hydra/launcher=submitit_local"
    said = "precision=auto was measured on this machine"
    assert said in cli(*grid, there, "precision=auto").stdout
    assert said not in cli(*grid, "precision=auto").stdout
    assert said not in cli(*grid, there, "precision=bf16").stdout
