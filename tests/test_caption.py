"""Tests of a report's caption: chance differences, improving runs, columns without a best."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gansweep.report import Report, write_report
from gansweep.report.table.collect import Results
from gansweep.report.table.cut_off import longer_command
from gansweep.report.table.outcome import Outcome
from gansweep.report.table.select import Selection
from gansweep.store.manifest import Manifest
from gansweep.store.run import Run, read_json, write_json
from testing.synthetic import write_sweep


def change_judges(out: Path, change: Any) -> None:
    """Change the judge's record of each run by `change(judge, number of the run)`."""
    for number, path in enumerate(sorted((out / "runs").glob("*/result.json"))):
        result = read_json(path)
        assert result is not None
        change(result["judge"], number)
        write_json(path, result)


def caption_of(tmp_path: Path) -> str:
    report: Report = write_report("synthetic", out=tmp_path / "out", reports=tmp_path / "r")
    return report.path.read_text()


def test_the_caption_gives_the_least_significant_difference(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out", 4, pictures=0)

    def error(judge: dict[str, Any], number: int) -> None:
        metric = judge["primary"]
        judge["score"] |= {metric: 1000.0 + 300 * number, f"{metric}_error": 60.0}

    change_judges(tmp_path / "out", error)
    text = caption_of(tmp_path)
    assert (
        "Number Output: differences below 200 in FD (LeNet) can be due to the latents alone" in text
    )
    assert "differences between seeds are larger" in text
    assert "1,000.0" not in text


def test_the_value_of_real_images_is_named_where_it_is_known(tmp_path: Path) -> None:
    """Results of before it was measured do not have it."""
    write_sweep(tmp_path / "out", 2, pictures=0)
    assert "real against real" not in caption_of(tmp_path)

    def scale(judge: dict[str, Any], number: int) -> None:
        judge["score"] |= {"real_value": 3.14159, "real_n": 300 if number < 2 else 2000}

    change_judges(tmp_path / "out", scale)
    found = "real against real 3.1 or 3.1 with 300 of them (training images in the place of"
    assert found in caption_of(tmp_path)


def test_each_metric_in_a_column_is_explained_once(tmp_path: Path) -> None:
    """`help` is the description of a metric in captions, which had only that of the primary one."""
    write_sweep(tmp_path / "out", 2, pictures=0)
    report = write_report(
        "synthetic", out=tmp_path / "out", reports=tmp_path / "r",
        selection=Selection(columns="lr,fd_lenet,coverage,swd,status"),
    )  # fmt: skip
    text = report.path.read_text()
    assert "* coverage: Share of the real images with a generated image nearer than their" in text
    assert "neighbour, more is better.\n" in text
    assert "(Karras et al. 2018), less is better.\n" in text
    for label in ("coverage", "SWD", "FD (LeNet)"):
        assert text.count(f"\n* {label}: ") == 1
    assert "* density: " not in text


def test_runs_that_ended_while_improving_are_counted_with_a_remedy(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out", 4, pictures=0)
    assert "when training ended" not in caption_of(tmp_path)

    def improving(judge: dict[str, Any], number: int) -> None:
        if number % 2:
            judge["equilibrium"]["label"] = "still improving"

    change_judges(tmp_path / "out", improving)
    assert "4 of 8 results were still improving when training ended" in caption_of(tmp_path)


def run_of(**params: Any) -> Outcome:
    return Outcome("x-s1", "done", None, "", {"params": params})


EXTEND = "python -m gansweep extend g"


@pytest.mark.parametrize(
    ("params", "command", "longer"),
    [
        ({"steps": 700}, "python -m gansweep -m lr=1,2 name=g", f"{EXTEND} --steps 1400"),
        ({"epochs": 3}, "gansweep -m epochs=3 lr=1,2", f"{EXTEND} --epochs 6"),
        (
            {"steps": 7},
            "gansweep -m lr=1,2 out=o reports=r",
            f"{EXTEND} --steps 14 --out o --reports r",
        ),
        ({"steps": 7}, "gansweep confirm g --out o", f"{EXTEND} --steps 14 --out o"),
        # The steps of a schedule depend on the length, so `extend` would refuse these runs.
        (
            {"steps": 7, "lr_end": 0.1},
            "python -m gansweep -m lr=1,2 steps=7 name=g",
            "python -m gansweep -m lr=1,2 steps=14 name=g-steps-14",
        ),
        ({"steps": 7, "lr_end": 0.1}, "python -m gansweep versus a b", ""),
        ({}, "gansweep -m sweep=readme_table", ""),  # Each data set has its own number of steps.
    ],
)
def test_the_command_that_trains_longer_doubles_the_length(
    params: dict[str, int], command: str, longer: str
) -> None:
    sweep = Results("g", "", [command], [])
    assert longer_command(sweep, [run_of(**params)]) == longer
    assert longer_command(sweep, [run_of(**params), run_of(steps=5)]) == ""
    search = replace(sweep, search=Manifest("g", "", command, [], {}, [], []))
    assert longer_command(search, [run_of(steps=7)]).startswith(f"{EXTEND} --steps 14 --top 3")


def lead(*, highest: bool) -> Any:
    """Return a change of judges that makes the row of the highest or least rate the best one."""

    def change(judge: dict[str, Any], number: int) -> None:
        row = number // 2  # of each row two runs, on digits and on faces
        judge["score"][judge["primary"]] = 500.0 - row if highest else 500.0 + row

    return change


def test_a_column_without_alive_runs_has_a_remark_and_no_best(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out", 3, pictures=0)
    change_judges(tmp_path / "out", lambda judge, _: judge.update(flags=["never started"]))
    change_judges(tmp_path / "out", lead(highest=True))
    text = caption_of(tmp_path)
    assert (
        "Number Output: no run is alive after 600 steps (3 never learned); try more steps" in text
    )
    assert "or a higher learning rate." in text
    assert "**FD" not in text, "noise is never the best"
    change_judges(tmp_path / "out", lead(highest=False))
    assert "learning rate." not in caption_of(tmp_path), "the table shows that it is worse"


def test_a_run_that_copies_its_training_images_is_never_the_best(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_sweep(out, 3, pictures=0)
    best: list[tuple[float, Path]] = []
    for path in (out / "runs").glob("*/result.json"):
        judge = (read_json(path) or {})["judge"]
        if judge["primary"] == "fd_lenet":
            best.append((judge["score"]["fd_lenet"], path))
    copier = Run(out, min(best)[1].parent.name)
    result = read_json(copier.result)
    assert result is not None
    result["judge"]["flags"] = ["memorised"]
    write_json(copier.result, result)
    text = caption_of(tmp_path)
    assert "memorised: the generated images are copies of training images" in text
    assert f"**FD (LeNet) {min(best)[0]:,.1f}**" not in text
