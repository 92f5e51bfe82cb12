"""Inception's features, for the distances that papers print: torch-fidelity's net and weights."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from gansweep.errors import UserError

IMAGES = 2500  # generated for a score, at least: its 2,048 dimensions need more than that
BATCH = 50


class InceptionFeatures:
    """The 2,048 pooled features of Inception v3 (2015-12-05), of any images, grey ones too."""

    name = "Inception v3"

    def __init__(self, weights: Path) -> None:
        """Raises UserError if `weights` are not those of this net."""
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        try:
            # Read here first, as data alone: torch-fidelity would run whatever the file says.
            torch.load(weights, map_location="cpu", weights_only=True)
            self.net = FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights)
            )
        except Exception as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"inception_weights={weights} are not torch-fidelity's Inception weights ({reason})"
            ) from None
        self.hash = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        self.device = device
        self.net.to(device)

    @torch.no_grad()
    def __call__(self, images: Tensor, nets: int | None = None) -> list[Tensor]:
        colour = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        return [torch.cat([self.net(b.to(self.device))[0].cpu() for b in colour.split(BATCH)])]


def find_weights(given: str | None) -> Path:
    """The file of weights: the given one, or torch-fidelity's own, downloaded once.

    Raises UserError, with the remedy, if torch-fidelity or the weights cannot be had.
    """
    if find_spec("torch_fidelity") is None:
        raise UserError("judge=inception needs torch-fidelity: pip install 'gansweep[inception]'")
    if given is not None:
        if not Path(given).is_file():
            raise UserError(f"inception_weights={given}: there is no such file")
        return Path(given).resolve()
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / URL_INCEPTION_V3.rpartition("/")[2]
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix="6726825d")
        except Exception as error:
            raise UserError(
                f"judge=inception: its weights cannot be downloaded ({error}); fetch "
                f"{URL_INCEPTION_V3} elsewhere and give inception_weights=FILE"
            ) from None
    return path
