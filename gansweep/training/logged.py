"""The names of numbers that a module or a script of the user logs."""

from __future__ import annotations

DISCRIMINATOR = {"d", "disc", "discriminator", "critic"}
GENERATOR = {"g", "gen", "generator"}


def metric_name(logged: str) -> str:
    """Return `loss_d` and `loss_g` for the usual spellings of these two losses.

    Every other number is `logged_NAME`.
    """
    words = set(logged.lower().replace("/", "_").replace(".", "_").split("_"))
    if words & {"loss"} and words & DISCRIMINATOR:
        return "loss_d"
    if words & {"loss"} and words & GENERATOR:
        return "loss_g"
    return f"logged_{logged}"
