"""Tests of examples/sweep.ipynb, which is executed as a notebook is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_for

import gansweep as gs

nbclient = pytest.importorskip("nbclient", reason="nbclient and ipykernel execute the notebook")
pytest.importorskip("ipykernel", reason="nbclient and ipykernel execute the notebook")
nbformat = pytest.importorskip("nbformat")
start_new_kernel = pytest.importorskip("jupyter_client.manager").start_new_kernel

NOTEBOOK = Path(__file__).parents[1] / "examples/sweep.ipynb"


def execute(notebook: Any, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Execute a notebook in a folder, and return the outputs of its cells by their ids."""
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return {cell["id"]: cell.get("outputs", []) for cell in notebook.cells}


def test_the_notebook_is_committed_without_outputs() -> None:
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.slow
def test_the_notebook(cache: Path, tmp_path: Path) -> None:
    shutil.copy(NOTEBOOK, tmp_path)
    notebook = nbformat.read(tmp_path / NOTEBOOK.name, as_version=4)
    outputs = execute(notebook, tmp_path)
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    results = {name: found[-1]["data"] for name, found in outputs.items() if found}
    command = "python -m gansweep -m lr=5e-4,1e-3 data=mnist5k steps=100"
    assert results["sweep"]["text/plain"] == f"'{command}'"
    assert results["plan"]["text/plain"].count("to train") == 2
    (live,) = outputs["run"]  # one output, which was updated in place
    assert live["output_type"] == "display_data"
    page = live["data"]["text/html"]
    assert "2/2 done" in page
    assert page.count('<img src="data:image/png;base64,') == 2
    assert "FD (LeNet)" in page
    assert "Number Output runs" in results["table"]["text/html"]
    assert "coverage" in results["columns"]["text/html"]
    assert results["run-one"]["text/html"].count("data:image/png") == 1
    assert results["generator"]["text/plain"].startswith("(torch.Size([16, 1, 28, 28]), ")
    assert results["picture"]["image/png"]
    assert len(list((tmp_path / "outputs/runs").iterdir())) == 2
    assert len(list(tmp_path.glob("reports/lr_*/index.html"))) == 1


def test_errors_in_a_notebook_are_one_line(tmp_path: Path) -> None:
    cells = [
        'import gansweep as gs\ngs.sweep(lr="abc").run()',
        'import gansweep as gs\ngs.open("nothing")',
    ]
    for source in cells:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        with pytest.raises(nbclient.exceptions.CellExecutionError):
            execute(notebook, tmp_path)
        error = notebook.cells[0]["outputs"][-1]
        assert error["ename"] in ("SweepError", "UserError")
        (line,) = error["traceback"]
        assert line.startswith(f"{error['ename']}: ")


@pytest.mark.slow
def test_the_stop_button_stops_the_sweep_with_checkpoints(cache: Path, tmp_path: Path) -> None:
    manager, client = start_new_kernel(cwd=str(tmp_path))
    try:
        asked = client.execute(
            "import gansweep as gs\n"
            'gs.sweep(lr=1e-3, data="mnist5k", steps=100_000, sample_every=20).run()'
        )
        wait_for("outputs/runs/*/samples/step_000020.png", tmp_path)
        manager.interrupt_kernel()
        messages = iter(lambda: client.get_shell_msg(timeout=400), None)
        # The kernel may still answer what `start_new_kernel` has asked.
        reply = next(m["content"] for m in messages if m["parent_header"]["msg_id"] == asked)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["ename"] == "Interrupted"
    assert reply["traceback"] == ["the sweep was interrupted; the same call resumes it"]
    (run,) = gs.open("latest", out=tmp_path / "outputs").runs()
    assert run.status == "interrupted"
    assert (run.folder / "last.ckpt").is_file()


@pytest.mark.slow
def test_results_are_not_shown_twice_in_the_cell_that_trains(cache: Path, tmp_path: Path) -> None:
    call = 'gs.sweep(lr=1e-3, data="mnist5k", steps=10, judge=False)'
    cells = [f"import gansweep as gs\nr = {call}.run()\nr", "r"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    execute(notebook, tmp_path)
    first, second = (cell["outputs"] for cell in notebook.cells)
    live, line = first
    assert "<img" in live["data"]["text/html"]
    assert "text/html" not in line["data"]
    assert "1/1 done" in line["data"]["text/plain"]
    assert "<img" in second[-1]["data"]["text/html"]
