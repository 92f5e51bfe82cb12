"""Run N trials that do nothing with Ray Tune, each on a CPU core (`python ray_tune.py N`)."""

import sys

import ray
from ray import tune


def trivial(config: dict[str, int]) -> None:
    tune.report({"value": 0})


if __name__ == "__main__":
    ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    config = tune.RunConfig(verbose=0)
    space = {"i": tune.grid_search(list(range(int(sys.argv[1]))))}
    results = tune.Tuner(trivial, param_space=space, run_config=config).fit()
    assert len(results) == int(sys.argv[1]) and not results.errors
