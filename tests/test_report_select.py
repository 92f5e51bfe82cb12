"""Tests of selected rows and columns, joined sweeps and replicates, on synthetic runs."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from conftest import Cli, one_line_error, wait_for

from gansweep.plugins import METRICS
from gansweep.report import Report, write_report
from gansweep.report.table.cell import BEST, TIE, Cell, mark_best
from gansweep.report.table.columns import find_column
from gansweep.report.table.judged import distance
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.select import Selection, values
from gansweep.store.errors import UserError
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.run import Run, read_json, write_json
from gansweep.training.metrics.registered import metrics_of
from testing.synthetic import write_sweep


def report(tmp_path: Path, *names: str, **options: Any) -> Report:
    selection = {k: options.pop(k) for k in list(options) if k in Selection.__annotations__}
    return write_report(
        names or "synthetic",
        out=tmp_path / "out",
        reports=tmp_path / "reports",
        selection=Selection(**selection),
        **options,
    )


def numbers(of: Report) -> list[int]:
    return [row.number for row in of.results.rows]


@pytest.fixture
def sweep(tmp_path: Path) -> Manifest:
    return write_sweep(tmp_path / "out", 20, pictures=0)


def test_where_accepts_parameters_metrics_and_results(tmp_path: Path, sweep: Manifest) -> None:
    assert numbers(report(tmp_path, where="lr<5e-5 and beta1==0.1")) == [10, 11]
    assert numbers(report(tmp_path, where="gen==1 and lr>=5e-3")) == [8, 9, 18, 19]
    everything = report(tmp_path)
    frame = values(everything.results.rows)
    assert numbers(report(tmp_path, where="fd_lenet<150")) == list(
        frame[frame["fd_lenet"] < 150]["row"]
    )
    assert numbers(report(tmp_path, where="status=='done' and not lr in [1e-5, 1e-2]")) == [
        n for n in range(20) if n % 10 not in (0, 9)
    ]


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("where", "lrr<1", "did you mean 'lr'? valid: row, sweep, "),
        ("where", "lr", "not a condition; write for example lr<1e-4 and gen==1"),
        ("where", "lr <", "write a condition such as lr<1e-4 and gen==1"),
        ("where", "gen<'a'", "write a condition such as"),
        ("where", "lr>1", "none of the 20 rows meets the condition"),
        ("sort", "speed", "no column 'speed'"),
        ("sort", "lr:down", "write lr:asc or lr:desc"),
        ("columns", "lr,bta1", "did you mean 'beta1'?"),
        ("columns", "lr,kid", "no column 'kid': valid: row, sweep, gen, "),
        ("where", "fid<9", "--where fid<9: "),
        ("on", "Numbers", "valid: Number Output, Drawn Face Output"),
    ],
)
def test_unknown_names_are_refused(
    option: str, text: str, says: str, tmp_path: Path, sweep: Manifest
) -> None:
    with pytest.raises(UserError) as refused:
        report(tmp_path, **{option: text})
    assert says in str(refused.value)
    assert not (tmp_path / "reports").exists(), "no partial report is written"


def test_every_listed_column_is_accepted_and_no_other_metric(
    tmp_path: Path, sweep: Manifest
) -> None:
    """`kid` was accepted although no run has it, and the list of valid names lacked it."""
    rows = report(tmp_path).results.rows
    with pytest.raises(UserError) as refused:
        find_column("nothing", rows)
    listed = str(refused.value).split("valid: ")[1].split(", ")
    for name in listed:
        assert find_column(name, rows).name == name
    assert {name for name in METRICS.names() if name in listed} == {
        m.name for data in ("mnist5k", "toyfaces") for m in metrics_of(data)
    }
    assert numbers(report(tmp_path, sort="density", columns="lr,density")) == list(range(20))
    with pytest.raises(UserError, match="none of the 20 rows meets the condition"):
        report(tmp_path, where="density<1")  # no synthetic run has it


def test_sorting_by_several_columns(tmp_path: Path, sweep: Manifest) -> None:
    assert numbers(report(tmp_path, sort="beta1:desc,lr"))[:3] == [10, 11, 12]
    by_quality = report(tmp_path, sort="fd_lenet").results.rows
    found = [row.cells["Number Output"].values[0] for row in by_quality]
    assert found == sorted(found)


def test_texts_of_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    rows = [Row({"gen": gen}, {"Number Output": []}) for gen in ("10", "9", "1")]
    Manifest("s", "t", "c", ["Number Output"], {}, [Table(["gen"], [0, 1, 2])], rows).write(
        tmp_path / "out"
    )
    assert numbers(report(tmp_path, "s", sort="gen")) == [2, 1, 0]


def test_the_best_rows_by_the_metric_of_a_picture_column(tmp_path: Path, sweep: Manifest) -> None:
    frame = values(report(tmp_path).results.rows, "Drawn Face Output")
    expected = list(frame.sort_values("fd_random")["row"])[:3]
    assert numbers(report(tmp_path, best=3, on="Drawn Face Output")) == expected


def set_flags(folder: Path, run_id: str, *flags: str) -> None:
    path = Run(folder / "out", run_id).result
    result = read_json(path)
    assert result is not None
    result["judge"]["flags"] = list(flags)
    write_json(path, result)


@pytest.mark.parametrize("flag", ["collapse", "never started", "diverged"])
def test_flagged_runs_are_not_among_the_best(flag: str, tmp_path: Path, sweep: Manifest) -> None:
    (best,) = numbers(report(tmp_path, best=1))
    for run_id in sweep.rows[best].runs["Number Output"]:
        set_flags(tmp_path, run_id, flag)
    assert numbers(report(tmp_path, best=1)) != [best]


def test_flagged_faces_do_not_remove_a_row_from_the_best_by_digits(
    tmp_path: Path, sweep: Manifest
) -> None:
    (best,) = numbers(report(tmp_path, best=1, on="Number Output"))
    for run_id in sweep.rows[best].runs["Drawn Face Output"]:
        set_flags(tmp_path, run_id, "collapse")
    assert numbers(report(tmp_path, best=1, on="Number Output")) == [best]
    assert best not in numbers(report(tmp_path, best=19, on="Drawn Face Output"))


def test_a_column_without_alive_runs_has_a_remark_and_no_best(
    tmp_path: Path, sweep: Manifest
) -> None:
    for row in sweep.rows:
        for run_id in row.runs["Drawn Face Output"]:
            set_flags(tmp_path, run_id, "never started")
    made = report(tmp_path)
    text = made.path.read_text()
    count = len(sweep.rows)
    assert (
        f"* Drawn Face Output: no run is alive after 600 steps ({count} never learned); "
        "try more steps" in text
    )
    assert "Number Output: no run is alive" not in text
    assert text.count("**FD (LeNet)") == 1
    assert "**FD (random)" not in text
    assert "never learned" in next(line for line in text.splitlines() if "FD (random)" in line)


def test_columns_are_shown_in_the_order_asked_for(tmp_path: Path, sweep: Manifest) -> None:
    text = report(tmp_path, columns="fd_lenet,lr,alpha,training_time").path.read_text()
    assert "| FD (LeNet) | learning rate | alpha | training time | Number Output |" in text


def test_joined_sweeps_show_each_row_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_sweep(out, 12, pictures=0, name="one")
    write_sweep(out, 14, pictures=0, name="other")  # Its first twelve rows have the same runs.
    both = report(tmp_path, "one", "other")
    assert len(both.results.rows) == 14
    assert both.folder == tmp_path / "reports" / "one+other"
    assert [row.sweep for row in both.results.rows] == ["one, other"] * 12 + ["other"] * 2
    text = both.path.read_text()
    assert "| sweep | learning rate | beta 1 | Number Output |" in text
    assert "smooth factor 0" in text, "shared values are in the caption"


def test_replicates_are_shown_together(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out", 4, seeds=3, pictures=0)
    both = report(tmp_path)
    cell = both.results.rows[0].cells["Number Output"]
    found = [run.score["fd_lenet"] for run in cell.runs]
    best, worst = (found.index(f(found)) + 1 for f in (min, max))
    text = both.path.read_text().split("\n")[4]
    assert f"best, seed {best}" in text
    assert f"worst, seed {worst}" in text
    assert text.count("![row 0, Number Output]") == 2
    mean = sum(found) / 3
    spread = (sum((v - mean) ** 2 for v in found) / 2) ** 0.5
    shown = distance("fd_lenet", mean, spread), distance("fd_lenet", spread, spread)
    assert "FD (LeNet) {} ± {} (3)".format(*shown) in text
    apart = report(tmp_path, grouped=False).path.read_text().split("\n")[4]
    assert apart.count("![row 0, Number Output]") == 3
    assert "±" not in apart


def cell(
    *values: float,
    flags: tuple[str, ...] = (),
    metric: str = "fd_lenet",
    error: float | None = None,
) -> Cell:
    runs = []
    for seed, value in enumerate(values):
        score = {metric: value} | ({f"{metric}_error": error} if error else {})
        judge = {"primary": metric, "score": score, "flags": list(flags)}
        runs.append(Outcome(f"x-s{seed}", "done", None, "", {}, {"judge": judge}))
    return Cell(runs)


def test_the_best_and_its_ties_are_marked() -> None:
    cells = [cell(90, 91, 92, 93), cell(91, 92, 93, 94), cell(120, 121, 122, 123)]
    mark_best(cells)
    assert [c.mark for c in cells] == [BEST, TIE, ""]


def test_single_runs_tie_if_other_latents_could_cause_their_difference() -> None:
    # The threshold 2.3·√18 is 9.8.
    cells = [cell(90, error=3), cell(98, error=3), cell(100, error=3)]
    mark_best(cells)
    assert [c.mark for c in cells] == [BEST, TIE, ""]
    unknown = [cell(90), cell(90), cell(90.1)]  # Old runs have no errors.
    mark_best(unknown)
    assert [c.mark for c in unknown] == [BEST, TIE, ""]


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (1451.7, 60, "1,450"),
        (1451.7, 23, "1,452"),
        (134.34, 9.3, "134"),
        (134.34, 1.2, "134.3"),
        (134.34, 0.002, "134.3"),  # The metric has one decimal.
        (1451.7, 480, "1,500"),
        (1451.7, None, "1,451.7"),
        (1451.7, float("nan"), "1,451.7"),
    ],
)
def test_digits_below_the_error_are_not_shown(value: float, error: float, shown: str) -> None:
    assert distance("fd_lenet", value, error) == shown


def test_flagged_runs_and_other_metrics_are_never_the_best() -> None:
    for flag in ("collapse", "never started", "diverged"):
        cells = [cell(10, flags=(flag,)), cell(90), cell(95)]
        mark_best(cells)
        assert [c.mark for c in cells] == ["", BEST, ""]
    (one, dead) = cells = [cell(90), cell(10, flags=("never started",))]
    mark_best(cells)
    assert (one.mark, dead.mark) == (BEST, ""), "the only one that is alive"
    mixed = [cell(10), cell(90, metric="fd_random")]
    mark_best(mixed)
    assert [c.mark for c in mixed] == ["", ""]


def test_every_intact_row_is_shown_and_every_damaged_file_is_named(tmp_path: Path) -> None:
    """One file in twenty is truncated, emptied, changed in one byte or another record."""
    out = tmp_path / "out"
    write_sweep(out, 60, pictures=2)
    rng = random.Random(1)
    files = sorted(path for path in (out / "runs").rglob("*") if path.is_file())
    hurt: dict[str, set[str]] = {}
    for path in rng.sample(files, len(files) // 20):
        data = path.read_bytes()
        harm = rng.randrange(4)
        if harm == 0:
            path.write_bytes(data[: len(data) // 2])
        elif harm == 1:
            path.write_bytes(b"")
        elif harm == 2:
            at = rng.randrange(len(data))
            path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        else:
            path.write_bytes(json.dumps({"judge": 3, "identity": [], "data": "x"}).encode())
        run = next(p.name for p in path.parents if p.parent.name == "runs")
        hurt.setdefault(run, set()).add(path.name)
    formats = ("markdown", "html", "csv", "latex")
    found = report(tmp_path, formats=formats)
    assert len(found.results.rows) == 60
    runs = {run.run_id: run for run in found.results.outcomes()}
    assert len(runs) == 120
    text = found.path.read_text()
    for run_id, names in hurt.items():
        for name in names & {"config.json", "result.json", "best.png", "samples.png"}:
            if name == "samples.png" and "best.png" not in names:
                continue  # The row shows best.png instead.
            assert name in runs[run_id].note or name.split(".")[0] in runs[run_id].note, run_id
    assert text.count("damaged: run the sweep again") >= 3
    untouched = [run for run_id, run in runs.items() if run_id not in hurt]
    assert all(run.note == "" and run.value for run in untouched)


def test_a_report_of_a_sweep_while_it_runs(tmp_path: Path, cli: Cli) -> None:
    sweep = Command(
        tmp_path, "-m", "lr=1e-3,5e-4,2e-4", "data=mnist5k", "steps=60", "name=n", "judge=false",
        "log_every=2", "sample_every=10", fault="do=slow seconds=0.1",
    )  # fmt: skip
    try:
        wait_for("outputs/runs/*/samples/step_000020.png", tmp_path)
        done = cli("n", module="gansweep.report")
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "reports/n/README.md").read_text()
        assert "running (step " in text
        assert "images/row" in text, "its picture so far"
        assert (
            len([line for line in text.split("\n") if re.match(r"\| [125]e-4|\| 1e-3", line)]) == 3
        )
        assert '"status":"running"' in (tmp_path / "reports/n/index.html").read_text()
    finally:
        sweep.send_signal(signal.SIGTERM)
        sweep.wait(timeout=60)


def test_the_command_line_of_a_report(tmp_path: Path, cli: Cli) -> None:
    write_sweep(tmp_path / "outputs", 6, pictures=1)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return cli("report", *words)

    done = run("synthetic", "--format", "markdown,csv", "--to", "there", "--best", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("table: there/README.md\ntable: there/runs.csv\n")
    (tmp_path / "README.md").write_text("# Mine\n")
    said = one_line_error(run("synthetic", "--to", "."))
    assert "README.md is not a gansweep report and would be overwritten" in said
    assert (tmp_path / "README.md").read_text() == "# Mine\n"
    for file, options in {
        "index.html": ["--format", "html"],
        "runs.csv": ["--format", "csv"],
        "report.tex": ["--format", "latex"],
    }.items():
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / file).write_text("Mine")
        said = one_line_error(run("synthetic", *options, "--to", "mine"))
        assert f"mine/{file} is not a gansweep report" in said
        assert (tmp_path / "mine" / file).read_text() == "Mine"
    pictures = sorted((tmp_path / "outputs/runs").glob("*/*.png"))
    kept = [path.read_bytes() for path in pictures]
    said = one_line_error(run("synthetic", "--best", "2", "--to", "outputs"))
    assert "outputs holds the runs themselves" in said
    assert [path.read_bytes() for path in pictures] == kept
    assert run("synthetic", "--to", "there").returncode == 0, (
        "a report may replace an earlier report"
    )
    assert "valid: markdown, html, csv, latex" in one_line_error(
        run("synthetic", "--format", "pdf")
    )
    assert "2 or more" not in one_line_error(run("synthetic", "--best", "0"))
    assert "no sweep 'synthetik'" in one_line_error(run("synthetic", "synthetik"))
