"""Load other people's code: plugin modules, and components by import path.

A plugin is a module whose import registers components. Plugins come from `plugins=` (command line
or a file of conf/), from the environment variable GANSWEEP_PLUGINS, both with commas between the
names, and from the entry points of installed packages in the group `gansweep.plugins`.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gansweep.store.errors import UserError

VARIABLE = "GANSWEEP_PLUGINS"
GROUP = "gansweep.plugins"


def plugin_names(text: str | None) -> list[str]:
    """Return the modules of `plugins=`, GANSWEEP_PLUGINS and the entry points, each once."""
    listed = f"{text or ''},{os.environ.get(VARIABLE, '')}".strip("[]").split(",")
    names = [name.strip() for name in listed if name.strip()]
    return list(dict.fromkeys([*names, *packaged_plugins()]))


@functools.cache
def packaged_plugins() -> tuple[str, ...]:
    """Return the modules that installed packages name as plugins of gansweep."""
    from importlib.metadata import entry_points

    return tuple(point.value for point in entry_points(group=GROUP))


def load_plugins(names: Iterable[str]) -> None:
    """Import each plugin, once. Raises UserError, in one line, if an import fails."""
    for name in names:
        import_module(name, f"plugins={name}")


def import_module(name: str, where: str) -> Any:
    """Import a module, which may lie in the current folder. Raises UserError if it fails.

    where: what the user wrote, for the message.
    """
    if name in sys.modules:
        return sys.modules[name]
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # `python -m gansweep` has it, the script `gansweep` does not
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise UserError(
                f"{where}: there is no module {error.name!r}{_correction(name)}; it is looked for "
                "in this folder, in PYTHONPATH and among the installed packages"
            ) from None
        raise UserError(f"{where} cannot be imported: {told(error)}") from error
    except Exception as error:
        remedy = ""
        if "no known parent package" in str(error):
            remedy = "; start gansweep in the folder above and write FOLDER.MODULE:NAME"
        raise UserError(f"{where} cannot be imported: {told(error)}{remedy}") from error
    except SystemExit as error:
        raise UserError(f"{where} calls sys.exit({error.code!r}) when it is imported") from None


def _correction(name: str) -> str:
    """Return a hint for the name of a module that does not exist; empty without a likely one."""
    if name.endswith(".py"):
        return f"; did you mean {name.removesuffix('.py')!r}?"
    near = difflib.get_close_matches(name, [path.stem for path in Path.cwd().glob("*.py")], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def import_object(path: str, where: str) -> Any:
    """Import `package.module:name`. Raises UserError if there is no such thing."""
    module_name, _, names = path.partition(":")
    found: Any = import_module(module_name, where)
    for name in names.split("."):
        if not hasattr(found, name):
            callables = [n for n, v in vars(found).items() if callable(v) and not n.startswith("_")]
            own = [n for n in callables if getattr(vars(found)[n], "__module__", "") == module_name]
            hint = f"; it has {', '.join(own)}" if own else ""
            raise UserError(f"{where}: {module_name} has no {name!r}{hint}")
        found = getattr(found, name)
    if not callable(found):
        raise UserError(f"{where} is no function or class but {type(found).__name__}")
    return found


def is_import_path(name: str) -> bool:
    """Is `name` spelled `package.module:name`?"""
    module, colon, attribute = name.partition(":")
    parts = [*module.split("."), *attribute.split(".")]
    return bool(colon) and all(part.isidentifier() for part in parts)


def respelled(name: str) -> str:
    """Return `package.module:name` for `package.module.name` and `package/module.py:name`.

    Returns an empty text for anything else.
    """
    module, _, attribute = name.partition(":") if ":" in name else name.rpartition(".")
    module = module.removesuffix(".py").replace("/", ".").strip(".")
    path = f"{module}:{attribute}"
    return path if is_import_path(path) else ""


def told(error: BaseException) -> str:
    """Return an error in one line, with the place in the file where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "importlib" not in f.filename and f.filename != __file__]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    if isinstance(error, SyntaxError) and error.filename:
        place = f" ({Path(error.filename).name}, line {error.lineno})"
    message = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    return f"{type(error).__name__}: {message}{place}"
