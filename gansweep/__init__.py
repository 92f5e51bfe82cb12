"""gansweep: hyperparameter sweeps for GANs, from one command to a table with pictures."""

__version__ = "0.1.0"
