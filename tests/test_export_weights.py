"""Tests of `export --safetensors|--onnx|--torchscript|--hub`, which write weights for others."""

from __future__ import annotations

import base64
import dataclasses
import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import plan_small
from own_models import NETS

import gansweep as gs
from gansweep.commands import export
from gansweep.config import Config
from gansweep.params import DataConfig
from gansweep.planning.identity import plan_run
from gansweep.planning.plan import Preparer, keep_record
from gansweep.plugins import DISCRIMINATORS, GENERATORS
from gansweep.store.run import Run
from gansweep.training.data import prepare
from gansweep.training.exports import formats
from gansweep.training.exports.formats import FORMATS
from gansweep.training.exports.plain import plain
from gansweep.training.exports.write import LIMIT, export_weights
from gansweep.training.gan import GAN
from gansweep.training.job import execute
from gansweep.training.metrics.files import save
from gansweep.training.networks import build_discriminator
from gansweep.training.train import build_trainee

HERE = [
    name for name, chosen in FORMATS.items()
    if all(importlib.util.find_spec(package) for package in chosen.packages)
]  # fmt: skip
MODULE = (
    NETS
    + '''

def dcgan(z_dim: int, channels: int, features: int = 4):
    """takes latents N×z_dim×1×1, as many published generators do"""
    return nn.Sequential(
        nn.ConvTranspose2d(z_dim, features, 7), nn.BatchNorm2d(features), nn.ReLU(True),
        nn.ConvTranspose2d(features, channels, 4, stride=4), nn.Tanh(),
    )
'''
)


def test_every_format_is_tested_here() -> None:
    """CI installs the extras; without them, the tests below leave out formats."""
    if len(HERE) < len(FORMATS):
        pytest.skip(f"not installed: {sorted(FORMATS.keys() - set(HERE))}")


def made(out: Path, **params: Any) -> Run:
    """Return a run with weights as after a few steps: its batch norms have seen some batches."""
    config = Config(**{"threads": 1, "judge": "false", "steps": 3, **params}, out=str(out))
    data = prepare(DataConfig("mnist5k"), 28, labels=config.labels)
    size = GENERATORS[config.gen].image_size or 28
    run, record = plan_run(config, dataclasses.replace(data, size=size))
    keep_record(run, record)
    torch.manual_seed(3)
    gan = build_trainee(config, data)
    assert isinstance(gan, GAN)
    with torch.no_grad():
        for _ in range(3):
            given = (torch.arange(8) % 10,) if config.labels else ()
            gan.generator(gan.latents(8), *given)
    save(run.best, {"step": 3, "generator": gan.generator.state_dict()})
    return run


def differences(run: Run, folder: Path, names: list[str] = HERE) -> dict[str, float]:
    """Export in these formats, and return the differences, each checked to be rounding."""
    folder.mkdir(exist_ok=True)
    found = {name: gap for name, _, gap in export_weights(run, names, folder)}
    assert all(gap <= LIMIT for gap in found.values()), found
    assert sorted(p.name for p in folder.iterdir()) == sorted(FORMATS[n].file for n in names)
    return found


@pytest.mark.parametrize("name", [entry.name for entry in GENERATORS if entry.builder])
def test_each_generator_draws_the_same_images_when_it_is_loaded(name: str, tmp_path: Path) -> None:
    disc = next(d.name for d in DISCRIMINATORS if d.image_size == GENERATORS[name].image_size)
    run = made(tmp_path, gen=name, disc=disc, width=1 / 64, z_dim=9)
    found = differences(run, tmp_path / "x")
    assert found["safetensors"] == 0, "gansweep loads its own layers"
    # Another number of images than that of the trace, checked against the run itself.
    z = torch.rand(5, 9) * 2 - 1
    expected = gs.run(str(run.folder)).generator()(z)
    assert expected.std() > 0.01
    for format in HERE:
        images = FORMATS[format].draw(tmp_path / "x" / FORMATS[format].file, (z,))
        assert torch.allclose(images, expected, atol=LIMIT)
    assert torch.equal(gs.load_export(tmp_path / "x/generator.safetensors")(z), expected)


def test_a_fused_layer_is_exported_as_pytorchs_layers() -> None:
    net = build_discriminator("conv2", channels=1, width=1 / 16, alpha=0.2, drop=0)
    exported = plain(net)
    assert all(type(layer).__module__.startswith("torch.") for layer in exported.modules())
    images = torch.rand(2, 1, 128, 128)
    assert torch.allclose(exported(images), net(images), atol=1e-5)


def test_labels_and_networks_of_users_are_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "netsown.py").write_text(MODULE)
    differences(
        made(tmp_path, gen="5", disc="4", width=1 / 64, labels=True, gen_norm="group"),
        tmp_path / "labels",
    )
    foreign = {"gen": "netsown:dcgan", "disc": "4", "width": 1 / 64}
    changed = made(tmp_path, **foreign, options={"gen.features": 3})
    differences(changed, tmp_path / "foreign", ["safetensors", "torchscript"])
    for name, names in (("Net", HERE), ("Counting", ["safetensors"])):
        config = Config(
            model=f"netsown:{name}", steps=2, limit=400, judge="false", threads=1, out=str(tmp_path)
        )
        run, record = plan_run(config, Preparer()(config))
        keep_record(run, record)
        execute(run, "")
        folder = tmp_path / name
        folder.mkdir()
        for _, _, gap in export_weights(run, names, folder, "final"):
            assert gap <= LIMIT
    with pytest.raises(gs.UserError, match=r"sample\(n\) of model=netsown:Counting draws its own"):
        list(export_weights(run, ["torchscript"], folder, "final"))


def test_an_export_with_other_images_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path, gen="5", disc="4", width=1 / 64)
    right = formats.Drawing.forward
    monkeypatch.setattr(formats.Drawing, "forward", lambda *a: right(*a) * 0.99)
    folder = tmp_path / "x"
    folder.mkdir()
    with pytest.raises(gs.UserError, match="refused, as its images differ from those of the run"):
        list(export_weights(run, ["torchscript"], folder))
    monkeypatch.setattr(formats.Drawing, "forward", lambda *a: right(*a)[:, :, 1:])
    with pytest.raises(gs.UserError, match="the export draws"):
        list(export_weights(run, ["torchscript"], folder))
    assert list(folder.iterdir()) == []
    (folder / "bad.safetensors").write_bytes(b"nothing")
    for name in ("bad", "none"):
        with pytest.raises(gs.UserError, match=f"{name}.safetensors cannot be used"):
            gs.load_export(folder / f"{name}.safetensors")


# The command -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = plan_small(tmp_path_factory.mktemp("exported"), gen="5", disc="4", ema_decay=0.9)
    execute(run, "")
    return run


def said(capsys: pytest.CaptureFixture[str], run: Run, *words: str) -> str:
    export.main([str(run.folder), *words])
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as exit:
        export.main(list(words))
    assert exit.value.code == 2
    (line,) = capsys.readouterr().err.strip().split("\n")
    return line


def test_the_command_writes_a_model_card(
    trained: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    text = said(capsys, trained, "--safetensors", "--torchscript")
    folder = tmp_path / "exports" / trained.id
    assert "safetensors: exports/" in text
    assert ", largest difference 0.0e+00" in text
    assert f"model card: exports/{trained.id}/README.md" in text
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: gansweep\n")
    result = gs.run(str(trained.folder)).result
    assert result is not None and result["judge"] is not None
    assert f"The generator of run {trained.id}, best weights, step 20: FD (LeNet) " in card
    assert "![images of fixed latents](samples.png)" in card
    assert (folder / "samples.png").read_bytes() == trained.best_picture.read_bytes()
    for words in (
        "| gen impl | 5 |", "| training time | ", "| FD (LeNet) | ",
        "python -m gansweep data=mnist5k",
        "| generator.pt | ", "Latents are float32 N×100, uniform in [−1, 1].",
    ):  # fmt: skip
        assert words in card, words
    monkeypatch.chdir(folder)
    programs = card.split("```python\n")[1:]
    assert len(programs) == 2
    for program in programs:
        names: dict[str, Any] = {}
        exec(program.split("```")[0], names)
        assert names["images"].shape == (16, 1, 28, 28)
    # The averaged weights have other images, so the card has no picture of the best ones.
    said(capsys, trained, "--safetensors", "--averaged", "--folder", str(folder))
    assert not (folder / "samples.png").exists()
    assert "averaged weights" in (folder / "README.md").read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/README.md").write_text("mine")
    message = refused(
        capsys, str(trained.folder), "--safetensors", "--folder", str(tmp_path / "mine")
    )
    assert "is no model card of gansweep's" in message


def test_options_that_do_not_fit_are_refused(
    trained: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = str(trained.folder)
    assert "--to names trackers" in refused(capsys, run, "--onnx", "--to", "csv")
    assert "one run at a time" in refused(capsys, run, run, "--onnx")
    assert "--public belongs to --hub" in refused(capsys, run, "--public")
    assert "--final belongs to an export of weights" in refused(capsys, run, "--final")
    assert "--hub nobody: write USER/NAME" in refused(capsys, run, "--hub", "nobody")
    assert "has no snapshots" in refused(capsys, run, "--torchscript", "--ema", "0.05")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name.startswith("onnx") else found(name)
    )
    message = refused(capsys, run, "--onnx")
    assert "--onnx needs the package onnx: pip install 'gansweep[onnx]'" in message


class Hub(BaseHTTPRequestHandler):
    """Answers what the client of the Hub asks for during an upload, and keeps the files."""

    made: dict[str, Any]
    files: dict[str, bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer: dict[str, Any] = {}
        if self.path == "/api/repos/create":
            type(self).made = json.loads(body)
            answer = {"url": f"http://{self.headers['Host']}/someone/digits"}
        elif "/preupload/" in self.path:
            listed = json.loads(body)["files"]
            answer = {
                "files": [
                    {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for f in listed
                ]
            }
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.files[line["value"]["path"]] = content
            address = f"http://{self.headers['Host']}/someone/digits"
            answer = {"commitUrl": f"{address}/commit/1", "commitOid": "1"}
        self._answer(answer)

    def do_GET(self) -> None:
        self._answer({"id": "someone/digits", "sha": "1", "siblings": [], "private": True})

    def _answer(self, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """Serve a Hub on this machine, to which the client talks."""
    constants = pytest.importorskip("huggingface_hub.constants")
    Hub.files, Hub.made = {}, {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_TOKEN", "hf_nothing")
    yield Hub
    server.shutdown()
    server.server_close()


def test_the_files_are_uploaded_as_one_commit(
    trained: Run, hub: type[Hub], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "private.txt").write_text("not part of the export")
    words = ("--hub", "someone/digits", "--folder", str(folder))
    text = said(capsys, trained, *words)
    assert "uploaded: http" in text
    assert (hub.made["name"], hub.made["organization"]) == ("digits", "someone")
    assert hub.made.get("private") or hub.made.get("visibility") == "private"
    assert set(hub.files) == {"README.md", "generator.safetensors", "samples.png"}
    for name, content in hub.files.items():
        assert content == (folder / name).read_bytes()


def test_a_failed_upload_is_one_line(
    trained: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    words = ("--hub", "someone/digits", "--folder", str(tmp_path / "x"))
    message = refused(capsys, str(trained.folder), *words)
    assert message.startswith("gansweep: error: --hub someone/digits: ")
    assert message.endswith("x, and the same command tries again")
    assert (tmp_path / "x/generator.safetensors").exists()
