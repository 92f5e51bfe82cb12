"""Searches with Optuna: the space, the study, the trials and what is told of them."""
