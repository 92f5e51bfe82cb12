"""Workers as actors of a running Ray cluster: `slots=ray`.

Each is `gansweep work SWEEP` in an actor of its own. The actors are detached, so they outlive the
command; the loss of a node costs only its runs, as Ray starts its actors again on another one.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

from gansweep.launch.worker import UNFINISHED
from gansweep.store.errors import UserError
from gansweep.terminal.console import console

NAMESPACE = "gansweep"
_PR_SET_PDEATHSIG = 1


class Actor:
    """The class of the actors, each of which keeps one worker's process."""

    def __init__(self, words: list[str], folder: str, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, **environment},
            preexec_fn=_end_with_parent,
        )
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        """End the actor with its worker. A worker that was ended early is begun again by Ray."""
        import ray

        if self._process.wait() == UNFINISHED:
            os._exit(1)
        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)


def _end_with_parent() -> None:
    """Let the kernel end this process, with checkpoints, when its actor is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class RayWorkers:
    """The workers of a sweep on a Ray cluster; see `follow.Workers`.

    settings: those of hydra.launcher, see RayLauncherConfig in hydra_plugins/gansweep.
    """

    def __init__(self, out: str, sweep: str, settings: dict[str, Any]) -> None:
        self.out = str(Path(out).resolve())
        self.sweep = sweep
        self.settings = settings
        self.most: int = settings["workers"]
        # The folder of the sweep is in the name, as other sweeps may have the same name.
        self._prefix = f"{self.out}/{sweep}#"

    def living(self) -> list[str] | None:
        """Return `alive` for each actor of the sweep; it may still wait for a place."""
        ray = self._connected()
        found = ray.util.list_named_actors(all_namespaces=True)
        names = [actor["name"] for actor in found if actor["namespace"] == NAMESPACE]
        return ["alive"] * sum(name.startswith(self._prefix) for name in names)

    def submit(self, count: int) -> None:
        """Start `count` actors."""
        ray = self._connected()
        words = [sys.executable, "-u", "-m", "gansweep", "work", self.sweep, "--out", self.out]
        own = ("GANSWEEP_", "PYTHONPATH")
        environment = {n: value for n, value in os.environ.items() if n.startswith(own)}
        environment["GANSWEEP_CORES"] = str(max(1, int(self.settings["num_cpus"])))
        for _ in range(count):
            ray.remote(Actor).options(
                name=f"{self._prefix}{uuid.uuid4().hex[:8]}",
                namespace=NAMESPACE,
                lifetime="detached",
                max_restarts=-1,
                num_cpus=self.settings["num_cpus"],
                num_gpus=self.settings["num_gpus"],
                runtime_env={"env_vars": environment},
            ).remote(words, str(Path.cwd()), environment)
        console.print(f"{count} Ray actor{'s' if count > 1 else ''} started")

    def last_words(self) -> str:
        """Return where the logs are."""
        return "ray logs shows what they said"

    def _connected(self) -> Any:
        """Return the module ray, connected to the cluster."""
        try:
            import ray
        except ImportError:
            raise UserError("slots=ray needs Ray: pip install 'gansweep[ray]'") from None
        if not ray.is_initialized():
            address = self.settings["address"]
            try:
                ray.init(
                    address=address,
                    namespace=NAMESPACE,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            except (ConnectionError, RuntimeError, ValueError) as error:
                reason = " ".join(str(error).split())[:200]
                raise UserError(f"slots=ray: no cluster at address={address}: {reason}") from None
        return ray
