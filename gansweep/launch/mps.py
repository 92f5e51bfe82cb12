"""`mps=true`: let the runs on a GPU share NVIDIA's Multi-Process Service.

Without it the processes on a GPU take turns. With it the kernels of several processes run at the
same time, and an error of one process on the GPU ends all of them: their runs resume.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gansweep.store.errors import UserError

if TYPE_CHECKING:
    from gansweep.launch.devices import Device

CONTROL = "nvidia-cuda-mps-control"
VARIABLES = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY")


def is_running() -> bool:
    """Return whether processes that are started now use a service in a folder of its own."""
    return VARIABLES[0] in os.environ


def environment() -> dict[str, str]:
    """Return the variables that tell a process which service it uses."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def check(devices: Sequence[Device]) -> None:
    """Raise UserError if the service cannot run here, or none of the devices is a GPU."""
    if all(device.kind == "cpu" for device in devices):
        raise UserError("mps=true is for GPUs, and there is none: leave it out")
    if not is_running() and shutil.which(CONTROL) is None:
        raise UserError(f"mps=true needs {CONTROL}, a part of NVIDIA's driver: leave it out")


@contextlib.contextmanager
def service() -> Iterator[None]:
    """Run the service with its pipe and log in private folders; new processes use it meanwhile.

    A service that the environment names already is used instead. Raises UserError if the service
    cannot be started.
    """
    if is_running():
        yield
        return
    # A pipe's path has at most 108 characters, so the folder is not in that of the sweep.
    with tempfile.TemporaryDirectory(prefix="mps") as folder:
        own = {name: str(Path(folder) / name.split("_")[2].lower()) for name in VARIABLES}
        for path in own.values():
            Path(path).mkdir()
        try:
            subprocess.run(
                [CONTROL, "-d"], env=os.environ | own, check=True, capture_output=True, text=True
            )
        except subprocess.CalledProcessError as error:
            said = (error.stderr + error.stdout).strip().splitlines() or ["no error message"]
            raise UserError(f"mps=true: {CONTROL} ended with: {said[-1]}") from None
        os.environ.update(own)
        try:
            yield
        finally:
            for name in own:
                del os.environ[name]
            subprocess.run(
                [CONTROL], env=os.environ | own, input="quit\n", text=True, capture_output=True
            )
