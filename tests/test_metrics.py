"""Tests of the metrics with values computed by hand, and with disturbed real images."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import SHARED
from PIL import Image, ImageFilter
from torch import Tensor

from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.plugins import METRICS
from gansweep.training.data import Prepared, prepare, toyfaces
from gansweep.training.data.mnist import labelled_digits, read_idx
from gansweep.training.data.pixels import as_bytes
from gansweep.training.data.split import permutation
from gansweep.training.latents import latents
from gansweep.training.metrics.distances import (
    Moments,
    Neighbourhood,
    distances,
    frechet,
    kernel_distance,
    total_variation,
)  # fmt: skip
from gansweep.training.metrics.equilibrium import Evaluation, flags
from gansweep.training.metrics.evaluate import Judge, generate
from gansweep.training.metrics.features import DigitFeatures
from gansweep.training.metrics.layout import Layout
from gansweep.training.metrics.lenet import digit_features
from gansweep.training.metrics.pyramid import sliced_wasserstein
from gansweep.training.metrics.reference import feature_net, reference


def rng() -> np.random.Generator:
    """Return a generator with the same random numbers for every disturbance."""
    return np.random.default_rng(0)


def normal(n: int, d: int = 8, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(n).normal(shift, scale, (n, d))


def test_frechet_of_known_gaussians() -> None:
    eye = np.eye(3)
    a, b = Moments(np.zeros(3), eye), Moments(np.array([3.0, 4, 0]), eye)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet(a, b) == pytest.approx(25)
    # Each of three dimensions adds 1 + 4 − 2·√4.
    assert frechet(a, Moments(np.zeros(3), 4 * eye)) == pytest.approx(3)
    # For commuting covariances, the distance is Σ (√λ − √μ)².
    c = Moments(np.zeros(3), np.diag([1.0, 4, 9]))
    d = Moments(np.zeros(3), np.diag([4.0, 4, 1]))
    assert frechet(c, d) == pytest.approx(1 + 0 + 4)
    assert frechet(c, d) == pytest.approx(frechet(d, c))
    singular = Moments(np.zeros(3), np.diag([1.0, 0, 0]))
    assert frechet(singular, singular) == pytest.approx(0, abs=1e-9)


def test_frechet_against_scipys_matrix_root() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    one, two = Moments.of(normal(200)), Moments.of(normal(300, shift=0.5, scale=2) ** 2)
    root = linalg.sqrtm(one.covariance @ two.covariance).real
    gap = one.mean - two.mean
    expected = gap @ gap + np.trace(one.covariance + two.covariance - 2 * root)
    assert frechet(one, two) == pytest.approx(expected, rel=1e-6)


def test_moments_refuse_values_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        Moments.of(np.array([[1.0], [np.nan]]))


def test_the_kernel_distance_is_unbiased_and_has_an_error() -> None:
    same, error = kernel_distance(normal(2000), normal(2001)[:2000])
    assert abs(same) < 3 * error
    other, _ = kernel_distance(normal(2000), normal(2001, shift=0.5)[:2000])
    assert other > 10 * error


def test_coverage_density_diversity_by_hand() -> None:
    real = np.arange(12.0)[:, None]  # Twelve points in a row have neighbourhoods of radius 3 to 5.
    near = Neighbourhood(real)
    assert near.density_and_coverage(real)[0] > 1
    assert near.density_and_coverage(real)[1] == 1
    # covered: 0 to 3
    assert near.density_and_coverage(np.array([[0.0]]))[1] == pytest.approx(4 / 12)
    assert near.density_and_coverage(np.array([[100.0]]))[1] == 0
    assert near.measure(real)["diversity"] == pytest.approx(1)
    assert near.measure(real / 2)["diversity"] == pytest.approx(0.5)
    assert near.measure(np.zeros((5, 1)))["diversity"] == 0
    assert distances(np.array([[0.0, 0]]), np.array([[3.0, 4]]))[0, 0] == 5
    assert total_variation(np.array([1.0, 0]), np.array([0.5, 0.5])) == 0.5


@pytest.mark.parametrize("what", ["digits", "drawn faces"])
def test_swd_depends_on_textures_and_not_on_brightness(what: str) -> None:
    bench = Bench("swd", what)
    floor = bench(bench.images)
    for name, (disturb, levels) in DISTURBANCES.items():
        seen = [floor, *(bench(disturb(bench.images, level)) for level in levels[:3])]
        assert seen == sorted(seen), (name, seen)
        assert seen[-1] > 1.2 * floor, (name, seen)
    darker = (bench.images.float() * 0.7).to(torch.uint8)
    assert bench(darker) < 1.2 * floor
    assert sliced_wasserstein(bench.images, bench.images) < floor


@pytest.mark.slow
def test_swd_32_sees_the_parts_of_a_face_and_no_fine_noise() -> None:
    faces = torch.from_numpy(toyfaces.draw(np.arange(400), 128))
    real, same = faces.chunk(2)
    shuffled = same.unflatten(2, (16, 8)).unflatten(4, (16, 8))  # blocks of 8×8 pixels
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    parts_moved = shuffled[:, :, order][:, :, :, :, order].flatten(4, 5).flatten(2, 3)
    noise = torch.randn(same.shape, generator=torch.Generator().manual_seed(0)) * 40
    noisy = (same + noise).clamp(0, 255).to(torch.uint8)

    def grows(changed: torch.Tensor, side: int | None) -> float:
        floor = sliced_wasserstein(real, same, side=side)
        return sliced_wasserstein(real, changed, side=side) / floor

    assert grows(noisy, 32) < 1.2 < 4 < grows(noisy, None)
    assert grows(parts_moved, 32) > 1.8
    assert sliced_wasserstein(real, noisy, side=40) == sliced_wasserstein(real, noisy, side=32)


@pytest.mark.slow
def test_fd_layout_depends_on_the_places_of_parts() -> None:
    """Random convolutions hardly see a swirl or quarters in another order; eigenfaces do."""
    layout, random = Bench("fd_layout", "drawn faces"), Bench("fd_random", "drawn faces")
    images = layout.images[:400]
    top, bottom = images.chunk(2, 2)
    for name, changed, seen in (
        ("swirl", swirl(images, 1.5), 2),
        ("halves swapped", torch.cat([bottom, top], 2), 4),
    ):
        assert layout(changed) > seen * layout(images), name
        assert layout(changed) / layout(images) > 1.3 * random(changed) / random(images), name
    for disturb, levels in DISTURBANCES.values():
        assert layout(disturb(images, levels[-1])) > 1.5 * layout(images)


def test_the_layout_of_few_or_equal_images() -> None:
    few = np.random.default_rng(0).integers(0, 256, (6, 1, 28, 28), dtype=np.uint8)
    assert Layout(few).distance(few) == pytest.approx(0, abs=1e-3)
    with pytest.raises(ValueError, match="the real images are all equal"):
        Layout(np.zeros((6, 1, 28, 28), np.uint8))


def accuracy(images: np.ndarray, labels: np.ndarray) -> float:
    """Return the accuracy of the judge's classifier."""
    net = digit_features()
    found = net.labels(net(torch.from_numpy(images[:, None].copy()))[0]).numpy()
    return float((found == labels).mean())


def test_lenet_classifies_unseen_digits() -> None:
    digits, labels = labelled_digits()
    unseen = permutation(len(digits))[:1000]
    # The weights, and so the accuracy, differ between processors; its standard error is 0.004.
    assert accuracy(digits[unseen], labels[unseen]) >= 0.98
    assert accuracy(digits[unseen], labels[unseen]) == pytest.approx(digit_features().accuracy)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data beside this checkout")
def test_lenet_classifies_the_10000_test_digits_of_mnist() -> None:
    images = read_idx(SHARED / "mnist" / "t10k-images-idx3-ubyte.gz")
    labels = gzip.decompress((SHARED / "mnist" / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    assert accuracy(images, np.frombuffer(labels, np.uint8)) >= 0.985


# --- The validation suite: real images, disturbed -------------------------------------------------


def noise(images: Tensor, amount: float) -> Tensor:
    grain = torch.from_numpy(rng().integers(0, 256, images.shape)).float()
    return ((1 - amount) * images.float() + amount * grain).round().to(torch.uint8)


def blur(images: Tensor, radius: float) -> Tensor:
    tool = ImageFilter.GaussianBlur(radius)
    done = [
        [np.asarray(Image.fromarray(c).filter(tool)) for c in image] for image in images.numpy()
    ]
    return torch.from_numpy(np.array(done))


def rectangles(images: Tensor, size: float) -> Tensor:
    done, side = images.clone(), round(28 * size)
    places = rng()
    for image in done:
        for _ in range(3):
            top, left = places.integers(0, 29 - side, 2)
            image[:, top : top + side, left : left + side] = 0
    return done


def swirl(images: Tensor, turn: float) -> Tensor:
    axis = torch.linspace(-1, 1, 28)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    angle = turn * torch.exp(-2 * (x**2 + y**2).sqrt())
    places = torch.stack([x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], -1)
    places = places[None].expand(len(images), -1, -1, -1)
    turned = torch.nn.functional.grid_sample(
        images.float(), places, align_corners=True, padding_mode="border"
    )
    return turned.round().to(torch.uint8)


def salt_and_pepper(images: Tensor, share: float) -> Tensor:
    drawn = rng()
    hit = torch.from_numpy(drawn.random(images.shape) < share)
    grains = torch.from_numpy((drawn.random(images.shape) < 0.5).astype(np.uint8) * 255)
    return torch.where(hit, grains, images)


def contaminate(images: Tensor, share: float) -> Tensor:
    """Replace a share of the images by noise with the same histogram."""
    count = int(len(images) * share)
    done = images.clone()
    mixed = done[:count].flatten(1)
    order = torch.from_numpy(rng().permutation(mixed.shape[1]))
    done[:count] = mixed[:, order].reshape(done[:count].shape)
    return done


DISTURBANCES: dict[str, tuple[Callable[[Tensor, float], Tensor], tuple[float, ...]]] = {
    "noise": (noise, (0.1, 0.25, 0.5, 0.75)),
    "blur": (blur, (0.5, 1, 1.5, 2.5)),
    "rectangles": (rectangles, (0.2, 0.3, 0.4, 0.6)),
    "swirl": (swirl, (0.5, 1, 1.5, 2.5)),
    "salt and pepper": (salt_and_pepper, (0.02, 0.05, 0.15, 0.4)),
    "contamination": (contaminate, (0.1, 0.25, 0.5, 0.75)),
}
CASES = [
    ("fd_lenet", "digits"),
    ("fd_random", "digits"),
    ("fd_random", "faces"),
    ("fd_random", "drawn faces"),
]


def prepared(what: str) -> Prepared:
    if what == "digits":
        return prepare(DataConfig("mnist5k"), 28)
    if what == "drawn faces":
        return prepare(DataConfig("toyfaces"), 28)
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data beside this checkout: no photographs")
    return prepare(DataConfig("images", root=str(SHARED / "olivetti")), 28)


class Bench:
    """A metric that compares images with the reference images of one kind of data."""

    def __init__(self, metric: str, what: str) -> None:
        self.metric = metric
        data = prepared(what)
        images = torch.from_numpy(data.array().copy())
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(5))
        self.images = images[order][:900]
        net = feature_net(METRICS[metric].features, data.channels)
        self.of = reference(data, net, "score")

    def __call__(self, images: Tensor) -> float:
        fakes = [f.numpy() for f in self.of.net(images)]
        return self.of.measure(METRICS[self.metric], fakes)[self.metric]

    def error(self) -> float:
        """Return the standard error of a distance, over three parts of the real images."""
        third = len(self.images) // 3
        parts = [self(self.images[i * third : (i + 1) * third]) for i in range(3)]
        return float(np.std(parts, ddof=1)) / np.sqrt(3)


@pytest.fixture(scope="module", params=CASES, ids=[" of ".join(case) for case in CASES])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(*request.param)


@pytest.mark.slow
def test_every_disturbance_raises_the_distance_with_its_strength(bench: Bench) -> None:
    floor, error = bench(bench.images), bench.error()
    for name, (disturb, levels) in DISTURBANCES.items():
        seen = [floor, *(bench(disturb(bench.images, level)) for level in levels)]
        for less, more in pairwise(seen):
            assert more - less > 2 * error, (name, seen, error)


def test_darker_images_have_a_larger_distance(bench: Bench) -> None:
    darker = (bench.images.float() * 0.7).to(torch.uint8)
    assert bench(darker) > bench(bench.images) + 10 * bench.error()


def test_a_collapse_is_flagged_and_real_images_are_not(bench: Bench) -> None:
    real = bench.of.features[0][:1000]
    features = bench.of.net(bench.images)[0].numpy()

    def found(m: int) -> list[str]:
        copies = features[np.arange(min(1000, len(features))) % m]
        facts = Neighbourhood(real).measure(copies)
        return flags([Evaluation(0, 100.0), Evaluation(60, 1.0)], 60, facts)

    for m in (1, 2, 5, 10):
        assert found(m) == ["collapse"], m
    assert found(len(features)) == []


def test_each_missing_digit_raises_the_distance() -> None:
    bench = Bench("fd_lenet", "digits")
    assert isinstance(bench.of.net, DigitFeatures)
    images = torch.from_numpy(prepared("digits").array().copy())
    labels = bench.of.net.labels(bench.of.net(images)[0])
    seen = [bench(images[labels >= dropped][:2000]) for dropped in range(0, 9, 2)]
    assert all(more > less for less, more in pairwise(seen)), seen


@pytest.mark.slow
def test_the_same_seed_gives_the_same_value_on_one_and_two_threads() -> None:
    before = torch.get_num_threads()
    values = {}
    try:
        for what in ("digits", "drawn faces"):
            for threads in (1, 2):
                torch.set_num_threads(threads)
                judge = Judge(prepared(what))
                score = judge.score(as_bytes(noise_images(what)))
                values[what, threads] = score[judge.primary]
            assert values[what, 1] == pytest.approx(values[what, 2], rel=1e-5)
    finally:
        torch.set_num_threads(before)


def noise_images(what: str) -> Tensor:
    channels = 1 if what == "digits" else 3
    return torch.rand(500, channels, 28, 28, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.slow
def test_checkpoints_are_ranked_by_their_step_for_all_latents() -> None:
    """The ranks of the checkpoints of a GAN agree for two sets of latents."""
    from gansweep.training.data.batches import Batches
    from gansweep.training.train import build_gan

    torch.manual_seed(1)
    config, data = Config(), prepared("digits")
    judge = Judge(data)
    gan = build_gan(config, 1)
    optimizers = gan.configure_optimizers()
    images = torch.from_numpy(data.array().copy())
    ladder: dict[int, list[float]] = {}
    batches = iter(Batches(images, 32, 500, shuffle=True, seed=1))
    for step in range(501):
        if step in (0, 50, 150, 500):
            draws = [generate(gan.sample, latents(100, 1000, seed=seed)) for seed in (1, 2)]
            ladder[step] = [judge.score(draw)[judge.primary] for draw in draws]
        if step < 500:
            gan.step(next(batches), *optimizers)
    for draw in (0, 1):
        rungs = [values[draw] for values in ladder.values()]
        assert rungs == sorted(rungs, reverse=True), ladder
        assert rungs[-1] < 0.3 * rungs[0]
    assert kendall(*zip(*ladder.values(), strict=True)) >= 0.9, ladder


def kendall(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    return float(np.mean([np.sign((a[i] - a[j]) * (b[i] - b[j])) for i, j in pairs]))
