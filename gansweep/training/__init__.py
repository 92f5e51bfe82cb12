"""Training one run in this process, with its networks, data sets and metrics.

Only this room imports torch.
"""
