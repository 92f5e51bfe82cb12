"""The GAN: the step orders and losses of both documents, as a LightningModule.

It receives built networks and knows none of them by name.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gansweep.training import stop
from gansweep.training.data.pixels import normalise
from gansweep.training.latents import latents

SATURATED = 0.01  # D's loss, below which it teaches nothing

MakeOptimizer = Callable[[nn.Module], torch.optim.Optimizer]


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    """Mean sigmoid cross entropy of `logits` against one label for all, in float32."""
    logits = logits.float()
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _gradient_norm(net: nn.Module) -> float:
    norms = [p.grad.norm() for p in net.parameters() if p.grad is not None]
    return torch.stack(norms).norm().item() if norms else 0.0


class GAN(pl.LightningModule):
    """Generator against discriminator with the non-saturating loss.

    A step takes one batch, uint8 B×C×H×W, and trains first D, then G:
    document 004 (the default): D's loss is the sum of the means over real (labelled 1 − smooth)
    and fake (0), in two passes; G's on the same z. Document 000: `joint_d`, one pass over both
    with the mean over 2B, and `fresh_z`, a new z for G. `reuse_fake` lets one generator forward
    serve both steps where they share z: G does not change in between, so only dropout masks and
    batch-norm averages, drawn and updated once instead of twice, tell it from recomputing.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        z_dim: int,
        smooth: float,
        joint_d: bool,
        fresh_z: bool,
        reuse_fake: bool,
        gen_optimizer: MakeOptimizer,
        disc_optimizer: MakeOptimizer,
        memory_format: torch.memory_format = torch.contiguous_format,
        ema_decay: float | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.z_dim = z_dim
        self.smooth = smooth
        self.joint_d = joint_d
        self.fresh_z = fresh_z
        self.reuse_fake = reuse_fake and not fresh_z
        self.memory_format = memory_format
        self.ema_decay = ema_decay
        # Its own copy: averaged weights and batch-norm statistics (Yazıcı et al. 2019).
        self.averaged = (
            None if ema_decay is None else copy.deepcopy(generator).requires_grad_(False)
        )
        self._make_optimizers = (gen_optimizer, disc_optimizer)
        # Lightning's global_step counts every optimizer's steps: this one counts batches.
        self.steps_done = 0
        self.losses: dict[str, Tensor] = {}
        self._logits: tuple[Tensor, Tensor] | None = None
        # Steps since the last look, and those of them with next to no loss of D.
        self.watched = 0
        self.saturated: Tensor | int = 0

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        make_gen, make_disc = self._make_optimizers
        return [make_gen(self.generator), make_disc(self.discriminator)]

    def latents(self, n: int) -> Tensor:
        """n × z_dim, on the device."""
        return latents(self.z_dim, n, device=self.device)

    def training_step(self, span: list[Tensor]) -> None:
        """A step on each batch; none after the one in which the run is asked to stop."""
        gen_optimizer, disc_optimizer = self.optimizers(use_pl_optimizer=False)  # type: ignore[misc]
        for batch in span:
            self.step(batch, gen_optimizer, disc_optimizer)
            if stop.requested():
                return

    def step(
        self,
        batch: Tensor,
        gen_optimizer: torch.optim.Optimizer,
        disc_optimizer: torch.optim.Optimizer,
    ) -> None:
        """Train D, then G, on one batch; needs no trainer."""
        real = normalise(batch).contiguous(memory_format=self.memory_format)
        z = self.latents(len(real))

        # The generator's graph is kept only if its step will use it.
        with torch.set_grad_enabled(self.reuse_fake):
            fake = self.generator(z)
        disc_loss = self.disc_loss(real, fake.detach())
        disc_optimizer.zero_grad()
        disc_loss.backward()
        disc_optimizer.step()
        # Under autocast the low-precision copies of D's weights may be cached: of before its step,
        # and of G's without a graph.
        torch.clear_autocast_cache()

        if not self.reuse_fake:
            fake = self.generator(self.latents(len(real)) if self.fresh_z else z)
        gen_loss = cross_entropy(self.discriminator(fake), 1.0)
        gen_optimizer.zero_grad()
        # Gradients for the generator alone: none for D's weights, which only pass them on.
        gen_loss.backward(inputs=list(self.generator.parameters()))
        gen_optimizer.step()
        torch.clear_autocast_cache()  # likewise of G's weights

        self._average()
        self.steps_done += 1
        self.losses = {"loss_d": disc_loss.detach(), "loss_g": gen_loss.detach()}
        self.watched += 1
        self.saturated = self.saturated + (disc_loss.detach() < SATURATED)

    def disc_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss on real and fake images, B×C×H×W in [−1, 1] each."""
        if self.joint_d:
            real_logits, fake_logits = self.discriminator(torch.cat([real, fake])).chunk(2)
        else:
            real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        self._logits = real_logits.detach(), fake_logits.detach()
        loss = cross_entropy(real_logits, 1 - self.smooth) + cross_entropy(fake_logits, 0.0)
        return loss / 2 if self.joint_d else loss

    @torch.no_grad()
    def _average(self) -> None:
        if self.averaged is None or self.ema_decay is None:
            return
        weights = zip(self.averaged.parameters(), self.generator.parameters(), strict=True)
        for mean, weight in weights:
            mean.lerp_(weight, 1 - self.ema_decay)
        statistics = zip(self.averaged.buffers(), self.generator.buffers(), strict=True)
        for ours, its in statistics:
            ours.copy_(its)

    def health(self) -> dict[str, float]:
        """What tells how the game stands after a step: D(x), D(G(z)), norms of the gradients."""
        if self._logits is None:
            return {}
        real, fake = (torch.sigmoid(logits.float()).mean().item() for logits in self._logits)
        return {
            "d_real": real,
            "d_fake": fake,
            "grad_d": _gradient_norm(self.discriminator),
            "grad_g": _gradient_norm(self.generator),
        }

    def take_saturation(self) -> float:
        """Share of the steps since the last call in which D's loss was next to nothing."""
        share = float(self.saturated) / max(1, self.watched)
        self.watched, self.saturated = 0, 0
        return round(share, 4)

    @torch.no_grad()
    def sample(self, z: Tensor) -> Tensor:
        """Images N×C×H×W in [−1, 1], drawn with batch norm's moving averages, no dropout."""
        return self._draw(self.generator, z)

    @torch.no_grad()
    def sample_averaged(self, z: Tensor) -> Tensor:
        """The same by the averaged generator."""
        assert self.averaged is not None
        return self._draw(self.averaged, z)

    def _draw(self, generator: nn.Module, z: Tensor) -> Tensor:
        was_training = generator.training
        generator.eval()
        try:
            return generator(z.to(self.device)).float()
        finally:
            generator.train(was_training)
