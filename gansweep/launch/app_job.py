"""The process of a job of another Hydra application, for which gansweep is the launcher."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig

from gansweep.launch.child import portable


def packed(
    context: HydraContext, config: DictConfig, function: Callable[..., Any], state: dict[Any, Any]
) -> bytes:
    """Return what a job needs. Functions and classes of `__main__` are packed with their code."""
    import cloudpickle

    done: bytes = cloudpickle.dumps((context, config, function, state))
    return done


def run_packed(data: bytes, place: dict[str, Any]) -> bytes:
    """Run a job in its own process, and return its `JobReturn`, packed.

    place: see `Place.describe`. An error of the application is in the JobReturn. Raises TypeError
    for a return value that cannot be packed.
    """
    import cloudpickle

    # Ctrl-C and SIGTERM mean to the application what they mean in a process without a launcher.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for name in ("OMP", "MKL", "OPENBLAS"):
        os.environ.setdefault(f"{name}_NUM_THREADS", str(place["threads"]))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(place["threads"])
    context, config, function, state = pickle.loads(data)
    setup_globals()
    Singleton.set_state(state)
    HydraConfig.instance().set_config(config)
    done = run_job(
        hydra_context=context,
        task_function=function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    if done.status is JobStatus.FAILED:
        error = done._return_value
        traceback.print_exception(type(error), error, error.__traceback__)
        done.return_value = portable(error, cloudpickle.dumps)
    answer: bytes = cloudpickle.dumps(done)
    return answer


def unpacked(answer: bytes) -> JobReturn:
    """Return the `JobReturn` of a job."""
    done: JobReturn = pickle.loads(answer)
    return done
