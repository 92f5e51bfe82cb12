"""The imports of the fork server, which all jobs inherit. CUDA must not be initialized here."""

import os

# NumPy's threads would compete with the other jobs: an evaluation in a slot of one thread took
# twice as long. Each job sets the threads of torch itself.
for blas in ("OPENBLAS", "MKL"):
    os.environ.setdefault(f"{blas}_NUM_THREADS", "1")

try:
    import torch
except (ImportError, OSError, MemoryError):
    # Without an exit here, each job would import a partially loaded torch.
    raise SystemExit(1) from None

torch.set_num_threads(1)  # a process with a thread pool must not fork

import gansweep.launch.sweep  # noqa: E402
import gansweep.training.script.run  # noqa: E402
import gansweep.training.train  # noqa: E402, F401
from gansweep.plugins import DISCRIMINATORS, GENERATORS  # noqa: E402
from gansweep.training.network_source import hash_of  # noqa: E402
from gansweep.training.provenance import commit  # noqa: E402

# Jobs run the code that was imported above, whose files may change later: its commit and its hashes
# are computed now.
commit()
for entry in (*GENERATORS, *DISCRIMINATORS):
    hash_of(entry.build)

# Creating the first optimizer imports a third of torch (dynamo, sympy), which takes 2 s.
torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
