"""Tests of runs of commit be842b4, in tests/old_runs, and of synthetic newer runs."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Cli, one_line_error
from PIL import Image

from gansweep.commands.confirm import best_rows
from gansweep.config import Config, DataConfig, as_record, from_record
from gansweep.report import write_report
from gansweep.report.table.outcome import read_outcome
from gansweep.report.table.select import Selection
from gansweep.store.errors import UserError
from gansweep.store.estimate import Estimates, cost_of
from gansweep.store.manifest import read_manifest
from gansweep.store.records import RUN_FILES, fault_of
from gansweep.store.run import Run, read_json, write_json
from gansweep.training.job import load_plan
from gansweep.training.judge_callback import load_best
from gansweep.training.metrics.equilibrium import alive, flag_of
from gansweep.training.samples import fixed_latents, stretched_grid
from gansweep.training.train import build_gan
from testing.synthetic import write_sweep

OLD = Path(__file__).parent / "old_runs"
BEST, OTHER = "648d2cfe6e-s1", "316138d34a-s1"  # The second run has its best weights.
NUMBER = "Number Output"


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    shutil.copytree(OLD, folder)
    return folder


@pytest.mark.parametrize("run_id", [BEST, OTHER])
def test_no_record_of_an_old_run_is_damaged(run_id: str) -> None:
    run = Run(OLD, run_id)
    for file in RUN_FILES:
        path = run.folder / file
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else []
        for record in map(json.loads, lines):
            assert fault_of(file, record) == ""
        if path.suffix == ".json" and path.exists():
            assert fault_of(file, read_json(path) or {}) == ""
    outcome = read_outcome(run)
    assert (outcome.status, outcome.note) == ("done", "")
    assert outcome.primary == "fld"
    assert run.complete()
    assert len(run.read_metrics()) == 9
    assert len(run.read_evaluations()) == 5
    assert [event["event"] for event in run.read_history()] == ["started", "ended"]


def test_old_distances_get_other_names_than_todays() -> None:
    """`kid` was a distance in LeNet's features, and is one in Inception's today."""
    score = read_outcome(Run(OLD, OTHER)).score
    assert "kid" not in score
    assert score["kd_fld"] == 5402.949165


def test_a_report_of_old_runs(outputs: Path, cli: Cli, tmp_path: Path) -> None:
    done = cli("report", "old", "--format", "markdown,html,csv,latex", "--plots")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "reports/old/README.md").read_text()
    assert "fld 1,484.9 at epoch 2.16, still improving, collapsed" in text
    assert "fld: a metric that this version of gansweep does not know, less is better" in text
    assert "real images that were also trained on" in text
    assert "damaged" not in text
    assert text.count("](images/row") == 2
    chosen = cli("report", "old", "--columns", "lr,fld,status", "--sort", "fld:desc")
    assert chosen.returncode == 0, chosen.stderr
    lines = (tmp_path / "reports/old/README.md").read_text().split("\n")
    assert [line[:25] for line in lines if line.startswith(("| 1e", "| 3e"))] == [
        "| 1e-3 | 1,535.9 | done |", "| 3e-3 | 1,484.9 | done |"
    ]  # fmt: skip
    assert "--best 1: no row is alive" in one_line_error(cli("report", "old", "--best", "1"))


def test_commands_that_read_old_runs(outputs: Path, cli: Cli) -> None:
    shown = cli("show", "old/1")
    assert shown.returncode == 0, shown.stderr
    assert "fld 1,535.9 at epoch 2.16, still improving, never learned" in shown.stdout
    differing = cli("diff", BEST, OTHER)
    assert differing.returncode == 1, differing.stderr
    assert "learning rate" in differing.stdout
    status = cli("status", "old")
    assert status.returncode == 0, status.stderr
    assert "old  2/2 done" in status.stdout
    assert "no judged row that is alive" in one_line_error(cli("confirm", "old"))


def test_old_runs_serve_to_estimate_the_time_of_a_run() -> None:
    config = Run(OLD, BEST).read_config()
    seconds = Estimates(OLD, "cpu", 1).seconds(cost_of(config), 900)
    assert seconds is not None
    assert 40 < seconds < 50


def test_an_old_configuration_has_the_defaults_of_its_time() -> None:
    """Missing parameters have the values of that time, and not today's defaults."""
    record = Run(OLD, BEST).read_config()
    assert record is not None
    config = from_record(record["params"])
    assert (config.parametrization, config.data.holdout) == ("standard", 0.0)
    assert (config.lr, config.steps, config.width) == (3e-3, 900, 0.04)
    assert Config().parametrization == "mup"
    assert DataConfig().holdout == 0.1
    assert from_record({"inception_weights": "w.pth"}).judge_weights == "w.pth"
    assert from_record(as_record(Config(lr=0.5))) == Config(lr=0.5)
    assert from_record({"lr": 0.5, "of_a_newer_version": 3, "data": {"also": 1}}).lr == 0.5
    with pytest.raises(UserError, match="gen=resnet: valid"):
        from_record({"gen": "resnet"})


def test_old_distances_are_not_confirmed_by_new_ones(outputs: Path) -> None:
    for run_id in (BEST, OTHER):
        path = Run(outputs, run_id).result
        result: Any = read_json(path)
        result["judge"]["flags"] = []
        write_json(path, result)
    with pytest.raises(UserError, match=r"was judged by another version \(fld\)"):
        best_rows(read_manifest(outputs, "old"), NUMBER, str(outputs), 3)


def test_old_weights_draw_the_old_picture() -> None:
    """The run was trained on all images, of which a tenth would be held out today."""
    run = Run(OLD, OTHER)
    config, data = load_plan(run)
    assert (data.images, data.held) == (5000, 0)
    gan = build_gan(config, data.channels)
    assert load_best(run, gan) == 675
    drawn = np.asarray(stretched_grid(gan.sample(fixed_latents(gan.z_dim))), int)
    with Image.open(run.best_picture) as picture:
        assert abs(drawn - np.asarray(picture, int)).max() < 8, "of 255 shades of grey"


def test_old_runs_do_not_warm_start_a_search(outputs: Path, cli: Cli) -> None:
    """Old runs have other ids and another metric, so the search leaves them out and continues."""
    done = cli(
        "-m", "search=lr,gen_lr", "trials=1", "sampler=random", "pruner=none", "warm_start=old",
        "name=s", "steps=4", "batch_size=16", "z_dim=16", "width=0.04", "data=mnist5k", "threads=1",
        "gen=5", "disc=4", "data.holdout=0", "parametrization=standard",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "0 finished settings of old" in done.stdout
    assert "search s: 1 trial, 0 finished or running" in done.stdout
    assert "1 trial complete, 0 pruned, 0 failed" in done.stdout


def without(record: Any, *names: str) -> None:
    """Remove parameters from a record, as from one of a version that did not have them."""
    for params in (record, *record.values()):
        for name in names:
            if isinstance(params, dict):
                params.pop(name, None)


def two_sweeps(tmp_path: Path) -> None:
    """Write `before`, whose version had neither early_stop nor alpha, and `after`."""
    for name, out in (("before", tmp_path), ("after", tmp_path / "after")):
        write_sweep(out, 2, pictures=0, name=name)
    path = tmp_path / "sweeps/before/manifest.json"
    manifest: Any = read_json(path)
    for row in manifest["rows"]:
        without(row, "early_stop", "alpha")
    write_json(path, manifest)
    path = tmp_path / "after/sweeps/after/manifest.json"
    manifest = read_json(path)
    for row in manifest["rows"]:
        row["params"] |= {"early_stop": True, "alpha": 0.1}
        row["runs"] = {heading: [] for heading in row["runs"]}
    write_json(tmp_path / "sweeps/after/manifest.json", manifest)


def test_a_row_has_the_values_of_its_time_for_later_parameters(tmp_path: Path) -> None:
    """Such parameters were n/a, lost by --where, last in --sort, and empty in CSV."""
    two_sweeps(tmp_path)

    def table(*names: str, **selection: Any) -> Any:
        return write_report(
            names, out=tmp_path, reports=tmp_path / "reports", formats=("csv", "markdown"),
            selection=Selection(**selection),
        )  # fmt: skip

    both = table("before", "after", columns="sweep,early_stop,alpha", sort="alpha")
    shown = [[c.text(row) for c in both.results.tables[0].columns] for row in both.results.rows]
    assert shown == [["after", "yes", "0.1"]] * 2 + [["before", "no", "0.2"]] * 2
    stored = pd.read_csv(both.path)
    assert list(stored["alpha"]) == [0.1] * 4 + [0.2] * 4
    assert list(stored["early_stop"]) == [True] * 4 + [False] * 4
    kept = table("before", "after", where="alpha>0.15").results.rows
    assert [row.sweep for row in kept] == ["before", "before"]
    names = [column.name for column in table("before", "after").results.tables[0].columns]
    assert names == ["sweep", "alpha", "lr", "early_stop"]


def test_a_report_of_an_older_sweep_alone_does_not_list_later_parameters(tmp_path: Path) -> None:
    def texts() -> list[str]:
        report = write_report(
            "before", out=tmp_path, reports=tmp_path / "reports", formats=("markdown", "csv")
        )
        return [path.read_text() for path in report.paths]

    two_sweeps(tmp_path)
    markdown, csv = texts()
    assert "All rows: " in markdown
    assert "alpha" not in markdown, "which the caption of a newer sweep always lists"
    assert "alpha" not in csv.split("\n")[0]
    path = tmp_path / "sweeps/before/manifest.json"
    manifest: Any = read_json(path)
    for row, width in zip(manifest["rows"], (1.0, 0.5), strict=True):
        without(row, "parametrization")
        row["params"]["width"] = width
    write_json(path, manifest)
    rows = write_report("before", out=tmp_path, reports=tmp_path / "reports").results.rows
    assert [row.params["parametrization"] for row in rows] == [None, "standard"]
    assert "parametrization" not in texts()[0]


def test_a_network_of_a_missing_plugin_does_not_hide_the_values_of_a_row(tmp_path: Path) -> None:
    two_sweeps(tmp_path)
    path = tmp_path / "sweeps/before/manifest.json"
    manifest: Any = read_json(path)
    for row in manifest["rows"]:
        row["params"]["gen"] = "of_a_plugin"
    write_json(path, manifest)
    rows = write_report("before", out=tmp_path, reports=tmp_path / "reports").results.rows
    assert [(row.params["gen"], row.params["alpha"]) for row in rows] == [("of_a_plugin", 0.2)] * 2


def test_a_difference_in_a_later_parameter(tmp_path: Path, cli: Cli) -> None:
    """A run without the parameter has the value of its time, which may be that of the other."""
    out = tmp_path / "outputs"
    write_sweep(out, 2, pictures=0)
    path = Run(out, "000000m-s1").config
    config: Any = read_json(path)
    without(config, "early_stop", "parametrization", "width")
    config["params"] |= {"lr": 2e-5, "width": 1.0}
    write_json(path, config)
    other: Any = read_json(Run(out, "000001m-s1").config)
    other["params"]["width"] = 1.0
    write_json(Run(out, "000001m-s1").config, other)
    same = cli("diff", "000000m", "000001m")
    assert "the same parameters" in same.stdout
    assert same.returncode == 0
    other["params"] |= {"early_stop": True, "width": 0.5}
    write_json(Run(out, "000001m-s1").config, other)
    done = cli("diff", "000000m", "000001m")
    assert done.returncode == 1
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert {"stopped early no yes", "width 1 0.5", "parametrization n/a mup"} <= set(lines)


# Newer runs -------------------------------------------------------------------------------------


def newer(out: Path, run_id: str, change: Any) -> Run:
    run = Run(out, run_id)
    result = read_json(run.result)
    change(result)
    write_json(run.result, result)
    return run


def with_other_names(result: Any) -> None:
    judge = result["judge"]
    judge |= {"primary": "clip_fd", "second": "vgg", "flags": ["tilted"], "new": [1]}
    judge["score"] |= {"clip_fd": 12.345, "clip_fd_error": 0.2, "vgg": 3.0, "other": {"a": 1}}
    result |= {"energy": {"kwh": 0.1}, "status": "done"}


def test_a_newer_result_is_shown_with_its_own_names(tmp_path: Path) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    for row in range(3):
        newer(tmp_path, f"{row:06d}m-s1", with_other_names)
    report = write_report(
        "synthetic", out=tmp_path, reports=tmp_path / "reports", plots=True,
        formats=("markdown", "html", "csv", "latex"), selection=Selection(sort="clip_fd"),
    )  # fmt: skip
    text = report.path.read_text().replace("\\", "")
    assert "clip_fd 12.3 at epoch 3.2, plateau, tilted" in text
    assert "clip_fd: a metric that this version of gansweep does not know, so that no row" in text
    assert not any(row.cells[NUMBER].mark for row in report.results.rows)
    assert "tilted: a flag that this version of gansweep does not know" in text
    assert "damaged" not in text
    run = read_outcome(Run(tmp_path, "000000m-s1"))
    assert not run.alive, "an unknown flag counts as severe"


def test_a_newer_manifest_is_read(tmp_path: Path) -> None:
    write_sweep(tmp_path, 2, pictures=0)
    path = tmp_path / "sweeps/synthetic/manifest.json"
    before = read_manifest(tmp_path, "synthetic")
    record: Any = read_json(path)
    record |= {"of_a_newer_version": 1}
    record["rows"][0]["also"] = record["tables"][0]["also"] = "x"
    write_json(path, record)
    assert read_manifest(tmp_path, "synthetic") == before
    write_json(path, {**record, "format": 2})
    with pytest.raises(UserError, match="was written by a newer version of gansweep"):
        read_manifest(tmp_path, "synthetic")
    del record["format"], record["titles"], record["pruned"], record["search"]
    write_json(path, record)
    assert read_manifest(tmp_path, "synthetic").rows == before.rows


def test_a_parameter_of_a_newer_version_has_its_own_name(tmp_path: Path) -> None:
    """The report of such a sweep ended in an error: no column 'label_noise'."""
    write_sweep(tmp_path, 3, pictures=0)
    write_sweep(tmp_path / "more", 1, pictures=0, name="older")
    older: Any = read_json(tmp_path / "more/sweeps/older/manifest.json")
    older["rows"][0]["runs"] = {}
    write_json(tmp_path / "sweeps/older/manifest.json", older)
    path = tmp_path / "sweeps/synthetic/manifest.json"
    manifest: Any = read_json(path)
    for row, noise in zip(manifest["rows"], (0.1, 0.00002, None), strict=True):
        row["params"] |= {"label_noise": noise, "sharpen": True}
    manifest["tables"][0]["columns"] = ["lr", "smooth / label_noise", "label_noise"]
    write_json(path, manifest)

    def table(*names: str, **selection: Any) -> Any:
        return write_report(
            names, out=tmp_path, reports=tmp_path / "reports", plots=True,
            formats=("markdown", "html", "csv", "latex"), selection=Selection(**selection),
        )  # fmt: skip

    text = table("synthetic").path.read_text()
    assert "| learning rate | smooth / label\\_noise | label\\_noise | Number Output |" in text
    assert "| 1e-5 | 0 / 0.1 | 0.1 | ![" in text
    assert "| 2e-5 | 0 / 2e-5 | 2e-5 | ![" in text
    assert "| 5e-5 | 0 / n/a | n/a | ![" in text
    assert "label_noise" in (tmp_path / "reports/synthetic/runs.csv").read_text().split("\n")[0]
    chosen = table("synthetic", where="label_noise<0.05", columns="label_noise")
    assert [row.number for row in chosen.results.rows] == [1]
    both = table("synthetic", "older")
    (joined,) = both.results.tables
    assert [column.name for column in joined.columns] == ["sweep", "lr", "label_noise"]
    assert joined.columns[-1].text(joined.rows[-1]) == "–"


def test_a_difference_in_a_parameter_of_a_newer_version(tmp_path: Path, cli: Cli) -> None:
    """The command said that the parameters are the same."""
    out = tmp_path / "outputs"
    write_sweep(out, 2, pictures=0)
    for run_id, noise in (("000000m-s1", 0.1), ("000001m-s1", 0.2)):
        config: Any = read_json(Run(out, run_id).config)
        config["params"] |= {"lr": 1e-4, "label_noise": noise}
        write_json(Run(out, run_id).config, config)
    done = cli("diff", "000000m", "000001m")
    assert done.returncode == 1, done.stderr
    assert "label_noise 0.1 0.2" in [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_flags_of_other_versions() -> None:
    assert flag_of("collapse?").word == "perhaps collapsed"
    assert alive(["collapse?"]), "the flag was not severe"
    assert flag_of("tilted").word == "tilted"
    assert not alive(["tilted"])


def test_values_that_are_not_finite_are_written_as_null(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": math.nan, "b": [1.5, {"c": -math.inf}], "d": (math.inf,)})
    expected = {"a": None, "b": [1.5, {"c": None}], "d": [None]}
    assert json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name)) == expected
    path.write_text('{"a": NaN, "b": [Infinity]}')  # Older versions wrote such files.
    assert read_json(path) == {"a": None, "b": [None]}
