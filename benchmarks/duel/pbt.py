"""Ray Tune's example `pbt_dcgan_mnist` under the terms of the contest.

`python -m benchmarks.duel.pbt METRIC SECONDS SEED MEMBERS STEPS LENET` has the METRIC `is_score`,
that of the example, or `fd`, the judge's distance. Networks, training, score and schedule are the
example's own; `report.DIFFERENCES` lists what is changed, and why.
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray import tune
from ray.tune.examples.pbt_dcgan_mnist import common
from ray.tune.examples.pbt_dcgan_mnist import pbt_dcgan_mnist_trainable as example
from ray.tune.schedulers import PopulationBasedTraining
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.duel.terms import BETA1, RATES, SLOTS, as_floats

INTERVAL = 5  # iterations between two perturbations, as in the example


def get_data_loader(file: str) -> DataLoader:  # type: ignore[type-arg]
    """Return the batches of digits: in memory, as workers would cost time of the two cores."""
    images = as_floats(np.load(file))
    return DataLoader(TensorDataset(images), batch_size=common.batch_size, shuffle=True)


class Member(example.PytorchTrainable):  # type: ignore[misc]
    """The example's Trainable, whose optimizers really get the rates of the configuration."""

    def setup(self, config: dict[str, Any]) -> None:
        torch.manual_seed(config["seed"])
        Path(config["began"]).touch()
        example.get_data_loader = get_data_loader
        super().setup(config)
        self.judge: Any = None
        self.distance = math.inf
        self.apply_rates(config)

    def apply_rates(self, config: dict[str, Any]) -> None:
        for optimizer, rate in ((self.optimizerG, "netG_lr"), (self.optimizerD, "netD_lr")):
            for group in optimizer.param_groups:
                group["lr"], group["betas"] = config[rate], (config["beta1"], 0.999)

    def step(self) -> dict[str, Any]:
        found = super().step()
        if self.config["metric"] == "fd":
            if self._iteration % INTERVAL == INTERVAL - 1:  # it is counted after this method
                self.distance = self.measure()
            found["fd"] = self.distance
        return found

    def measure(self) -> float:
        """Return the distance that the contestant with Optuna measures too."""
        from benchmarks.duel.distance import Distance

        self.judge = self.judge or Distance(self.config["steps"])
        self.netG.eval()
        value = self.judge(self.netG)
        self.netG.train()
        return value

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        super().load_checkpoint(checkpoint_dir)  # and with it the rates of the copied member
        self.apply_rates(self.config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.apply_rates(new_config)
        self.distance = math.inf  # the actor has another member now
        return super().reset_config(new_config)


def main(metric: str, seconds: str, seed: str, members: str, steps: str, lenet: str) -> None:
    here = Path.cwd()
    random.seed(int(seed))
    np.random.seed(int(seed))
    # The store would take 30 % of the machine's memory; the members' weights are 3 MB.
    ray.init("local", num_cpus=SLOTS, include_dashboard=False, object_store_memory=200 * 2**20)
    mnist_cnn = common.Net()
    mnist_cnn.load_state_dict(torch.load(lenet))
    mnist_cnn.eval()
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=INTERVAL,
        hyperparam_mutations={
            "netG_lr": lambda: np.random.uniform(*RATES),
            "netD_lr": lambda: np.random.uniform(*RATES),
            "beta1": lambda: np.random.uniform(*BETA1),
        },
    )
    tuner = tune.Tuner(
        Member,
        run_config=tune.RunConfig(
            name="pbt_dcgan_mnist",
            storage_path=str(here / "results"),
            stop={"training_iteration": 300},
            verbose=1,
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_at_end=True, checkpoint_frequency=INTERVAL
            ),
        ),
        tune_config=tune.TuneConfig(
            metric=metric,
            mode="max" if metric == "is_score" else "min",
            num_samples=int(members),
            scheduler=scheduler,
            reuse_actors=True,
            time_budget_s=float(seconds),
        ),
        param_space={
            "netG_lr": tune.sample_from(lambda spec: random.choice([0.0001, 0.0002, 0.0005])),
            "netD_lr": tune.sample_from(lambda spec: random.choice([0.0001, 0.0002, 0.0005])),
            "beta1": common.beta1,
            "mnist_model_ref": ray.put(mnist_cnn),
            "data_dir": str(here.parent / "images.npy"),
            "began": str(here / "began"),
            "metric": metric,
            "steps": int(steps),
            "seed": tune.sample_from(lambda spec: random.randrange(2**31)),
        },
    )
    tuner.fit()


if __name__ == "__main__":
    main(*sys.argv[1:])
