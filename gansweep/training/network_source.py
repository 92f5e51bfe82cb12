"""Hash the code of networks, to find runs whose networks have changed since.

The id of a run contains the names of its networks but not their layers. Every run therefore records
a hash of the code of its networks, and the hash is compared with the present code before a finished
run or a checkpoint is used again. The hash ignores comments, formatting, docstrings and the
functions that a network calls.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from gansweep.config import Config
from gansweep.plugins import DISCRIMINATORS, GENERATORS, MODELS
from gansweep.source_code import digest
from gansweep.store.run import Run, read_json


@functools.cache
def hash_of(build: Callable[..., Any]) -> str:
    """Return the hash of a function's or class' code, or "" if Python finds no source.

    The source is read at the first call, so that later edits of the file do not count.
    """
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(build))).body
    except (OSError, TypeError, ValueError, SyntaxError):
        return ""
    if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        tree.decorator_list = []  # The declarations of a network are not its layers.
    return digest(tree)


def network_hashes(config: Config) -> dict[str, str]:
    """Return the hashes of the two networks, by names such as `gen=5` and `disc=4`.

    A script has none: its run's id contains the code of its files.
    """
    if config.command is not None:
        return {}
    if config.model is not None:
        return {f"model={config.model}": hash_of(MODELS[config.model].build)}
    return {
        f"gen={config.gen}": hash_of(GENERATORS[config.gen].build),
        f"disc={config.disc}": hash_of(DISCRIMINATORS[config.disc].build),
    }


def changed_networks(run: Run, config: Config) -> list[str]:
    """Return the networks, as `gen=5`, whose code differs from the code that trained the run.

    A network without a recorded or a present hash counts as unchanged.
    """
    recorded = (read_json(run.environment) or {}).get("networks") or {}
    now = network_hashes(config)
    return [name for name in now if recorded.get(name) and now[name] not in ("", recorded[name])]
