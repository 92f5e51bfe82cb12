"""What the fork server imports once, so that no job has to. It must never touch CUDA."""

import os

# NumPy's threads would spin beside the other jobs: in slots of one thread judging took twice as
# long. torch's are set by each job.
for blas in ("OPENBLAS", "MKL"):
    os.environ.setdefault(f"{blas}_NUM_THREADS", "1")

try:
    import torch
except (ImportError, OSError, MemoryError):
    # The server would pass over it, and each job would import a torch that is half there.
    raise SystemExit(1) from None

torch.set_num_threads(1)  # no thread pool may exist where processes are forked

import gansweep.launch.sweep  # noqa: E402
import gansweep.training.train  # noqa: E402, F401
from gansweep.plugins import DISCRIMINATORS, GENERATORS  # noqa: E402
from gansweep.training.network_source import hash_of  # noqa: E402
from gansweep.training.provenance import commit  # noqa: E402

# Of the code that was imported above and that the jobs run; the files may change meanwhile.
commit()
for entry in (*GENERATORS, *DISCRIMINATORS):
    hash_of(entry.build)

# The first optimizer imports a third of torch (dynamo, sympy): 2 s.
torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
