"""Losses, penalties, augmentations and schedules, by hand-computed values and by their algebra."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gansweep.components import options_of
from gansweep.config import Config
from gansweep.params import AUGMENTATIONS
from gansweep.plugins import LOSSES, PENALTIES
from gansweep.training.networks.build import build_discriminator
from gansweep.training.recipe.augment import augment
from gansweep.training.recipe.objective import Objective, make_objective
from gansweep.training.recipe.schedules import factor
from gansweep.training.train import build_gan

LOG2 = math.log(2)
# D's and G's loss where D(x) = 1 and D(G(z)) = -2 for every image.
BY_HAND = {
    "ns": (
        math.log1p(math.exp(-1)) + math.log1p(math.exp(-2)),
        math.log1p(math.exp(2)),
    ),
    "hinge": (0.0, 2.0),
    "wgan": (-3.0, 2.0),
    "lsgan": ((0 + 4) / 2, 9 / 2),
    "rpgan": (math.log1p(math.exp(-3)), math.log1p(math.exp(3))),
}


@pytest.mark.parametrize("name", LOSSES.names())
def test_losses_by_hand(name: str) -> None:
    objective = make_objective(Config(loss=name, smooth=0.0))
    real, fake = torch.full((4, 1), 1.0), torch.full((4, 1), -2.0)
    outputs = (fake, real) if objective.reads_real else (fake,)
    found = objective.loss.disc_loss(real, fake), objective.loss.gen_loss(*outputs)
    assert [value.item() for value in found] == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", LOSSES.names())
def test_d_learns_to_tell_real_from_fake_and_g_to_be_taken_for_real(name: str) -> None:
    """D's loss falls where real outputs rise and fake ones fall; G's falls where fake ones rise."""
    loss = make_objective(Config(loss=name)).loss
    real, fake = (torch.full((4, 1), 0.5, requires_grad=True) for _ in range(2))
    d_real, d_fake = torch.autograd.grad(loss.disc_loss(real, fake), (real, fake))
    assert (d_real < 0).all()
    assert (d_fake > 0).all()
    outputs = (fake, real) if make_objective(Config(loss=name)).reads_real else (fake,)
    (g_fake,) = torch.autograd.grad(loss.gen_loss(*outputs), (fake,))
    assert (g_fake < 0).all()


def test_smoothing_is_a_matter_of_the_documents_loss() -> None:
    real, fake = torch.full((4, 1), 1.0), torch.full((4, 1), -2.0)
    losses = [make_objective(Config(smooth=s)).loss.disc_loss(real, fake) for s in (0.0, 0.1)]
    assert losses[1] - losses[0] == pytest.approx(0.1, abs=1e-6)  # 0.1 × the logit of 1


class Bowl(nn.Module):
    """D(x) = slope · Σx + curve · Σx²/2, whose gradient at x is slope + curve · x."""

    def __init__(self, slope: float, curve: float = 0.0) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))
        self.curve = curve

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return (self.slope * flat + self.curve * flat.square() / 2).sum(1, keepdim=True)


def penalise(name: str, disc: nn.Module, real: Tensor, fake: Tensor, **options: Any) -> Tensor:
    return PENALTIES[name].build(disc, real, fake, **options)


PIXELS = 3 * 4 * 4
REAL, FAKE = torch.full((8, 3, 4, 4), 0.5), torch.full((8, 3, 4, 4), -1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("none", 0.0),
        # The gradient is 2 + 0.5 at each pixel of a real image, 2 − 1 at each of a fake one.
        ("r1", 3.0 / 2 * 2.5**2 * PIXELS),
        ("r2", 3.0 / 2 * 1.0**2 * PIXELS),
        ("r1r2", 3.0 / 2 * (2.5**2 + 1.0**2) * PIXELS),
    ],
)
def test_penalties_by_hand(name: str, value: float) -> None:
    options = {} if name == "none" else {"weight": 3.0}
    found = penalise(name, Bowl(2.0, 1.0), REAL, FAKE, **options)
    assert found.item() == pytest.approx(value, rel=1e-5)


def test_the_gradient_penalty_is_zero_at_slope_one() -> None:
    unit = 1 / math.sqrt(PIXELS)
    assert penalise("gp", Bowl(unit), REAL, FAKE).item() == pytest.approx(0, abs=1e-9)
    found = penalise("gp", Bowl(3 * unit), REAL, FAKE, weight=10.0).item()
    assert found == pytest.approx(10 * (3 - 1) ** 2, rel=1e-5)


@pytest.mark.parametrize("name", ["r1", "r2", "r1r2"])
def test_finite_differences_tend_to_the_exact_penalty(name: str) -> None:
    torch.manual_seed(1)
    real, fake = (images.repeat(500, 1, 1, 1) for images in (REAL, FAKE))
    disc = Bowl(2.0, 1.0)
    exact, finite = (penalise(name, disc, real, fake, form=form) for form in ("exact", "finite"))
    # 4,000 images with a relative variance of 2 each.
    assert finite.item() == pytest.approx(exact.item(), rel=5 * math.sqrt(2 / 4000))


@pytest.mark.parametrize("name", [n for n in PENALTIES.names() if n != "none"])
@pytest.mark.parametrize("form", ["exact", "finite"])
def test_penalties_teach_d_a_smaller_slope(name: str, form: str) -> None:
    options = {"form": form} if "penalty.form" in options_of("penalty", name) else {}
    torch.manual_seed(1)
    disc = Bowl(2.0)
    penalise(name, disc, REAL, FAKE, **options).backward()
    assert disc.slope.grad is not None
    assert disc.slope.grad > 0


@pytest.mark.parametrize("name", ["1", "4", "conv2", "conv3"])
def test_the_documents_discriminators_can_be_differentiated_twice(name: str) -> None:
    """Their fast layers have gradients of their own; here they are held against differences."""
    torch.manual_seed(1)
    disc = build_discriminator(name, channels=1, width=1 / 32, alpha=0.2, drop=0.0, norm="none")
    disc = disc.double().eval()
    size = 28 if name.isdigit() else 128
    images = torch.rand(2, 1, size, size, dtype=torch.float64) * 2 - 1
    weight = next(p for p in disc.parameters() if p.dim() > 1)
    penalty = PENALTIES["r1"].build(disc, images, images, weight=1.0)
    (slope,) = torch.autograd.grad(penalty, weight)
    direction = torch.randn_like(weight)
    ends = []
    with torch.no_grad():
        for sign in (1, -1):
            weight += sign * 1e-5 * direction
            with torch.enable_grad():
                ends.append(PENALTIES["r1"].build(disc, images, images, weight=1.0))
            weight -= sign * 1e-5 * direction
    measured = (ends[0] - ends[1]) / 2e-5
    assert measured.item() == pytest.approx((slope * direction).sum().item(), rel=1e-4)


@pytest.mark.parametrize("names", AUGMENTATIONS)
def test_augmentations_keep_shape_and_pass_gradients(names: str) -> None:
    torch.manual_seed(1)
    images = (torch.rand(16, 3, 28, 28) * 2 - 1).requires_grad_()
    changed = augment(images, names)
    assert changed.shape == images.shape
    changed.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert torch.equal(changed, images) == (names == "none")


def test_cutout_blanks_at_most_a_quarter_and_each_image_elsewhere() -> None:
    torch.manual_seed(1)
    holes = augment(torch.ones(64, 1, 28, 28), "cutout") == 0
    assert holes.flatten(1).sum(1).max() == 14 * 14
    assert len({tuple(hole.nonzero()[0].tolist()) for hole in holes}) > 16


def test_translation_moves_each_image_by_an_eighth_at_most() -> None:
    torch.manual_seed(1)
    dot = torch.zeros(64, 1, 28, 28)
    dot[:, :, 14, 14] = 1
    places = augment(dot, "translation").flatten(1).argmax(1)
    rows, columns = places // 28 - 14, places % 28 - 14
    assert 2 <= rows.abs().max() <= 4
    assert 2 <= columns.abs().max() <= 4
    assert len(set(places.tolist())) > 16


def test_color_changes_no_shape_in_an_image() -> None:
    """The order of the pixels of a grey image stays: brightness and contrast move all alike."""
    torch.manual_seed(1)
    images = torch.rand(16, 1, 8, 8) * 2 - 1
    changed = augment(images, "color")
    assert not torch.equal(changed, images)
    assert torch.equal(changed.flatten(1).argsort(1), images.flatten(1).argsort(1))


@pytest.mark.parametrize("form", ["linear", "cosine"])
def test_schedules_go_from_one_to_their_end(form: str) -> None:
    values = [factor(form, 0.1, step, 11) for step in range(11)]
    assert values[0] == 1
    assert values[-1] == pytest.approx(0.1)
    assert values[5] == pytest.approx(0.55)
    assert values == sorted(values, reverse=True)
    assert factor(form, 1.0, 5, 11) == 1


def one_step(config: Config, steps: int = 1) -> Any:
    """The GAN of a configuration after some steps on the same images."""
    torch.manual_seed(1)
    gan = build_gan(config, channels=1, steps=steps)
    optimizers = gan.configure_optimizers()
    batch = torch.randint(0, 256, (8, 1, 28, 28), dtype=torch.uint8)
    for _ in range(steps):
        gan.step(batch, *optimizers)
    return gan, optimizers


SMALL = {"gen": "5", "disc": "4", "width": 1 / 32}


def test_the_generator_trains_on_every_nth_batch() -> None:
    def weights(steps: int) -> Tensor:
        gan, _ = one_step(Config(**SMALL, d_steps=3), steps)
        return torch.cat([p.flatten() for p in gan.generator.parameters()])

    before, waiting, trained = (weights(n) for n in (0, 2, 3))
    assert torch.equal(before, waiting)
    assert not torch.equal(before, trained)


def test_a_schedule_lowers_the_learning_rates() -> None:
    _, optimizers = one_step(Config(**SMALL, lr=1e-3, lr_end=0.1, parametrization="standard"), 5)
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    assert rates == pytest.approx([1e-4] * len(rates))


def test_each_network_has_its_own_beta1() -> None:
    _, (gen, disc) = one_step(Config(**SMALL, beta1=0.5, gen_beta1=0.0))
    assert next(group["betas"][0] for group in gen.param_groups) == 0.0
    assert next(group["betas"][0] for group in disc.param_groups) == 0.5


def test_a_penalty_every_n_steps_counts_n_times() -> None:
    calls: list[int] = []

    def penalty(disc: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        calls.append(1)
        return torch.tensor(1.0)

    objective = Objective(penalty=penalty, penalty_every=4)
    found = [objective.penalise(nn.Identity(), REAL, FAKE, step) for step in range(8)]
    assert len(calls) == 2
    assert [None if p is None else p.item() for p in found] == [4, None, None, None] * 2


def test_spectral_norm_bounds_every_layer_of_d() -> None:
    gan, _ = one_step(Config(**SMALL, disc_spectral=True), 30)
    weights = [
        m.weight for m in gan.discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    assert weights
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("norm", ["group", "none"])
def test_without_batch_norm_an_image_is_judged_by_itself(norm: str) -> None:
    torch.manual_seed(1)
    disc = build_discriminator("4", channels=1, width=1 / 8, alpha=0.2, drop=0.0, norm=norm).train()
    images = torch.rand(6, 1, 28, 28)
    assert torch.allclose(disc(images)[:2], disc(images[:2]), atol=1e-5)
