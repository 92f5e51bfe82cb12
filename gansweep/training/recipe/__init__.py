"""What a step optimises: losses, penalties, augmentations and schedules.

Importing this room registers gansweep's own losses and penalties.
"""

from gansweep.training.recipe import losses, penalties

__all__ = ["losses", "penalties"]
