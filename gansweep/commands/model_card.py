"""The model card of exported weights: a README.md with the run's row, picture, results, command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from gansweep.commands.show import parameters, provenance, results
from gansweep.report.render.markdown import escape, fenced
from gansweep.report.table.address import Named
from gansweep.report.table.outcome import Outcome
from gansweep.store.errors import UserError
from gansweep.store.run import write_text

MARK = "<!-- Written by gansweep export -->"
PICTURE = "samples.png"
FRONT = """---
library_name: gansweep
pipeline_tag: unconditional-image-generation
tags: [gan, image-generation, gansweep]
---
"""
# How a program loads each file; {z} are the inputs, of which `USAGE` has the shapes.
LOADING = {
    "safetensors": """import gansweep as gs
import torch

generator = gs.load_export("generator.safetensors")
images = {draw}""",
    "onnx": """import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("generator.onnx")
z = np.random.uniform(-1, 1, (16, {z_dim})).astype("float32")
(images,) = session.run(None, {{"z": z{onnx_labels}}})""",
    "torchscript": """import torch

generator = torch.jit.load("generator.pt")
images = generator(torch.empty(16, {z_dim}).uniform_(-1, 1){labels})""",
}


def write_card(
    folder: Path,
    named: Named,
    outcome: Outcome,
    weights: str,
    files: Sequence[tuple[str, str, float]],
    takes_count: bool = False,
) -> Path:
    """Write the card of a run, and return its path.

    weights: their description; files: the format, the name and the largest difference of each file;
    takes_count: whether the network is a module whose `sample(n)` draws its own latents. Raises
    UserError if there is another README.md.
    """
    path = folder / "README.md"
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise UserError(f"{path} is no model card of gansweep's; name another --folder")
    name = f"{named.sweep}, row {named.row}" if named.sweep else named.run.id
    lines = [FRONT, MARK, "", f"# {escape(name)}", ""]
    judged = f": {escape(outcome.judged)}" if outcome.judged else ""
    lines += [f"The generator of {escape(named.title)}, {weights}{judged}.", ""]
    if (folder / PICTURE).is_file():
        lines += [f"![images of fixed latents]({PICTURE})", ""]
    for title, pairs in (
        ("Parameters", parameters(outcome, everything=False)),
        ("Results", results(outcome)),
        ("Origin", {k: v for k, v in provenance(outcome).items() if k != "command"}),
    ):
        lines += _section(title, pairs)
    command = _without_paths(outcome.config.get("command", "") if outcome.config else "")
    lines += ["## Training it again", "", fenced(command), ""]
    lines += [
        "## Files",
        "",
        "| file | largest difference from the run's own images |",
        "| --- | --- |",
    ]
    lines += [f"| {file} | {difference:.1e} |" for _, file, difference in files]
    lines += ["", _inputs(outcome), ""]
    for format, _, _ in files:
        lines += ["```python", _loading(format, outcome, takes_count), "```", ""]
    write_text(path, "\n".join(lines))
    return path


def _section(title: str, pairs: dict[str, str]) -> list[str]:
    if not pairs:
        return []
    rows = [f"| {escape(k)} | {escape(v)} |" for k, v in pairs.items()]
    return [f"## {title}", "", "| | |", "| --- | --- |", *rows, ""]


def _without_paths(command: str) -> str:
    """Return the command with FOLDER in the place of the data set's path on this machine."""
    words = ["data.root=FOLDER" if w.startswith("data.root=") else w for w in shlex.split(command)]
    return shlex.join(words)


def _facts(outcome: Outcome) -> tuple[int, list[str]]:
    """Return the size of a latent, and the classes."""
    config = outcome.config
    assert config is not None  # the weights were built from it
    return config["params"]["z_dim"], list(config["data"].get("classes", ()))


def _inputs(outcome: Outcome) -> str:
    z_dim, classes = _facts(outcome)
    text = f"Latents are float32 N×{z_dim}, uniform in [−1, 1]"
    if classes:
        listed = ", ".join(map(escape, classes))
        text += f"; labels are int64 (N,), the number from 0 of one of the classes {listed}"
    return f"{text}. Images are float32 N×C×H×W in [−1, 1]."


def _loading(format: str, outcome: Outcome, takes_count: bool) -> str:
    """Return a program that draws sixteen images from a file."""
    z_dim, classes = _facts(outcome)
    hosted = outcome.config is not None and outcome.config["params"].get("model") is not None
    labels = ", torch.zeros(16, dtype=torch.int64)" if classes else ""
    given = "16" if takes_count else f"torch.empty(16, {z_dim}).uniform_(-1, 1)"
    draw = f"generator{'.sample' if hosted else ''}({given}{labels})"
    onnx_labels = ', "labels": np.zeros(16, "int64")' if classes else ""
    return LOADING[format].format(z_dim=z_dim, labels=labels, draw=draw, onnx_labels=onnx_labels)
