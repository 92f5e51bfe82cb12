"""The losses of the discriminator D and the generator G, as functions of D's outputs.

A loss is a class with two methods. `disc_loss(real, fake)` returns D's loss, and `gen_loss(fake)`
returns G's; a relativistic loss declares `gen_loss(fake, real)`. `real` and `fake` are D's outputs
without a sigmoid, of any shape with the batch first; both methods return a scalar. The arguments of
`__init__` are the loss's parameters, `loss.NAME=` on the command line.

torch is imported only when a loss is computed, as the command line needs the names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gansweep.register import loss

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Protocol):
    """What the training step needs of a loss."""

    def disc_loss(self, real: Tensor, fake: Tensor) -> Tensor: ...

    @property
    def gen_loss(self) -> Callable[..., Tensor]:
        """Either a function of `fake`, or of `fake` and `real`."""


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    """Return the mean sigmoid cross entropy of `logits` against one label for all, in float32."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    logits = logits.float()
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


@loss("ns", probability=True, saturates_below=0.01)
class NonSaturating:
    """non-saturating, as in the documents (Goodfellow et al. 2014, section 3)"""

    def __init__(self, smooth: float = 0.0) -> None:
        """smooth: real images have the label 1 − smooth (Salimans et al. 2016)."""
        self.smooth = smooth

    def disc_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return cross_entropy(real, 1 - self.smooth) + cross_entropy(fake, 0.0)

    def gen_loss(self, fake: Tensor) -> Tensor:
        return cross_entropy(fake, 1.0)


@loss("hinge")
class Hinge:
    """hinge (Lim & Ye 2017; Miyato et al. 2018)"""

    def disc_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return (1 - real.float()).relu().mean() + (1 + fake.float()).relu().mean()

    def gen_loss(self, fake: Tensor) -> Tensor:
        return -fake.float().mean()


@loss("wgan")
class Wasserstein:
    """Wasserstein (Arjovsky et al. 2017); D needs a penalty or disc_spectral=true"""

    def disc_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.float().mean() - real.float().mean()

    def gen_loss(self, fake: Tensor) -> Tensor:
        return -fake.float().mean()


@loss("lsgan")
class LeastSquares:
    """least squares with the labels 0 and 1 (Mao et al. 2017, eq. 9)"""

    def disc_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return ((real.float() - 1).square().mean() + fake.float().square().mean()) / 2

    def gen_loss(self, fake: Tensor) -> Tensor:
        return (fake.float() - 1).square().mean() / 2


@loss("rpgan")
class RelativisticPairing:
    """relativistic pairing (Jolicoeur-Martineau 2018), as in R3GAN (Huang et al. 2024)"""

    def disc_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        from torch.nn.functional import softplus

        return softplus(fake.float() - real.float()).mean()

    def gen_loss(self, fake: Tensor, real: Tensor) -> Tensor:
        from torch.nn.functional import softplus

        return softplus(real.float() - fake.float()).mean()
