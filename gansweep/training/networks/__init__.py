"""Define and build the generators and discriminators of the two documents.

To add a network, decorate a function in `generators.py` or `discriminators.py`. The command line,
`--help`, the tests and the reports then know the network by its name.
"""

from gansweep.training.networks import discriminators as _discriminators
from gansweep.training.networks import generators as _generators
from gansweep.training.networks.build import build_discriminator, build_generator

__all__ = ["build_discriminator", "build_generator"]
del _discriminators, _generators
