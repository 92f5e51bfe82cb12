"""End-to-end tests of the command line in an empty folder, with real processes and digits."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from conftest import Cli, one_line_error, wait_for
from PIL import Image

from gansweep.store.run import Run


def only_run(folder: Path) -> Run:
    (found,) = (folder / "outputs" / "runs").iterdir()
    return Run(folder / "outputs", found.name)


def wait_until_ended(run: Run, seconds: float = 60) -> None:
    """Wait until no process trains the run."""
    end = time.monotonic() + seconds
    while run.status() == "running":
        assert time.monotonic() < end, "its job is still running"
        time.sleep(0.05)


def test_help_imports_no_slow_module() -> None:
    """The help takes 0.2 s, and an import of any of these modules takes at least as long."""
    code = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from gansweep.__main__ import main; main()\n"
        "heavy = {'torch', 'torchvision', 'pandas', 'hydra', 'omegaconf', 'optuna', 'scipy'}\n"
        "sys.exit(' '.join(heavy & {*sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_names_everything(cli: Cli) -> None:
    done = cli("--help", cold=True)
    assert done.returncode == 0
    for word in ("lr=1e-4", "0 < lr <= 1", "gen=conv2", "data=celeba", "profile=paper", "-m"):
        assert word in done.stdout
    assert "\x1b" not in done.stdout
    headings = [line for line in done.stdout.splitlines() if re.fullmatch(r"\w[\w ]*:", line)]
    assert len(headings) == len(set(headings))


def test_help_into_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m gansweep --help | head -1", shell=True, capture_output=True, text=True
    )
    assert done.stderr == ""


def test_version_and_configuration_and_completion(cli: Cli) -> None:
    assert re.fullmatch(r"gansweep \d+\.\d+\.\d+\n", cli("--version").stdout)
    shown = cli("--cfg", "job", "lr=0.003", "epochs=2").stdout
    assert "lr: 0.003" in shown
    assert "steps: null" in shown  # epochs= replaces the profile's steps.
    assert "complete -o nospace" in cli("--shell-completion", "install=bash").stdout


@pytest.mark.parametrize(
    "argument", ["lr=abc", "beta1=1.5", "gen=9", "alhpa=0.2", "batch_size=0", "hydra/launcher=x"]
)
def test_invalid_input_is_refused_in_one_line_and_nothing_is_written(
    argument: str, cli: Cli, tmp_path: Path
) -> None:
    one_line_error(cli(argument))
    one_line_error(cli("-m", argument, "seed=1,2"))
    assert list(tmp_path.iterdir()) == []


def test_words_and_options_that_are_no_parameters_are_refused(cli: Cli) -> None:
    assert "'train' is neither name=value nor a command" in one_line_error(cli("train"))
    assert "has no dropout" in one_line_error(cli("gen=1", "gen_drop=0.5"))
    assert "'=1' is neither name=value nor a command" in one_line_error(cli("=1"))
    assert "unrecognized arguments: -n; see --help" in one_line_error(cli("-n"))
    message = one_line_error(cli("data.root=pics", "steps=2"))
    assert "data.root=pics has no effect: mnist5k needs no files" in message


def test_hydras_own_options_are_checked_too(cli: Cli, tmp_path: Path) -> None:
    steps = ("steps=2", "judge=false")
    for word in ("hydra.run.dir=there", "hydra.sweep.dir=there", "hydra.output_subdir=there"):
        assert f"{word} has no effect here" in one_line_error(cli(*steps, word))
    assert "path=/nowhere is not available" in one_line_error(
        cli(*steps, "hydra.searchpath=[/nowhere]")
    )
    assert "--config-dir /nowhere: there is no such folder" in one_line_error(
        cli("--config-dir", "/nowhere", *steps)
    )
    assert not list(tmp_path.iterdir())


def test_names_that_look_like_numbers_and_lists_in_brackets(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", "name=1e5", "lr=1e-3", "plan=true")
    assert "sweep 1e5: 1 row" in done.stdout, done.stderr
    done = cli("-m", "search=[lr,beta1]", "plan=true")
    assert "beta1: 0 to 0.9" in done.stdout, done.stderr
    done = cli("-m", "sweep=readme_table", "rows=[0,34]", "plan=true")
    assert "2 of 39 rows" in done.stdout, done.stderr


def test_a_launcher_that_is_not_installed_names_its_extra() -> None:
    from gansweep.commands.hydra_errors import missing_extra

    reason = "In 'hydra/launcher/slurm': Could not find 'hydra/launcher/submitit_slurm'"
    assert missing_extra(reason) == "; install the launcher with pip install 'gansweep[slurm]'"
    assert "gansweep[ray]" in missing_extra("Could not find 'hydra/launcher/ray'")
    assert missing_extra("Could not find 'hydra/launcher/x'") == ""


def test_a_configuration_is_shown_for_any_position_of_the_option(cli: Cli) -> None:
    assert "lr: 0.003" in cli("lr=0.003", "steps=4", "--cfg", "job").stdout
    assert "leave out -m" in one_line_error(cli("-m", "lr=1,2", "--cfg", "job"))


def test_options_may_have_any_position(cli: Cli) -> None:
    done = cli("steps=2", "-m", "lr=1e-4", "data=mnist5k")
    assert done.returncode == 0, done.stderr
    assert "1 row, 1 run (Number Output), 0 done, 1 to train" in done.stdout


def test_chosen_rows_are_printed_and_planned_without_the_others(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", "sweep=readme_table", "rows=0,34", "steps=2", "data=mnist5k")
    assert done.returncode == 0, done.stderr
    assert "2 of 39 rows, 2 runs" in done.stdout
    assert "–" not in done.stdout
    assert len(list((tmp_path / "outputs" / "runs").iterdir())) == 2
    text = table_of(tmp_path).read_text()
    assert text.count("not trained yet") == 37


def test_an_output_folder_of_an_odd_name(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", "out='o(1), x'", "steps=2", "data=mnist5k")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "o(1), x" / "runs").iterdir())) == 1
    assert not (tmp_path / "outputs").exists()


def test_an_output_folder_that_is_a_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    assert "taken" in one_line_error(cli("out=taken", "steps=2"))
    assert "taken" in one_line_error(cli("-m", "out=taken", "steps=2"))
    assert (tmp_path / "taken").read_text() == "mine"


def test_one_run_writes_its_folder(cli: Cli, tmp_path: Path) -> None:
    done = cli("steps=20", "threads=1")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert f"picture: outputs/runs/{run.id}/samples.png" in done.stdout
    assert "data: mnist5k, the first of profile=demo (a table takes all of them)" in done.stdout
    (weights,) = re.findall(r"^generator: (.*)$", done.stdout, re.MULTILINE)
    assert (tmp_path / weights).is_file()
    assert done.stderr == ""

    result = json.loads(run.result.read_text())
    assert (result["steps"], result["images"]) == (20, 640)
    assert result["images_per_second"] > 0
    assert result["peak_memory_mib"] > 0
    metrics = run.read_metrics()
    assert [line["step"] for line in metrics] == [10, 20]
    assert metrics[-1]["loss_d"] == result["loss_d"]
    assert metrics[-1]["epoch"] == pytest.approx(20 * 32 / 4480, abs=1e-4)
    assert len(list(run.samples.glob("*.png"))) == 10
    with Image.open(run.picture) as picture:
        assert picture.size == (112, 112)
        assert picture.getextrema() == (0, 255)
    record = json.loads(run.config.read_text())
    assert record["params"]["lr"] == 0.0001
    assert record["command"].startswith("python -m gansweep data=mnist5k")
    environment = json.loads(run.environment.read_text())
    assert environment["threads"] == 1
    assert environment["packages"]["torch"]
    assert not run.failure.exists()

    again = cli("steps=20", "threads=1")
    assert f"run {run.id} is done already" in again.stdout


@pytest.mark.slow
def test_the_recorded_command_is_the_same_run(cli: Cli, tmp_path: Path) -> None:
    done = cli("steps=2", "lr=1e-3", "smooth=0")
    run = only_run(tmp_path)
    command = json.loads(run.config.read_text())["command"]
    again = cli(*command.split()[3:])
    assert f"run {run.id} is done already" in again.stdout, done.stdout + again.stderr


def weights(cli: Cli, folder: Path, *arguments: str) -> bytes:
    out = folder / f"out{len(list(folder.iterdir()))}"
    done = cli("steps=6", "threads=1", f"out={out}", *arguments)
    assert done.returncode == 0, done.stderr
    (final,) = out.glob("runs/*/final.ckpt")
    return final.read_bytes()


def test_a_seed_makes_a_cpu_run_reproducible_bit_for_bit(cli: Cli, tmp_path: Path) -> None:
    dropout = ("gen=5", "disc=4", "gen_drop=0.5", "disc_drop=0.5")
    first = weights(cli, tmp_path, *dropout)
    assert weights(cli, tmp_path, *dropout) == first
    assert weights(cli, tmp_path, *dropout, "seed=2") != first


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("precision=bf16", "memory_format=contiguous"),
        ("gen=conv3", "disc=conv3", "data=toyfaces", "data.channels=1", "limit=40", "judge=false",
         "gen_opt=adam", "disc_opt=sgd", "joint_d=true", "fresh_z=true"),
        ("reuse_fake=false", "gen=3", "disc=3", "gen_drop=0.5", "disc_drop=0.5", "smooth=0.1"),
    ],
    ids=["bf16", "document 000", "recomputing"],
)  # fmt: skip
def test_training_with_options(options: tuple[str, ...], cli: Cli, tmp_path: Path) -> None:
    done = cli("steps=2", *options)
    assert done.returncode == 0, done.stderr
    assert only_run(tmp_path).complete()


@pytest.mark.slow
def test_a_job_does_not_read_the_source_of_the_data_again(cli: Cli, tmp_path: Path) -> None:
    for i in range(40):
        Image.effect_noise((30, 30), 50).save(tmp_path / f"{i}.png")
    (tmp_path / "pics").mkdir()
    for path in tmp_path.glob("*.png"):
        path.rename(tmp_path / "pics" / path.name)
    assert cli("data=images", "data.root=pics", "steps=2").returncode == 0
    run = only_run(tmp_path)
    run.result.unlink()
    (tmp_path / "pics").rename(tmp_path / "away")
    done = cli(f"run_id={run.id}")
    assert done.returncode == 0, done.stderr
    assert run.complete()


@pytest.mark.parametrize("name", ["nope", "../../x", "0123456789-s1"])
def test_an_unknown_run_id_writes_nothing(cli: Cli, tmp_path: Path, name: str) -> None:
    said = one_line_error(cli(f"run_id={name}"))
    assert said == f"gansweep: error: run_id={name}: no planned run in outputs/runs"
    assert not list(tmp_path.rglob("*"))


def test_a_missing_device_is_refused(cli: Cli) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert "device=cuda, but PyTorch sees no GPU" in one_line_error(cli("device=cuda", "steps=2"))


@pytest.mark.slow
def test_divergence_is_recorded_and_is_exit_code_1(faulty_cli: Any, tmp_path: Path) -> None:
    done = faulty_cli(NAN)("steps=40", "lr=0.001")
    assert done.returncode == 1, done.stdout + done.stderr
    run = only_run(tmp_path)
    assert "diverged: loss_d is nan at step 10" in done.stdout
    assert "Traceback" not in done.stderr
    assert run.status() == "diverged"
    assert "Diverged" in run.log.read_text()


NAN = "do=nan lr=0.001 step=7"
GRID = ("-m", "lr=1e-4,5e-5", "beta1=0.3,0.9", "steps=4")


def table_of(folder: Path) -> Path:
    (path,) = (folder / "reports").glob("*/README.md")
    return path


def test_a_grid_ends_in_a_table_and_the_same_command_trains_nothing(
    cli: Cli, tmp_path: Path
) -> None:
    done = cli(*GRID)
    assert done.returncode == 0, done.stderr
    assert "4 rows, 8 runs (Number Output, Drawn Face Output), 0 done, 8 to train" in done.stdout
    assert "data: mnist5k and toyfaces, of profile=demo" in done.stdout
    assert re.search(r"\[1/8\] lr=\S+ beta1=\S+ data=\w+  FD \(\w+\) [\d,.]+, ", done.stdout)
    assert "Number Output: no run is alive after 4 steps (" in done.stdout
    table = table_of(tmp_path)
    assert f"table: reports/{table.parent.name}/README.md" in done.stdout
    text = table.read_text()
    assert "| learning rate | beta 1 | Number Output | Drawn Face Output |" in text
    assert "| 5e-5 | 0.9 |" in text
    images = re.findall(r"\]\((images/[^)]+\.png)\)", text)
    assert len(images) == len(set(images)) == 8
    for name in images:
        with Image.open(table.parent / name) as picture:
            assert picture.size == (112, 112)
    assert "toyfaces (drawn, not photographed), 9,000 images of 28×28, 4 steps" in text
    assert f"python -m gansweep {' '.join(GRID)}\n" in text

    finished = {p: p.stat().st_mtime_ns for p in (tmp_path / "outputs").rglob("*.ckpt")}
    again = cli(*GRID)
    assert again.returncode == 0
    assert "8 done, 0 to train" in again.stdout
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "outputs").rglob("*.ckpt")} == finished
    assert table.read_text() == text

    more = cli("-m", "lr=1e-4,5e-5,2e-5", "beta1=0.3,0.9", "steps=4", "data=mnist5k")
    assert "6 rows, 6 runs (Number Output), 4 done, 2 to train" in more.stdout
    assert re.findall(r"^\[(./.)\] lr=2e-5", more.stdout, re.MULTILINE) == ["5/6", "6/6"]
    assert "data: " not in more.stdout, "the command line chooses the data"


def test_damage_is_repaired_by_the_next_command(cli: Cli, tmp_path: Path) -> None:
    """The damage is a deleted thumbnail and picture, a truncated result and a partial folder."""
    grid = (
        "-m", "beta1=0.1,0.2,0.3,0.4,0.5,0.6,0.7", "steps=4", "data=mnist5k", "name=fragile",
        "judge=false",  # Otherwise the best picture would replace a missing last picture.
    )  # fmt: skip
    assert cli(*grid).returncode == 0
    table = tmp_path / "reports" / "fragile" / "README.md"
    text, images = table.read_text(), table.parent / "images"
    pictures = {p.name: p.read_bytes() for p in images.iterdir()}
    manifest = json.loads((tmp_path / "outputs/sweeps/fragile/manifest.json").read_text())
    runs = [Run(tmp_path / "outputs", row["runs"]["Number Output"][0]) for row in manifest["rows"]]

    (images / "row0-number.png").unlink()
    (images / "row1-number.png").write_bytes(b"\x89PNG half")
    runs[1].picture.unlink()
    runs[2].result.write_text(runs[2].result.read_text()[:30])
    for path in runs[3].folder.iterdir():
        if path.is_file() and path.name != "config.json":
            path.unlink()
    runs[3].config.write_text('{"id": "ha')
    runs[4].picture.write_bytes(runs[4].picture.read_bytes()[:100])
    runs[6].config.write_text('{"id": "ha')
    runs[5].picture.unlink()
    runs[5].final.write_bytes(runs[5].final.read_bytes()[:100])

    # The report names the damage and changes no run.
    report = cli("fragile", module="gansweep.report")
    assert report.returncode == 0, report.stderr
    half = table.read_text()
    assert half.count("![") == 3  # rows 0, 2 and 6
    assert "picture missing: run the sweep again to draw it" in half
    assert "result.json damaged: run the sweep again" in half
    assert "config.json damaged: run the sweep again" in half
    assert "cannot be read" in half

    again = cli(*grid)
    assert again.returncode == 0, again.stderr
    assert "result.json is damaged: the run is trained again" in again.stdout
    assert again.stdout.count("drawn again from the final weights") == 2  # rows 1 and 4
    assert "final.ckpt cannot be used" in again.stdout
    assert "2 done, 5 to train" in again.stdout
    assert {p.name: p.read_bytes() for p in images.iterdir()} == pictures
    strip = re.compile(r"training took .*")
    assert strip.sub("", table.read_text()) == strip.sub("", text)


def test_a_failing_row_does_not_stop_other_rows(faulty_cli: Any, cli: Cli, tmp_path: Path) -> None:
    grid = ("-m", "lr=0.001,1e-4", "steps=20", "data=mnist5k", "name=f")
    done = faulty_cli(NAN)(*grid)
    assert done.returncode == 1, done.stderr
    assert "1 of 2 runs trained" in done.stdout
    assert "lr=1e-3 data=mnist5k  diverged: loss_d is nan at step 10" in done.stdout
    text = (tmp_path / "reports" / "f" / "README.md").read_text()
    # The failed row has its last picture and the reason, with a link to the end of its log.
    reason = "[diverged: loss\\_d is nan at step 10](logs/row0-number.txt)"
    assert f"images/row0-number.png) {reason} |" in text
    assert "Diverged" in (tmp_path / "reports/f/logs/row0-number.txt").read_text()
    assert "Runs: 1 diverged, 1 done" in text

    again = cli(*grid)  # This command has no fault.
    assert again.returncode == 1
    assert "1 done, 1 failed before (retry=failed trains them again), 0 to train" in again.stdout
    repaired = cli(*grid, "retry=failed")
    assert repaired.returncode == 0
    assert "1 done, 1 to train" in repaired.stdout
    text = (tmp_path / "reports" / "f" / "README.md").read_text()
    assert text.count(".png") == 2
    assert "failed" not in text


def test_ctrl_c_keeps_finished_runs_and_prints_the_command_to_resume(tmp_path: Path) -> None:
    process = Command(tmp_path, "-m", "steps=4,100000", "data=mnist5k", "name=c")
    wait_for("outputs/runs/*/result.json", tmp_path)
    wait_for("outputs/runs/*/metrics.jsonl", tmp_path, count=2)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, out + err
    assert "interrupted: finished runs are kept" in out
    assert "to resume: python -m gansweep -m steps=4,100000 data=mnist5k name=c" in out
    assert "Traceback" not in err
    text = (tmp_path / "reports" / "c" / "README.md").read_text()
    assert text.count(".png") == 1


def test_a_report_calls_the_runs_of_a_killed_sweep_interrupted(cli: Cli, tmp_path: Path) -> None:
    process = Command(
        tmp_path, "-m", "steps=100000", "log_every=1", "sample_every=2", "data=mnist5k", "name=k"
    )
    wait_for("outputs/runs/*/samples/*4.png", tmp_path)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until_ended(only_run(tmp_path))  # The job saves a checkpoint first.
    done = cli("k", module="gansweep.report")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "reports" / "k" / "README.md").read_text()
    assert re.search(r"\.png\) interrupted after step \d+: run the sweep again", text)


def test_a_report_of_a_running_sweep(cli: Cli, tmp_path: Path) -> None:
    process = Command(
        tmp_path, "-m", "steps=100000", "log_every=1", "sample_every=2", "data=mnist5k", "name=r"
    )
    try:
        wait_for("outputs/runs/*/samples/*4.png", tmp_path)
        done = cli("r", module="gansweep.report")
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "reports" / "r" / "README.md").read_text()
        assert re.search(r"\.png\) running \(step \d+\)", text)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_report_of_a_missing_sweep_is_refused(cli: Cli) -> None:
    assert "no sweep 'x' in outputs/sweeps" in one_line_error(cli("x", module="gansweep.report"))


TINY = ("-m", "lr=1e-3,2e-3", "steps=2", "width=0.0625", "data=mnist5k", "judge=false", "name=tiny")


@pytest.mark.slow
def test_a_closed_pipe_does_not_end_a_sweep(tmp_path: Path) -> None:
    sweep = subprocess.Popen(
        [sys.executable, "-m", "gansweep", *TINY], cwd=tmp_path, stdout=subprocess.PIPE
    )
    assert sweep.stdout is not None
    assert sweep.stdout.readline()
    sweep.stdout.close()  # `| head -1` does the same.
    assert sweep.wait(timeout=300) == 0
    assert (tmp_path / "reports/tiny/README.md").exists()


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&- 2>&-", "<&- >&-"])
def test_closed_standard_streams_do_not_end_a_sweep(closed: str, tmp_path: Path) -> None:
    command = shlex.join([sys.executable, "-m", "gansweep", *TINY])
    done = subprocess.run(f"{command} {closed}", shell=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0
    assert (tmp_path / "reports/tiny/README.md").exists()
    assert (tmp_path / "reports/tiny/README.md").read_text().count("images/row") == 2


@pytest.mark.slow
def test_an_encoding_without_the_printed_characters_does_not_end_a_sweep(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert cli("--help", cold=True).returncode == 0
    done = cli(*TINY, cold=True)
    assert done.returncode == 0, done.stderr
    assert "table: reports/tiny/README.md" in done.stdout


def test_control_characters_never_reach_the_terminal(cli: Cli, tmp_path: Path) -> None:
    said = one_line_error(cli("-m", "name=\x1b[31mred\nline", "lr=1e-3", "plan=true"))
    said += one_line_error(cli("-m", "name='two\nlines'", "lr=1e-3", "plan=true"))
    assert "\x1b" not in said
    assert cli(*TINY).returncode == 0
    failed = next((tmp_path / "outputs/runs").iterdir())
    (failed / "result.json").unlink()
    (failed / "failure.json").write_text(
        json.dumps({"error": "\x1b]0;owned\x07 boom", "type": "X", "cause": "failed", "time": "z"})
    )
    shown = cli("tiny", module="gansweep.report")
    assert shown.returncode == 0
    assert "boom" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "\x07" not in shown.stdout
    for words in (("show", failed.name), ("status", "tiny"), ("diff", failed.name, failed.name)):
        done = cli(*words)
        assert "\x1b" not in done.stdout + done.stderr, words
    assert "boom" in cli("show", failed.name).stdout


def test_words_that_are_not_utf8_are_refused(cli: Cli) -> None:
    assert "is not valid UTF-8" in one_line_error(cli("-m", "out=x\udcff", "lr=1e-3"))
