"""Tests of what a terminal shows: the live view, the table of a sweep and its best rows."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gansweep.launch.progress import RunProgress, SweepProgress, overall, render
from gansweep.report.render import terminal
from gansweep.report.table.collect import Reader, Results, collect, mark_results
from gansweep.store.manifest import Manifest
from gansweep.store.run import Run
from gansweep.terminal import console as terminals
from gansweep.terminal import live
from gansweep.terminal.console import _Console
from gansweep.training.summary import latest_score, summary
from testing.synthetic import write_sweep

LONG = "gen=5 disc=4 gen_drop=0.5 disc_drop=0.5 smooth=0.1 lr=1e-4 beta1=0.5 data=toyfaces"


def screen(width: int, *, is_terminal: bool = True) -> tuple[Any, io.StringIO]:
    """Return a console of this width, and its output."""
    out = io.StringIO()
    console = _Console(
        file=out, width=width, height=40, force_terminal=is_terminal, color_system=None,
        highlight=False, soft_wrap=True, emoji=False, markup=False,
    )  # fmt: skip
    return console, out


def progress(*titles: str) -> SweepProgress:
    runs = [
        RunProgress(
            title, "a", slot=f"cpu:{slot}", step=290, steps=600, rate=1667, pace=52,
            seconds_left=6, losses={"loss_d": 0.67, "loss_g": 2.04}, metric="FD (LeNet)",
            distance="1,239.3",
        )
        for slot, title in enumerate(titles)
    ]  # fmt: skip
    return SweepProgress("lr_1e-4+5e-5-baea07", 2, 0, 8, runs, seconds_left=58)


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (140, "slot run step images/s FD (LeNet) loss D loss G left"),
        (80, "slot run step FD (LeNet) left"),
        (60, "run step FD (LeNet) left"),
        (40, "run step FD (LeNet) left"),
    ],
)
def test_a_narrow_live_view_leaves_out_columns_and_cuts_no_number(
    width: int, headings: str
) -> None:
    console, out = screen(width)
    console.print(render(progress("lr=1e-4 beta1=0.3 data=mnist5k", LONG)))
    first, *rows, last = out.getvalue().splitlines()
    assert " ".join(first.split()) == headings
    for row in rows:
        assert row.split()[-3:] == ["290/600", "1,239.3", "0:06"] or width == 140, row
    assert max(map(len, (first, *rows, last))) <= width
    assert width == 40 or rows[1].split("…")[1].split()[0] == "data=toyfaces"
    assert "2/12 done" in last


def test_the_line_of_a_sweep_keeps_its_counts_and_shortens_its_name() -> None:
    whole = overall(progress("a", "b")).plain
    assert whole.startswith("lr_1e-4+5e-5-baea07  2/12 done  2 running  8 waiting  left 0:58, ")
    assert len(overall(progress("a", "b"), 80).plain) <= 80
    short = overall(progress("a", "b"), 70).plain
    assert short.startswith("lr_1e-4+5")
    assert "…  2/12 done  2 running  8 waiting  left 0:58, until " in short


def test_a_live_view_erases_the_lines_that_a_narrower_terminal_has_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    console, out = screen(100)
    monkeypatch.setattr(live, "console", console)
    with live.LiveView() as view:
        view.show("x" * 90 + "\n" + "y" * 30 + "          ")
        for width, rows in ((100, 2), (50, 3), (29, 6)):
            console.width = width
            out.truncate(0)
            frame: Any = view._live_render
            console.control(frame.position_cursor())
            assert out.getvalue().count("\x1b[1A") == rows - 1, "the cursor goes to the first row"
            assert out.getvalue().count("\x1b[2K") == rows
        console.width = 100
        out.truncate(0)
        console.print("a message")
        assert out.getvalue().index("a message") < out.getvalue().index("x" * 90)
        out.truncate(0)
    assert out.getvalue().count("\x1b[2K") >= 2, "nothing of the view is left at its end"


def test_a_printed_line_leaves_out_its_last_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "[1/8] lr=2e-3  FD (LeNet) 421, collapsed  55.9 s  182 images/s  loss D 0.84 G 2.47"
    for width, end in ((90, "G 2.47"), (80, "images/s"), (50, "55.9 s"), (20, "collapsed")):
        monkeypatch.setattr(terminals, "console", screen(width)[0])
        assert terminals.fitted(line).endswith(end)
    monkeypatch.setattr(terminals, "console", screen(20, is_terminal=False)[0])
    assert terminals.fitted(line) == line


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a sweep of twelve rows, of which the first face is collapsed."""
    folder = tmp_path_factory.mktemp("out")
    write_sweep(folder, 12)
    for path in folder.glob("runs/000000t-s1/result.json"):
        result = json.loads(path.read_text())
        result["judge"]["flags"] = ["collapse", "diverged"]
        path.write_text(json.dumps(result))
    return folder


def results_of(out: Path, manifest: Manifest | None = None) -> Results:
    from gansweep.store.manifest import read_manifest

    results = collect([manifest or read_manifest(out, "synthetic")], Reader(out))
    mark_results(results)
    return results


@pytest.fixture
def shown(out: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    def show(width: int, **options: Any) -> list[str]:
        console, stream = screen(width, **options)
        monkeypatch.setattr(terminal, "console", console)
        terminal.print_table(results_of(out).tables)
        return stream.getvalue().splitlines()

    return show


def test_a_table_that_fits_has_all_columns_and_times(shown: Callable[..., list[str]]) -> None:
    head, *rows = shown(120)
    assert (
        " ".join(head.split()) == "row lr beta1 smooth Number: FD (LeNet) Drawn Face: FD (random)"
    )
    assert len(rows) == 12
    assert rows[0].split()[:4] == ["0", "1e-5", "0", "0"]
    assert rows[0].rstrip().endswith("collapsed, diverged, 14 s")
    assert sum(row.count(" best ") for row in rows) == 2


def test_a_table_that_does_not_fit_names_equal_parameters_once(
    shown: Callable[..., list[str]],
) -> None:
    assert len(shown(80)) == 13, "a line for each row"
    lines = shown(66)
    assert lines[0] == "in all rows: smooth 0"
    assert "row   lr beta1 Number: FD (LeNet)" in lines[1]
    assert max(map(len, lines)) <= 66
    assert "…" not in "".join(lines)


def test_a_narrower_table_folds_outcomes_and_then_stacks_rows(
    shown: Callable[..., list[str]],
) -> None:
    folded = shown(52)
    assert max(map(len, folded)) <= 52
    assert len(folded) < 20
    stacked = shown(40)
    assert stacked[1] == "row 0  lr 1e-5  beta1 0"
    assert stacked[3].startswith("  Drawn Face: FD (random)  ")
    assert shown(20, is_terminal=False)[0].split()[:4] == ["row", "lr", "beta1", "smooth"], "a log"


def test_the_best_row_has_its_command_and_its_generator(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = results_of(out)
    best = min(results.rows, key=lambda row: row.cells["Number Output"].values[0])
    run = Run(out, best.cells["Number Output"].runs[0].run_id)
    run.best.write_text("weights")
    console, stream = screen(400)
    monkeypatch.setattr(terminal, "console", console)
    terminal.print_best(results, str(out))
    lines = stream.getvalue().splitlines()
    value = best.cells["Number Output"].headline()
    assert lines[0].startswith(f"best Number: row {best.number}, lr=")
    assert lines[0].endswith(f", {value}")
    assert f"  its generator: {run.best}" in lines
    assert any(line.startswith("  its command:   python -m gansweep ") for line in lines)
    assert sum(line.startswith("best ") for line in lines) == 2


def test_a_finished_run_is_described_by_its_score_first(out: Path) -> None:
    result = Run(out, "000000t-s1").read_result()
    assert result is not None
    score = result["judge"]["score"]["fd_random"]  # type: ignore[index, typeddict-item]
    assert summary({**result, "steps": 600, "seconds": 15.0}) == (
        f"FD (random) {score:,.1f}, best at step 500 of 600, collapsed, diverged  15.0 s  "
        "1,300 images/s  loss D 1.00 G 2.00"
    )
    assert summary({"training_seconds": 1.0, "seconds": 2.0, "loss_d": 1.0}) == "2.0 s  loss D 1.00"
    assert summary(None) == "done"


def test_the_latest_score_is_that_of_the_last_evaluation(out: Path, tmp_path: Path) -> None:
    run = Run(out, "000000m-s1")
    last = run.read_evaluations()[-1]
    label, text = latest_score(run, "mnist5k")
    assert (label, text) == ("FD (LeNet)", f"{last['fd_lenet']:,.1f}")  # type: ignore[typeddict-item]
    assert latest_score(run, "a data set of a missing plugin") == ("", "")
    assert latest_score(Run(tmp_path, "none-s1"), "mnist5k") == ("", "")
