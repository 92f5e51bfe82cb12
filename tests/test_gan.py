"""Tests of the training step: losses, the orders of both documents, and the updated weights."""

from __future__ import annotations

import copy
import functools
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.store.run import Run
from gansweep.training.data import prepare
from gansweep.training.data.batches import Batches
from gansweep.training.data.pixels import normalise
from gansweep.training.gan import GAN
from gansweep.training.optimizers import make_optimizer
from gansweep.training.recipe.losses import NonSaturating, cross_entropy
from gansweep.training.recipe.objective import Objective
from gansweep.training.samples import fixed_latents, stretched_grid
from gansweep.training.train import build_gan, learning_rates, train


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def make_gan(
    generator: nn.Module, discriminator: nn.Module, smooth: float = 0.0, **options: Any
) -> GAN:
    settings: dict[str, Any] = {
        "z_dim": 3, "joint_d": False, "fresh_z": False, "reuse_fake": True,
        "objective": Objective(NonSaturating(smooth)),
    }  # fmt: skip
    sgd = functools.partial(make_optimizer, Config(lr=0.1, gen_opt="sgd", momentum=0.0), "gen_opt")
    gan = GAN(
        generator,
        discriminator,
        gen_optimizer=sgd,
        disc_optimizer=sgd,
        **{**settings, **options},
    )
    optimizers = gan.configure_optimizers()
    # A Trainer would provide this method.
    gan.optimizers = lambda use_pl_optimizer=True: optimizers  # type: ignore[method-assign]
    return gan


class Spy(nn.Module):
    """A network that records its inputs."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        return self.net(x)


def tiny() -> tuple[Spy, Spy]:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Unflatten(1, (1, 2, 2)))
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    return Spy(generator), Spy(discriminator)


BATCH = torch.tensor([0, 255, 51, 204] * 5, dtype=torch.uint8).reshape(5, 1, 2, 2)


def test_normalise_maps_bytes_to_minus_one_to_one() -> None:
    values = normalise(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist()
    assert values == pytest.approx([-1, -0.6, 1])


@pytest.mark.parametrize(("logit", "label"), [(0.0, 1.0), (2.0, 0.9), (-3.0, 0.0)])
def test_cross_entropy_by_hand(logit: float, label: float) -> None:
    expected = label * softplus(-logit) + (1 - label) * softplus(logit)
    assert cross_entropy(torch.tensor([[logit]]), label).item() == pytest.approx(expected)


class Fixed(nn.Module):
    """A discriminator that returns fixed logits for real and fake images."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x.flatten(1).mean(1, keepdim=True) > 0, 1.5, -0.5)


def test_discriminator_losses_of_both_documents_by_hand() -> None:
    real, fake = torch.ones(4, 1, 2, 2), -torch.ones(4, 1, 2, 2)
    on_real = 0.9 * softplus(-1.5) + 0.1 * softplus(1.5)
    on_fake = softplus(-0.5)
    generator, parameters = tiny()[0], nn.Linear(1, 1)
    fixed = Fixed()
    fixed.add_module("unused", parameters)
    separate = make_gan(generator, fixed, smooth=0.1)
    joint = make_gan(generator, fixed, smooth=0.1, joint_d=True)
    assert separate.disc_loss(real, fake)[0].item() == pytest.approx(on_real + on_fake)
    assert joint.disc_loss(real, fake)[0].item() == pytest.approx((on_real + on_fake) / 2)


@pytest.mark.parametrize("reuse_fake", [True, False])
def test_document_004_uses_one_z_for_both_steps(reuse_fake: bool) -> None:
    generator, discriminator = tiny()
    make_gan(generator, discriminator, reuse_fake=reuse_fake).training_step([BATCH])
    assert len(generator.seen) == (1 if reuse_fake else 2)
    real, fake, fake_again = discriminator.seen
    assert torch.equal(real, normalise(BATCH))
    assert torch.equal(fake, fake_again)
    assert generator.seen[0].min() >= -1
    assert generator.seen[0].max() <= 1


def test_document_000_joins_real_and_fake_and_draws_a_fresh_z() -> None:
    generator, discriminator = tiny()
    gan = make_gan(generator, discriminator, joint_d=True, fresh_z=True)
    gan.training_step([BATCH])
    both, fake = discriminator.seen
    assert len(both) == 10
    assert torch.equal(both[:5], normalise(BATCH))
    assert not torch.equal(both[5:], fake)
    assert not torch.equal(*generator.seen)


def test_one_step_is_a_d_step_and_then_a_g_step_by_hand() -> None:
    """The updates are recomputed by autograd on copies, with plain SGD."""
    generator, discriminator = tiny()
    g, d = copy.deepcopy(generator.net), copy.deepcopy(discriminator.net)
    gan = make_gan(generator, discriminator, smooth=0.1)
    gan.training_step([BATCH])
    z = generator.seen[0]

    loss_d = cross_entropy(d(normalise(BATCH)), 0.9) + cross_entropy(d(g(z).detach()), 0.0)
    for p, grad in zip(
        d.parameters(), torch.autograd.grad(loss_d, list(d.parameters())), strict=True
    ):
        p.data -= 0.1 * grad
    loss_g = cross_entropy(d(g(z)), 1.0)  # G is trained against the updated D.
    for p, grad in zip(
        g.parameters(), torch.autograd.grad(loss_g, list(g.parameters())), strict=True
    ):
        p.data -= 0.1 * grad

    assert gan.losses["loss_d"].item() == pytest.approx(loss_d.item())
    assert gan.losses["loss_g"].item() == pytest.approx(loss_g.item())
    for mine, expected in zip(
        [*generator.parameters(), *discriminator.parameters()],
        [*g.parameters(), *d.parameters()],
        strict=True,
    ):
        assert torch.allclose(mine, expected, atol=1e-7)


def test_reusing_the_forward_changes_nothing_where_there_is_no_dropout() -> None:
    """G does not change between the steps; only batch norm's averages are updated once less."""
    weights = []
    for reuse in (True, False):
        torch.manual_seed(3)
        config = Config(gen="1", disc="1", width=1 / 64, batch_size=5, reuse_fake=reuse)
        built = build_gan(config, channels=1)
        gan = make_gan(
            built.generator, built.discriminator, z_dim=100, reuse_fake=reuse
        )  # fmt: skip
        images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
        gan.training_step([images])
        weights.append([p.detach().clone() for p in gan.parameters()])
    for one, other in zip(*weights, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("fresh_z", [False, True])
def test_autocasts_weight_cache_gives_no_old_weights(fresh_z: bool) -> None:
    """The G step must use the updated D although autocast caches weights."""
    losses = []
    for cached in (True, False):
        torch.manual_seed(3)
        built = build_gan(Config(gen="1", disc="1", width=1 / 32), channels=1)
        gan = make_gan(built.generator, built.discriminator, z_dim=100, fresh_z=fresh_z)
        images = torch.randint(0, 256, (8, 1, 28, 28), dtype=torch.uint8)
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=cached):
            gan.training_step([images])
        losses.append(gan.losses["loss_g"].item())
    # Old weights would give 0.3 of this value.
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_steps_in_one_autocast_equal_steps_in_separate_ones() -> None:
    """The weights of G that autocast caches must be dropped after G's step."""
    weights = []
    for spans in ([3], [1, 1, 1]):
        torch.manual_seed(3)
        built = build_gan(Config(gen="1", disc="1", width=1 / 32), channels=1)
        gan = make_gan(built.generator, built.discriminator, z_dim=100, fresh_z=True)
        images = torch.randint(0, 256, (8, 1, 28, 28), dtype=torch.uint8)
        for steps in spans:
            with torch.autocast("cpu", torch.bfloat16):
                gan.training_step([images] * steps)
        weights.append([p.detach().clone() for p in gan.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_steps_done_counts_batches() -> None:
    gan = make_gan(*tiny())
    for _ in range(3):
        gan.training_step([BATCH])
    assert gan.steps_done == 3


def test_samples_are_drawn_without_dropout_and_with_moving_averages() -> None:
    gan = build_gan(Config(gen="3", gen_drop=0.5, width=1 / 32), channels=1)
    z = fixed_latents(100)
    before = {k: v.clone() for k, v in gan.state_dict().items()}
    assert torch.equal(gan.sample(z), gan.sample(z))
    assert gan.generator.training
    assert all(torch.equal(v, before[k]) for k, v in gan.state_dict().items())


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_optimizers_follow_the_configuration(name: str) -> None:
    config = Config(gen_opt=name, lr=0.003, beta1=0.3, beta2=0.99, momentum=0.8, nesterov=True)
    group = make_optimizer(config, "gen_opt", nn.Linear(1, 1)).param_groups[0]
    assert group["lr"] == 0.003
    if name == "adam":
        assert (group["betas"], group["eps"]) == ((0.3, 0.99), 1e-8)
    else:
        assert (group["momentum"], group["nesterov"]) == (0.8, True)


def test_each_network_can_have_its_own_learning_rate() -> None:
    config = Config(lr=0.1, gen_lr=0.2, disc_opt="sgd", width=1.0)
    gan = build_gan(config, channels=1)
    rates = [o.param_groups[0]["lr"] for o in gan.configure_optimizers()]
    shown = learning_rates(gan, config)
    assert sorted(rates) == [0.1, 0.2]
    assert {line["weight"] for line in shown["generator"] if line["weight"]} == {0.2}
    assert {line["weight"] for line in shown["discriminator"] if line["weight"]} == {0.1}


def test_batches_are_in_file_order_and_drop_the_incomplete_one() -> None:
    images = torch.arange(7, dtype=torch.uint8).reshape(7, 1, 1, 1)
    batches = Batches(images, 3, steps=4, shuffle=False, seed=1)
    assert [b.flatten().tolist() for b in batches] == [[0, 1, 2], [3, 4, 5], [0, 1, 2], [3, 4, 5]]
    assert len(batches) == 4


def test_shuffled_epochs_differ_and_depend_only_on_the_seed() -> None:
    images = torch.arange(100, dtype=torch.uint8).reshape(100, 1, 1, 1)

    def orders(seed: int) -> list[list[int]]:
        batches = Batches(images, 50, steps=4, shuffle=True, seed=seed)
        flat = [b.flatten().tolist() for b in batches]
        return [flat[0] + flat[1], flat[2] + flat[3]]

    first, second = orders(1)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert orders(1) == [first, second]
    assert orders(2) != [first, second]


def test_fixed_latents_do_not_depend_on_the_seed() -> None:
    torch.manual_seed(1)
    one = fixed_latents(100)
    torch.manual_seed(2)
    assert torch.equal(one, fixed_latents(100))
    assert one.shape == (16, 100)
    assert one.min() >= -1
    assert one.max() <= 1


def test_grid_is_four_by_four_and_stretched_to_the_full_range() -> None:
    images = torch.arange(16.0).reshape(16, 1, 1, 1).expand(16, 1, 2, 2) / 100
    picture = stretched_grid(images)
    assert picture.size == (8, 8)
    assert picture.mode == "L"
    assert picture.getpixel((0, 0)) == 0
    assert picture.getpixel((7, 7)) == 255
    assert picture.getpixel((2, 0)) == 17  # The second image has 1/15 of the range.
    assert stretched_grid(torch.zeros(16, 3, 2, 2)).mode == "RGB"


def test_a_training_on_a_cpu_does_not_check_for_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fused Adam checks for a GPU at every step, which takes time."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    seen: list[str | None] = []
    original = GAN.step

    def watched(gan: GAN, *arguments: Any) -> None:
        seen.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        original(gan, *arguments)

    monkeypatch.setattr(GAN, "step", watched)
    config = Config(steps=2, batch_size=4, device="cpu", judge="false", threads=1)
    train(Run(tmp_path, "r"), config, prepare(DataConfig("mnist5k"), 28))
    assert seen == ["", ""]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
