"""The words with which `confirm` and `extend` choose where to train, as `slots=slurm workers=4`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gansweep.commands.arguments import WORKERS, plain
from gansweep.launch.follow import Workers
from gansweep.launch.names import LAUNCHER
from gansweep.launch.task import SweepTask
from gansweep.planning.overrides import as_arguments
from gansweep.store.errors import UserError, choices_hint

WORDS = ("slots=", "workers=", "hydra/launcher=", "hydra.launcher.")
HELP = "slots=slurm workers=4, hydra.launcher.partition=…: train by workers on a cluster"


def add_config_dir(parser: argparse.ArgumentParser) -> None:
    """Add the option for a folder with launchers of the user."""
    parser.add_argument(
        "--config-dir", metavar="DIR", help="folder with your hydra/launcher/NAME.yaml"
    )


def take_slots(args: argparse.Namespace) -> None:
    """Move the words about the launcher from `args.overrides` to `args.slots`.

    Raises UserError for words that no launcher understands.
    """
    args.slots = [plain(word) for word in args.overrides if word.startswith(WORDS)]
    args.overrides = [word for word in args.overrides if not word.startswith(WORDS)]
    chosen = _chosen(args.slots)
    settings = [word for word in args.slots if word.startswith("hydra.launcher.")]
    if settings and chosen in ("", LAUNCHER):
        shown = settings[0].replace(f"{WORKERS}=", "workers=")
        raise UserError(f"{shown} needs a cluster: add slots=slurm or slots=ray")


def _chosen(slots: list[str]) -> str:
    """Return the name of the chosen launcher; empty if none was chosen."""
    return next((w.partition("=")[2] for w in reversed(slots) if w.startswith("hydra/")), "")


def slots_in_command(args: argparse.Namespace) -> list[str]:
    """Return the words that choose the same slots, for the command that a manifest records."""
    return [*args.slots, *(["--config-dir", args.config_dir] if args.config_dir else [])]


def workers_of(args: argparse.Namespace, task: SweepTask) -> Workers | None:
    """Return the workers that train the runs of a task, or None for the slots of this machine.

    Raises UserError for a launcher that is unknown, or does not train by workers.
    """
    if _chosen(args.slots) in ("", LAUNCHER):
        return None
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from gansweep.commands.hydra_errors import explained
    from gansweep.launch.by_workers import workers_for
    from gansweep.launch.names import BY_WORKERS
    from gansweep.planning.resources import conf_folder
    from gansweep.planning.search_path import PRIMARY, choices_for, register_schema

    chosen = _chosen(args.slots)
    valid = choices_for(None, args.config_dir, [])("hydra/launcher")
    if chosen not in valid:
        raise UserError(f"hydra/launcher={chosen}: {choices_hint(chosen, valid)}")
    words = [*args.slots, *as_arguments({"out": task.out})]
    if args.config_dir is not None:
        words.append(f"hydra.searchpath=[file://{Path(args.config_dir).resolve()}]")
    register_schema()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder().resolve())):
            launcher = compose(PRIMARY, words, return_hydra_config=True).hydra.launcher
            settings = OmegaConf.to_container(launcher, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explained(error)) from None
    assert isinstance(settings, dict)
    target = settings.pop("_target_")
    if target not in BY_WORKERS:
        raise UserError(
            f"hydra/launcher={chosen}: this command trains by slots=local, slurm or ray"
        )
    engine = "ray" if target.endswith("RayLauncher") else "slurm"
    return workers_for(task, engine, settings)  # type: ignore[arg-type]
