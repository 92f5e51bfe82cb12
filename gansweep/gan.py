"""The GAN: the step orders and losses of both documents, as a LightningModule.

It receives built networks and knows none of them by name.
"""

from __future__ import annotations

from collections.abc import Callable

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gansweep.data.batches import normalise

MakeOptimizer = Callable[[nn.Module], torch.optim.Optimizer]


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    """Mean sigmoid cross entropy of `logits` against one label for all, in float32."""
    logits = logits.float()
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


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
        self._make_optimizers = (gen_optimizer, disc_optimizer)
        # Lightning's global_step counts every optimizer's steps: this one counts batches.
        self.steps_done = 0
        self.losses: dict[str, Tensor] = {}

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        make_gen, make_disc = self._make_optimizers
        return [make_gen(self.generator), make_disc(self.discriminator)]

    def latents(self, n: int) -> Tensor:
        """z ~ Uniform(−1, 1), n × z_dim."""
        return torch.rand(n, self.z_dim, device=self.device) * 2 - 1

    def training_step(self, batch: Tensor) -> None:
        gen_optimizer, disc_optimizer = self.optimizers(use_pl_optimizer=False)  # type: ignore[misc]
        real = normalise(batch).contiguous(memory_format=self.memory_format)
        z = self.latents(len(real))

        # The generator's graph is kept only if its step will use it.
        with torch.set_grad_enabled(self.reuse_fake):
            fake = self.generator(z)
        disc_loss = self.disc_loss(real, fake.detach())
        disc_optimizer.zero_grad()
        self.manual_backward(disc_loss)
        disc_optimizer.step()
        # Under autocast the low-precision copies of D's weights may be cached: of before its step,
        # and of G's without a graph.
        torch.clear_autocast_cache()

        if not self.reuse_fake:
            fake = self.generator(self.latents(len(real)) if self.fresh_z else z)
        gen_loss = cross_entropy(self.discriminator(fake), 1.0)
        gen_optimizer.zero_grad()
        # Gradients for the generator alone: none for D's weights, which only pass them on.
        self.manual_backward(gen_loss, inputs=list(self.generator.parameters()))
        gen_optimizer.step()

        self.steps_done += 1
        self.losses = {"loss_d": disc_loss.detach(), "loss_g": gen_loss.detach()}

    def disc_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """D's loss on real and fake images, B×C×H×W in [−1, 1] each."""
        if not self.joint_d:
            on_real = cross_entropy(self.discriminator(real), 1 - self.smooth)
            return on_real + cross_entropy(self.discriminator(fake), 0.0)
        real_logits, fake_logits = self.discriminator(torch.cat([real, fake])).chunk(2)
        return (cross_entropy(real_logits, 1 - self.smooth) + cross_entropy(fake_logits, 0.0)) / 2

    @torch.no_grad()
    def sample(self, z: Tensor) -> Tensor:
        """Images N×C×H×W in [−1, 1], drawn with batch norm's moving averages, no dropout."""
        was_training = self.generator.training
        self.generator.eval()
        try:
            return self.generator(z.to(self.device)).float()
        finally:
            self.generator.train(was_training)
