"""The arguments of a training, checked before Hydra sees them: its own errors take many lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gansweep.commands import COMMANDS
from gansweep.commands.completion import extend_hydras
from gansweep.commands.hydra_errors import missing_extra
from gansweep.launch.names import ALIASES, LAUNCHER, SEARCH
from gansweep.planning.overrides import Axis, as_arguments, as_typed, read_axes
from gansweep.planning.search_path import Choices, choices_for
from gansweep.store.errors import UserError, choices_hint, nearest

if TYPE_CHECKING:
    from argparse import Namespace

MULTIRUN = {"--multirun", "-m"}
SHELLS = ("bash", "zsh", "fish")
# Settings of Hydra's that gansweep leaves unused, and what takes their place.
UNUSED = {
    "hydra.run.dir": "out=FOLDER is the folder of runs",
    "hydra.output_subdir": "a run's folder has its configuration in config.json",
    "hydra.job.chdir": "paths are relative to the folder where the command is typed",
    "hydra.verbose": "a run's folder has its log in log.txt",
}
# These two are used by other launchers than gansweep's own.
UNUSED_HERE = {
    "hydra.sweep.dir": UNUSED["hydra.run.dir"],
    "hydra.sweep.subdir": UNUSED["hydra.run.dir"],
}


def checked(arguments: list[str]) -> list[str]:
    """The arguments as Hydra wants them. Raises UserError if they are not valid."""
    from hydra._internal.utils import get_args_parser

    # argparse wants the options before what is no option; nobody types them so.
    flags = [a for a in arguments if a in MULTIRUN]
    arguments = [*flags, *(_plain(a) for a in arguments if a not in MULTIRUN)]
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    options = parser.parse_args(arguments)
    if options.shell_completion:
        _check_completion(options.overrides)
        extend_hydras()
    if options.shell_completion or options.info or options.hydra_help:
        return arguments  # these train nothing, and their arguments are Hydra's
    _check_options(options)
    given: list[str] = options.overrides
    # Together: argparse takes what is no option from one place alone.
    rest = [a for a in arguments if a not in given]
    choices = choices_for(options.config_name, options.config_dir, given)
    _check_plugins(given, choices)
    if options.multirun:
        from gansweep.search.space import is_searched, with_sweeper

        overrides = with_sweeper(given)
        read = overrides
        if f"hydra/sweeper={SEARCH}" in overrides:  # it reads its ranges itself
            read = [o for o in overrides if not is_searched(o)]
        axes = {axis.name: axis for axis in read_axes(read, multirun=True, choices=choices)}
        return [*rest, *(_whole(o, axes) for o in overrides)]
    axes = {axis.name: axis for axis in read_axes(given, multirun=False, choices=choices)}
    # A sweep reads its axes itself; for one run Hydra needs to know what follows from them.
    implied = {name: a.values[0] for name, a in axes.items() if name not in map(_name, given)}
    return [*rest, *(_whole(o, axes) for o in given), *as_arguments(implied)]


def _plain(word: str) -> str:
    """An argument in the one spelling that the rest of gansweep knows.

    Hydra's `++lr=1` sets a parameter whether it is there or not: `lr=1` for those that are.
    """
    word = ALIASES.get(word, word)
    if word.startswith("++") and not word.startswith("++hydra"):
        word = word[2:]
    return as_typed(word) if "=" in word[1:] and not word.startswith("-") else word


def _name(override: str) -> str:
    return override.partition("=")[0]


def _whole(override: str, axes: dict[str, Axis]) -> str:
    """`steps=1000` for `steps=1e3`, which Hydra takes for no whole number."""
    axis = axes.get(_name(override))
    if axis is None or len(axis.values) > 1 or type(axis.values[0]) is not int:
        return override
    return as_arguments({axis.name: axis.values[0]})[0]


def _refuse(message: str) -> NoReturn:
    raise UserError(f"{message}; see --help")


def _check_options(options: Namespace) -> None:
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
    unused = UNUSED if others else UNUSED | UNUSED_HERE
    for word in options.overrides:
        if ("=" not in word and not word.startswith("~")) or word.startswith("="):
            _refuse_word(word)
        if (name := _name(word).lstrip("+")) in unused:
            raise UserError(f"{word} has no effect here: {unused[name]}")


def _refuse_word(word: str) -> NoReturn:
    """Raises UserError for a word that is neither a command nor name=value."""
    if near := nearest(word, COMMANDS):
        raise UserError(f"no command {word!r}: did you mean {near!r}? --help lists all commands")
    _refuse(f"{word!r} is neither name=value nor a command ({', '.join(COMMANDS)})")


def _check_plugins(overrides: list[str], choices: Choices) -> None:
    """Raises UserError for a launcher or a sweeper that is not there."""
    for override in overrides:
        group, _, name = override.partition("=")
        if group in ("hydra/launcher", "hydra/sweeper") and "," not in name:
            valid = choices(group)
            if name not in valid:
                raise UserError(f"{override}: {choices_hint(name, valid)}{missing_extra(override)}")


def _check_completion(overrides: list[str]) -> None:
    """Raises UserError for what Hydra's shell completion does not know."""
    valid = [f"{what}={shell}" for what in ("install", "uninstall", "query") for shell in SHELLS]
    if len(overrides) != 1 or overrides[0] not in valid:
        _refuse(
            'shell completion is installed by eval "$(gansweep -sc install=bash)", or zsh, fish'
        )
