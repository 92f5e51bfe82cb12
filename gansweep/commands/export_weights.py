"""`python -m gansweep export NAME/best --onnx`: write the weights of a run for other programs."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from gansweep.commands.hub import check_hub, upload
from gansweep.commands.model_card import PICTURE, write_card
from gansweep.commands.sample import add_weights, chosen_weights, warnings_as_lines
from gansweep.report.table.address import ON, one_run
from gansweep.report.table.outcome import read_outcome
from gansweep.store.errors import UserError
from gansweep.terminal.console import console

FILES = {
    "safetensors": "gansweep's own weights, for gs.load_export",
    "onnx": "a graph for ONNX Runtime and others",
    "torchscript": "a graph for torch.jit.load in Python and C++",
}
HUB = "safetensors"  # the format that --hub uploads if none is named


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of an export of weights."""
    group = parser.add_argument_group("weights of one run")
    for name, text in FILES.items():
        group.add_argument(f"--{name}", action="store_true", help=text)
    group.add_argument(
        "--hub", metavar="USER/NAME",
        help=f"also upload the files, by default --{HUB}, to this repository of the Hugging Face "
        "Hub, which is private if it is new",
    )  # fmt: skip
    group.add_argument("--public", action="store_true", help="with --hub, a public repository")
    group.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="where to write (default exports/RUN)"
    )
    group.add_argument("--on", metavar="PICTURES", help=ON)
    add_weights(parser)


def wanted(args: argparse.Namespace) -> list[str]:
    """Return the formats that the options name. Raises UserError for options that do not fit."""
    formats = [name for name in FILES if getattr(args, name)]
    if args.hub and not formats:
        formats = [HUB]
    if args.public and not args.hub:
        raise UserError("--public belongs to --hub USER/NAME")
    if formats and args.to:
        raise UserError("--to names trackers for whole runs: export weights by a second command")
    if formats and len(args.name) > 1:
        raise UserError("weights are exported of one run at a time")
    given = [
        f"--{name}" for name in ("folder", "on", "final", "averaged", "ema") if getattr(args, name)
    ]
    if given and not formats:
        listed = ", ".join(f"--{name}" for name in FILES)
        raise UserError(f"{given[0]} belongs to an export of weights: {listed} or --hub")
    return formats


def export_files(formats: list[str], args: argparse.Namespace) -> None:
    """Write the weights of a run in these formats with a model card, and upload them if asked."""
    if args.hub:
        check_hub(args.hub)
    # Imported here, so that an invalid option is refused without waiting for torch.
    from gansweep.training.exports.write import check_formats, export_weights, takes_count

    check_formats(formats)
    named = one_run(args.name[0], args.out, args.on)
    run = named.run
    weights, described = chosen_weights(run, args)
    folder: Path = args.folder or Path("exports", run.id)
    folder.mkdir(parents=True, exist_ok=True)
    console.print(f"{named.title}: {described}")
    written = []
    with warnings_as_lines():
        for name, path, difference in export_weights(run, formats, folder, weights, args.ema):
            console.print(f"{name}: {path}, largest difference {difference:.1e}")
            written.append((name, path.name, difference))
    outcome = read_outcome(run)
    picture = outcome.picture if weights == "best" and args.ema is None else run.picture
    shown = weights != "averaged" and args.ema is None and picture is not None
    if shown and picture is not None and picture.is_file():
        shutil.copyfile(picture, folder / PICTURE)
    else:
        (folder / PICTURE).unlink(missing_ok=True)
    card = write_card(folder, named, outcome, described, written, takes_count(run))
    console.print(f"model card: {card}")
    if args.hub:
        files = [*(file for _, file, _ in written), PICTURE, card.name]
        console.print(f"uploaded: {upload(args.hub, folder, files, public=args.public)}")
