"""Training from the command line: one run, or with -m a sweep. Hydra does the composing."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn

from gansweep.store.errors import INTERRUPTED, Diverged, UserError, one_line_errors

if TYPE_CHECKING:
    from omegaconf import DictConfig

MULTIRUN = {"--multirun", "-m"}


def main(arguments: list[str]) -> None:
    """Train what `name=value` arguments ask for; Hydra does the composing."""
    with one_line_errors():
        sys.argv[1:] = _checked(arguments)
        _hydra_main()


def _refuse(message: str) -> NoReturn:
    raise UserError(f"{message}; see --help")


def _checked(arguments: list[str]) -> list[str]:
    """The arguments, refused here if they are not valid: Hydra's own errors take many lines."""
    from hydra._internal.utils import get_args_parser

    from gansweep.planning.overrides import as_arguments, as_typed, read_axes

    # argparse wants the options before what is no option; nobody types them so.
    flags = [a for a in arguments if a in MULTIRUN]
    arguments = [*flags, *(a for a in arguments if a not in MULTIRUN)]
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    options = parser.parse_args(arguments)
    if options.shell_completion or options.info or options.hydra_help:
        return arguments  # these train nothing, and their arguments are Hydra's
    if options.cfg and options.multirun:
        _refuse("--cfg shows the configuration of one run: leave out -m")
    for word in options.overrides:
        if ("=" not in word and not word.startswith("~")) or word.startswith("="):
            _refuse(f"{word!r} is not name=value")
    arguments = [as_typed(a) if a in options.overrides else a for a in arguments]
    options.overrides = [as_typed(word) for word in options.overrides]
    if options.multirun:
        from gansweep.search.space import is_searched, with_sweeper

        overrides = with_sweeper(options.overrides)
        arguments = [*(a for a in arguments if a not in options.overrides), *overrides]
        if "hydra/sweeper=optuna" in overrides:  # it reads its arguments itself
            read_axes([o for o in overrides if not is_searched(o)], multirun=True)
            return arguments
    axes = read_axes(options.overrides, multirun=options.multirun)
    given = {override.split("=")[0] for override in options.overrides}
    implied = {a.name: a.values[0] for a in axes if a.name not in given}
    # A sweep reads its axes itself; for one run Hydra has to be told what follows from them.
    if options.multirun:
        return arguments
    # Together: argparse takes what is no option from one place alone.
    rest = [a for a in arguments if a not in options.overrides]
    return [*rest, *options.overrides, *as_arguments(implied)]


def _hydra_main() -> None:
    import hydra
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from gansweep.config import Config
    from gansweep.planning.resources import conf_folder

    ConfigStore.instance().store(name="schema", node=Config, provider="gansweep")
    decorate = hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us as they are, not printed in ten lines
    # A folder that is not there would cost a warning of three lines, and whatever is in it.
    warnings.filterwarnings("error", message=".*path=.* is not available")
    try:
        decorate(task)()
    except (HydraException, OmegaConfBaseException, UserWarning) as error:
        reasons = [str(e).split("\n\n")[0] for e in (error, error.__cause__) if e is not None]
        raise UserError(" ".join(" ".join(reasons).split()) + _missing_extra(reasons[0])) from None


def _missing_extra(reason: str) -> str:
    """The remedy where Hydra cannot find a launcher that comes with an extra."""
    for name, extra in (("submitit", "slurm"), ("ray", "ray")):
        if f"hydra/launcher/{name}" in reason or f"hydra/launcher={name}" in reason:
            return f"; it comes with pip install 'gansweep[{extra}]'"
    return ""


def task(cfg: DictConfig) -> None:
    """One run without -m: plan it, train it unless it is done, say where the picture is."""
    from omegaconf import OmegaConf

    from gansweep.config import validate
    from gansweep.launch.task import SweepTask
    from gansweep.planning.identity import check_root, plan_run
    from gansweep.planning.plan import Preparer, make_config
    from gansweep.store.run import check_planned
    from gansweep.terminal.console import console
    from gansweep.training import stop
    from gansweep.training.job import execute

    with one_line_errors():
        if cfg.run_id is not None:
            check_planned(cfg.out, cfg.run_id)
            try:
                SweepTask()(cfg)
            except Diverged:
                raise SystemExit(1) from None
            return
        composed = OmegaConf.to_container(cfg, resolve=True)
        assert isinstance(composed, dict)
        config = make_config(composed)  # type: ignore[arg-type]
        check_root([config])
        validate(config)
        data = Preparer()(config)
        run, record = plan_run(config, data)
        if run.complete():
            console.print(f"run {run.id} is done already")
        else:
            run.plan(record)
            console.print(f"run {run.id}: {record['identity']['steps']} steps on {data.name}")
            try:
                with stop.on_signals():
                    execute(run, f"data={data.name}")
            except Diverged as error:
                console.print(f"{error} (log: {run.log})")
                raise SystemExit(1) from None
            except (stop.Stopped, KeyboardInterrupt) as stopped:
                console.print(f"{stopped or 'interrupted'}: type the command again to go on")
                raise SystemExit(INTERRUPTED) from None
        console.print(f"picture: {run.picture}")
