"""`python -m gansweep diff RUN RUN`: print the differences and the results of two runs."""

from __future__ import annotations

import argparse
from dataclasses import replace

from rich.columns import Columns
from rich.table import Table
from rich.text import Text

from gansweep.commands.as_json import add_json, only_json
from gansweep.commands.show import parameters, provenance, results
from gansweep.config import DEFAULTS, HYPERPARAMETERS, KNOWN, RENAMED
from gansweep.report.table.address import runs_of
from gansweep.report.table.older import trained_with
from gansweep.report.table.outcome import Outcome, read_outcome
from gansweep.report.table.text import format_value
from gansweep.store.answers import DiffAnswer
from gansweep.store.errors import one_line_errors
from gansweep.store.find_run import WAYS
from gansweep.store.json_files import print_json
from gansweep.store.records import RunConfig
from gansweep.terminal.console import console
from gansweep.terminal.pictures import can_draw, draw


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gansweep diff",
        description="Compare two runs: the parameters, machines and versions in which they differ, "
        "and their results.",
        epilog="Exit codes: 0 the same parameters, 1 they differ, 2 no such run.",
    )
    parser.add_argument("one", help=WAYS)
    parser.add_argument("other", help="another run; of a row, the first run is compared")
    parser.add_argument(
        "--out", default=DEFAULTS["out"], help="folder of runs (default %(default)s)"
    )
    parser.add_argument(
        "--picture", action=argparse.BooleanOptionalAction, default=None,
        help="draw the sample grids (default: if the terminal has enough colours)",
    )  # fmt: skip
    add_json(parser)
    args = parser.parse_args(argv)
    only_json(args.json)
    with one_line_errors():
        pair = [read_outcome(runs_of(text, args.out)[0]) for text in (args.one, args.other)]
        if args.json:
            answer = differences(*pair)
            print_json(answer)
            raise SystemExit(0 if answer["same"] else 1)
        differing = show_differences(*pair)
        if can_draw() if args.picture is None else args.picture:
            _draw(pair)
    raise SystemExit(1 if differing else 0)


def differences(one: Outcome, other: Outcome) -> DiffAnswer:
    """Return what differs, by label, with null for what a run does not have."""

    def differing(left: dict[str, str], right: dict[str, str]) -> dict[str, list[str | None]]:
        labels = dict.fromkeys([*left, *right])
        pairs = {label: [left.get(label), right.get(label)] for label in labels}
        return {label: pair for label, pair in pairs.items() if pair[0] != pair[1]}

    left, right = map(_parameters, _comparable(one, other))
    parameters = differing(left | _unknown(one, other), right | _unknown(other, one))
    return {
        "runs": [one.run_id, other.run_id],
        "same": not parameters,
        "parameters": parameters,
        "results": differing(results(one), results(other)),
        "origin": differing(_origin(one), _origin(other)),
    }


def show_differences(one: Outcome, other: Outcome) -> bool:
    """Print what differs. Returns whether the parameters or the data differ."""
    view = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", one.run_id, other.run_id):
        view.add_column(Text(heading), overflow="fold")
    left, right = map(_parameters, _comparable(one, other))
    differing = _rows(view, left | _unknown(one, other), right | _unknown(other, one), "bold")
    if not differing:
        view.add_row(Text("the same parameters", style="dim"))
    view.add_section()
    _rows(view, results(one), results(other), "")
    view.add_section()
    _rows(view, _origin(one), _origin(other), "dim")
    console.print(view)
    for run in (one, other):
        if run.note:
            console.print(Text(f"{run.run_id}: {run.note}", style="yellow"))
    return differing


def _comparable(one: Outcome, other: Outcome) -> list[Outcome]:
    """Return both runs with the hyperparameters that the version of one of them did not have."""
    configs = [run.config for run in (one, other) if run.config is not None]
    stored = [config.get("params", {}) for config in configs]
    if len(stored) < 2:
        return [one, other]
    later = HYPERPARAMETERS.keys() & (stored[0].keys() ^ stored[1].keys())
    compared = []
    for run, config, params in zip((one, other), configs, stored, strict=True):
        values = trained_with(params)
        known: RunConfig = {**config, "params": {**params, **{n: values[n] for n in later}}}
        compared.append(replace(run, config=known))
    return compared


def _parameters(run: Outcome) -> dict[str, str]:
    """Return the parameters with the seed, by label."""
    return {**parameters(run), "seed": str(run.seed)}


def _unknown(run: Outcome, other: Outcome) -> dict[str, str]:
    """Return the parameters of a newer version that both runs have, by name."""
    params, others = (r.config.get("params", {}) if r.config else {} for r in (run, other))
    names = params.keys() & others.keys() - {*KNOWN, *RENAMED}
    return {n: format_value(params[n]) for n in sorted(names) if not isinstance(params[n], dict)}


def _origin(run: Outcome) -> dict[str, str]:
    """Return the provenance without the command, which repeats the parameters."""
    return {k: v for k, v in provenance(run).items() if k != "command"}


def _rows(view: Table, one: dict[str, str], other: dict[str, str], style: str) -> bool:
    """Add a line for each differing entry. Returns whether there was any."""
    found = False
    for label in dict.fromkeys([*one, *other]):
        left, right = one.get(label, "–"), other.get(label, "–")
        if left != right:
            found = True
            view.add_row(Text(label, style="cyan"), Text(left, style), Text(right, style))
    return found


def _draw(pair: list[Outcome]) -> None:
    width = max(16, min(112, console.width // 2 - 2))
    console.print(Columns([draw(r.picture, width) for r in pair if r.picture is not None]))
