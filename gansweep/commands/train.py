"""Train from the command line: one run, or a sweep with -m. Hydra composes the configuration."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING

from gansweep.store.errors import INTERRUPTED, Diverged, UserError, one_line_errors

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(arguments: list[str]) -> None:
    """Train the run or the sweep that the arguments `name=value` describe."""
    with one_line_errors():
        from gansweep.commands.arguments import checked

        sys.argv[1:] = checked(arguments)
        _hydra_main()


def _hydra_main() -> None:
    """Call `task` or the sweep through Hydra. Raises UserError for Hydra's errors."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from gansweep.commands.hydra_errors import explained, raised_by_hydra
    from gansweep.planning.resources import conf_folder
    from gansweep.planning.search_path import PRIMARY, register_schema

    register_schema()
    decorate = hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=PRIMARY)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors and does not print them
    # Hydra only warns of a missing folder, in three lines, and would then ignore its files.
    warnings.filterwarnings("error", message=".*path=.* is not available")
    try:
        decorate(task)()
    except (HydraException, OmegaConfBaseException, UserWarning) as error:
        raise UserError(explained(error)) from None
    except Exception as error:
        if not raised_by_hydra(error):
            raise
        raise UserError(f"Hydra cannot read this command line: {explained(error)}") from None


def task(cfg: DictConfig) -> None:
    """Plan one run (without -m), train it unless it is done, and print the path of its picture."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from gansweep.components import check_options
    from gansweep.config import validate
    from gansweep.launch.task import PlannedRun, SweepTask
    from gansweep.planning.changed import report_changed_networks
    from gansweep.planning.compose import flat_options, make_config
    from gansweep.planning.data_choice import of_one
    from gansweep.planning.identity import check_root, plan_run
    from gansweep.planning.plan import Preparer, keep_record
    from gansweep.report.table.best import weights_of
    from gansweep.report.table.outcome import read_outcome
    from gansweep.store.find_run import check_planned
    from gansweep.terminal.console import console
    from gansweep.training import stop
    from gansweep.training.dry_run import check_components
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
        check_options(flat_options(composed["options"]), [config])
        check_root([config])
        validate(config)
        data = Preparer()(config)
        check_components(config, (data.channels, data.size, data.size), len(data.classes))
        run, record = plan_run(config, data)
        done = PlannedRun(run, "", config.judge != "false", data.name).complete()
        hydra = HydraConfig.get()
        if not any(word.startswith("data=") for word in hydra.overrides.task):
            console.print(of_one(data.name, hydra.runtime.choices["profile"]))
        if config.plan:
            steps = f"{record['identity']['steps']} steps on {data.name}"
            left = "to judge" if run.complete() else "to train"
            console.print(f"run {run.id}: {steps}, {'done' if done else f'{run.status()}, {left}'}")
            return
        if done:
            console.print(f"run {run.id} is done already")
            report_changed_networks([(run, config)])
        else:
            keep_record(run, record)
            console.print(f"run {run.id}: {record['identity']['steps']} steps on {data.name}")
            try:
                with stop.on_signals():
                    execute(run, f"data={data.name}")
            except Diverged:
                console.print(run.describe_failure())
                raise SystemExit(1) from None
            except (stop.Stopped, KeyboardInterrupt) as stopped:
                console.print(f"{stopped or 'interrupted'}: to resume, type the command again")
                raise SystemExit(INTERRUPTED) from None
        outcome = read_outcome(run)
        if outcome.judged:
            console.print(f"score: {outcome.judged}")
        console.print(f"picture: {run.picture}")
        if weights := weights_of(outcome, config.out):
            console.print(f"generator: {weights}")
