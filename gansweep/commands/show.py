"""`python -m gansweep show RUN`: print a run's parameters, origin and results."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from gansweep.commands.as_json import add_json, only_json, run_answer
from gansweep.config import DEFAULTS, HYPERPARAMETERS, PARAMS, ordered, parameter
from gansweep.report.table.address import runs_of
from gansweep.report.table.collect import PRUNED
from gansweep.report.table.columns import RESULTS
from gansweep.report.table.outcome import Outcome, read_outcome
from gansweep.report.table.text import format_data, format_param, format_value
from gansweep.store.errors import UserError, one_line_errors
from gansweep.store.extension import read_parent
from gansweep.store.find_run import WAYS, find_sweep, sweeps_by_time, trial_of
from gansweep.store.json_files import print_json
from gansweep.store.manifest import read_manifest
from gansweep.store.records import LayerRate
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.terminal.pictures import can_draw, draw
from gansweep.training.metrics.equilibrium import evidence, flag_of

WIDEST = 112  # greatest width of a picture in characters


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep show",
        description="Show a run's parameters, results, machine and versions, and its picture if "
        "the terminal can draw it.",
    )
    parser.add_argument("run", help=WAYS)
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    parser.add_argument(
        "--all", action="store_true", help="also list parameters with default values"
    )
    parser.add_argument(
        "--picture", action=argparse.BooleanOptionalAction, default=None,
        help="draw the run's sample grid (default: if the terminal has enough colours)",
    )  # fmt: skip
    parser.add_argument(
        "--animate", type=Path, metavar="FILE",
        help="animate the samples of fixed latents during training as FILE.webp or FILE.gif",
    )  # fmt: skip
    add_json(parser)
    args = parser.parse_args(argv)
    only_json(args.json)
    with one_line_errors():
        runs = runs_of(args.run, args.out)
        if args.json:
            print_json([run_answer(run, read_outcome(run)) for run in runs])
            return
        if args.animate is not None:
            _animate(runs, args.animate)
            return
        if trial := trial_of(args.run, args.out):
            console.print(f"{trial} of the search: SWEEP/trialN names trial N")
        pruned = _pruned(args.run, args.out)
        for run in runs:
            drawn = can_draw() if args.picture is None else args.picture
            show(run, args.all, drawn, pruned.get(run.id, ""))


def _pruned(text: str, out: str) -> dict[str, str]:
    """Return why runs were pruned, by id, if `text` names runs by their search."""
    name = find_sweep(text.rpartition("/")[0], out)
    return read_manifest(out, name).pruned if name in sweeps_by_time(out) else {}


def show(run: Run, everything: bool, picture: bool, pruned: str = "") -> None:
    """Print a run from its folder.

    everything: whether to list parameters with default values; picture: whether to draw samples;
    pruned: why its search has pruned it.
    """
    outcome = read_outcome(run)
    if pruned and outcome.status != "done":
        outcome.status, outcome.note = PRUNED, pruned
    data = outcome.config.get("data") if outcome.config else None
    on = f"  on {data['name']}" if data else ""
    console.print(Text(f"run {run.id}  {outcome.status}{on}", style="bold"))
    if outcome.note:
        console.print(Text(outcome.note, style="yellow"))
    if picture and outcome.picture is not None:
        try:
            console.print(draw(outcome.picture, min(WIDEST, console.width)), end="")
        except OSError as error:
            console.print(Text(f"{outcome.picture} cannot be read ({error})", style="yellow"))
    _section("parameters", parameters(outcome, everything))
    _section("result", results(outcome))
    if outcome.environment and "rates" in outcome.environment:
        networks = outcome.environment["rates"]
        _section("learning rates of the generator", rates(networks["generator"]))
        _section("learning rates of the discriminator", rates(networks["discriminator"]))
    _section("provenance", provenance(outcome) | _parent(run))
    _section("attempts", _attempts(run))
    for line in outcome.log:
        console.print(Text(line, style="dim"))
    console.print(Text(f"folder: {run.folder}"))


def parameters(outcome: Outcome, everything: bool = True) -> dict[str, str]:
    """Return a run's parameters by label. everything: also those with default values."""
    params = outcome.config.get("params", {}) if outcome.config else {}
    chosen = {
        name: params[name]
        for name in PARAMS
        if name in params and (name in HYPERPARAMETERS or name == "judge")
    }
    if not everything:
        chosen = {name: v for name, v in chosen.items() if v != DEFAULTS[name]}
    chosen |= params.get("options", {})
    labels = {name: parameter(name).label or name for name in ordered(chosen)}
    found = {label: format_param(name, chosen) for name, label in labels.items()}
    if outcome.config:
        data = outcome.config["data"]
        images = f"{data['images']:,} images of {data['size']}×{data['size']}"
        found["data"] = f"{format_data(outcome.config)}, {images}"
    return found


def results(outcome: Outcome) -> dict[str, str]:
    """Return a run's results and scores by heading."""
    found = {"judged": outcome.judged} if outcome.judged else {}
    why = {flag_of(flag).word: evidence(flag, outcome.score) for flag in outcome.flags}
    found |= {word: numbers for word, numbers in why.items() if numbers}
    for entry in RESULTS:
        value = entry.build(outcome)
        if value is not None and entry.name != "status":
            found[entry.heading] = entry.text(value)
    return found | {label: f"{value:.4g}" for label, value in outcome.measured()}


def rates(layers: list[LayerRate]) -> dict[str, str]:
    """Return the learning rate of each layer's weights, and of its bias if that differs."""
    found = {}
    for layer in layers:
        text = format_value(layer["weight"])
        if layer["bias"] is not None and layer["bias"] != layer["weight"]:
            text += f", bias {format_value(layer['bias'])}"
        found[layer["layer"]] = text
    return found


def provenance(outcome: Outcome) -> dict[str, str]:
    """Return a run's origin: the command that trains it, the machine and the versions."""
    environment: dict[str, Any] = {**(outcome.environment or {})}
    packages = environment.pop("packages", {})
    found = {"command": outcome.config.get("command", "")} if outcome.config else {}
    found |= {k: str(v) for k, v in environment.items() if not isinstance(v, dict | list)}
    if packages:
        found["packages"] = ", ".join(f"{name} {version}" for name, version in packages.items())
    return found


def _parent(run: Run) -> dict[str, str]:
    """Return from which run this one was continued, if it was."""
    parent = read_parent(run)
    return {"continues": f"run {parent['run']} from step {parent['step']}"} if parent else {}


def _attempts(run: Run) -> dict[str, str]:
    """Return the events of a run by number, if there was more than one attempt."""
    lines = [f"{e.get('event')} {e.get('cause', '')}".strip() for e in run.read_history()]
    return {str(i): line for i, line in enumerate(lines, 1)} if len(lines) > 2 else {}


def _section(title: str, pairs: dict[str, str]) -> None:
    """Print labels and values under a title, if there are any."""
    if not pairs:
        return
    table = Table(box=None, show_header=False, pad_edge=False, title=title, title_justify="left")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in pairs.items():
        table.add_row(Text(label), Text(value))
    console.print(table)


def _animate(runs: list[Run], path: Path) -> None:
    """Write an animation for each run, numbered from the second one on."""
    from gansweep.report.plots.evolution import write_animation

    if path.suffix not in (".webp", ".gif"):
        raise UserError(f"--animate {path}: write FILE.webp or FILE.gif")
    for number, run in enumerate(runs):
        target = path if number == 0 else path.with_stem(f"{path.stem}-{number + 1}")
        if not write_animation(run, target):
            raise UserError(f"run {run.id} has fewer than two sample pictures so far")
        console.print(f"animation: {target}")
