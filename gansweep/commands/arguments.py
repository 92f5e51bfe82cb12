"""The arguments of a training, checked before Hydra sees them: its own errors take many lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gansweep.commands.hydra_errors import missing_extra
from gansweep.launch.names import ALIASES, SEARCH
from gansweep.planning.overrides import as_arguments, read_axes
from gansweep.planning.search_path import Choices, choices_for
from gansweep.store.errors import UserError, choices_hint

if TYPE_CHECKING:
    from argparse import Namespace

MULTIRUN = {"--multirun", "-m"}


def checked(arguments: list[str]) -> list[str]:
    """The arguments as Hydra wants them. Raises UserError if they are not valid."""
    from hydra._internal.utils import get_args_parser

    # argparse wants the options before what is no option; nobody types them so.
    flags = [a for a in arguments if a in MULTIRUN]
    arguments = [*flags, *(a for a in arguments if a not in MULTIRUN)]
    arguments = [ALIASES.get(word, word) for word in arguments]
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    options = parser.parse_args(arguments)
    if options.shell_completion or options.info or options.hydra_help:
        return arguments  # these train nothing, and their arguments are Hydra's
    _check_options(options)
    given: list[str] = options.overrides
    choices = choices_for(options.config_name, options.config_dir, given)
    _check_plugins(given, choices)
    if options.multirun:
        from gansweep.search.space import is_searched, with_sweeper

        overrides = with_sweeper(given, choices)
        rest = [a for a in arguments if a not in given]
        if f"hydra/sweeper={SEARCH}" in overrides:  # it reads its arguments itself
            read = [o for o in overrides if not is_searched(o)]
            read_axes(read, multirun=True, choices=choices)
        else:
            read_axes(overrides, multirun=True, choices=choices)
        return [*rest, *overrides]
    axes = read_axes(given, multirun=False, choices=choices)
    names = {override.split("=")[0] for override in given}
    # A sweep reads its axes itself; for one run Hydra has to be told what follows from them.
    implied = {a.name: a.values[0] for a in axes if a.name not in names}
    # Together: argparse takes what is no option from one place alone.
    rest = [a for a in arguments if a not in given]
    return [*rest, *given, *as_arguments(implied)]


def _refuse(message: str) -> NoReturn:
    raise UserError(f"{message}; see --help")


def _check_options(options: Namespace) -> None:
    if options.cfg and options.multirun:
        _refuse("--cfg shows the configuration of one run: leave out -m")
    if options.config_dir is not None and not Path(options.config_dir).is_dir():
        raise UserError(f"--config-dir {options.config_dir}: there is no such folder")
    for word in options.overrides:
        if "=" not in word and not word.startswith("~"):
            _refuse(f"{word!r} is not name=value")


def _check_plugins(overrides: list[str], choices: Choices) -> None:
    """Raises UserError for a launcher or a sweeper that is not there."""
    for override in overrides:
        group, _, name = override.partition("=")
        if group in ("hydra/launcher", "hydra/sweeper") and "," not in name:
            valid = choices(group)
            if name not in valid:
                raise UserError(f"{override}: {choices_hint(name, valid)}{missing_extra(override)}")
