"""The identity of a run: the resolved parameters that can change its results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from gansweep import __version__
from gansweep.components import identity_of
from gansweep.config import (
    DEFAULTS,
    HYPERPARAMETERS,
    PARAMS,
    Config,
    as_record,
    effective,
    known_steps,
    of_whole,
    validate,
    widths,
)
from gansweep.planning.overrides import command
from gansweep.planning.precision import resolve
from gansweep.plugins import DATASETS
from gansweep.store.errors import UserError
from gansweep.store.records import Identity, RunConfig
from gansweep.store.run import Run
from gansweep.training.data import Prepared
from gansweep.training.dry_run import check_components
from gansweep.training.metrics.distances import Neighbourhood

# The parameters of the first version with run ids are hashed whatever their value. A later
# parameter is hashed only if it differs from its default, so that a new parameter changes no id.
# Never add a name to this set.
HASHED = {
    "gen", "disc", "gen_drop", "disc_drop", "smooth", "alpha", "batch_size", "z_dim", "lr", "beta1",
    "beta2", "gen_opt", "disc_opt", "momentum", "nesterov", "joint_d", "fresh_z", "reuse_fake",
    "parametrization", "shuffle", "precision", "memory_format",
}  # fmt: skip


def fault_of(config: Config, data: Prepared | None = None) -> UserError | None:
    """Return the error that prevents training this configuration (on this data), else None."""
    try:
        validate(config)
        if data is not None:
            known_steps(config, data.images)
            _check_judge(config, data)
            check_components(config, (data.channels, data.size, data.size), len(data.classes))
    except UserError as error:
        return error
    return None


def _check_judge(config: Config, data: Prepared) -> None:
    """Raise UserError for fewer real images than the nearest-neighbour metrics need."""
    least = Neighbourhood.K + 1
    if config.judge != "false" and data.reals < least:
        raise UserError(
            f"data={data.name}: {data.reals} images are too few for the judge, which needs "
            f"{least}; add judge=false"
        )


def check_root(configs: Iterable[Config]) -> None:
    """Raise UserError if `data.root` is set and no configuration's data set reads files."""
    with_root = [c for c in configs if c.data.root is not None]
    if with_root and not any(DATASETS[c.data.name].files for c in with_root):
        data = with_root[0].data
        raise UserError(
            f"data.root={data.root} has no effect: {data.name} needs no files; "
            "for your own pictures add data=images"
        )


def identity(config: Config, data: Prepared) -> dict[str, Any]:
    """Return the typed values that are hashed into a run's id; None for a value without effect.

    Raises UserError if parameters contradict each other or do not suit the data.
    """
    validate(config)
    _check_judge(config, data)
    values: dict[str, Any] = {
        name: value
        for name, value in effective(config).items()
        if name in HYPERPARAMETERS
        and name != "seed"
        and not PARAMS[name].resolved
        and (name in HASHED or value not in (None, DEFAULTS[name]))
    }
    values |= identity_of(config)
    if of_whole(config) is None:
        values["reuse_fake"] = config.reuse_fake and not config.fresh_z
    if config.command is not None and effective(config)["epochs"] is not None:
        values["epochs"] = config.epochs  # for {epochs}: its script may not count in steps
    values["gen_width"], values["disc_width"] = widths(config)
    values["steps"] = known_steps(config, data.images)
    values["data"] = {"name": data.name, "sha256": data.sha256, "images": data.images}
    if config.labels:
        values["data"]["labels"] = data.labels_sha256
    return values


def plan_run(config: Config, data: Prepared) -> tuple[Run, RunConfig]:
    """Resolve a configuration, and return its run with the record for config.json.

    Writes nothing. Raises UserError as `identity` does.
    """
    config = resolve(config)
    values = identity(config, data)
    run = Run(config.out, Run.make_id(values, config.seed))
    record: RunConfig = {
        "id": run.id,
        "identity": cast("Identity", values),
        "params": as_record(config),
        "data": data.describe(),
        "command": command(config, values["steps"]),
        "gansweep": __version__,
    }
    return run, record
