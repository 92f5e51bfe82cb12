"""What the fork server imports once, so that no job has to. It must never touch CUDA."""

import os
import signal

# NumPy's threads would spin beside the other jobs: in slots of one thread judging took twice as
# long. torch's are set by each job.
for blas in ("OPENBLAS", "MKL"):
    os.environ.setdefault(f"{blas}_NUM_THREADS", "1")

# Ctrl-C is for the sweep, which asks its jobs to stop: not for this server, nor for a job that has
# just been forked from it.
signal.signal(signal.SIGINT, signal.SIG_IGN)

import torch  # noqa: E402

torch.set_num_threads(1)  # no thread pool may exist where processes are forked

import gansweep.launch.sweep  # noqa: E402
import gansweep.training.train  # noqa: E402, F401

# The first optimizer imports a third of torch (dynamo, sympy): 2 s.
torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
