"""Write the pages docs/reference/*.md from the declarations: parameters, metrics, commands.

`python docs/_make/reference.py` writes them, and a test checks that they are up to date.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gansweep.commands import COMMANDS
from gansweep.components import KINDS, is_foreign, options_of
from gansweep.config import DATA_DEFAULTS, DATA_PARAMS, DEFAULTS, PARAMS
from gansweep.declare import Param
from gansweep.planning.overrides import as_arguments
from gansweep.planning.resources import packaged_choices
from gansweep.plugins import (
    DATASETS,
    DISCRIMINATORS,
    GENERATORS,
    LOGGERS,
    METRICS,
    PRUNERS,
    SAMPLERS,
    Entry,
)
from gansweep.report.table.columns import RESULTS
from gansweep.training.metrics.equilibrium import FLAGS

FOLDER = Path(__file__).parents[1] / "reference"
WRITTEN = "<!-- docs/_make/reference.py writes this page from the declarations. -->"


def cell(text: object) -> str:
    """Return a text for a cell of a Markdown table."""
    flat = " ".join(str(text).split())
    return flat.replace("|", "\\|").replace("<", "&lt;").replace("{", "&#123;")


def code(text: object) -> str:
    flat = str(text).replace("|", "\\|")
    return f"`{flat}`" if flat else ""


def table(headings: list[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", WRITTEN, *parts]) + "\n"


# Parameters ------------------------------------------------------------------------------------


def demo() -> dict[str, Any]:
    """Return what the default profile sets."""
    import yaml

    from gansweep.planning.resources import conf_folder

    text = (conf_folder() / "profile" / "demo.yaml").read_text(encoding="utf-8")
    return {name: value for name, value in yaml.safe_load(text).items() if name in PARAMS}


def parameter_row(name: str, param: Param, default: object) -> list[str]:
    value = as_arguments({name: default})[0].partition("=")[2]
    valid = param.valid(name)
    span = ""
    if param.search:
        low, high = (as_arguments({name: end})[0].partition("=")[2] for end in param.search)
        span = f"{low} to {high}{', logarithmic' if param.log else ''}"
    return [code(name), code(value), cell(param.help), cell(valid), span]


HEADINGS = ["name", "default", "what", "valid", "search="]


def own_options(kind: str) -> Iterable[list[str]]:
    """Yield a line for each choice of a component, and for each of its own parameters."""
    for entry in KINDS[kind].registry:
        if is_foreign(kind, entry.name):
            continue
        yield [code(f"{kind}={entry.name}"), "", cell(entry.help), "", ""]
        for name, found in options_of(kind, entry.name).items():
            yield parameter_row(name, found.param, found.default)


def chosen(key: str, entries: Iterable[Entry]) -> str:
    return table(["choice", "what"], ([code(f"{key}={e.name}"), cell(e.help)] for e in entries))


def parameters() -> str:
    defaults = {**DEFAULTS, **DATA_DEFAULTS, **demo()}
    groups: dict[str, list[list[str]]] = {}
    for name, param in {**PARAMS, **DATA_PARAMS}.items():
        groups.setdefault(param.group, []).append(parameter_row(name, param, defaults[name]))
    parts = [
        "Every parameter is typed as `name=value`; with `-m`, several values stand between commas. "
        "The defaults are those of `profile=demo`. The last column has the range of a search "
        "([searches](../searches.md)). `python -m gansweep --help` prints the same."
    ]
    for group, rows in groups.items():
        parts += [f"## {group[0].upper()}{group[1:]}", table(HEADINGS, rows)]
    kinds = (("loss", "Losses"), ("penalty", "Penalties"), ("gen_opt", "Optimizers"))
    for kind, title in kinds:
        parts += [f"## {title}", table(HEADINGS, own_options(kind))]
    networks = [
        [code(f"{key}={entry.name}"), f"{entry.image_size} px", cell(entry.help)]
        for key, registry in (("gen", GENERATORS), ("disc", DISCRIMINATORS))
        for entry in registry
        if entry.builder
    ]
    parts += ["## Networks", table(["choice", "images", "what"], networks)]
    parts += ["## Data sets", chosen("data", (e for e in DATASETS if e.builder))]
    profiles = ", ".join(code(f"profile={name}") for name in packaged_choices("profile"))
    parts += ["## Profiles", f"{profiles}: [sweeps](../sweeps.md#data-sets-and-profiles)."]
    parts += ["## Samplers", chosen("sampler", SAMPLERS), "## Pruners", chosen("pruner", PRUNERS)]
    parts += ["## Loggers", chosen("logger", LOGGERS)]
    return page("Parameters", *parts)


# Metrics ---------------------------------------------------------------------------------------


def metrics() -> str:
    measured = [
        [code(m.name), cell(m.label), METRICS.better(m.name), code(m.features), cell(m.help)]
        for m in METRICS
    ]
    flags = (
        [cell(flag.word), "yes" if flag.severe else "no", cell(flag.meaning)]
        for flag in FLAGS.values()
    )
    results = ([code(entry.name), cell(entry.heading), cell(entry.help)] for entry in RESULTS)
    return page(
        "Metrics, flags and results",
        "A name stands in `--columns`, `--sort` and `--where` of a report, in `.table([…])`, and, "
        "for a metric, in `objective=quality+NAME`. [How a run is evaluated](../judging.md) "
        "explains the features and the rules of the flags. A metric of yours is one decorated "
        "function: [metrics](../judging.md#metrics-that-are-registered-later).",
        "## Metrics",
        table(["name", "in tables", "direction", "features", "what"], measured),
        "## Flags",
        "A run with a severe flag is never the best.",
        table(["word", "severe", "meaning"], flags),
        "## Results",
        table(["name", "in tables", "what"], results),
    )


# Commands --------------------------------------------------------------------------------------


class Parsed(Exception):
    """Carries the parser of a command out of its `main`."""


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command, which its `main` builds."""

    def stop(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise Parsed(parser)

    original = argparse.ArgumentParser.parse_known_args
    argparse.ArgumentParser.parse_known_args = stop  # type: ignore[method-assign, assignment]
    try:
        importlib.import_module(f"gansweep.commands.{name}").main([])
    except Parsed as found:
        return found.args[0]  # type: ignore[no-any-return]
    finally:
        argparse.ArgumentParser.parse_known_args = original  # type: ignore[method-assign]
    raise AssertionError(f"{name} parses no arguments")


def argument(parser: argparse.ArgumentParser, action: argparse.Action) -> list[str]:
    """Return the line of an argument: its spelling and its help."""
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices is not None and action.metavar is None:
        metavar = "{" + ",".join(map(str, action.choices)) + "}"
    spelling = ", ".join(action.option_strings) or metavar
    if action.option_strings and action.nargs != 0:
        spelling += f" {metavar}"
    values = {**vars(action), "prog": parser.prog}
    return [code(spelling), cell((action.help or "") % values)]


def commands() -> str:
    parts = [
        "`python -m gansweep COMMAND`, or `gansweep COMMAND` for short. SWEEP is a sweep's name, "
        "the beginning of one, or `latest`; RUN is a run's id, the beginning of one, its folder, "
        "or SWEEP/ROW. Without a command, `python -m gansweep [-m] name=value …` trains: "
        "[parameters](parameters.md)."
    ]
    for name, command in COMMANDS.items():
        parser = parser_of(name)
        parts += [
            f"## {name}",
            f"```\npython -m gansweep {name} {command.usage}\n```",
            cell(parser.description or command.help),
            table(
                ["argument", "what"],
                (argument(parser, a) for a in parser._actions if a.help != argparse.SUPPRESS),
            ),
        ]
        if parser.epilog:
            parts.append(cell(parser.epilog))
    return page("Commands", *parts)


PAGES = {"parameters": parameters, "metrics": metrics, "commands": commands}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, build in PAGES.items():
        (FOLDER / f"{name}.md").write_text(build(), encoding="utf-8")


if __name__ == "__main__":
    main()
