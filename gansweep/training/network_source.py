"""The code of a network, as a hash: what a run's id does not know.

A network's name is in the id, its layers are not. So every run records the code of its networks,
and whoever uses a finished run or a checkpoint again compares it with the code of today. Comments,
formatting and docstrings do not count; nor do the functions that a network calls.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from gansweep.config import Config
from gansweep.plugins import DISCRIMINATORS, GENERATORS
from gansweep.store.run import Run, read_json

DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@functools.cache
def hash_of(build: Callable[..., Any]) -> str:
    """Of a factory's code, as it was when this was first asked; the same for all without a file."""
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(build))).body
    except (OSError, TypeError, ValueError, SyntaxError):
        return ""
    if isinstance(tree, DOCUMENTED):
        tree.decorator_list = []  # what they declare is no layer
    return hashlib.sha256(_plain(tree).encode()).hexdigest()[:12]


def _plain(node: Any) -> str:
    """A syntax tree as text; unlike `ast.dump`, in the same way by every version of Python."""
    if isinstance(node, list):
        return f"[{', '.join(map(_plain, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
        fields["body"] = node.body[1:]
    return f"{type(node).__name__}({', '.join(f'{k}={_plain(v)}' for k, v in fields.items())})"


def codes(config: Config) -> dict[str, str]:
    """The hashes of the two networks, by `gen=5` and `disc=4`."""
    return {
        f"gen={config.gen}": hash_of(GENERATORS[config.gen].build),
        f"disc={config.disc}": hash_of(DISCRIMINATORS[config.disc].build),
    }


def changed_networks(run: Run, config: Config) -> list[str]:
    """Those whose code is not what the run was trained with, as `gen=5`.

    Nothing is known of a run that has not recorded it.
    """
    recorded = (read_json(run.environment) or {}).get("networks") or {}
    now = codes(config)
    return [name for name in now if recorded.get(name) and now[name] not in ("", recorded[name])]
