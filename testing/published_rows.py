"""Write run folders of the 39 published rows without training, to look at a gallery of that size.

The settings are those of sweeps/readme_table.yaml, and the pictures, values and words those of
reports/readme_olivetti/. Everything else, such as the curves and the pictures over training, is
made up. `python -m testing.published_rows FOLDER` writes the runs into FOLDER/out and the gallery
into FOLDER/reports/published.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from typing import Any

from gansweep.config import Config, effective
from gansweep.planning.plan import take_common
from gansweep.planning.row_list import read_recipe
from gansweep.report.write import write_report
from gansweep.store.manifest import Manifest, Row
from gansweep.store.run import Run
from gansweep.training.metrics.equilibrium import FLAGS
from testing.synthetic import write_run

REPORT = Path(__file__).parents[1] / "reports" / "readme_olivetti"
CELL = re.compile(
    r"!\[row (?P<row>\d+), (?P<column>[^\]]+)\]\((?P<picture>[^)]+)\) <br>\W*"
    r"FD \((?P<net>\w+)\) (?P<value>[\d.,]+)\**(?: at epoch (?P<epoch>[\d.]+))?(?P<words>[^|]*)\|"
)
DATA = {"Number Output": ("mnist", 2.0), "Olivetti Output": ("images", 150.0)}  # name and epochs
METRICS = {"LeNet": ("fd_lenet", "fd_random"), "random": ("fd_random", "swd")}
UNTRAINED = {"LeNet": 2400.0, "random": 2900.0}  # made up
COURSES = ("still improving", "plateau", "degraded after")
STEPS = 600


def write_published(out: Path) -> Manifest:
    """Write the sweep "published" and its runs into `out`."""
    recipe = read_recipe("readme_table")
    cells = {(int(m["row"]), m["column"]): m for m in CELL.finditer(_text())}
    rng = random.Random(0)
    rows = []
    for number, params in enumerate(recipe.rows):
        config = Config(**{**recipe.common, **params})
        shown = {n: v for n, v in effective(config).items() if n not in ("out", "reports", "seed")}
        row = Row(shown)
        for column, (data, _) in DATA.items():
            run = Run(out, f"{number:010d}{data}-s1")
            _write(run, config, cells[number, column], rng)
            row.runs[column] = [run.id]
        rows.append(row)
    manifest = Manifest(
        name="published", title=recipe.title, command="python -m gansweep -m sweep=readme_table",
        pictures=list(DATA), common=take_common(rows), tables=recipe.tables, rows=rows,
        titles={run: run for row in rows for runs in row.runs.values() for run in runs},
    )  # fmt: skip
    manifest.write(out)
    return manifest


def _text() -> str:
    return (REPORT / "README.md").read_text(encoding="utf-8")


def _write(run: Run, config: Config, cell: re.Match[str], rng: random.Random) -> None:
    data, epochs = DATA[cell["column"]]
    words = [word.strip() for word in cell["words"].split(",")]
    step = round(STEPS * float(cell["epoch"] or 0) / epochs)
    value = float(cell["value"].replace(",", ""))
    course = next((word for word in words if word in COURSES), "plateau")
    found: dict[str, Any] = {
        "flags": [name for name, flag in FLAGS.items() if flag.word in words],
        "equilibrium": {
            "step": step, "epoch": float(cell["epoch"] or 0), "value": value, "label": course,
        },
    }  # fmt: skip
    picture = (REPORT / cell["picture"]).read_bytes()
    write_run(
        run, config, data, METRICS[cell["net"]], 28, value, [picture], 4, rng,
        untrained=UNTRAINED[cell["net"]], found=found,
    )  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1])
    write_published(folder / "out")
    report = write_report("published", out=folder / "out", reports=folder / "reports")
    print(report.folder / "index.html")


if __name__ == "__main__":
    main()
