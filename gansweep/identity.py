"""What makes two runs the same run: the resolved parameters that can change the numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from gansweep import __version__
from gansweep.config import DEFAULTS, PARAMS, Config, effective, total_steps, validate, widths
from gansweep.data import DATASETS, Prepared
from gansweep.errors import UserError
from gansweep.overrides import command
from gansweep.precision import resolve
from gansweep.run import Run

# Declared after ids were first given out: in the hash only where they are set.
LATER = ("early_stop", "ema_decay")
# Kept out of the hash as they are: resolved into others below, or the replicate key.
_RESOLVED = {"epochs", "steps", "limit", "width", "seed"}


def fault_of(config: Config, data: Prepared | None = None) -> UserError | None:
    """What keeps this configuration from being trained (on this data), if anything does."""
    try:
        validate(config)
        if data is not None:
            total_steps(config, data.images)
    except UserError as error:
        return error
    return None


def check_root(configs: Iterable[Config]) -> None:
    """Refuse a `data.root` that none of these configurations would look at."""
    with_root = [c for c in configs if c.data.root is not None]
    if with_root and not any(DATASETS[c.data.name].files for c in with_root):
        data = with_root[0].data
        raise UserError(
            f"data.root={data.root} has no effect: {data.name} needs no files; "
            "for your own pictures add data=images"
        )


def identity(config: Config, data: Prepared) -> dict[str, Any]:
    """The typed values that are hashed into a run's id; None where a value has no effect.

    Raises UserError if the configuration does not fit together or to the data.
    """
    validate(config)
    values: dict[str, Any] = {
        name: value
        for name, value in effective(config).items()
        if PARAMS[name].identity and name not in _RESOLVED
    }
    for name in LATER:
        if values[name] == DEFAULTS[name]:
            del values[name]
    values["reuse_fake"] = config.reuse_fake and not config.fresh_z
    values["gen_width"], values["disc_width"] = widths(config)
    values["steps"] = total_steps(config, data.images)
    values["data"] = {"name": data.name, "sha256": data.sha256, "images": data.images}
    return values


def plan_run(config: Config, data: Prepared) -> tuple[Run, dict[str, Any]]:
    """The run of one resolved configuration, and what its config.json says."""
    config = resolve(config)
    values = identity(config, data)
    run = Run(config.out, Run.make_id(values, config.seed))
    record = {
        "id": run.id,
        "identity": values,
        "params": dataclasses.asdict(config),
        "data": data.describe(),
        "command": command(config, values["steps"]),
        "gansweep": __version__,
    }
    return run, record
