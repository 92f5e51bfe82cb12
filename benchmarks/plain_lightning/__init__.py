"""What one would write today without gansweep: plain PyTorch Lightning, under three launchers.

The networks are those of `contestants.NETWORKS`, with the widths, the step and the images of
gansweep's demo profile; everything else is what the tools do by default. It judges nothing and
draws no pictures.
"""
