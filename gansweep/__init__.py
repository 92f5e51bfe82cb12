"""gansweep: hyperparameter sweeps for GANs, from one command to a table with pictures.

The terms of the code, and the files that belong to them:

run         one configuration with one seed, trained once: the folder OUT/runs/ID
id          the name of a run: a hash of everything that can change its numbers, and its seed
row         one configuration on every data set and with every seed: a row of the table
sweep       rows planned together: a grid of the command line, or a row list in sweeps/
row list    a YAML file with the rows of a sweep, or the space of a search
manifest    the tables, rows and runs of a sweep: OUT/sweeps/NAME/manifest.json
profile     a set of defaults for network width, training length and data sets (conf/profile)
slot        a share of a device in which one run trains at a time
evaluation  the judge's measurement of a run at one step during training
score       the judge's final measurement of a run's best weights, on other real images
best step   the step of a run's best evaluation; document 000 calls it the equilibrium
flag        a warning that the judge attaches to a run: collapsed, never learned, diverged
trial       one setting that a search tries, with one or several runs
report      the table of one or several sweeps with its pictures: reports/NAME
component   a network, loss, optimizer or data set of the user, by name or import path
logger      an adapter that writes a run to another tracker, such as TensorBoard or MLflow

In Python: `gansweep.sweep(lr=[1e-4, 5e-5]).run().table()`, `gansweep.open("latest")`,
`gansweep.run("ID").generator()`; see docs/python.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gansweep.api.entry import (
        Plan,
        Results,
        Run,
        Sweep,
        SweepError,
        UserError,
        interval,
        load_export,
        open,
        run,
        sweep,
    )
    from gansweep.register import (
        dataset,
        discriminator,
        generator,
        logger,
        loss,
        metric,
        optimizer,
        option,
        penalty,
    )

__version__ = "0.2.0"
_DECORATORS = (
    "dataset", "discriminator", "generator", "logger", "loss", "metric", "optimizer", "option",
    "penalty",
)  # fmt: skip
_PYTHON = (
    "Plan", "Results", "Run", "Sweep", "SweepError", "UserError",
    "interval", "load_export", "open", "run", "sweep",
)  # fmt: skip
_PLACES = {
    **dict.fromkeys(_DECORATORS, "gansweep.register"),
    **dict.fromkeys(_PYTHON, "gansweep.api.entry"),
}
__all__ = [
    "Plan", "Results", "Run", "Sweep", "SweepError", "UserError", "dataset", "discriminator",
    "generator", "interval", "load_export", "logger", "loss", "metric", "open", "optimizer",
    "option", "penalty", "run", "sweep",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import what programs use when they first use it: `--help` needs none of it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    """Return all names, also those that are not imported yet, for completion in a notebook."""
    return sorted({*globals(), *__all__})
