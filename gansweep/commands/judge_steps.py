"""`python -m gansweep judge FOLDER…` for pictures of several steps: curve, best step, gallery.

With `--sample`, a function of the user draws the pictures of a step from a checkpoint.
"""

from __future__ import annotations

import argparse
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.config import DEFAULTS
from gansweep.params import DataConfig
from gansweep.plugins import DATASETS
from gansweep.report.table.outcome import read_outcome
from gansweep.store.errors import UserError
from gansweep.store.json_files import print_json
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.run import Run
from gansweep.terminal.console import console

if TYPE_CHECKING:
    from gansweep.training.data import Prepared


def steps_of(args: argparse.Namespace) -> dict[Path, dict[int, Path]]:
    """Return the files by step of each folder that has such; {} if no folder has.

    Raises UserError if --by-step is given for a folder without steps, or if only some have steps.
    """
    folders = [Path(what) for what in args.what]
    if not all(f.is_dir() and not (f / "config.json").exists() for f in folders):
        if args.by_step:
            raise UserError("--by-step is for folders of pictures, and not for runs")
        return {}
    from gansweep.training.judged_folder import files_by_step

    found = {folder: files_by_step(folder, asked=args.by_step) for folder in folders}
    without = [folder for folder, files in found.items() if not files]
    if without and (args.by_step or len(without) < len(found)):
        raise UserError(
            f"{without[0]} has no pictures by step: samples/STEP.npz or .png, STEP.npz, and with "
            "--by-step also STEP.png (a grid) and folders STEP/"
        )
    return {} if without else found


def checkpoints_of(args: argparse.Namespace) -> dict[Path, dict[int, Path]]:
    """Return the checkpoints of `--sample` by step, for each folder that has some.

    Raises UserError for arguments that name no checkpoints by step.
    """
    from gansweep.training.drawn import check_sample, steps_of

    check_sample(args.sample)
    if args.by_step:
        raise UserError("--sample draws the pictures of a step: leave out --by-step")
    by_folder: dict[Path, list[Path]] = {}
    for what in args.what:
        by_folder.setdefault(Path(what).parent, []).append(Path(what))
    return {folder: steps_of(paths) for folder, paths in by_folder.items()}


def judge_steps(found: dict[Path, dict[int, Path]], args: argparse.Namespace) -> None:
    """Judge each folder as a run, and write a table and a gallery with a row for each.

    found: the files by step of each folder; with `--sample` its checkpoints.
    """
    from gansweep.planning.identity import plan_run
    from gansweep.planning.plan import Preparer, shown_params, take_common
    from gansweep.report import write_report
    from gansweep.training.judged_folder import config_of, judge_folder

    if args.data is None:
        names = ", ".join(DATASETS.names())
        raise UserError(f"{next(iter(found))}: name the real images with --data; valid: {names}")
    prepared = Preparer()
    rows, titles, answer = [], {}, {}
    label = ""
    for folder, files in found.items():
        real = DataConfig(args.data, root=args.root)
        words = [str(folder), "--by-step"]
        if args.sample:
            words = [*map(str, files.values()), "--sample", args.sample, "--images", args.images]
        config = config_of([*map(str, words)], real, args.size, args.out)
        data = prepared(config)
        label = prepared.label(config)
        run, record = plan_run(config, data)
        run.folder.mkdir(parents=True, exist_ok=True)
        run.plan(record)
        console.print(f"{folder}: {len(files)} steps, as run {run.id}")
        with _drawn(run, data, files, args) if args.sample else nullcontext(files) as pictures:
            judge_folder(run, config, data, pictures, lambda line: console.print(f"  {line}"))
        outcome = read_outcome(run)
        console.print(f"  {outcome.judged}")
        answer[str(folder)] = _answer(run)
        titles[run.id] = str(folder)
        rows.append(Row(shown_params(config), {label: [run.id]}, facts={"folder": str(folder)}))
    manifest = Manifest(
        name=args.name or f"judged-{'-'.join(folder.resolve().name for folder in found)}",
        title="Pictures by step",
        command=shlex.join(["python", "-m", "gansweep", "judge", *_words(args)]),
        pictures=[label],
        common=take_common(rows),
        tables=[Table([], list(range(len(rows))), results=["equilibrium"], facts=["folder"])],
        rows=rows,
        titles=titles,
    )
    manifest.write(args.out)
    write_report(manifest.name, out=args.out, reports=args.reports).announce()
    if args.json:
        print_json(answer)


@contextmanager
def _drawn(
    run: Run, data: Prepared, checkpoints: dict[int, Path], args: argparse.Namespace
) -> Iterator[dict[int, Path]]:
    """Draw from checkpoints, and return the files by step, which end with the context."""
    from gansweep.training.drawn import draw

    # Beside the run, as the files are then taken over by links.
    with tempfile.TemporaryDirectory(prefix=".drawn-", dir=run.folder.parent) as folder:
        yield draw(checkpoints, args.sample, args.images, data, Path(folder))


def _answer(run: Run) -> dict[str, Any]:
    return {"run": run.id, "judge": run.judged(), "evaluations": run.read_evaluations()}


def _words(args: argparse.Namespace) -> list[str]:
    words = [*args.what, "--data", args.data]
    words += ["--by-step"] if args.by_step else []
    words += ["--sample", args.sample] if args.sample else []
    words += ["--images", str(args.images)] if args.sample else []
    words += ["--root", args.root] if args.root else []
    words += ["--size", str(args.size)] if args.size != 28 else []
    words += ["--name", args.name] if args.name else []
    for name in ("out", "reports"):
        if getattr(args, name) != DEFAULTS[name]:
            words += [f"--{name}", getattr(args, name)]
    return words
