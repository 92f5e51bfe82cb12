"""The generators and discriminators of the two documents, each a table of layers.

Add one by decorating a function in `generators.py` or `discriminators.py`; it then shows up on
the command line, in `--help`, in the tests and in the reports.
"""

from gansweep.networks import discriminators as _discriminators
from gansweep.networks import generators as _generators
from gansweep.networks.build import build_discriminator, build_generator
from gansweep.networks.kinds import DISCRIMINATORS, GENERATORS

__all__ = ["DISCRIMINATORS", "GENERATORS", "build_discriminator", "build_generator"]
del _discriminators, _generators
