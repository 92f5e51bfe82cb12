"""Judge runs by distances between real and generated images; find the best step; set flags.

`distances` and `memorised` need only NumPy, `equilibrium` needs neither NumPy nor torch, and
`registered` imports torch only for a metric that needs it. The other modules import torch.
"""
