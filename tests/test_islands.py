"""Launching, planning and reporting import no torch; each island is imported in its own process."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "pytorch_lightning", "optuna", "matplotlib")


@pytest.mark.parametrize(
    "module",
    [
        "gansweep", "gansweep.__main__", "gansweep.help", "gansweep.config", "gansweep.networks",
        "gansweep.run", "gansweep.identity", "gansweep.job", "gansweep.data",
        "gansweep.data.__main__", "gansweep.sweep.grid", "gansweep.sweep.plan",
        "gansweep.report", "gansweep.report.__main__", "hydra_plugins.gansweep",
        "gansweep.launch.local", "gansweep.launch.processes", "gansweep.status",
        "gansweep.resume", "gansweep.show", "gansweep.diff", "gansweep.precision",
        "gansweep.report.gallery_data", "gansweep.report.plots",
    ],
)  # fmt: skip
def test_import_is_light(module: str) -> None:
    code = (
        f"import sys, {module}; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_hydra_apps_in_the_environment_do_not_load_us() -> None:
    """Hydra imports every plugin at its start: ours must cost next to nothing."""
    code = (
        "import sys, hydra_plugins.gansweep; "
        "print([n for n in sys.modules if n == 'gansweep' or n.startswith('gansweep.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
