"""A script of the user in the place of gansweep's own training: `command='python train.py …'`."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, run
from conftest import Cli, one_line_error, wait_for, wait_until
from PIL import Image

import gansweep as gs
from gansweep.commands.arguments import checked
from gansweep.commands.help import print_help
from gansweep.components import options_of
from gansweep.config import Config, check, effective, known_steps, validate, widths
from gansweep.planning.identity import identity
from gansweep.planning.overrides import as_arguments, as_given, as_typed, command, read_axes
from gansweep.store.errors import UserError
from gansweep.store.run import Run, row_key, was_edited
from gansweep.template import read_template
from gansweep.training.data import Prepared
from gansweep.training.dry_run import check_components
from gansweep.training.script import process
from gansweep.training.script.metrics import ScriptMetrics
from gansweep.training.script.process import ScriptProcess
from gansweep.training.script.samples import Incomplete, read_images, sample_files

EXAMPLES = Path(__file__).parents[1] / "examples"
DATA = Prepared("mnist5k", "Number Output", Path(), 5000, 1, 28, "abc")
COLOUR = Prepared("toyfaces", "Faces", Path(), 500, 3, 8, "abc")
# This script shows training images, and breaks the contract in the way that it is told.
SCRIPT = """
import argparse, json, os, signal, sys, time
from pathlib import Path
import numpy as np

parser = argparse.ArgumentParser()
for name in ("--data", "--out", "--how", "--shift"):
    parser.add_argument(name, default="0")
parser.add_argument("--steps", type=int)
parser.add_argument("--pause", type=float, default=0)
parser.add_argument("--resume")
args = parser.parse_args()
out, how, start = Path(args.out), args.how, 0
(out / "pid").write_text(str(os.getpid()))
if args.resume:
    start = int((Path(args.resume) / "state").read_text())
    print("resumed at", start)
if how == "three":
    sys.exit(print("no luck") or 3)
real = np.load(args.data)
for step in range(start + 1, args.steps + 1):
    time.sleep(args.pause)
    images = np.roll(real[(np.arange(240) * 7 + step) % len(real)], int(float(args.shift)), 3)
    if how == "nothing":
        continue
    if how == "floats":
        images = images / 255
    if how == "few":
        images = images[:16]
    line = {"step": step, "d_loss": 1 / step, "G_loss": float("nan") if how == "infinite" else 0.5}
    with (out / "metrics.jsonl").open("a") as metrics:
        print("so far so good" if how == "chatty" else json.dumps(line), file=metrics)
    np.savez(out / "samples" / f"{step:03}.npz", images=images)
    if how == "half" and step == args.steps:
        os.truncate(out / "samples" / f"{step:03}.npz", 20_000)
    (out / "state").write_text(str(step))
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""
COMMAND = "{python} own.py --data {data} --out {out} --how {how:str=good} --shift {shift:float=0}"
COMMAND += " --steps {steps} --pause {pause:float=0} --resume={resume}"
SMALL = (f"command={COMMAND}", "data=mnist5k", "limit=640", "threads=1")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(SCRIPT)
    return tmp_path


def runs(folder: Path) -> list[Run]:
    return [Run(folder / "outputs", path.name) for path in (folder / "outputs/runs").iterdir()]


def gone(pid: int) -> bool:
    """Has the process ended? One that nobody has waited for yet has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# --- The command ----------------------------------------------------------------------------------


def test_placeholders_are_filled_into_words() -> None:
    template = read_template(
        "python t.py --lr={lr} '{name:str=a b}' {on:bool=true} {{x}} --from {n:int=3}{n} {out}"
    )
    values = {"lr": 5e-05, "name": "it's; rm -rf $HOME {x}", "on": False, "n": 7, "out": "/a b"}
    assert template.fill(values, resumed=False) == [
        "python", "t.py", "--lr=5e-05", "it's; rm -rf $HOME {x}", "false", "{x}", "--from", "77",
        "/a b",
    ]  # fmt: skip
    assert {name: field.default for name, field in template.own().items()} == {
        "name": "a b", "on": True, "n": 3
    }  # fmt: skip
    assert template.asked() == {"lr", "out"}


def test_a_word_with_resume_is_there_only_on_a_resume() -> None:
    template = read_template("t {resume:--resume} {resume} --from={resume} -x")
    assert template.fill({"resume": "/o"}, resumed=False) == ["t", "-x"]
    assert template.fill({"resume": "/o"}, resumed=True) == [
        "t", "--resume", "/o", "--from=/o", "-x"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("python t.py --lr {lrr}", "no placeholder {lrr}: did you mean 'lr'? valid: out, data,"),
        ("python t.py {lrr}", "has a type and a default, {lrr:float=0.1}"),
        ("python t.py {x:float}", "{x:float} has no default; write {x:float=…}"),
        ("python t.py {x:real=1}", "{x:real=1}: valid: int, float, bool, str"),
        ("python t.py {x:int=1.5}", "the default '1.5' is no int"),
        ("python t.py {x:float=nan}", "the default 'nan' is no float"),
        ("python t.py {x:bool=1}", "the default '1' is no bool"),
        ("python t.py {x:int=1} {x:int=2}", "{x:…} is declared twice"),
        ("python t.py {lr:float=0.1}", "lr is a parameter of gansweep's: write {lr}"),
        ("python t.py {a-b}", "{a-b} is no placeholder; write {{ and }} for braces"),
        ("python t.py {lr", "a single { in '{lr'; write {{ for it"),
        ("python t.py ${HOME}", "gansweep starts no shell, so nothing replaces ${…}"),
        ("python 't.py", "cannot be split into words (No closing quotation)"),
        (" ", "command is empty"),
        ("python t.py {model}", "no placeholder {model}"),
    ],
)
def test_a_bad_command_is_refused(text: str, says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)):
        check("command", text)


@pytest.mark.parametrize(
    "text",
    [
        "python t.py --lr {lr} --out {out}",
        '\'my prog\' --name="a, b" "{x:str=it\'s}" a\\\\b',
        'python t.py --f "a\\\'b" [1,2] (x) 50% {out}',
        '"quoted, but one"',
        "1.5",
        "null.sh",
    ],
)
def test_any_text_of_a_command_is_typed_as_it_is(text: str) -> None:
    typed = f"command={text}"
    for word in (typed, as_typed(typed), as_given([as_typed(typed)])[0]):
        (axis,) = read_axes([word], multirun=False)
        wanted = text.strip('"') if text == '"quoted, but one"' else text
        assert axis.values == (wanted,)
    (axis,) = read_axes(as_arguments({"command": text}), multirun=True)
    assert axis.values == (text,)


def test_several_commands_are_quoted_texts() -> None:
    word = "command='a {lr}, {out}','b {out}',null"
    assert read_axes([word], multirun=True)[0].values == ("a {lr}, {out}", "b {out}", None)
    sweep = gs.sweep(command=["a {lr}", "b,c"])
    assert "'a {lr}','b,c'" in sweep._words[0]


def test_only_placeholders_have_an_effect() -> None:
    config = Config(command="t {lr} {steps} {width} {w:int=3}", width=0.5, steps=90)
    values = {name for name, value in effective(config).items() if value is not None}
    assert {"lr", "steps", "width", "seed", "command"} <= values
    assert not {"beta1", "gen", "batch_size", "loss", "epochs"} & values
    assert widths(config) == (0.5, 0.5)
    assert known_steps(config, 5000) == 90
    assert known_steps(Config(command="t", steps=90), 5000) is None
    assert known_steps(Config(command="t {steps} {batch_size}", epochs=2), 640) == 40
    for bad, says in (
        (Config(command="t {gen_lr}"), "{gen_lr} has no value, as gen_lr is null: set gen_lr="),
        (Config(command="t", model="a:B"), "model= and command= both replace"),
    ):
        with pytest.raises(UserError, match=re.escape(says)):
            validate(bad)
    with pytest.raises(UserError, match=r"set steps=N for \{steps\}"):
        known_steps(Config(command="t {steps}", epochs=2), 640)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("beta1=0", "beta1 has no effect on a script whose command has no {beta1}; add it, as in"),
        ("gen.n=1", "gen.n has no effect on command=t {lr}, whose own parameters are command.NAME"),
        ("model=a:B", None),
        ("epochs=3", "epochs has no effect on a script"),
        ("lr=1", None),
        ("seed=1", None),
    ],
)
def test_parameters_without_a_placeholder_are_refused(words: str, says: str | None) -> None:
    given = ["command=t {lr}", *words.split()]
    if words.startswith("model"):
        with pytest.raises(UserError, match="no module 'a'"):
            read_axes(given, multirun=True)
    elif says is None:
        assert read_axes(given, multirun=True)
    else:
        with pytest.raises(UserError, match=re.escape(says)):
            read_axes(given, multirun=True)


def test_the_id_has_the_command_its_values_and_its_files(folder: Path) -> None:
    text = "python own.py {lr} {epochs} {width} {n:int=3} -m pkg.mod"
    (folder / "pkg").mkdir()
    (folder / "pkg/mod.py").write_text("a = 1")

    def key(text: str = text, **params: Any) -> str:
        config = Config(command=text, **{"epochs": 1, "width": 1.0, **params})
        values = identity(config, DATA)
        assert values["steps"] is values["batch_size"] is None
        return row_key(values)

    same = key()
    assert key(beta1=0.9, gen="5") == same, "they have no placeholder"
    ids = {same, key(lr=1.0), key(epochs=2), key(width=2.0), key(text + " -v"), key(limit=7)}
    assert len(ids) == 5, "limit counts by the data alone"
    assert key(options={"command.n": 3}) == same != key(options={"command.n": 4})
    (folder / "own.py").write_text("# a comment\n" + SCRIPT)
    assert key() == same
    (folder / "pkg/mod.py").write_text("a = 2")
    assert key() != same
    assert options_of("command", text)["command.n"].type is int


def test_the_recorded_command_trains_the_same_run() -> None:
    config = Config(command="t '{lr}' {steps} {n:int=3}", lr=0.5, options={"command.n": 4})
    words = shlex.split(command(config, 70))[3:]
    assert "command=t '{lr}' {steps} {n:int=3}" in words
    values = {axis.name: axis.values[0] for axis in read_axes(words, multirun=False)}
    assert values["lr"] == 0.5
    assert values["steps"] == 70
    assert values["command.n"] == 4
    assert "beta1" not in values
    assert "steps" not in command(Config(command="t"), None)


def test_a_missing_program_is_found_before_anything_is_trained(folder: Path) -> None:
    for text, says in (
        ("nosuchprogram {out}", "command: nosuchprogram: no such program"),
        ("./own.py {out}", "./own.py: it is no program: write python ./own.py, or chmod +x"),
        ("{python} train.py", f"train.py: there is no such file in {folder}"),
    ):
        with pytest.raises(UserError, match=re.escape(says)):
            check_components(Config(command=text), (1, 28, 28))
    check_components(Config(command="{python} own.py {out}"), (1, 28, 28))


# --- The files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ((5, 28, 28), DATA), ((5, 28, 28, 1), DATA), ((5, 1, 28, 28), DATA),
        ((5, 8, 8, 3), COLOUR), ((5, 3, 8, 8), COLOUR),
    ],
    ids=str,
)  # fmt: skip
def test_the_layouts_of_images(tmp_path: Path, shape: tuple[int, ...], data: Prepared) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "7.npz", images=images)
    read = read_images(tmp_path / "7.npz", data)
    assert read.shape == (5, data.channels, data.size, data.size)
    plane = images if images.ndim == 3 else images[..., 0] if shape[-1] < 4 else images[:, 0]
    assert (read[:, 0] == plane).all()


@pytest.mark.parametrize(("mode", "data"), [("L", DATA), ("RGB", COLOUR), ("RGB", DATA)])
def test_a_picture_is_cut_row_by_row(tmp_path: Path, mode: str, data: Prepared) -> None:
    size = data.size
    grid = np.zeros((2 * size, 3 * size), np.uint8)
    for number in range(6):
        row, column = divmod(number, 3)
        grid[row * size :, column * size :][:size, :size] = 40 * number
    Image.fromarray(grid).convert(mode).save(tmp_path / "010.png")
    (tmp_path / "samples").mkdir()
    shutil.copy(tmp_path / "010.png", tmp_path / "samples")
    (tmp_path / "samples/notes.txt").touch()
    assert list(sample_files(tmp_path)) == [10]
    read = read_images(tmp_path / "010.png", data)
    assert read.shape == (6, data.channels, size, size)
    assert [int(image.max()) for image in read] == [40 * number for number in range(6)]
    assert all(image.min() == image.max() for image in read)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"fakes": np.zeros(3)}, "samples/7.npz has no array `images`; it has fakes"),
        ({"images": np.zeros((5, 28, 28))}, "images are float64, not uint8, 0 to 255: write np."),
        ({"images": np.zeros((5, 32, 32), "u1")}, "images are 5×32×32, not N×28×28, the size of"),
        ({"images": np.zeros((0, 28, 28), "u1")}, "samples/7.npz has no images"),
        ({"images": np.zeros((5, 784), "u1")}, "images are 5×784, not N×28×28"),
    ],
)
def test_images_of_another_kind_are_refused(tmp_path: Path, arrays: Any, says: str) -> None:
    np.savez(tmp_path / "7.npz", **arrays)
    with pytest.raises(UserError, match=re.escape(says)):
        read_images(tmp_path / "7.npz", DATA)


def test_half_a_file_is_incomplete_and_a_grid_has_no_gaps(tmp_path: Path) -> None:
    np.savez(tmp_path / "1.npz", images=np.zeros((300, 28, 28), "u1"))
    noise = np.random.default_rng(0).integers(0, 256, (280, 280), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "2.png")
    for name in ("1.npz", "2.png"):
        whole = (tmp_path / name).read_bytes()
        for part in (0, 100, len(whole) // 2, len(whole) - 40):
            (tmp_path / name).write_bytes(whole[:part])
            with pytest.raises(Incomplete, match=rf"samples/{name} cannot be read"):
                read_images(tmp_path / name, DATA)
    Image.fromarray(noise[:, :270]).save(tmp_path / "3.png")
    with pytest.raises(UserError, match="270×280 pixels, not a grid of 28×28 images"):
        read_images(tmp_path / "3.png", DATA)


def test_metrics_are_read_while_they_grow(tmp_path: Path) -> None:
    path, said = tmp_path / "metrics.jsonl", list[str]()
    stream = ScriptMetrics(path, 1, said.append)
    assert list(stream.new()) == []
    path.write_text('{"step": 1, "loss_d": 9}\n{"step": 2, "d_loss": 1, "lr": 3, "on": true}\n{"st')
    assert list(stream.new()) == [(2, {"loss_d": 1, "logged_lr": 3})]
    with path.open("a") as file:
        file.write('ep": 3, "g_loss": NaN}\nwhat\n{"step": "4"}\n[5]\n\n{"step": 6, "epoch": 2}')
    ((step, numbers),) = stream.new()
    assert (step, list(numbers)) == (3, ["loss_g"])
    assert numbers["loss_g"] != numbers["loss_g"]
    assert said == [
        "metrics.jsonl, line 4, is no JSON object with a whole number `step`; such lines are left "
        "out"
    ]
    assert list(stream.new(ended=True)) == [(6, {"epoch": 2})]
    path.write_text('{"step": 2}\n{"step": 7}\n')  # a resumed script begins the file anew
    assert list(stream.new()) == [(7, {})]


# --- The process ----------------------------------------------------------------------------------


def test_nothing_of_a_script_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script and its child ignore SIGTERM; a child of a script that has ended goes on."""
    monkeypatch.setattr(process, "GRACE", 0.3)
    deaf = "trap '' TERM; sleep 60 & echo $! > child; echo ready > up; wait"
    for words in (["sh", "-c", deaf], ["sh", "-c", "sleep 60 & echo $! > child; touch up"]):
        (tmp_path / "up").unlink(missing_ok=True)
        script = ScriptProcess(
            ["sh", "-c", f"cd {tmp_path}; {words[2]}"], dict(os.environ), tmp_path / "log.txt"
        )
        wait_for("up", tmp_path)
        child = int((tmp_path / "child").read_text())
        assert not gone(child)
        if "trap" in words[2]:
            assert not script.terminate()
        script.close()
        wait_until(lambda child=child: gone(child), "end of the child", 5)


def test_the_last_line_says_why_a_script_failed(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("of an earlier attempt\n")
    for text, says in (
        ("echo a; echo b >&2; exit 3", "exit code 3: b"),
        ("exit 4", "exit code 4"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("kill -KILL $$", "the script was killed by SIGKILL"),
    ):
        script = ScriptProcess(["sh", "-c", text], dict(os.environ), log)
        wait_until(lambda script=script: not script.running(), "end", 10)
        with pytest.raises(UserError) as error:
            script.check_end()
        script.close()
        assert str(error.value) == says


def test_a_script_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; "
        "from gansweep.training.script.process import ScriptProcess; "
        "script = ScriptProcess(['sleep', '60'], dict(os.environ), Path(sys.argv[1])); "
        "print(script._process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "log.txt"], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not gone(pid)
    parent.kill()
    parent.wait()
    wait_until(lambda: gone(pid), "end of the script", 5)


# --- Runs -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swept(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The example, swept over four settings."""
    folder = tmp_path_factory.mktemp("swept")
    shutil.copytree(EXAMPLES, folder / "examples")
    text = (EXAMPLES / "numpy_gan.py").read_text().split('command="')[1].split('"')[0]
    text = " ".join(text.replace("\\\\", "").split()).replace("python ", "{python} ", 1)
    done = run(
        folder, "-m", f"command={text}", "lr=5e-4,2e-3", "command.hidden=16,32", "batch_size=64",
        "steps=40", "data=mnist5k", "limit=640", "name=e",
    )  # fmt: skip
    return folder, done


def test_the_example_is_swept(
    swept: tuple[Path, subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, done = swept
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 runs trained" in done.stdout
    table = (folder / "reports/e/README.md").read_text()
    assert "| command hidden | learning rate | Number Output |" in table
    assert table.count(".png)") == 4
    assert "40 steps (4 epochs), seed 1" in table
    assert "command {python} examples/numpy\\_gan.py --data {data}" in table
    assert "gen impl" not in table
    assert "500 generated images that did not choose the best step, at the equilibrium" in table
    page = (folder / "reports/e/index.html").read_text()
    assert all(one.id in page for one in runs(folder))
    for one in runs(folder):
        result: Any = one.read_result()
        assert result["steps"] == 40
        assert result["images"] == 40 * 64
        assert result["loss_d"] > 0
        assert result["judge"]["score"]["fd_lenet"] > 0
        assert result["judge"]["score"]["n"] == 500
        assert [line["step"] for line in one.read_evaluations()] == list(range(0, 41, 4))
        assert list(one.sample_pictures()) == list(range(0, 41, 4))
        assert [(line["step"], line["epoch"]) for line in one.read_metrics()] == [(20, 2), (40, 4)]
        assert not was_edited(one.id, one.read_config() or {})
        for path in (one.picture, one.nearest, one.clean, one.dirty):
            assert path.is_file(), path
    first = runs(folder)[0]
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="was trained by a script, whose weights gansweep does not"):
        gs.run(first.id).generator()


def test_a_finished_script_is_completed_from_its_images(
    swept: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """It is trained no more: a missing picture is drawn, and its images are scored again."""
    folder, _ = swept
    first = runs(folder)[0]
    before = first.read_result()
    first.picture.unlink()
    again = run(folder, "-m", *_resume_words(folder))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "the picture was drawn again from the images" in again.stdout
    assert first.read_result() == before
    scored = run(folder, "judge", first.id, "--images", "1000", "--json")
    assert scored.returncode == 0, scored.stderr
    found = json.loads(scored.stdout)
    assert before is not None
    judge = before["judge"]
    assert judge is not None
    if judge["score"]["step"] is not None:
        assert found["best.npz"]["fd_lenet"] == judge["score"]["fd_lenet"]  # type: ignore[typeddict-item]
    assert "500 images are scored" in scored.stderr


def _resume_words(folder: Path) -> list[str]:
    manifest = json.loads((folder / "outputs/sweeps/e/manifest.json").read_text())
    words: list[str] = shlex.split(manifest["command"])[4:]
    return words


def test_a_script_that_breaks_the_contract_costs_its_own_row(cli: Cli, folder: Path) -> None:
    ways = "good,nothing,three,half,floats,few,infinite,chatty,killed"
    done = cli("-m", *SMALL, f"command.how={ways}", "steps=3", "name=ways")
    assert done.returncode == 1
    for how, says in (
        ("nothing", "failed: the script wrote no samples/STEP.npz or samples/STEP.png into {out}"),
        ("three", "failed: exit code 3: no luck"),
        ("half", "failed: samples/003.npz cannot be read ("),
        ("floats", "failed: samples/001.npz: images are float64, not uint8"),
        ("few", "failed: samples/001.npz has 16 images, too few for the judge: write 200 or more"),
        ("infinite", "diverged: loss_g is nan at step 1"),
        ("chatty", "metrics.jsonl, line 1, is no JSON object with a whole number `step`"),
        ("killed", "the script was killed by SIGKILL; starts again"),
        ("killed", "failed: the script was killed by SIGKILL"),
    ):
        assert f"command.how={how} data=mnist5k  {says}" in done.stdout, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    table = (folder / "reports/ways/README.md").read_text()
    assert table.count("FD (LeNet) ") >= 2, "good and chatty are judged"
    (good, _) = [one for one in runs(folder) if one.status() == "done"]
    judge: Any = good.judged()
    with np.load(good.best_images) as kept:
        assert kept["step"] == judge["score"]["step"] == judge["equilibrium"]["step"] > 0
        assert kept["images"].shape == (240, 1, 28, 28)
    assert good.best_picture.is_file()
    assert judge["score"]["n"] == 120, "one half of the images"
    assert "epoch" not in judge["equilibrium"]
    assert " at step " in table
    failed = {one.why_failed(): one for one in runs(folder) if one.failed()}
    assert len(failed) == 7
    assert failed["failed: exit code 3: no luck"].log.read_text() == "no luck\n"


def test_a_search_trains_scripts(cli: Cli, folder: Path) -> None:
    words = ["command.shift=interval(0,8)", "steps=2", "trials=2", "sampler=random", "name=s"]
    done = cli("-m", *SMALL, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    table = (folder / "reports/s/README.md").read_text()
    assert "command shift" in table
    assert len(runs(folder)) == 2


def test_a_stopped_script_resumes(cli: Cli, folder: Path) -> None:
    words = [*SMALL, "command.pause=0.2", "steps=20"]
    started = Command(folder, *words)
    wait_for("outputs/runs/*/samples/step_000003.png", folder)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate()
    assert started.returncode == 130, out + err
    assert re.search(r"stopped at step \d+: to resume, type the command again", out)
    (stopped,) = runs(folder)
    assert stopped.status() == "interrupted"
    assert gone(int((stopped.script / "pid").read_text()))
    before = stopped.read_evaluations()
    taken = before[-1]["step"]
    # The script has a checkpoint of a later step, whose file a kill has cut off.
    (stopped.script / "state").write_text(str(taken + 2))
    for step, path in sample_files(stopped.script).items():
        if step > taken:
            path.unlink()
    (stopped.script / f"samples/{taken + 1:03}.npz").write_bytes(b"PK")
    done = cli(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resumes after step" in done.stdout
    (whole,) = runs(folder)
    assert f"resumed at {taken + 2}" in whole.log.read_text()
    evaluations = whole.read_evaluations()
    assert evaluations[: len(before)] == before
    assert [line["step"] for line in evaluations[len(before) :]] == list(range(taken + 3, 21))
    steps = [line["step"] for line in whole.read_metrics()]
    assert steps == sorted(set(steps))
    assert cli(*words).stdout.startswith(f"run {whole.id} is done already")


def test_a_killed_sweep_leaves_no_script(cli: Cli, folder: Path) -> None:
    started = Command(folder, "-m", *SMALL, "command.pause=0.2", "steps=99")
    wait_for("outputs/runs/*/samples/step_000001.png", folder)
    pid = int((runs(folder)[0].script / "pid").read_text())
    time.sleep(0.1)
    started.kill()
    wait_until(lambda: gone(pid), "end of the script", 20)


def test_bad_input_is_one_line(cli: Cli, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, says in (
        (["-m", *SMALL, "command.hwo=bad"], "no such parameter; did you mean 'command.how'?"),
        (["command=nosuchprogram {out}", "data=mnist5k"], "nosuchprogram: no such program"),
    ):
        assert says in one_line_error(cli(*words))
    assert not (folder / "outputs").exists()
    for words, says in (
        (["command={python} own.py {lrr}"], "no placeholder {lrr}"),
        ([*SMALL, "beta2=0.5"], "beta2 has no effect on a script"),
    ):
        for options in ([], ["-m"]):
            with pytest.raises(UserError, match=re.escape(says)):
                checked([*options, *words])
    print_help(["command=python own.py --n {n:int=3},{m:str=a}"])
    said = capsys.readouterr().out
    assert "command.n=3" in said
    assert "command.m=a" in said
    assert "{NAME:TYPE=DEFAULT}" in said
