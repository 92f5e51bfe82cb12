"""`python -m gansweep.judge RUN|CHECKPOINT|FOLDER`: score what is there already."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.config import DEFAULTS, DataConfig
from gansweep.console import console
from gansweep.data import DATASETS, Prepared, prepare
from gansweep.errors import UserError, one_line_errors
from gansweep.job import load_plan
from gansweep.run import Run

if TYPE_CHECKING:
    from torch import Tensor

    from gansweep.judge.evaluate import Judge


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep.judge",
        description="Score a finished run, one of its checkpoints, or any folder of pictures.",
    )
    parser.add_argument("what", help="a run's id or folder, a .ckpt file in it, or a folder")
    parser.add_argument("--images", type=int, default=2000, help="generated (default %(default)s)")
    parser.add_argument(
        "--data", choices=DATASETS.names(), help="the real images, for a folder of pictures"
    )
    parser.add_argument("--root", help="where the real images are, for data sets of files")
    parser.add_argument("--size", type=int, default=28, help="pixels (default %(default)s)")
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    for name, what in (("inception", "FID and KID"), ("dinov2", "distances in DINOv2's features")):
        parser.add_argument(
            f"--{name}", nargs="?", const="", metavar="WEIGHTS",
            help=f"also {what}, with these weights or downloaded ones",
        )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="everything that is known, as JSON")
    args = parser.parse_args(argv)
    console.stderr = args.json  # what is told on the way is no JSON
    with one_line_errors():
        if args.images < 100:
            raise UserError(f"--images {args.images} are too few for a distance; use 100 or more")
        scores = _scores(args)
    if args.json:
        print(json.dumps(scores, indent=2))
        return
    for name, score in scores.items():
        shown = {k: v for k, v in score.items() if k not in ("class_shares", "modes", "distinct")}
        console.print(f"{name}: " + "  ".join(f"{k} {_short(v)}" for k, v in shown.items()))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _scores(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    what = Path(args.what)
    checkpoint = what if what.suffix == ".ckpt" else None
    folder = (what.parent if checkpoint else what).resolve()
    run = Run(folder.parent.parent, folder.name) if what.exists() else Run(args.out, what.name)
    if run.config.exists():
        return _of_run(run, checkpoint, args)
    if not what.is_dir():
        raise UserError(f"{args.what}: neither a run in {args.out}/runs, a checkpoint nor a folder")
    if args.data is None:
        names = ", ".join(DATASETS.names())
        raise UserError(f"{what}: name the real images with --data; valid: {names}")
    return _of_folder(what, args)


def _judge(data: Prepared, args: argparse.Namespace) -> Judge:
    from gansweep.judge.evaluate import Judge
    from gansweep.judge.published import NETS, published_features

    asked = {name: getattr(args, name) for name in NETS if getattr(args, name) is not None}
    if len(asked) > 1:
        raise UserError(f"choose one of --{' and --'.join(asked)}")
    return Judge(
        data,
        published=next((published_features(n, w or None) for n, w in asked.items()), None),
    )


def _of_run(
    run: Run, checkpoint: Path | None, args: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    import torch

    from gansweep.judge.callback import SCORE_LATENTS, load_best
    from gansweep.judge.evaluate import generate, latents
    from gansweep.train import build_gan

    config, data = load_plan(run)
    judge = _judge(data, args)
    gan = build_gan(config, data.channels)
    wanted = [checkpoint] if checkpoint else [run.best, run.final]
    scores = {}
    for path in wanted:
        if not path.exists():
            continue
        try:
            if path.name == run.best.name:
                load_best(run, gan)
            else:
                state = torch.load(path, map_location="cpu", weights_only=True)
                gan.load_state_dict(state.get("weights", state))
        except Exception as error:
            raise UserError(f"{path} cannot be read ({' '.join(str(error).split())})") from None
        images = generate(gan.sample, latents(gan.z_dim, args.images, SCORE_LATENTS))
        scores[path.name] = judge.score(images)
    if not scores:
        raise UserError(f"run {run.id} has no weights yet: {run.final} is not there")
    return scores


def _of_folder(folder: Path, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    import torch

    data = prepare(DataConfig(args.data, root=args.root), args.size)
    pictures = prepare(DataConfig("images", root=str(folder), channels=data.channels), args.size)
    images: Tensor = torch.from_numpy(pictures.array().copy())
    if len(images) < 100:
        raise UserError(
            f"{folder}: {len(images)} pictures are too few for a distance; 100 at least"
        )
    return {str(folder): _judge(data, args).score(images)}


if __name__ == "__main__":
    main()
