"""Judging runs: distances between real and generated images, the best epoch, warnings.

`metrics` is numpy, `equilibrium` neither numpy nor torch; the others need torch.
"""
