"""Train a GAN with the step orders and losses of documents 000 and 004, as a LightningModule.

The module receives built networks and knows none of them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gansweep.training import ema_profiles, stop
from gansweep.training.averages import averaged_model, power_function_update, trained_weights
from gansweep.training.data.batches import Batch
from gansweep.training.data.pixels import normalise
from gansweep.training.latents import latents
from gansweep.training.networks.conditional import Given
from gansweep.training.recipe.objective import Objective

MakeOptimizer = Callable[[nn.Module], torch.optim.Optimizer]


def _gradient_norm(net: nn.Module) -> float:
    """Return the L2 norm of all gradients of `net` together; 0 if it has none."""
    norms = [p.grad.norm() for p in net.parameters() if p.grad is not None]
    return torch.stack(norms).norm().item() if norms else 0.0


@contextmanager
def _frozen(net: nn.Module) -> Iterator[None]:
    """Let no weight of `net` require a gradient; afterwards, those do again that did before."""
    weights = [weight for weight in net.parameters() if weight.requires_grad]
    try:
        for weight in weights:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


class GAN(pl.LightningModule):
    """This module trains a generator G and a discriminator D on an `Objective`.

    A step takes one batch, uint8 B×C×H×W, and trains first D, then G. In document 004 (the
    default), D's loss is the mean over the real images plus the mean over the fake ones, computed
    in two passes, and G is trained on the same z. In document 000, D makes one pass over both with
    the mean over 2B (`joint_d`), and G is trained on a new z (`fresh_z`).

    With `classes`, the number of training images by class, both networks read labels, and a batch
    is a pair (images, labels). The generated images of a step have the labels of its batch, so that
    real and generated images have the same shares of the classes.

    With `reuse_fake`, one generator forward pass serves both D and G where they share z. G does not
    change between the two uses. The result therefore differs from two passes only in the dropout
    masks and the batch-norm averages, which are drawn and updated once instead of twice.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        z_dim: int,
        objective: Objective,
        joint_d: bool,
        fresh_z: bool,
        reuse_fake: bool,
        gen_optimizer: MakeOptimizer,
        disc_optimizer: MakeOptimizer,
        memory_format: torch.memory_format = torch.contiguous_format,
        ema_decay: float | None = None,
        post_hoc_ema: bool = False,
        classes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.z_dim = z_dim
        self.objective = objective
        if isinstance(objective.loss, nn.Module):  # its state is a part of every checkpoint
            self.loss_module = objective.loss
        self.joint_d = joint_d
        self.fresh_z = fresh_z
        self.reuse_fake = reuse_fake and not fresh_z
        self.memory_format = memory_format
        self.classes = classes or {}
        # Each average with what it averages. The list hides them from `state_dict`, which has the
        # averaged weights under the names of this module.
        self._averages: list[tuple[AveragedModel, nn.Module]] = []
        self.averaged: nn.Module | None = None
        if ema_decay is not None:
            average = averaged_model(generator, get_ema_multi_avg_fn(ema_decay))
            self.averaged = average.module
            self._averages.append((average, generator))
        if post_hoc_ema:
            weights = nn.ParameterList(trained_weights(generator).values())
            averages = [
                averaged_model(weights, power_function_update(length, self._clock))
                for length in ema_profiles.TRACKED
            ]
            self.power_averages = nn.ModuleList(average.module for average in averages)
            self._averages += [(average, weights) for average in averages]
        self._make_optimizers = (gen_optimizer, disc_optimizer)
        # Lightning's global_step counts the steps of every optimizer; steps_done counts batches.
        self.steps_done = 0
        self.losses: dict[str, Tensor] = {}
        self._logits: tuple[Tensor, Tensor] | None = None
        # These count the steps since the last evaluation, and those among them in which D's loss
        # was below `objective.saturates_below`.
        self.watched = 0
        self.saturated: Tensor | int = 0

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        make_gen, make_disc = self._make_optimizers
        optimizers = [make_gen(self.generator), make_disc(self.discriminator)]
        self._rates = [[group["lr"] for group in o.param_groups] for o in optimizers]
        return optimizers

    def latents(self, n: int) -> Tensor:
        """Return `n` random latents, n × z_dim, on the device; see `latents.latents`."""
        return latents(self.z_dim, n, device=self.device)

    def training_step(self, span: list[Batch]) -> None:
        """Do one step on each batch; end after the step in which the run is asked to stop."""
        gen_optimizer, disc_optimizer = self.optimizers(use_pl_optimizer=False)  # type: ignore[misc]
        for batch in span:
            self.step(batch, gen_optimizer, disc_optimizer)
            if stop.requested():
                return

    def step(
        self,
        batch: Batch,
        gen_optimizer: torch.optim.Optimizer,
        disc_optimizer: torch.optim.Optimizer,
    ) -> None:
        """Train D, then G, on one batch of images, uint8 B×C×H×W. The step needs no trainer.

        With `classes`, a batch is a pair of images and labels, int64 (B,).

        The step updates both networks and the averaged generator, sets `losses` ("loss_d", "loss_g"
        and "penalty", scalars on the device), and advances `steps_done`, `watched` and `saturated`.
        With `objective.d_steps` above 1, most steps train D only.
        """
        if self.objective.lr_end != 1:
            self._set_rates(gen_optimizer, disc_optimizer)
        generator: Any = self.generator
        discriminator: Any = self.discriminator
        if isinstance(batch, Tensor):
            images = batch
        else:
            images, labels = batch
            generator, discriminator = Given(generator, labels), Given(discriminator, labels)
        real = normalise(images).contiguous(memory_format=self.memory_format)
        z = self.latents(len(real))
        trains_g = self.objective.trains_g(self.steps_done)

        # The graph of this forward pass is kept only if G's own step will use it.
        with torch.set_grad_enabled(self.reuse_fake and trains_g):
            fake = generator(z)
        disc_loss, penalty = self.disc_loss(real, fake.detach(), discriminator)
        disc_optimizer.zero_grad()
        (disc_loss if penalty is None else disc_loss + penalty).backward()
        disc_optimizer.step()
        # Autocast may have cached low-precision copies of the weights: D's copies are older than
        # its step, and G's copies may have no graph.
        torch.clear_autocast_cache()
        self.losses["loss_d"] = disc_loss.detach()
        if penalty is not None:
            self.losses["penalty"] = penalty.detach()

        if trains_g:
            if not self.reuse_fake:
                fake = generator(self.latents(len(real)) if self.fresh_z else z)
            # Only G's weights get gradients here; D only passes them on.
            with _frozen(self.discriminator):
                gen_loss = self.objective.gen_loss(discriminator, real, fake)
                gen_optimizer.zero_grad()
                gen_loss.backward(inputs=list(self.generator.parameters()))
            gen_optimizer.step()
            torch.clear_autocast_cache()  # The copies of G's weights are outdated too.
            self.losses["loss_g"] = gen_loss.detach()
            self._average()

        self.steps_done += 1
        self.watched += 1
        if self.objective.saturates_below is not None:
            is_saturated = disc_loss.detach() < self.objective.saturates_below
            self.saturated = self.saturated + is_saturated

    def disc_loss(
        self, real: Tensor, fake: Tensor, discriminator: Any = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return D's loss and penalty (None if this step has none), two scalars.

        real and fake: images, B×C×H×W in [−1, 1] each; discriminator: D, by default without labels.
        """
        if discriminator is None:
            discriminator = self.discriminator
        real, fake = self.objective.augment(real), self.objective.augment(fake)
        if self.joint_d:
            real_logits, fake_logits = discriminator(torch.cat([real, fake])).chunk(2)
        else:
            real_logits, fake_logits = discriminator(real), discriminator(fake)
        self._logits = real_logits.detach(), fake_logits.detach()
        loss = self.objective.loss.disc_loss(real_logits, fake_logits)
        penalty = self.objective.penalise(discriminator, real, fake, self.steps_done)
        return (loss / 2 if self.joint_d else loss), penalty

    def _set_rates(self, *optimizers: torch.optim.Optimizer) -> None:
        """Set the learning rates that the schedule gives this step."""
        factor = self.objective.rate_factor(self.steps_done)
        for optimizer, rates in zip(optimizers, self._rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor

    def _average(self) -> None:
        """Move each average towards G's weights."""
        for average, model in self._averages:
            average.update_parameters(model)

    def _clock(self) -> tuple[int, int]:
        """Return the number of the present step, from 1, and the steps between two steps of G."""
        return self.steps_done + 1, self.objective.d_steps

    def tracked(self) -> dict[float, dict[str, Tensor]]:
        """Return the power-function averages by length, each by the names of G's weights."""
        names = trained_weights(self.generator)
        averages = getattr(self, "power_averages", ())
        return {
            length: {n: w.detach() for n, w in zip(names, average, strict=True)}
            for length, average in zip(ema_profiles.TRACKED, averages, strict=False)
        }

    def averaged_until(self) -> int:
        """Return the number of the last step after which the averages were updated."""
        return self.steps_done - self.steps_done % self.objective.d_steps

    def health(self) -> dict[str, float]:
        """Return the balance of D and G after the last step, or {} before the first step.

        d_real and d_fake are the means of D(x) and D(G(z)) over the batch, in [0, 1] if the loss
        makes D's output a probability; else output_real and output_fake are the means of D's
        outputs. grad_d and grad_g are the L2 norms of the gradients of D and G.
        """
        if self._logits is None:
            return {}
        real, fake = (logits.float() for logits in self._logits)
        if self.objective.probability:
            balance = {
                "d_real": real.sigmoid().mean().item(),
                "d_fake": fake.sigmoid().mean().item(),
            }
        else:
            balance = {"output_real": real.mean().item(), "output_fake": fake.mean().item()}
        return {
            **balance,
            "grad_d": _gradient_norm(self.discriminator),
            "grad_g": _gradient_norm(self.generator),
        }

    def optimizers_in_use(self) -> list[torch.optim.Optimizer]:
        """Return the optimizers of the generator and of the discriminator."""
        optimizers = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizers, list)
        return optimizers

    def progress(self) -> dict[str, Any]:
        """Return {}: the weights, the optimizers and the step are the whole state."""
        return {}

    def resume(self, progress: dict[str, Any]) -> None:
        """Do nothing, as `progress` is empty."""

    def sizes(self) -> dict[str, int]:
        """Return the numbers of weights of the generator and of the discriminator."""
        return {
            "generator": sum(p.numel() for p in self.generator.parameters()),
            "discriminator": sum(p.numel() for p in self.discriminator.parameters()),
        }

    def take_saturation(self) -> float:
        """Return the share, 0 to 1, of saturated steps since the last call; reset the counts."""
        share = float(self.saturated) / max(1, self.watched)
        self.watched, self.saturated = 0, 0
        return round(share, 4)

    @torch.no_grad()
    def sample(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the images of the latents `z`, N × z_dim, as float32 N×C×H×W in [−1, 1].

        labels: int64 (N,), with `classes`. Batch norm uses its moving averages, and dropout is off.
        """
        return self._draw(self.generator, z, labels)

    @torch.no_grad()
    def sample_averaged(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the same as `sample`, but from the averaged generator."""
        assert self.averaged is not None
        return self._draw(self.averaged, z, labels)

    def _draw(self, generator: nn.Module, z: Tensor, labels: Tensor | None) -> Tensor:
        inputs = (z,) if labels is None else (z, labels)
        was_training = generator.training
        generator.eval()
        try:
            return generator(*(tensor.to(self.device) for tensor in inputs)).float()
        finally:
            generator.train(was_training)
