"""Source code as a hash, in which comments, formatting and docstrings do not count."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@functools.cache
def version_of(build: Callable[..., Any]) -> str:
    """Return the version of a component's code: of its package if that is installed as a release.

    Otherwise it is the hash of the file that defines the component, as the file was when this was
    first asked. Other files that it imports do not count. "" if there is no file.
    """
    try:
        path = inspect.getsourcefile(inspect.unwrap(build))
    except TypeError:
        path = None
    if path is None or not Path(path).is_file():
        return ""
    if {"site-packages", "dist-packages"} & set(Path(path).parts):
        from importlib.metadata import packages_distributions, version

        package = build.__module__.partition(".")[0]
        names = packages_distributions().get(package)
        if names:
            return f"{names[0]} {version(names[0])}"
    try:
        return digest(ast.parse(Path(path).read_text(encoding="utf-8")))
    except (SyntaxError, ValueError):  # it was edited since it was imported
        return ""


LARGEST = 1 << 20  # bytes of a file that counts as code or settings


def version_of_files(paths: Iterable[Path]) -> str:
    """Return the version of the files that a command names; "" if there are none.

    It is the hash of Python's code without comments and docstrings, and of the bytes of all other
    files. A file larger than LARGEST holds data: its content does not count.
    """
    found = []
    for path in paths:
        stat = path.stat()
        if stat.st_size <= LARGEST:
            found.append(f"{path} {_file_version(path, stat.st_mtime_ns, stat.st_size)}")
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:12] if found else ""


@functools.cache
def _file_version(path: Path, _changed: int, _size: int) -> str:
    """Return the hash of a file, cached until the file changes, as plans ask for it often."""
    content = path.read_bytes()
    if path.suffix == ".py":
        try:
            return digest(ast.parse(content))
        except (SyntaxError, ValueError):  # the script's Python may be another version
            pass
    return hashlib.sha256(content).hexdigest()[:12]


def digest(tree: ast.AST) -> str:
    """Return the hash of a syntax tree, twelve hexadecimal digits."""
    return hashlib.sha256(_plain(tree).encode()).hexdigest()[:12]


def _plain(node: Any) -> str:
    """Return a syntax tree as text; unlike `ast.dump`, all versions of Python give the same."""
    if isinstance(node, list):
        return f"[{', '.join(map(_plain, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
        fields["body"] = node.body[1:]
    return f"{type(node).__name__}({', '.join(f'{k}={_plain(v)}' for k, v in fields.items())})"
