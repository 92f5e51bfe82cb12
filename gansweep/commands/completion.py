"""Shell completion: Hydra's own, with the commands, their sweeps, and the choices of parameters."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gansweep.commands import COMMANDS
from gansweep.config import DEFAULTS, HYPERPARAMETERS, PARAMS
from gansweep.planning.overrides import CHOSEN_FROM
from gansweep.planning.resources import packaged_choices, sweeps_folder
from gansweep.plugins import DATASETS
from gansweep.store.find_run import LATEST, sweeps_by_time

OPTIONS = ("-m", "--multirun", "--cfg", "--config-dir", "--config-name", "--help", "--version")
OF_SWEEPS = ("report", "status", "resume", "confirm")  # the commands that take a sweep's name
OF_RUNS = ("show", "diff", "judge")


def extend_hydras() -> None:
    """Let Hydra's completion, which `-sc query=SHELL` asks, know what only gansweep knows."""
    from hydra.plugins.completion_plugin import CompletionPlugin

    hydras = CompletionPlugin._query

    def query(self: CompletionPlugin, config_name: str | None, line: str) -> list[str]:
        words, word = split(line)
        if words[:1] and words[0] in COMMANDS:
            return of_command(words, word)
        if word.startswith("-"):
            return _beginning(word, OPTIONS)
        found = [] if words else _beginning(word, COMMANDS)
        found += values(word)
        flags = [w for w in words if w.startswith("-")]  # argparse wants them first
        rest = " ".join([*flags, *(w for w in words if w not in flags), word])
        # Half a command line is often none that Hydra can compose.
        with (
            contextlib.suppress(Exception, SystemExit),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            found += hydras(self, config_name, rest)
        return sorted(set(found))

    CompletionPlugin._query = query  # type: ignore[method-assign]


def split(line: str) -> tuple[list[str], str]:
    """The words before the one that is being typed, and that word."""
    words = line.split()
    word = words.pop() if words and not line[-1].isspace() else ""
    return words, word


def values(word: str) -> list[str]:
    """What a parameter's value may be; after a comma, what the next one may be."""
    name, equals, typed = word.partition("=")
    if not equals or name not in PARAMS:
        return []
    before, comma, last = typed.rpartition(",")
    return [f"{name}={before}{comma}{value}" for value in _beginning(last, _choices(name))]


def _choices(name: str) -> Iterable[str]:
    if name == "sweep":
        lists = (folder.glob("*.yaml") for folder in (Path("sweeps"), sweeps_folder()))
        return sorted({path.stem for found in lists for path in found})
    if name == "search":
        return [n for n in HYPERPARAMETERS if n != "seed"]
    if name == "warm_start":
        return _sweeps(DEFAULTS["out"])
    if name in CHOSEN_FROM:
        return packaged_choices(CHOSEN_FROM[name])
    if isinstance(DEFAULTS[name], bool):
        return ("true", "false")
    return PARAMS[name].names()


def of_command(words: list[str], word: str) -> list[str]:
    """What the argument of a command may be: sweeps, rows, runs or data sets."""
    command, *rest = words
    out = rest[rest.index("--out") + 1] if "--out" in rest[:-1] else DEFAULTS["out"]
    if command in OF_SWEEPS:
        return _beginning(word, _sweeps(out))
    if command in OF_RUNS:
        runs = [path.name for path in Path(out, "runs").glob("*-s*")]
        return _beginning(word, [*(f"{name}/" for name in _sweeps(out)), *sorted(runs)])
    return _beginning(word, DATASETS.names())


def _sweeps(out: Any) -> list[str]:
    known = sweeps_by_time(out)
    return [*sorted(known), LATEST] if known else []


def _beginning(word: str, choices: Iterable[str]) -> list[str]:
    return [choice for choice in choices if choice.startswith(word)]
