"""Score the models of a contest by the held-out images that no contestant has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.duel import terms
from benchmarks.duel.networks import Generator
from gansweep.training.latents import latents
from gansweep.training.metrics.evaluate import Judge, generate

IMAGES, SEED = 2000, 4242


def scored(judge: Judge, contestant: str, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with the distance of each choice."""
    choices = []
    for choice in record["choices"]:
        distance = score(judge, contestant, folder / "choices" / choice["file"])
        choices.append({**choice, "distance": distance})
    return {**record, "choices": choices}


def score(judge: Judge, contestant: str, file: Path) -> float:
    """Return the distance of 2,000 images of a model to the images of the score."""
    generator = load(contestant, file).eval()
    if contestant == "gansweep":
        z = latents(terms.Z_DIM, IMAGES, seed=SEED)
    else:
        z = torch.randn(IMAGES, terms.Z_DIM, generator=torch.Generator().manual_seed(SEED))
    with torch.no_grad():
        found = judge.further(generate(generator, z), [judge.primary])
    return float(found[judge.primary])


def load(contestant: str, file: Path) -> nn.Module:
    """Return the generator in a checkpoint of a contestant."""
    state = torch.load(file, map_location="cpu", weights_only=False)
    weights: dict[str, Tensor]
    if contestant == "gansweep":
        weights = state["generator"]
    elif contestant == "optuna":
        weights = part(state["state_dict"], "generator.")
    else:
        weights = state["netGmodel"]
    generator = Generator(terms.Z_DIM)
    generator.load_state_dict(weights)
    return generator


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
