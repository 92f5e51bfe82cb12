"""Write pages of the gallery with made-up rows and hostile texts, for tests in browsers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from gansweep.report.gallery.page import Details

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"> | 'q' \"q\" & \u2028 <!--"
STEPS = [100, 200, 300, 400]
SETTINGS = [(1e-3, 0.5), (1e-4, 0.5), (1e-3, 0.9), (1e-4, 0.9), (5e-4, 0.5), (5e-4, 0.9)]
# The keys are rows; row 3 has diverged, and row 5 has no run.
DISTANCES = {0: 93.1, 1: 210.0, 2: 88.5, 4: 1000.0}


def save(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (112, 112), shade).save(path)


def made_up_run(folder: Path, row: int, seed: int) -> dict[str, Any]:
    """Write the pictures and details of a synthetic run of row `row`, and return its entry."""
    run_id = f"r{row}-s{seed}"
    lr, beta1 = SETTINGS[row]
    steps = []
    for step in STEPS if row in DISTANCES else []:
        source = f"runs/{run_id}/step_{step:06d}.png"
        save(folder / source, 20 * row + step // 10)
        steps.append([step, source])
    save(folder / "runs" / run_id / "nearest.png", 200)
    curve = {"group": "losses", "x": [10, 200, 400]}
    details = {
        "params": [["learning rate", f"{lr:g}"], ["beta 1", str(beta1)], ["z dim", "100"]],
        "facts": [["trained", "14 s"], ["remark", HOSTILE]],
        "command": f"python -m gansweep lr={lr:g}",
        "series": [
            {"name": "loss D", "y": [1.2, float("nan"), 0.7], **curve},
            {"name": "loss G", "y": [0.7, 1.0, 1.2], **curve},
            {"name": "FD (LeNet)", "group": "distance", "x": STEPS, "y": [4000, 300, 100, 120]},
        ],
        "log": ["step 400", HOSTILE],
    }
    bundle = Details(folder / "runs" / run_id)
    file = bundle.add(run_id, details)
    bundle.write()
    return {
        "title": f"row {row}, Number Output, seed {seed}",
        "row": f"s/{row}", "picture": 0, "seed": seed,
        "status": "done" if steps else "diverged",
        "value": DISTANCES.get(row),
        "text": f"FD (LeNet) {DISTANCES[row]}" if steps else "",
        "words": ["best at step 300 of 400"] if steps else [],
        "note": "" if steps else HOSTILE, "full": None, "steps": steps,
        "equilibrium": 300 if steps else None,
        "nearest": f"runs/{run_id}/nearest.png" if steps else None,
        "details": f"runs/{run_id}/{file}",
    }  # fmt: skip


def made_up_cell(folder: Path, row: int, runs: dict[str, Any]) -> dict[str, Any]:
    if row == 5:
        return {"why": "dropout in a network that has none"}
    ids = [f"r{row}-s{seed}" for seed in ((1, 2) if row == 2 else (1,))]
    for run_id in ids:
        runs[run_id] = made_up_run(folder, row, int(run_id[-1]))
    source = None
    if row in DISTANCES:
        source = f"images/row{row}.png"
        save(folder / source, 40 * row)
    return {
        "runs": ids,
        "thumbs": [{"run": ids[-1], "src": source, "label": "best, seed 2" if row == 2 else ""}],
        "value": DISTANCES.get(row),
        "text": f"FD (LeNet) {DISTANCES[row]}" if row in DISTANCES else "",
        "words": ["best at step 300 of 400", HOSTILE] if row == 2 else [],
        "rank": sorted(DISTANCES, key=DISTANCES.get).index(row) + 1 if row in DISTANCES else None,
        "mark": {2: "best", 0: "tie"}.get(row, ""),
        "notes": [] if row in DISTANCES else ["diverged: loss_d is nan"],
    }


def made_up_page(folder: Path) -> dict[str, Any]:
    """Write a page of six rows in two tables with a remark, in which many texts are hostile."""
    runs: dict[str, Any] = {}
    rows = [
        {
            "key": f"s/{i}",
            "label": str(i),
            "values": [lr, beta1, HOSTILE if i == 1 else "conv3"],
            "texts": [f"{lr:g}", str(beta1), HOSTILE if i == 1 else "conv3"],
            "also": {
                "row": i,
                "lr": lr,
                "beta1": beta1,
                "gen": HOSTILE if i == 1 else "conv3",
                "fd_lenet": DISTANCES.get(i),
                "nesterov": i < 3,
            },
            "cells": [made_up_cell(folder, i, runs)],
        }
        for i, (lr, beta1) in enumerate(SETTINGS)
    ]
    save(folder / "images" / "real-number.png", 255)
    best = {"picture": 0, "row": "s/2", "run": "r2-s2", "command": f"python -m gansweep {HOSTILE}"}
    return {
        "name": "s",
        "title": f"A sweep {HOSTILE}",
        "best": [best],
        "found": [],
        "command": "python -m gansweep -m lr=1e-3,1e-4",
        "columns": [
            {"name": "lr", "heading": "learning rate", "numeric": True, "setting": True},
            {"name": "beta1", "heading": "beta 1", "numeric": True, "setting": True},
            {"name": "gen", "heading": "gen impl", "numeric": False, "setting": True},
        ],
        "pictures": [
            {"heading": "Number Output", "metric": "FD (LeNet)", "short": "FD",
             "direction": "minimize", "better": "less is better", "untrained": 4000.0,
             "real_value": 8.5, "real_n": 2000,
             "real": "images/real-number.png", "real_label": "mnist5k"},
        ],
        "tables": [
            {"remark": "", "rows": rows[:3]},
            {"remark": f"Then bolder. {HOSTILE}", "rows": rows[3:]},
        ],
        "names": {"row": "row", "lr": "learning rate", "beta1": "beta 1", "gen": "gen impl",
                  "fd_lenet": "FD (LeNet)", "nesterov": "Nesterov", "batch_size": "batch size"},
        "common": {"batch_size": 32},
        "runs": runs,
        "caption": ["Bold: the best.", HOSTILE],
        "legend": [["FD", "a distance; less is better"], ["best at", f"the best step {HOSTILE}"]],
        "plots": [[HOSTILE, "images/real-number.png"]],
    }  # fmt: skip


def long_page(count: int) -> dict[str, Any]:
    """Write a page with `count` rows of planned runs."""
    rows, runs = [], {}
    for i in range(count):
        runs[f"r{i}"] = {
            "title": f"row {i}", "row": f"s/{i}", "picture": 0, "seed": 1, "status": "planned",
            "value": None, "text": "", "words": [], "note": "", "full": None, "steps": [],
            "equilibrium": None, "details": None,
        }  # fmt: skip
        cell = {"runs": [f"r{i}"], "thumbs": [{"run": f"r{i}", "src": None, "label": ""}],
                "value": None, "text": "", "words": [], "rank": None, "mark": "",
                "notes": []}  # fmt: skip
        rows.append({"key": f"s/{i}", "label": str(i), "values": [i], "texts": [str(i)],
                     "also": {"i": i}, "cells": [cell]})  # fmt: skip
    picture = {"heading": "Output", "metric": "", "short": "", "direction": "minimize",
               "better": "", "untrained": None, "real_value": None,
               "real_n": None, "real": None, "real_label": ""}  # fmt: skip
    return {
        "name": "many", "best": [], "found": [], "names": {"i": "i"}, "common": {}, "legend": [],
        "plots": [], "title": "Many rows", "command": "", "runs": runs,
        "caption": [], "pictures": [picture],
        "columns": [{"name": "i", "heading": "i", "numeric": True, "setting": True}],
        "tables": [{"remark": "", "rows": rows}],
    }  # fmt: skip
