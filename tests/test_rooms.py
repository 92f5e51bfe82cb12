"""Tests of the rooms, the folders of the package, and of the direction of their imports.

CONTRIBUTING.md describes the rooms.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gansweep"
# A room may import the rooms before it in this list. "." is the root of the package.
ROOMS = [
    "store", "terminal", ".", "training", "report", "launch", "planning", "search", "commands",
    "api",
]  # fmt: skip
# These rooms within a room do not import from the room around them.
INNER = {"training": ["data", "networks", "metrics"], "report": ["table", "render", "plots"]}
REPORT_NEVER_IMPORTS = {"planning", "search", "launch"}
TORCH = {"torch", "torchvision", "pytorch_lightning", "lightning"}
HEAVY = sorted(TORCH | {"optuna", "matplotlib", "pandas"})
LONGEST = 400  # the highest number of lines of a file

FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# Entry points such as `gansweep.status` may import the command that they run.
ENTRIES = {
    name
    for name, path in FILES.items()
    if path.name == "__main__.py"
    or (path.parent == PACKAGE and ": another spelling of" in path.read_text(encoding="utf-8"))
}


def imports(name: str) -> Iterator[tuple[str, bool]]:
    """Yield each module that a file imports, and whether the import is in a function.

    Imports for types are left out.

    """
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    late = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None and not node.level, f"{name}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole if whole in FILES else node.module), id(node) in late


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else "."


OWN = {name: [m for m, _ in imports(name) if m in FILES] for name in FILES}


def test_every_folder_is_a_room_and_every_file_has_a_docstring() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == {*ROOMS} - {"."}
    for name, path in FILES.items():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), (
            f"{name}: no docstring"
        )


@pytest.mark.parametrize("name", FILES)
def test_imports_go_to_lower_rooms(name: str) -> None:
    if name in ENTRIES:
        return
    for imported in OWN[name]:
        if imported == "gansweep":  # The package exports its version.
            continue
        assert ROOMS.index(room(imported)) <= ROOMS.index(room(name)), f"imports {imported}"
        if room(name) == "report":
            assert room(imported) not in REPORT_NEVER_IMPORTS, f"imports {imported}"
        inner = name.split(".")[2] if name.count(".") > 2 else ""
        if inner in INNER.get(room(name), ()) and room(imported) == room(name):
            known = INNER[room(name)][: INNER[room(name)].index(inner) + 1]
            assert imported.split(".")[2] in known, f"imports {imported}"


def test_files_do_not_import_each_other_in_a_circle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' → '.join((*path[path.index(name) :], name))}"
        if name in done:
            return
        for imported in OWN[name]:
            if imported != "gansweep" and not name.startswith(f"{imported}."):
                visit(imported, (*path, name))
        done.add(name)

    for name in FILES:
        visit(name, ())


def test_the_root_holds_only_entry_points_and_declarations() -> None:
    in_root = {name for name in FILES if room(name) == "."}
    assert in_root - ENTRIES == {
        "gansweep", "gansweep.params", "gansweep.settings", "gansweep.config", "gansweep.plugins",
        "gansweep.declare", "gansweep.components", "gansweep.loading", "gansweep.register",
        "gansweep.source_code", "gansweep.template", "gansweep.notation", "gansweep.machine",
    }  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_no_file_is_longer_than_400_lines(name: str) -> None:
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("name", FILES)
def test_only_training_imports_torch(name: str) -> None:
    """Imports for types do not count, and only the fork server imports `launch/preload.py`."""
    if room(name) == "training" or name == "gansweep.launch.preload":
        return
    for imported, _ in imports(name):
        assert imported.split(".")[0] not in TORCH


@pytest.mark.parametrize("name", [n for n in FILES if n.startswith("gansweep.store")])
def test_the_record_types_need_only_the_standard_library(name: str) -> None:
    for imported, _ in imports(name):
        top = imported.split(".")[0]
        assert top == "gansweep" or top in sys.stdlib_module_names, f"imports {imported}"


def test_planning_and_reports_are_imported_without_torch() -> None:
    """One process imports all these modules, so indirect imports of torch are found too."""
    light = [
        name for name in FILES
        if room(name) != "training" and not name.endswith(("__main__", "preload"))
    ]  # fmt: skip
    code = (
        f"import importlib, sys\n"
        f"for name in {light!r}:\n"
        f"    importlib.import_module(name)\n"
        f"    heavy = [h for h in {HEAVY!r} if h in sys.modules]\n"
        f"    if heavy: sys.exit(f'{{name}} imports {{heavy}}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_other_hydra_applications_do_not_load_gansweep() -> None:
    """Hydra imports every plugin at its start, so gansweep's plugins must be cheap."""
    code = (
        "import sys, hydra_plugins.gansweep; "
        "print([n for n in sys.modules if n == 'gansweep' or n.startswith('gansweep.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_contributing_describes_every_room() -> None:
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    missing = [room for room in ROOMS if room != "." and f"| `{room}/` |" not in text]
    missing += [
        p.name for p in PACKAGE.glob("*.py") if p.name[0] != "_" and not _described(p, text)
    ]
    assert missing == []
    assert "## Adding something" in text


def _described(path: Path, text: str) -> bool:
    return f"`{path.name}`" in text or f"gansweep.{path.stem}" in ENTRIES
