"""Measure whether the discriminators of document 000 see the noise in the generated images.

The runs are those of `python -m benchmarks equilibrium`, and its environment variables name them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from benchmarks import measure
from benchmarks.equilibrium import Case, cases
from gansweep.training.data.pixels import normalise
from gansweep.training.gan import GAN
from gansweep.training.job import load_plan
from gansweep.training.metrics.files import load
from gansweep.training.train import build_trainee

IMAGES = 200
FINE = 4  # pixels; the generator upsamples by 4 before its last layer
COARSE = 16  # pixels of a square of the coarse noise, to which the fine noise is compared


def blind_spot() -> None:
    """Write a table with the logits of each run's final discriminator."""
    measure.write(
        "blind_spot",
        "What the discriminators of document 000 do not see",
        [
            "Logits of the final discriminator, each the mean of "
            f"{IMAGES} images. Fine noise: what an average over {FINE}×{FINE} pixels removes from "
            "a generated image, and its share of the variance of these images. It is added to real "
            f"images; coarse noise, of the same variance, is constant in squares of {COARSE}×"
            f"{COARSE} pixels. A discriminator that sees the fine noise would take noisy real "
            "images for generated ones.",
        ],
        [
            "case", "seed", "share of fine noise", "real", "real + fine noise",
            "real + coarse noise", "generated", "generated without fine noise",
        ],
        [answers(case) for case in cases()],
    )  # fmt: skip


@torch.no_grad()
def answers(case: Case) -> list[str]:
    """Return the row of one run."""
    config, data = load_plan(case.run)
    gan = build_trainee(config, data)
    assert isinstance(gan, GAN)
    gan.load_state_dict(load(case.run.final))
    gan.eval()
    random = torch.Generator().manual_seed(0)
    real = normalise(torch.from_numpy(data.array()[:IMAGES].copy()))
    fake = gan.generator(torch.rand(IMAGES, config.z_dim, generator=random) * 2 - 1)
    smooth = interpolate(avg_pool2d(fake, FINE), scale_factor=FINE, mode="bilinear")
    noise = fake - smooth
    squares = torch.randn(IMAGES, 1, *(side // COARSE for side in fake.shape[2:]), generator=random)
    coarse = interpolate(squares, scale_factor=COARSE) * noise.std()

    def logit(images: Tensor) -> str:
        return f"{gan.discriminator(images.clamp(-1, 1)).mean():.1f}"

    return [
        str(case.row + 1), str(case.seed), f"{noise.var() / fake.var():.0%}", logit(real),
        logit(real + noise), logit(real + coarse), logit(fake), logit(smooth),
    ]  # fmt: skip
