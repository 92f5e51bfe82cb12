"""Optuna and plain Lightning under the terms of the contest.

`python -m benchmarks.duel.lightning SECONDS SEED STEPS` starts two processes with one study in a
journal, as Optuna's page on distributed optimization shows. The objective, the pruning by
`trial.report` and the module follow the examples of both projects; the images are in memory.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
import warnings
from pathlib import Path

import numpy as np
import optuna
import pytorch_lightning as pl
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.duel.distance import Distance, interval
from benchmarks.duel.networks import Discriminator, Generator
from benchmarks.duel.terms import BATCH, BETA1, RATES, SLOTS, Z_DIM, as_floats


def loss(logits: Tensor, label: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


class DCGAN(pl.LightningModule):
    """The training of Ray's example, in the form of Lightning's page on manual optimization."""

    def __init__(self, gen_lr: float, disc_lr: float, beta1: float, distance: Distance) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.rates, self.beta1, self.distance = (gen_lr, disc_lr), beta1, distance
        self.generator, self.discriminator = Generator(Z_DIM), Discriminator()

    def training_step(self, batch: list[Tensor], index: int) -> None:
        gen_optimizer, disc_optimizer = self.optimizers()  # type: ignore[misc]
        real = batch[0]
        fake = self.generator(torch.randn(len(real), Z_DIM, 1, 1))

        disc_loss = loss(self.discriminator(real), 1) + loss(self.discriminator(fake.detach()), 0)
        disc_optimizer.zero_grad()
        self.manual_backward(disc_loss)
        disc_optimizer.step()

        gen_loss = loss(self.discriminator(fake), 1)
        gen_optimizer.zero_grad()
        self.manual_backward(gen_loss)
        gen_optimizer.step()

    def validation_step(self, batch: Tensor, index: int) -> None:
        self.log("fd", self.distance(self.generator))

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        nets = (self.generator, self.discriminator)
        return [
            torch.optim.Adam(net.parameters(), rate, (self.beta1, 0.999))
            for net, rate in zip(nets, self.rates, strict=True)
        ]


class Prune(pl.Callback):
    """Does what Optuna's PyTorchLightningPruningCallback does, with any storage."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        Path("began").touch()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.trial.report(float(trainer.callback_metrics["fd"]), trainer.global_step)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def work(number: int, seconds: float, seed: int, steps: int) -> None:
    torch.set_num_threads(1)  # one process for each core
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    images = as_floats(np.load("../images.npy"))
    distance = Distance(steps)

    def objective(trial: optuna.Trial) -> float:
        pl.seed_everything(1000 * seed + trial.number, verbose=False)
        module = DCGAN(
            trial.suggest_float("gen_lr", *RATES, log=True),
            trial.suggest_float("disc_lr", *RATES, log=True),
            trial.suggest_float("beta1", *BETA1),
            distance,
        )
        best = ModelCheckpoint(
            f"trials/{trial.number}", monitor="fd", filename="{fd:.4f}-{step}",
            save_weights_only=True, auto_insert_metric_name=False,
        )  # fmt: skip
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            max_steps=2 * steps,  # Lightning counts the steps of both optimizers.
            val_check_interval=interval(steps),
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[best, Prune(trial)],
        )
        batches = DataLoader(TensorDataset(images), BATCH, shuffle=True, drop_last=True)
        trainer.fit(module, batches, DataLoader(TensorDataset(torch.zeros(1))))
        assert best.best_model_score is not None
        return float(best.best_model_score)

    study = optuna.create_study(
        study_name="dcgan",
        storage=JournalStorage(JournalFileBackend("study.journal")),
        sampler=optuna.samplers.TPESampler(seed=10 * seed + number, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(),
        load_if_exists=True,
    )
    study.optimize(objective, timeout=seconds)


def main(seconds: str, seed: str, steps: str) -> None:
    context = multiprocessing.get_context("fork")  # the imports are done once
    arguments = (float(seconds), int(seed), int(steps))
    workers = [context.Process(target=work, args=(i, *arguments)) for i in range(SLOTS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(max(abs(worker.exitcode or 0) for worker in workers))


if __name__ == "__main__":
    main(*sys.argv[1:])
