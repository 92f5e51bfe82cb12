"""`python -m gansweep sample NAME/best --to FOLDER`: draw images with a run's generator."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gansweep.config import DEFAULTS
from gansweep.report.table.address import ON, ONE, one_run
from gansweep.report.table.outcome import read_outcome
from gansweep.settings import DEVICES
from gansweep.store.errors import UserError, one_line_errors
from gansweep.store.records import Result
from gansweep.store.run import Run
from gansweep.terminal.console import console

USUAL = 64  # images, if nothing else is asked for
MOST_SIDE = 100  # images in a row of a grid or of a strip
EPILOG = """examples:
  python -m gansweep sample lr-beta1-baea07/best --images 10000 --to digits
  python -m gansweep sample latest --images 50000 --npz --to digits --device cuda
  python -m gansweep sample latest/3 --grid --interpolate --to pictures
  python -m gansweep sample 1f2e3d4c5b-s1 --label 7 --images 100 --to sevens

FOLDER gets images/00000.png … or images.npz (images: uint8 N×C×H×W), grid.png, interpolation.png.
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep sample",
        description="Draw images with the trained generator of a run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", help=ONE)
    add("--to", type=Path, required=True, metavar="FOLDER", help="a new folder for the images")
    add(
        "--images", type=int, metavar="N",
        help=f"number of images (default: {USUAL}, or none with --grid or --interpolate)",
    )  # fmt: skip
    add("--npz", action="store_true", help="write one array, images.npz, in the place of PNG files")
    add(
        "--grid", type=int, nargs="?", const=8, metavar="N",
        help="also write grid.png of N×N images (default 8); with classes, a row for each",
    )  # fmt: skip
    add(
        "--interpolate", type=int, nargs="?", const=10, metavar="N",
        help="also write interpolation.png: rows of N images from one latent to another "
        "(default 10)",
    )  # fmt: skip
    add("--seed", type=int, default=0, help="seed of the latents (default %(default)s)")
    add("--label", metavar="K", help="class of all images, by name or number, with labels=true")
    add_weights(parser)
    add("--on", metavar="PICTURES", help=ON)
    add("--device", choices=DEVICES, default="auto", help="where to draw (default %(default)s)")
    add("--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)")
    args = parser.parse_args(argv)
    with one_line_errors():
        _check_numbers(args)
        named = one_run(args.run, args.out, args.on)
        _sample(named.run, named.title, args)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the weights; see `chosen_weights`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--final", action="store_true",
        help="the weights of the last step (default: those of the best evaluation)",
    )  # fmt: skip
    group.add_argument(
        "--averaged", action="store_true", help="with ema_decay, the weights averaged over the run"
    )
    group.add_argument(
        "--ema", type=float, metavar="LENGTH",
        help="with post_hoc_ema, the weights averaged with this length, such as 0.05",
    )  # fmt: skip


def chosen_weights(run: Run, args: argparse.Namespace) -> tuple[str, str]:
    """Return the name of the weights (see `load_generator`), and their description.

    Without an option they are the best ones, or the final ones if the run was not judged.
    """
    if args.averaged:
        return "averaged", "averaged weights"
    if args.ema is not None:
        return "best", f"weights averaged with length {args.ema:g}"
    result: Result = read_outcome(run).result or {"training_seconds": 0.0}
    last = f", step {result['steps']}" if "steps" in result else ""
    if args.final:
        return "final", f"final weights{last}"
    if not run.best.is_file() and run.final.is_file():
        return "final", f"final weights{last}, as it has no best ones"
    judge = result.get("judge")
    step = judge["score"].get("step") if judge else None
    return "best", "best weights" if step is None else f"best weights, step {step}"


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each warning of the `with` block as one line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for line in dict.fromkeys(str(warning.message) for warning in caught):
        console.print(line)


def _check_numbers(args: argparse.Namespace) -> None:
    """Raise UserError for a number that is out of range."""
    if args.images is None and args.grid is None and args.interpolate is None:
        args.images = USUAL
    for name, least, most in (
        ("images", 1, 10_000_000), ("grid", 1, MOST_SIDE), ("interpolate", 2, MOST_SIDE),
        ("seed", 0, 2**32 - 1),
    ):  # fmt: skip
        value = getattr(args, name)
        if value is not None and not least <= value <= most:
            raise UserError(f"--{name} {value} is out of range; valid: {least} to {most}")


def _sample(run: Run, title: str, args: argparse.Namespace) -> None:
    # Imported here, so that an invalid option is refused without waiting for torch.
    from gansweep.training.generator import load_source
    from gansweep.training.sampled import new_folder, write_grid, write_images, write_strip

    weights, described = chosen_weights(run, args)
    label = int(args.label) if args.label and args.label.isdigit() else args.label
    with new_folder(args.to) as folder:
        with warnings_as_lines():
            source = load_source(run, weights, args.ema, args.device)
        if label is not None and str(label) in source.classes:
            label = str(label)  # a class may be called 7 and have another number
        console.print(f"{title}: {described}")
        if args.images is not None:
            started = time.monotonic()
            path = write_images(source, folder, args.images, args.seed, label, as_array=args.npz)
            seconds = time.monotonic() - started
            place = args.to / path.name
            console.print(f"{args.images:,} images in {seconds:.1f} s: {place}")
        if args.grid is not None:
            write_grid(source, folder / "grid.png", args.grid, args.seed, label)
            console.print(f"grid: {args.to / 'grid.png'}")
        if args.interpolate is not None:
            path = folder / "interpolation.png"
            write_strip(source, path, args.interpolate, args.seed, label)
            console.print(f"interpolation: {args.to / path.name}")
