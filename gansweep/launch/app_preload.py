"""The imports of the fork server for jobs of other Hydra applications.

torch is imported if the application has done so. CUDA must not be initialized here.
"""

import importlib
import os
from typing import Any

import omegaconf  # noqa: F401

import gansweep.launch.app_job  # noqa: F401

if os.environ.get("GANSWEEP_PRELOAD") == "torch":
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)  # a process with a thread pool must not fork
