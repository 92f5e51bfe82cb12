"""Train one run in this process: networks, data sets, metrics and the training loop.

No other room imports torch.
"""
