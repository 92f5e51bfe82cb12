"""Load Inception v3 and DINOv2, in whose features papers publish distances.

gansweep does not contain the weights of these nets; they are downloaded once, or given as a file.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gansweep.store.errors import UserError
from gansweep.training.metrics.files import load
from gansweep.training.metrics.registered import PUBLISHED

# A score generates at least this many images, because features of 1,000 or more dimensions need
# more than a few hundred.
MIN_IMAGES = 2500
BATCH = 50
DINOV2_URL = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth"
DINOV2_SIZES = {
    384: "small",
    768: "base",
    1024: "large",
    1536: "giant",
}  # by the number of features
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # means and deviations of its colours


class PublishedFeatures:
    """A published feature net, for images of any size, grey or colour.

    `features` is the name of the features in the declarations of metrics, and `metric` is the
    Fréchet distance in these features. The constructor raises UserError if the file `weights` does
    not have the weights of the net.
    """

    name: str
    features: str
    net: nn.Module

    def __init__(self, weights: Path) -> None:
        try:
            # The libraries would run code from the file, so it is first read as plain tensors.
            state = load(weights)
            self.net = self._build(weights, state).eval()
        except Exception as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"judge_weights={weights} are not the weights of {self.name} ({reason})"
            ) from None
        self.hash = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
        self.device = torch.device("cpu")

    def _build(self, weights: Path, state: dict[str, Tensor]) -> nn.Module:
        raise NotImplementedError

    def _features(self, images: Tensor) -> Tensor:
        """Map images, uint8 N×3×H×W, to features N×d."""
        raise NotImplementedError

    @property
    def metric(self) -> str:
        return PUBLISHED[self.features]

    def to(self, device: torch.device) -> None:
        self.device = device
        self.net.to(device)

    @torch.no_grad()
    def __call__(self, images: Tensor, nets: int | None = None) -> list[Tensor]:
        colour = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        parts = (self._features(part.to(self.device)).cpu() for part in colour.split(BATCH))
        return [torch.cat(list(parts))]


class Inception(PublishedFeatures):
    """The 2,048 pooled features of Inception v3 (of 2015-12-05), computed by torch-fidelity."""

    name = "Inception v3"
    features = "inception"

    def _build(self, weights: Path, state: dict[str, Tensor]) -> nn.Module:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        return FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights)
        )

    def _features(self, images: Tensor) -> Tensor:
        return self.net(images)[0]


class Dinov2(PublishedFeatures):
    """The class token of a DINOv2 transformer, computed by timm.

    The weights determine the size of the transformer; papers use the large one with 1,024 features.
    Images are resized to 224×224 with antialiasing, as in Stein et al. 2023, "Exposing flaws of
    generative model evaluation metrics".
    """

    name = "DINOv2"
    features = "dinov2"

    def _build(self, weights: Path, state: dict[str, Tensor]) -> nn.Module:
        import timm
        from timm.models.vision_transformer import checkpoint_filter_fn

        size = DINOV2_SIZES[state["cls_token"].shape[-1]]
        self.name = f"DINOv2 ViT-{size[0].upper()}/14"
        net = timm.create_model(f"vit_{size}_patch14_dinov2", num_classes=0, img_size=224)
        net.load_state_dict(checkpoint_filter_fn(state, net))  # type: ignore[arg-type]
        return net

    def _features(self, images: Tensor) -> Tensor:
        mean, deviation = (
            torch.tensor(values, device=self.device)[:, None, None] for values in IMAGENET
        )
        resized = F.interpolate(images.float(), (224, 224), mode="bicubic", antialias=True)
        return self.net((resized.clamp(0, 255) / 255 - mean) / deviation)


NETS = {"inception": Inception, "dinov2": Dinov2}  # The keys are values of judge=.
_PACKAGES = {"inception": "torch_fidelity", "dinov2": "timm"}


def published_features(judge: str, weights: str | None) -> PublishedFeatures:
    """Return the net of `judge=inception` or `judge=dinov2`.

    `weights` is the path of a file; None means weights that are downloaded once. Raises UserError,
    with the remedy, if the package or the weights are missing.
    """
    package = _PACKAGES[judge]
    if find_spec(package) is None:
        pip = package.replace("_", "-")
        raise UserError(f"judge={judge} needs {pip}: pip install 'gansweep[{judge}]'")
    if weights is not None and not Path(weights).is_file():
        raise UserError(f"judge_weights={weights} does not exist")
    return NETS[judge](Path(weights).resolve() if weights else _downloaded(judge))


def _downloaded(judge: str) -> Path:
    """Return the file of the published weights, and download it if it is missing."""
    if judge == "inception":
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as URL

        url, prefix = URL, "6726825d"
    else:
        url, prefix = DINOV2_URL, None
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=prefix)
        except Exception as error:
            raise UserError(
                f"the weights of judge={judge} cannot be downloaded ({error}); get {url} on "
                "another machine and set judge_weights=FILE"
            ) from None
    return path
