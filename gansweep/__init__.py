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
flag        a warning that the judge attaches to a run: collapsed, never started, diverged
trial       one setting that a search tries, with one or several runs
report      the table of one or several sweeps with its pictures: reports/NAME
component   a network, loss or penalty, chosen by name or import path (gansweep/components.py)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gansweep.register import discriminator, generator, loss, metric, option, penalty

__version__ = "0.1.0"
__all__ = ["discriminator", "generator", "loss", "metric", "option", "penalty"]


def __getattr__(name: str) -> Any:
    """Import the decorators of plugins when they are first used: `--help` needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("gansweep.register"), name)
