"""Run under Ray Tune, one CPU core per trial: `python -m … LR,… BETA1,… DATA,… STEPS ARRAYS`."""

import sys
from typing import Any

import ray
import torch
from ray import tune

from benchmarks.plain_lightning.module import Settings, train


def trial(config: dict[str, Any]) -> None:
    losses = train(Settings(**config), tune.get_context().get_trial_dir())
    tune.report({name: float(value) for name, value in losses.items()})


if __name__ == "__main__":
    lrs, beta1s, data, steps, arrays = sys.argv[1:]
    space = {
        "lr": tune.grid_search([float(lr) for lr in lrs.split(",")]),
        "beta1": tune.grid_search([float(beta1) for beta1 in beta1s.split(",")]),
        "data": tune.grid_search(data.split(",")),
        "steps": int(steps),
        "arrays": arrays,
    }
    ray.init(include_dashboard=False)
    resources = {"cpu": 1, "gpu": 0.5 if torch.cuda.is_available() else 0}
    results = tune.Tuner(tune.with_resources(trial, resources), param_space=space).fit()
    assert not results.errors
