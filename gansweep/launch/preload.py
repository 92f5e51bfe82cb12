"""What the fork server imports once, so that no job has to. It must never touch CUDA."""

import torch

torch.set_num_threads(1)  # no thread pool may exist where processes are forked

import gansweep.train  # noqa: E402, F401

# The first optimizer imports a third of torch (dynamo, sympy): 2 s.
torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
