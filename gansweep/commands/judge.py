"""`python -m gansweep judge RUN|CHECKPOINT|FOLDER…`: score existing weights or pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gansweep.commands.judge_steps import checkpoints_of, judge_steps, steps_of
from gansweep.config import DEFAULTS
from gansweep.params import DataConfig
from gansweep.plugins import DATASETS
from gansweep.report.table.address import runs_of
from gansweep.store.errors import UserError, one_line_errors
from gansweep.store.find_run import BEST, by_row
from gansweep.store.json_files import print_json
from gansweep.terminal.console import console


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep judge",
        description="Score a finished run, one of its checkpoints, or any folder of pictures. Of "
        "folders with pictures of several steps, as other programs write them, show the curve, the "
        "best step and the flags, and write a table and a gallery; so do checkpoints of other "
        "programs with --sample, a function that draws from them.",
    )
    parser.add_argument(
        "what",
        nargs="+",
        help="a run's id or folder, SWEEP/ROW, SWEEP/best, a .ckpt file in a run's folder, or a "
        "folder; several folders with pictures by step become the rows of one table; with "
        "--sample, checkpoints with their step in the name",
    )
    parser.add_argument(
        "--images", type=int, default=2000, help="number of generated images (default %(default)s)"
    )
    parser.add_argument(
        "--ema", type=float, metavar="LENGTH",
        help="score the average of this length of a run with post_hoc_ema=true, such as 0.05",
    )  # fmt: skip
    parser.add_argument(
        "--data", choices=DATASETS.names(), help="data set of real images, for a folder of pictures"
    )
    parser.add_argument("--root", help="folder of the real images, for data sets of files")
    parser.add_argument("--size", type=int, default=28, help="pixels (default %(default)s)")
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    parser.add_argument(
        "--by-step", action="store_true",
        help="a folder has pictures by step: grids STEP.png, or folders STEP/ (without it, only "
        "samples/STEP.npz or .png and STEP.npz are understood so)",
    )  # fmt: skip
    parser.add_argument(
        "--sample", metavar="MODULE:FUNCTION",
        help="draw the pictures by this function of a checkpoint's path, a number of images and a "
        "seed",
    )  # fmt: skip
    parser.add_argument("--name", help="the name of the table of folders with pictures by step")
    parser.add_argument(
        "--reports", default=DEFAULTS["reports"], help="folder of reports (default %(default)s)"
    )
    for name, metrics in (
        ("inception", "FID and KID"),
        ("dinov2", "distances in DINOv2's features"),
    ):
        parser.add_argument(
            f"--{name}", nargs="?", const="", metavar="WEIGHTS",
            help=f"also compute {metrics}, with these weights or downloaded ones",
        )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print all results as JSON")
    args = parser.parse_args(argv)
    console.stderr = args.json  # only JSON is printed to standard output
    with one_line_errors():
        if args.images < 100:
            raise UserError(f"--images {args.images} are too few for a distance; use 100 or more")
        if args.sample is not None:
            from gansweep.training.script.samples import LEAST

            if args.images < LEAST:
                raise UserError(
                    f"--images {args.images} are too few: one half of {LEAST} or more finds the "
                    "best step, and the other half gives its score"
                )
            judge_steps(checkpoints_of(args), args)
            return
        if folders := steps_of(args):
            judge_steps(folders, args)
            return
        if len(args.what) > 1:
            raise UserError("several arguments are for folders with pictures by step; see --help")
        # Imported here, so that an invalid option is refused without waiting for torch.
        from gansweep.training.metrics.published import NETS, published_features
        from gansweep.training.rescore import score_existing

        requested = {name: getattr(args, name) for name in NETS if getattr(args, name) is not None}
        if len(requested) > 1:
            raise UserError(f"choose one of --{' and --'.join(requested)}")
        published = next((published_features(n, w or None) for n, w in requested.items()), None)
        scores: dict[str, dict[str, Any]] = {}
        targets = _targets(args.what[0], args.out)
        for target in targets:
            found = score_existing(
                target,
                args.out,
                count=args.images,
                published=published,
                real=DataConfig(args.data, root=args.root) if args.data else None,
                size=args.size,
                ema=args.ema,
            )
            run = f"{Path(target).name}/" if len(targets) > 1 else ""
            scores |= {f"{run}{file}": score for file, score in found.items()}
    if args.json:
        print_json(scores)
        return
    for name, score in scores.items():
        shown = {k: v for k, v in score.items() if k not in ("class_shares", "modes", "distinct")}
        console.print(f"{name}: " + "  ".join(f"{k} {_short(v)}" for k, v in shown.items()))


def _targets(what: str, out: str) -> list[str]:
    """Return the folders of the runs of SWEEP/ROW or SWEEP/best, or `what` itself."""
    what = what if Path(what).exists() else by_row(what, out)
    sweep, _, row = what.rpartition("/")
    if sweep and (row.isdigit() or row == BEST) and not Path(what).exists():
        return [str(run.folder) for run in runs_of(what, out)]
    return [what]


def _short(value: Any) -> str:
    """Return a number with four significant digits, or another value as text."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
