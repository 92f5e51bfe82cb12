"""The generators and discriminators of the two documents, each a table of layers.

Add one by decorating a function in `generators.py` or `discriminators.py`; it then shows up on
the command line, in `--help`, in the tests and in the reports.
"""

from gansweep.training.networks import discriminators as _discriminators
from gansweep.training.networks import generators as _generators
from gansweep.training.networks.build import build_discriminator, build_generator

__all__ = ["build_discriminator", "build_generator"]
del _discriminators, _generators
