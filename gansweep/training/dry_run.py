"""What planning asks of the components of users before anything is trained.

torch is imported only for components from outside gansweep.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from gansweep.components import ANY_SIZE, is_foreign
from gansweep.config import Config
from gansweep.store.errors import UserError
from gansweep.template import Template, template_of
from gansweep.training.networks import build

TRIED = (
    "gen",
    "disc",
    "loss",
    "penalty",
    "gen_opt",
    "disc_opt",
)  # the components that are tried together


def image_size(config: Config) -> int:
    """Return the height and width in pixels of the images that a run makes.

    Raises UserError if a component of the user cannot be built.
    """
    if config.command is not None:
        return config.data.image_size or ANY_SIZE
    if config.model is None:
        return build.image_size(config)
    from gansweep.training import hosted

    return hosted.image_size(config)


def check_components(config: Config, image: tuple[int, int, int], n_classes: int = 0) -> None:
    """Build and try the user's components for images of shape (C, H, W), each once.

    n_classes: the classes of the images; 0 without labels. Raises UserError, in one line, if they
    cannot be built or do not fit.
    """
    if config.command is not None:
        check_program(template_of(config.command))
    elif config.model is not None:
        from gansweep.training import hosted

        hosted.check_model(config, image, n_classes)
    elif any(is_foreign(kind, getattr(config, kind)) for kind in TRIED):
        from gansweep.training import trial

        trial.check_all(config, image, n_classes)


def check_program(template: Template) -> None:
    """Raise UserError if the program of a command, or the Python file after it, does not exist."""
    program, *rest = template.fill(_ANYTHING, resumed=False)[:2] or [""]
    if shutil.which(program) is None:
        remedy = "no such program"
        if Path(program).is_file():
            remedy = f"it is no program: write python {program}, or chmod +x {program}"
        elif program == "python":
            remedy = "no such program here; {python} is the Python that runs gansweep"
        raise UserError(f"command: {program}: {remedy}")
    if rest and rest[0].endswith(".py") and not Path(rest[0]).is_file():
        raise UserError(f"command: {rest[0]}: there is no such file in {Path.cwd()}")


class _Anything(dict[str, object]):
    """Values for the placeholders of the first words, of which only the program counts."""

    def __missing__(self, name: str) -> object:
        return sys.executable if name == "python" else f"{{{name}}}"


_ANYTHING = _Anything()
