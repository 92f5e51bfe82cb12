"""Tests of reports on synthetic run folders, against expected texts."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gansweep.config import Config, effective
from gansweep.report import Report, write_report
from gansweep.report.render.markdown import escape
from gansweep.report.table.text import format_param, format_seconds, format_value
from gansweep.report.write import update_block
from gansweep.store.errors import UserError
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.run import Run, read_json, write_json, write_text


def finished(out: Path, run_id: str, shade: int = 100, **config: Any) -> Run:
    run = Run(out, run_id)
    identity = {
        "steps": 600, "batch_size": 32, "gen_width": 0.125, "disc_width": 0.25,
        "precision": "fp32", "data": {"images": 5000},
    }  # fmt: skip
    data = {"name": "mnist5k", "images": 5000, "size": 28}
    write_json(run.config, {"identity": {**identity, **config}, "data": data})
    write_json(
        run.environment,
        {"device": "cpu", "hardware": "x86_64", "packages": {"torch": "2.15.0"},
         "commit": "abc1234", "gansweep": "0.1.0"},
    )  # fmt: skip
    write_json(
        run.result,
        {"status": "done", "training_seconds": 14.2, "epochs": 3.85, "loss_d": 1, "loss_g": 2},
    )
    Image.new("L", (112, 112), shade).save(run.picture)
    return run


COMMON = {"gen": "1", "disc": "3", "gen_drop": None, "alpha": 0.2, "batch_size": 32}


def write_sweep(out: Path) -> None:
    finished(out, "aa-s1")
    finished(out, "bb-s1", shade=50)
    finished(out, "bb-s2", shade=60)
    failed = Run(out, "cc-s1")
    write_json(failed.failure, {"error": "diverged: loss_d is nan | at <step> 7"})
    stopped = Run(out, "dd-s1")
    stopped.folder.mkdir(parents=True)
    stopped.append_metrics({"step": 40})
    rows = [
        Row({"lr": 1e-4, "disc_drop": 0.5}, {"Number Output": ["aa-s1"]}),
        Row({"lr": 5e-5, "disc_drop": 0.25}, {"Number Output": ["bb-s1", "bb-s2"]}),
        Row({"lr": 1e-3, "disc_drop": 0.5}, {"Number Output": ["cc-s1"]}),
        Row({"lr": 1e-2, "disc_drop": 0.5}, {"Number Output": ["dd-s1"]}),
        Row({"lr": 1e-1, "disc_drop": 0.5}, {"Number Output": ["ee-s1"]}),
        Row({"lr": 1.0, "disc_drop": 0.5}, {}, {"Number Output": "too few images"}),
    ]
    tables = [
        Table(["gen_drop / disc_drop", "lr"], [0, 1]),
        Table(["lr"], [2, 3, 4, 5], remark="Then it *broke*", results=["training_time"]),
    ]
    Manifest("s", "A <b>title</b>", "the command", ["Number Output"], COMMON, tables, rows).write(
        out
    )


GOLDEN = r"""## A &lt;b&gt;title&lt;/b&gt;

| gen/disc drop | learning rate | Number Output |
| --- | --- | --- |
| n/a / 0.5 | 1e-4 | ![row 0, Number Output](images/row0-number.png) |
| n/a / 0.25 | 5e-5 | ![row 1, Number Output](images/row1-number.png) seed 1 ![row 1, Number Output](images/row1-number-s2.png) seed 2 |

> Then it \*broke\*

| learning rate | training time | Number Output |
| --- | --- | --- |
| 1e-3 | – | failed: diverged: loss\_d is nan \| at &lt;step&gt; 7 |
| 0.01 | – | interrupted after step 40: run the sweep again |
| 0.1 | – | not trained yet |
| 1 | – | too few images |

* All rows: gen impl 1, disc impl 3, alpha 0.2, batch size 32.
* Number Output: mnist5k, 5,000 images of 28×28, 600 steps (3.8 epochs), width G 0.125, D 0.25, seeds 1, 2.
* Trained on cpu (x86\_64) in fp32, torch 2.15.0, gansweep 0.1.0 (abc1234).
* Runs: 3 done, 1 failed, 1 interrupted, 1 planned; training took 14 s per run.

```
the command
```
"""  # noqa: E501


GOLDEN_CSV = """\
row,sweep,gen,disc,gen_drop,disc_drop,alpha,batch_size,lr,column,run,seed,epochs_trained,\
training_time,seconds,parameters,peak_memory,images_per_second,equilibrium_epoch,equilibrium,flags,ema_length,\
ema_distance,status,commit,metric,note,picture
0,s,1,3,,0.5,0.2,32,0.0001,Number Output,aa-s1,1,3.85,14.2,,,,,,,,,,done,abc1234,,,\
images/row0-number.png
1,s,1,3,,0.25,0.2,32,5e-05,Number Output,bb-s1,1,3.85,14.2,,,,,,,,,,done,abc1234,,,\
images/row1-number.png
1,s,1,3,,0.25,0.2,32,5e-05,Number Output,bb-s2,2,3.85,14.2,,,,,,,,,,done,abc1234,,,\
images/row1-number-s2.png
2,s,1,3,,0.5,0.2,32,0.001,Number Output,cc-s1,1,,,,,,,,,,,,failed,,,\
failed: diverged: loss_d is nan | at <step> 7,
3,s,1,3,,0.5,0.2,32,0.01,Number Output,dd-s1,1,,,,,,,,,,,,interrupted,,,\
interrupted after step 40: run the sweep again,
4,s,1,3,,0.5,0.2,32,0.1,Number Output,ee-s1,1,,,,,,,,,,,,planned,,,not trained yet,
5,s,1,3,,0.5,0.2,32,1.0,Number Output,,,,,,,,,,,,,,not trained,,,too few images,
"""

GOLDEN_LATEX = r"""% Written by gansweep. Pictures are relative to the document.

\begin{longtable}{>{\raggedleft\arraybackslash}m{1.4cm}>{\raggedleft\arraybackslash}m{1.4cm}>{\raggedright\arraybackslash}m{4.2cm}}
\toprule
gen/disc drop & learning rate & Number Output \\
\midrule
\endhead
n/a / 0.5 & 1e{-}4 & \includegraphics[width=2.2cm]{images/row0-number.png} \\
n/a / 0.25 & 5e{-}5 & \includegraphics[width=2.2cm]{images/row1-number.png} \newline seed 1 \newline \includegraphics[width=2.2cm]{images/row1-number-s2.png} \newline seed 2 \\
\bottomrule
\end{longtable}

\begin{quote}Then it *broke*\end{quote}

\begin{longtable}{>{\raggedleft\arraybackslash}m{1.4cm}>{\raggedleft\arraybackslash}m{1.4cm}>{\raggedright\arraybackslash}m{4.2cm}}
\toprule
learning rate & training time & Number Output \\
\midrule
\endhead
1e{-}3 & -- & failed: diverged: loss\_d is nan \textbar{} at \textless{}step\textgreater{} 7 \\
0.01 & -- & interrupted after step 40: run the sweep again \\
0.1 & -- & not trained yet \\
1 & -- & too few images \\
\bottomrule
\end{longtable}

\begin{itemize}
\item All rows: gen impl 1, disc impl 3, alpha 0.2, batch size 32.
\item Number Output: mnist5k, 5,000 images of 28\(\times\)28, 600 steps (3.8 epochs), width G 0.125, D 0.25, seeds 1, 2.
\item Trained on cpu (x86\_64) in fp32, torch 2.15.0, gansweep 0.1.0 (abc1234).
\item Runs: 3 done, 1 failed, 1 interrupted, 1 planned; training took 14 s per run.
\end{itemize}
"""  # noqa: E501


def test_csv_and_latex_equal_the_expected_texts(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    report = write_report(
        "s", out=tmp_path / "out", reports=tmp_path / "reports", formats=("csv", "latex")
    )
    assert [path.name for path in report.paths] == ["runs.csv", "report.tex"]
    assert report.path.read_text() == GOLDEN_CSV
    assert (report.folder / "table.tex").read_text() == GOLDEN_LATEX


def test_the_gallerys_data_equal_the_expected_data(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    report = write_report("s", out=tmp_path / "out", reports=tmp_path / "r", formats=("html",))
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>',
                         report.path.read_text(), re.DOTALL)  # fmt: skip
    page = json.loads(data)
    assert page["title"] == "A <b>title</b>"
    assert page["columns"] == [
        {"name": "gen_drop", "heading": "gen drop", "numeric": True, "setting": True},
        {"name": "disc_drop", "heading": "disc drop", "numeric": True, "setting": True},
        {"name": "lr", "heading": "learning rate", "numeric": True, "setting": True},
        {"name": "training_time", "heading": "training time", "numeric": True, "setting": False},
    ]
    first, second = page["tables"]
    assert second["remark"] == "Then it *broke*"
    assert first["rows"][1] == {
        "key": "s/1",
        "label": "1",
        "values": [None, 0.25, 5e-05, 14.2],
        "texts": ["n/a", "0.25", "5e-5", "14 s"],
        "also": page["tables"][0]["rows"][1]["also"],
        "cells": [
            {
                "runs": ["bb-s1", "bb-s2"],
                "thumbs": [
                    {"run": "bb-s1", "src": "images/row1-number.png", "label": "seed 1"},
                    {"run": "bb-s2", "src": "images/row1-number-s2.png", "label": "seed 2"},
                ],
                "value": None, "text": "", "words": [], "rank": None, "eye": None,
                "mark": "", "notes": [],
            }
        ],
    }  # fmt: skip
    assert first["rows"][1]["also"]["disc_drop"] == 0.25  # The filter has the names of --where.
    assert {**page["common"], **first["rows"][1]["also"]}.keys() == page["names"].keys()
    assert page["names"]["lr"] == "learning rate"
    assert second["rows"][3]["cells"] == [{"why": "too few images"}]
    assert page["runs"]["cc-s1"] == {
        "title": "row 2, Number Output, seed 1", "row": "s/2", "picture": 0, "seed": 1,
        "status": "failed", "value": None, "text": "", "words": [],
        "note": "failed: diverged: loss_d is nan | at <step> 7", "full": None, "steps": [],
        "equilibrium": None, "nearest": None, "details": "runs/details-0.js",
    }  # fmt: skip
    assert page["runs"]["aa-s1"]["full"] == "runs/aa-s1/samples.png"
    assert (report.folder / "runs/aa-s1/samples.png").exists()


HOSTILE = '\\input{x} $a_b^c$ <i>|`~é–漢\x07 ```\n# no & 100 % "q" [x](y) =1+1'


def hostile_sweep(out: Path) -> None:
    finished(out, "aa-s1")
    failed = Run(out, "bb-s1")
    write_json(failed.failure, {"error": HOSTILE})
    failed.log.write_text(HOSTILE + "\n")
    rows = [
        Row({"lr": 1e-4}, {HOSTILE: ["aa-s1"]}, facts={"words": HOSTILE}),
        Row({"lr": 1e-3}, {HOSTILE: ["bb-s1"]}, facts={"words": "=cmd|' /C calc'!A0"}),
    ]
    table = Table(["lr"], [0, 1], remark=HOSTILE, facts=["words"])
    Manifest("s", HOSTILE, HOSTILE, [HOSTILE], {}, [table], rows).write(out)


def test_hostile_text_stays_text_in_every_rendering(tmp_path: Path) -> None:
    hostile_sweep(tmp_path / "out")
    formats = ("markdown", "csv", "latex", "html")
    report = write_report("s", out=tmp_path / "out", reports=tmp_path / "r", formats=formats)
    text = report.path.read_text()
    assert "<i>" not in text.split("````")[0]
    assert "\n````\n" + HOSTILE + "\n````\n" in text, "a longer fence than the text has"
    lines = [line for line in text.split("\n") if line.startswith("| ")]
    assert len(lines) == 4, "a line a row"
    assert len({len(line.replace("\\|", "").split("|")) for line in lines}) == 1
    assert "'=cmd" in (report.folder / "runs.csv").read_text(), "no formula"
    table = (report.folder / "table.tex").read_text()
    assert "\\input{x}" not in table
    assert r"\textbackslash{}input\{x\} \$a\_b\textasciicircum{}c\$" in table
    assert "<i>" not in (report.folder / "index.html").read_text().split("</script>")[0]


def test_a_carriage_return_in_csv_makes_no_new_line_and_no_formula(tmp_path: Path) -> None:
    finished(tmp_path / "out", "aa-s1")
    heading = "Pics\r=1+cmd|calc!A1 Output"
    row = Row({"lr": 1e-4}, {heading: ["aa-s1"]}, facts={"=1+1": "one\r\n=2+2"})
    table = Table(["lr"], [0], facts=["=1+1"])
    Manifest("s", "t", "c", [heading], {}, [table], [row]).write(tmp_path / "out")
    report = write_report("s", out=tmp_path / "out", reports=tmp_path / "r", formats=("csv",))
    with report.path.open(newline="") as stream:
        names, *lines = csv.reader(stream)
    assert len(lines) == 1
    assert len(lines[0]) == len(names)
    assert not [cell for cell in (*names, *lines[0]) if cell[:1] in ("=", "\r", "\n")]


def test_the_latex_document_compiles(tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex here (Debian: apt install texlive-latex-recommended)")
    hostile_sweep(tmp_path / "out")
    report = write_report("s", out=tmp_path / "out", reports=tmp_path / "r", formats=("latex",))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
        cwd=report.folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert (report.folder / "report.pdf").exists()


def test_a_failed_run_links_its_last_lines(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    Run(tmp_path / "out", "cc-s1").log.write_text("before\n\nValueError: boom\n")
    report = report_of(tmp_path)
    link = r"[failed: diverged: loss\_d is nan \| at &lt;step&gt; 7](logs/row2-number.txt)"
    assert link in report.path.read_text()
    assert (report.folder / "logs/row2-number.txt").read_text() == "before\nValueError: boom\n"
    Run(tmp_path / "out", "cc-s1").log.unlink()
    report_of(tmp_path)
    assert not list((report.folder / "logs").iterdir())


def report_of(tmp_path: Path) -> Report:
    return write_report("s", out=tmp_path / "out", reports=tmp_path / "reports")


def test_the_report_equals_the_expected_text(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    report = report_of(tmp_path)
    assert report.path == tmp_path / "reports" / "s" / "README.md"
    assert report.path.read_text() == GOLDEN
    images = {p.name for p in (tmp_path / "reports/s/images").iterdir()}
    assert images == {"row0-number.png", "row1-number.png", "row1-number-s2.png"}


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    report_of(tmp_path)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "reports").rglob("*.*")}
    report_of(tmp_path)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "reports").rglob("*.*")} == files


def test_old_pictures_are_removed_and_other_files_stay(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    folder = tmp_path / "reports" / "s" / "images"
    folder.mkdir(parents=True)
    (folder / "row77-number.png").touch()
    (folder / "mine.png").touch()
    report_of(tmp_path)
    names = {p.name for p in folder.iterdir()}
    assert "mine.png" in names
    assert "row77-number.png" not in names


def test_large_grids_are_scaled_down(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    Image.new("L", (512, 512)).save(Run(tmp_path / "out", "aa-s1").picture)
    report_of(tmp_path)
    with Image.open(tmp_path / "reports/s/images/row0-number.png") as picture:
        assert picture.size == (256, 256)


DOCUMENT = "# Mine\n\n<!-- gansweep:s -->\nold\n<!-- /gansweep:s -->\n\nafter\n"


def test_the_block_between_the_markers_is_replaced(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    report = report_of(tmp_path)
    document = tmp_path / "docs" / "page.md"
    write_text(document, DOCUMENT)
    assert update_block(report, document)
    text = document.read_text()
    assert text.startswith("# Mine\n\n<!-- gansweep:s -->\n\n| gen/disc drop |")
    assert text.endswith("<!-- /gansweep:s -->\n\nafter\n")
    assert "](../reports/s/images/row0-number.png)" in text
    assert "old" not in text
    assert not update_block(report, document), "the same block again is no change"


def test_a_block_links_pictures_in_folders_of_odd_names_and_keeps_line_ends(
    tmp_path: Path,
) -> None:
    write_sweep(tmp_path / "out")
    report = write_report("s", out=tmp_path / "out", reports=tmp_path / "my reports")
    document = tmp_path / "page.md"
    document.write_bytes(DOCUMENT.replace("\n", "\r\n").encode())
    update_block(report, document)
    raw = document.read_bytes()
    assert b"](my%20reports/s/images/row0-number.png)" in raw
    assert raw.count(b"\n") == raw.count(b"\r\n")


def test_the_caption_gives_the_range_of_differing_values(tmp_path: Path) -> None:
    out = tmp_path / "out"
    finished(out, "aa-s1")
    finished(out, "bb-s1", steps=20)
    write_json(
        Run(out, "bb-s1").config,
        {"identity": {**read_json(Run(out, "bb-s1").config)["identity"]},  # type: ignore[index]
         "data": {"name": "mnist5k", "images": 64, "size": 28}},
    )  # fmt: skip
    rows = [Row({}, {"Number Output": [run]}) for run in ("aa-s1", "bb-s1")]
    Manifest("s", "t", "c", ["Number Output"], {}, [Table(["limit"], [0, 1])], rows).write(out)
    text = report_of(tmp_path).path.read_text()
    assert "mnist5k, 64 to 5,000 images of 28×28, 20 to 600 steps" in text


@pytest.mark.parametrize(
    "text",
    ["nothing", "<!-- gansweep:s -->", "<!-- /gansweep:s --> <!-- gansweep:s -->", DOCUMENT * 2],
)
def test_a_document_without_its_markers_is_left_alone(text: str, tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    report = report_of(tmp_path)
    document = tmp_path / "page.md"
    document.write_text(text)
    with pytest.raises(UserError, match="needs the lines <!-- gansweep:s -->"):
        update_block(report, document)
    assert document.read_text() == text


def test_a_missing_document_is_refused(tmp_path: Path) -> None:
    write_sweep(tmp_path / "out")
    with pytest.raises(UserError, match=r"gone\.md: No such file"):
        update_block(report_of(tmp_path), tmp_path / "gone.md")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-4, "1e-4"), (5e-5, "5e-5"), (2.5e-3, "0.0025"), (2.5e-4, "2.5e-4"), (-1e-4, "-1e-4"),
        (0.01, "0.01"), (0.5, "0.5"), (1.0, "1"), (0.0, "0"), (1e6, "1000000"),
        (100.0, "100"), (128, "128"), (True, "yes"), ("adam", "adam"),
    ],
)  # fmt: skip
def test_values_are_written_as_a_person_types_them(value: Any, text: str) -> None:
    assert format_value(value) == text


def test_dropout_of_a_network_without_dropout_is_not_applicable() -> None:
    params = effective(Config(gen="1", disc="3"))
    assert format_param("gen_drop", params) == "n/a"
    assert format_param("disc_drop", params) == "0"


def test_null_differs_from_not_applicable() -> None:
    params = effective(Config(gen_opt="sgd", disc_opt="sgd", gen="conv2", disc="conv2"))
    for name in ("beta1", "alpha", "gen_drop"):
        assert format_param(name, params) == "n/a"
    assert format_param("width", params) == "demo"
    assert format_param("limit", params) == "all"


@pytest.mark.parametrize(
    ("seconds", "text"), [(13.6, "14 s"), (185, "3 min 5 s"), (64_840, "18 h 0 min")]
)
def test_seconds_are_formatted(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_escaped_texts_have_no_markdown_or_html() -> None:
    assert escape("a|b *c* <i> [x](y) `z`\nnext") == (
        r"a\|b \*c\* &lt;i&gt; \[x\](y) \`z\` next"
    )  # fmt: skip
