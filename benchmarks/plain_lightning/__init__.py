"""A sweep in plain PyTorch Lightning under three launchers, as one would write it without gansweep.

The networks are those of `contestants.NETWORKS`, with the widths, the step and the images of
gansweep's demo profile. All other settings are the defaults of the tools. The sweep has no judge
and draws no pictures.
"""
