"""What planning asks of the components of users before anything is trained.

torch is imported only for components from outside gansweep.
"""

from __future__ import annotations

from gansweep.config import Config
from gansweep.plugins import DISCRIMINATORS, GENERATORS
from gansweep.training.networks import build


def image_size(config: Config) -> int:
    """Return the height and width in pixels of the images that a run makes.

    Raises UserError if a component of the user cannot be built.
    """
    if config.model is None:
        return build.image_size(config)
    from gansweep.training import hosted

    return hosted.image_size(config)


def check_components(config: Config, image: tuple[int, int, int], n_classes: int = 0) -> None:
    """Build and try the user's components for images of shape (C, H, W), each once.

    n_classes: the classes of the images; 0 without labels. Raises UserError, in one line, if they
    cannot be built or do not fit.
    """
    if config.model is not None:
        from gansweep.training import hosted

        hosted.check_model(config, image, n_classes)
    elif not (GENERATORS[config.gen].builder and DISCRIMINATORS[config.disc].builder):
        from gansweep.training.networks import trial

        trial.check_networks(config, image, n_classes)
