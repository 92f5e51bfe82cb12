"""Shell completion: Hydra's completion, extended by commands, sweeps, runs and choices."""

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
SWEEP_COMMANDS = (
    "report",
    "open",
    "serve",
    "rate",
    "status",
    "resume",
    "confirm",
    "extend",
    "clean",
)  # their argument is a sweep
RUN_COMMANDS = ("show", "diff", "judge")  # their argument is a run
EITHER_COMMANDS = ("sample", "export", "versus")  # their argument is a sweep or a run


def extend_hydra_completion() -> None:
    """Add gansweep's commands and choices to Hydra's completion, which `-sc query=SHELL` calls."""
    from hydra.plugins.completion_plugin import CompletionPlugin

    hydra_query = CompletionPlugin._query

    def query(self: CompletionPlugin, config_name: str | None, line: str) -> list[str]:
        words, word = split_words(line)
        if words[:1] and words[0] in COMMANDS:
            return argument_choices(words, word)
        if word.startswith("-"):
            return _with_prefix(word, OPTIONS)
        found = [] if words else _with_prefix(word, COMMANDS)
        found += value_choices(word)
        flags = [w for w in words if w.startswith("-")]  # argparse needs them first
        rest = " ".join([*flags, *(w for w in words if w not in flags), word])
        # Hydra often cannot compose an incomplete command line.
        with (
            contextlib.suppress(Exception, SystemExit),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            found += hydra_query(self, config_name, rest)
        return sorted(set(found))

    CompletionPlugin._query = query  # type: ignore[method-assign]


def split_words(line: str) -> tuple[list[str], str]:
    """Return the complete words of a line, and the word that is being typed."""
    words = line.split()
    word = words.pop() if words and not line[-1].isspace() else ""
    return words, word


def value_choices(word: str) -> list[str]:
    """Return completions of `name=value`; after a comma, those of the next value."""
    name, equals, typed = word.partition("=")
    if not equals or name not in PARAMS:
        return []
    before, comma, last = typed.rpartition(",")
    return [f"{name}={before}{comma}{value}" for value in _with_prefix(last, _choices(name))]


def _choices(name: str) -> Iterable[str]:
    """Return the choices of a parameter."""
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


def argument_choices(words: list[str], word: str) -> list[str]:
    """Return completions of a command's argument: sweeps, rows, runs or data sets."""
    command, *rest = words
    out = rest[rest.index("--out") + 1] if "--out" in rest[:-1] else DEFAULTS["out"]
    if command in SWEEP_COMMANDS:
        return _with_prefix(word, _sweeps(out))
    if command in (*RUN_COMMANDS, *EITHER_COMMANDS):
        runs = [path.name for path in Path(out, "runs").glob("*-s*")]
        sweeps = _sweeps(out) if command in EITHER_COMMANDS else []
        rows = (f"{name}/" for name in _sweeps(out))
        return _with_prefix(word, [*sweeps, *rows, *sorted(runs)])
    return _with_prefix(word, DATASETS.names())


def _sweeps(out: Any) -> list[str]:
    """Return the names of all sweeps, and `latest` if there is one."""
    known = sweeps_by_time(out)
    return [*sorted(known), LATEST] if known else []


def _with_prefix(word: str, choices: Iterable[str]) -> list[str]:
    """Return the choices that start with `word`."""
    return [choice for choice in choices if choice.startswith(word)]
