"""Measure how exact the judge's scores are, and whether they rank runs correctly.

The runs are those of digits in a finished sweep: `TRUST_SWEEP=readme_table TRUST_OUT=outputs
MNIST=FOLDER`, where the folder has all of MNIST. The reference ranking is independent of the judge:
it uses another classifier, trained on the 60,000 digits, and the 10,000 test digits.
"""

from __future__ import annotations

import csv
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import measure
from benchmarks.transfer import interval
from gansweep.params import DataConfig
from gansweep.plugins import METRICS
from gansweep.report.table.cell import least_difference
from gansweep.store.manifest import read_manifest
from gansweep.store.run import Run, read_json
from gansweep.training.data import prepare
from gansweep.training.data.mnist import TEST_FILES, TRAIN_FILES
from gansweep.training.gan import GAN
from gansweep.training.job import load_plan
from gansweep.training.judge_callback import load_best
from gansweep.training.latents import latents
from gansweep.training.metrics.distances import distances
from gansweep.training.metrics.evaluate import Judge, generate
from gansweep.training.sample_sizes import sample_sizes
from gansweep.training.train import build_gan

SCORES = 50  # scores of the same generator
SCORED = 5  # generators with this number of scores
RANKED = 30  # runs whose ranks are compared
IMAGES = 10_000
NEIGHBOUR = 3  # the k of precision and recall (Kynkäänniemi et al. 2019)


def trust() -> None:
    out, name = (
        os.environ.get("TRUST_OUT", "outputs"),
        os.environ.get("TRUST_SWEEP", "readme_table"),
    )
    runs = digit_runs(out, name)
    print(f"{len(runs)} runs of digits in {name}", flush=True)
    exactness(runs)
    ranking(runs)


def digit_runs(out: str, name: str) -> list[Run]:
    """Return the finished runs of a sweep that have a distance in LeNet's features."""
    ids = [i for row in read_manifest(out, name).rows for runs in row.runs.values() for i in runs]
    runs = [Run(out, i) for i in dict.fromkeys(ids)]
    return [run for run in runs if run.complete() and _judge(run).get("primary") == "fd_lenet"]


def _judge(run: Run) -> dict:  # type: ignore[type-arg]
    return (read_json(run.result) or {}).get("judge") or {}


def _gan(run: Run) -> GAN:
    config, data = load_plan(run)
    gan = build_gan(config, data.channels)
    if load_best(run, gan) is None:
        gan.load_state_dict(torch.load(run.final, map_location="cpu", weights_only=True))
    return gan


def exactness(runs: list[Run]) -> None:
    """Score runs of all qualities many times with different latents."""
    rows = []
    for run in spread(runs, SCORED):
        config, data = load_plan(run)
        judge, gan = Judge(data), _gan(run)
        n = sample_sizes(_steps(run) * config.batch_size, data.size)[1]
        found = []
        for seed in range(SCORES):
            images = generate(gan.sample, latents(gan.z_dim, n, seed=1000 + seed))
            score = judge.score(images)
            found.append((score[judge.primary], score[f"{judge.primary}_error"]))
        values, errors = np.array(found).T
        pairs = list(combinations(range(SCORES), 2))
        different = sum(
            abs(values[i] - values[j]) > least_difference(errors[i], errors[j]) for i, j in pairs
        )
        rows.append(
            [run.id, f"{n:,}", f"{values.mean():.1f}", f"{values.std(ddof=1):.2f}",
             f"{errors.mean():.2f}", f"{100 * different / len(pairs):.1f} %"]
        )  # fmt: skip
        print(rows[-1], flush=True)
    measure.write(
        "exactness",
        "The error of a score",
        [
            f"{SCORED} generators of digits, each scored {SCORES} times with other latents. "
            "deviation: of these scores; stated: the mean of the errors that each score states "
            "itself, by the bootstrap; called different: of all pairs of scores of the same "
            "generator."
        ],
        ["run", "images", "FD (LeNet)", "deviation", "stated error", "called different"],
        rows,
    )


def spread(runs: list[Run], count: int) -> list[Run]:
    """Return `count` runs, evenly spread from the best to the worst."""
    ordered = sorted(runs, key=lambda run: _judge(run)["score"]["fd_lenet"])
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in places]


def _steps(run: Run) -> int:
    return int((read_json(run.config) or {})["identity"]["steps"])


def ranking(runs: list[Run]) -> None:
    """Compare the judge's ranks with those of another net and another measure."""
    root = os.environ.get("MNIST")
    if root is None:
        raise SystemExit("MNIST=FOLDER, with the training and the test digits and their labels")
    data = prepare(DataConfig("mnist", root=root), 28)
    net, accuracy = other_classifier(data.array(), _labels(root, TRAIN_FILES), data, root)
    real = features(net, torch.from_numpy(data.held_out()[:IMAGES].copy()))[0]
    table, own = [], []
    for run in spread(runs, RANKED):
        gan = _gan(run)
        images = generate(gan.sample, latents(gan.z_dim, IMAGES, seed=77))
        fake, labels, confidence = features(net, images)
        precision, recall = precision_and_recall(real, fake)
        shares = np.bincount(labels, minlength=10) / len(labels)
        covered = 1 - np.abs(shares - 0.1).sum() / 2
        quality = covered * 2 * precision * recall / max(precision + recall, 1e-9)
        score = _judge(run)["score"]
        table.append([quality, *(score[metric] for metric in ("fd_lenet", "fd_random"))])
        own.append(
            [
                run.id, f"{score['fd_lenet']:.1f}", f"{precision:.3f}", f"{recall:.3f}",
                f"{covered:.2f}", f"{confidence:.2f}",
            ]
        )  # fmt: skip
        print(*own[-1], flush=True)
    with (measure.REPORTS / "ranking_runs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["run", "fd_lenet", "precision", "recall", "classes", "confidence"], *own]
        )
    values = np.array(table)
    rows = []
    for column, metric in ((1, "fd_lenet"), (2, "fd_random")):
        pairs = [(float(line[0]), -float(line[column])) for line in values]
        rows.append([METRICS[metric].label, *interval(pairs)])
    measure.write(
        "ranking",
        "The judge's ranks against another measure",
        [
            "Spearman's correlation, with a 95 % interval by drawing runs again, of the distance "
            "(its sign turned) with: the F1 of precision and recall (k = 3) of 10,000 generated "
            "against the 10,000 test digits, times the share of the classes that is drawn as often "
            "as they should be, both in the features of a classifier that the judge has nothing "
            f"of: trained on all 60,000 digits, accuracy {accuracy:.4f} on the test digits. "
            "All values are in ranking_runs.csv.",
        ],
        ["distance", "runs", "Spearman", "95 %"],
        rows,
    )


def _labels(root: str, names: tuple[str, ...]) -> np.ndarray:
    import gzip

    for name in names:
        stem = name.replace("images", "labels").replace("idx3", "idx1")
        for path in (p for s in ("", ".gz") for p in Path(root).rglob(stem + s)):
            raw = path.read_bytes()
            plain = gzip.decompress(raw) if path.suffix == ".gz" else raw
            return np.frombuffer(plain, np.uint8, offset=8)
    raise SystemExit(f"{root}: no labels ({names[0].replace('images', 'labels')})")


class Other(nn.Module):
    """A classifier with three convolutions, batch norm and 128 features."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)]
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 9, 128))
        self.head = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        found = self.body(images)
        return found, self.head(F.relu(found))


def other_classifier(
    images: np.ndarray, labels: np.ndarray, data, root: str
) -> tuple[Other, float]:  # type: ignore[no-untyped-def]
    """Return a classifier after two epochs of training, and its accuracy on the test digits."""
    torch.manual_seed(5)
    net = Other()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(2):
        for part in torch.randperm(len(images)).split(128):
            batch = torch.from_numpy(images[part.numpy()]).float() / 255
            target = torch.from_numpy(labels[part.numpy()].astype(np.int64))
            loss = F.cross_entropy(net(batch)[1], target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    found = features(net, torch.from_numpy(data.held_out().copy()))[1]
    order = _labels(root, TEST_FILES)
    return net, float((found == order).mean())


@torch.no_grad()
def features(net: Other, images: Tensor) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the features, the predicted digits and the mean confidence."""
    found, labels, sure = [], [], []
    for part in images.split(1000):
        vectors, logits = net(part.float() / 255)
        found.append(vectors)
        labels.append(logits.argmax(1))
        sure.append(logits.softmax(1).amax(1))
    return torch.cat(found).numpy(), torch.cat(labels).numpy(), float(torch.cat(sure).mean())


def precision_and_recall(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """Return the share of fakes within real neighbourhoods, and of reals within fake ones."""
    return _inside(fake, real), _inside(real, fake)


def _inside(points: np.ndarray, of: np.ndarray) -> float:
    radii = []
    for start in range(0, len(of), 1000):
        near = distances(of[start : start + 1000], of)
        radii.append(np.partition(near, NEIGHBOUR, axis=1)[:, NEIGHBOUR])
    radius = np.concatenate(radii)
    hits = [
        (distances(points[start : start + 1000], of) <= radius[None]).any(1)
        for start in range(0, len(points), 1000)
    ]
    return float(np.concatenate(hits).mean())
