"""What the fork server imports once, so that no job has to. It must never touch CUDA."""

import signal

# Ctrl-C is for the sweep, which asks its jobs to stop: not for this server, nor for a job that has
# just been forked from it.
signal.signal(signal.SIGINT, signal.SIG_IGN)

import torch  # noqa: E402

torch.set_num_threads(1)  # no thread pool may exist where processes are forked

import gansweep.launch.local  # noqa: E402
import gansweep.train  # noqa: E402, F401

# The first optimizer imports a third of torch (dynamo, sympy): 2 s.
torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
