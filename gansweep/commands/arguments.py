"""Check the arguments of a training before Hydra reads them, as Hydra's errors take many lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gansweep.commands import COMMANDS
from gansweep.commands.completion import extend_hydra_completion
from gansweep.commands.hydra_errors import missing_extra
from gansweep.config import PARAMS
from gansweep.launch.names import ALIASES, LAUNCHER, SEARCH
from gansweep.loading import load_plugins, plugin_names
from gansweep.planning.overrides import (
    LISTS,
    Axis,
    as_arguments,
    as_typed,
    for_hydra,
    read_axes,
)
from gansweep.planning.search_path import Choices, choices_for
from gansweep.store.errors import UserError, choices_hint, nearest
from gansweep.terminal.console import console

if TYPE_CHECKING:
    from argparse import Namespace

MULTIRUN = {"--multirun", "-m"}
WORKERS = "hydra.launcher.workers"
SHELLS = ("bash", "zsh", "fish")
# Settings of Hydra that gansweep does not use, and a reason or a replacement for each.
UNUSED = {
    "hydra.run.dir": "out=FOLDER is the folder of runs",
    "hydra.output_subdir": "a run's folder has its configuration in config.json",
    "hydra.job.chdir": "paths are relative to the folder where the command is typed",
    "hydra.verbose": "a run's folder has its log in log.txt",
}
# Only launchers other than gansweep's use these settings.
UNUSED_HERE = {
    "hydra.sweep.dir": UNUSED["hydra.run.dir"],
    "hydra.sweep.subdir": UNUSED["hydra.run.dir"],
}


def checked(arguments: list[str]) -> list[str]:
    """Return the arguments in the form that Hydra needs. Raises UserError if they are invalid."""
    from hydra._internal.utils import get_args_parser

    for word in arguments:
        if any("\ud800" <= c <= "\udfff" for c in word):
            raise UserError(f"{word!a} is not valid UTF-8")
    # argparse needs the options first, but users often type -m at the end.
    flags = [a for a in arguments if a in MULTIRUN]
    arguments = [*flags, *(plain(a) for a in arguments if a not in MULTIRUN)]
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    options = parser.parse_args(arguments)
    if options.shell_completion:
        _check_completion(options.overrides)
        extend_hydra_completion()
    if options.shell_completion or options.info or options.hydra_help:
        return arguments  # these options train nothing, and Hydra checks their arguments
    _check_options(options)
    given: list[str] = options.overrides
    # The overrides must be adjacent, because argparse accepts positional arguments only together.
    rest = [a for a in arguments if a not in given]
    named = [o.partition("=")[2] for o in given if _name(o) == "plugins"]
    load_plugins(plugin_names(",".join(named)))
    choices = choices_for(options.config_name, options.config_dir, given)
    _check_plugins(given, choices)
    if options.multirun:
        from gansweep.search.space import is_searched, with_sweeper

        overrides = with_sweeper(given)
        read = overrides
        if f"hydra/sweeper={SEARCH}" in overrides:  # the search reads its ranges itself
            read = [o for o in overrides if not is_searched(o)]
        axes = {axis.name: axis for axis in read_axes(read, multirun=True, choices=choices)}
        _set_output(axes, searches=f"hydra/sweeper={SEARCH}" in overrides)
        return [*rest, *(for_hydra(_whole(o, axes)) for o in overrides)]
    axes = {axis.name: axis for axis in read_axes(given, multirun=False, choices=choices)}
    _set_output(axes)
    lists = {name: axis.values[0] for name, axis in axes.items() if name in LISTS}
    # Hydra takes text with commas in quotes, which `as_arguments` adds.
    given = [as_arguments({n: lists[n]})[0] if (n := _name(o)) in lists else o for o in given]
    # A sweep reads its axes itself. For a single run, Hydra needs the implied values too.
    implied = {name: a.values[0] for name, a in axes.items() if name not in map(_name, given)}
    return [*rest, *(for_hydra(_whole(o, axes)) for o in given), *as_arguments(implied)]


def _set_output(axes: dict[str, Axis], searches: bool = False) -> None:
    """Let the console be quiet, or leave standard output to JSON, before anything is printed.

    Raises UserError if JSON is asked for without plan=true, or for a search.
    """

    def asked(name: str) -> bool:
        return name in axes and axes[name].values == (True,)

    console.quiet = asked("quiet")
    if asked("json"):
        if searches:
            raise UserError("--json: a search has no list of runs; it is for the plan of a grid")
        if not asked("plan"):
            raise UserError("--json prints the plan of a sweep: add plan=true")
        console.stderr = True


def plain(word: str) -> str:
    """Return an argument in gansweep's own spelling.

    Hydra's `++lr=1` sets a parameter whether or not it exists. It becomes `lr=1`, since all
    parameters exist.
    """
    if word.startswith("slots=") and word not in ALIASES:
        valid = [alias.partition("=")[2] for alias in ALIASES if alias.startswith("slots=")]
        raise UserError(f"{word}: {choices_hint(word.partition('=')[2], valid)}")
    word = ALIASES.get(word, word)
    if word.startswith("workers="):
        return f"{WORKERS}={word.partition('=')[2]}"
    if word.startswith("++") and not word.startswith("++hydra"):
        word = word[2:]
    return as_typed(word) if "=" in word[1:] and not word.startswith("-") else word


def _name(override: str) -> str:
    """Return the name in `name=value`."""
    return override.partition("=")[0]


def _whole(override: str, axes: dict[str, Axis]) -> str:
    """Return `steps=1000` for `steps=1e3`, which Hydra does not accept as a whole number."""
    axis = axes.get(_name(override))
    if axis is None or len(axis.values) > 1 or type(axis.values[0]) is not int:
        return override
    return as_arguments({axis.name: axis.values[0]})[0]


def _refuse(message: str) -> NoReturn:
    """Raise UserError with a reference to --help."""
    raise UserError(f"{message}; see --help")


def _check_options(options: Namespace) -> None:
    """Raise UserError for options and settings of Hydra that gansweep does not support."""
    if options.cfg and options.multirun:
        _refuse("--cfg shows the configuration of one run: leave out -m")
    if options.run and options.multirun:
        _refuse("--run asks for one run and -m for a sweep: leave out one of them")
    if options.resolve and not options.cfg:
        _refuse("--resolve belongs to --cfg")
    if options.config_path is not None:
        _refuse("--config-path would replace gansweep's own files: add yours with --config-dir DIR")
    if options.experimental_rerun is not None:
        _refuse("gansweep has no --experimental-rerun: resume SWEEP repeats a sweep's command")
    if options.config_dir is not None and not Path(options.config_dir).is_dir():
        raise UserError(f"--config-dir {options.config_dir}: there is no such folder")
    others = any(
        o.startswith("hydra/launcher=") and o != f"hydra/launcher={LAUNCHER}"
        for o in options.overrides
    )
    if not others and (given := [o for o in options.overrides if _name(o) == WORKERS]):
        number = given[0].partition("=")[2]
        raise UserError(f"workers={number} needs a cluster: add slots=slurm or slots=ray")
    unused = UNUSED if others else UNUSED | UNUSED_HERE
    for word in options.overrides:
        if ("=" not in word and not word.startswith("~")) or word.startswith("="):
            _refuse_word(word)
        if (name := _name(word).lstrip("+")) in unused:
            raise UserError(f"{word} has no effect here: {unused[name]}")


def _refuse_word(word: str) -> NoReturn:
    """Raise UserError for a word that is no name=value, where only these are valid."""
    if word in COMMANDS:
        raise UserError(f"{word} is a command, which comes first: python -m gansweep {word} …")
    if word not in PARAMS and (near := nearest(word, COMMANDS)):
        raise UserError(f"no command {word!r}: did you mean {near!r}? --help lists all commands")
    _refuse(f"{word!r} is neither name=value nor a command ({', '.join(COMMANDS)})")


def _check_plugins(overrides: list[str], choices: Choices) -> None:
    """Raise UserError for a launcher or a sweeper that is not installed."""
    for override in overrides:
        group, _, name = override.partition("=")
        if group in ("hydra/launcher", "hydra/sweeper") and "," not in name:
            valid = choices(group)
            if name not in valid:
                raise UserError(f"{override}: {choices_hint(name, valid)}{missing_extra(override)}")


def _check_completion(overrides: list[str]) -> None:
    """Raise UserError for arguments that Hydra's shell completion does not accept."""
    valid = [
        f"{action}={shell}" for action in ("install", "uninstall", "query") for shell in SHELLS
    ]
    if len(overrides) != 1 or overrides[0] not in valid:
        _refuse(
            'shell completion is installed by eval "$(gansweep -sc install=bash)"; '
            "zsh and fish are valid too"
        )
