"""The command of a script as a template: `command='python train.py --lr {lr} --out {out}'`.

A placeholder is a parameter of gansweep, `{lr}`; a parameter of the script's own with its type and
its default, `{width:int=64}`; or a value that gansweep supplies, `{out}`. The registry COMMANDS
makes a template a component: its own parameters are its signature, as in components.py.
"""

from __future__ import annotations

import inspect
import itertools
import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gansweep.plugins import Entry, Registry
from gansweep.store.errors import UserError, choices_hint

TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}
# What gansweep supplies, and the words of --help for it.
SUPPLIED = {
    "out": "the folder that the script writes into",
    "data": "the training images, a NumPy file: uint8 N×C×H×W",
    "resume": "that folder, if the run resumes; otherwise the whole word is left out",
    "image_size": "height and width of the images",
    "channels": "1 for grey images, 3 for colour",
    "device": "cpu or cuda",
    "threads": "CPU threads of the run",
    "python": "the Python that runs gansweep",
}
_TOKENS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_FIELD = re.compile(r"(?P<name>[A-Za-z_]\w*)(?::(?P<rest>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Field:
    """A placeholder. own: the type of a parameter of the script's own, which has a default; text:
    what a resumed run has in its place, for `{resume:--resume}`."""

    name: str
    own: type | None = None
    default: Any = None
    text: str | None = None


Word = tuple[str | Field, ...]


@dataclass(frozen=True)
class Template:
    """A command as its words, each of which consists of texts and placeholders."""

    words: tuple[Word, ...]

    def fields(self) -> list[Field]:
        """Return the placeholders in their order."""
        return [part for word in self.words for part in word if isinstance(part, Field)]

    def own(self) -> dict[str, Field]:
        """Return the parameters of the script's own by name."""
        return {field.name: field for field in self.fields() if field.own is not None}

    def asked(self) -> set[str]:
        """Return the names of all other placeholders."""
        return {field.name for field in self.fields()} - self.own().keys()

    @property
    def resumes(self) -> bool:
        """Whether the script can be told to resume."""
        return "resume" in self.asked()

    def fill(self, values: Mapping[str, Any], *, resumed: bool) -> list[str]:
        """Return the words of the command with the values of the placeholders in their places.

        A word with {resume} is left out unless the run is resumed.
        """
        filled = []
        for word in self.words:
            fields = [part for part in word if isinstance(part, Field)]
            if resumed or not any(field.name == "resume" for field in fields):
                filled.append("".join(_filled(part, values) for part in word))
        return filled

    def files(self) -> list[Path]:
        """Return the files below the current folder that the command names, `-m a.b` included."""
        texts = [_constant(word) for word in self.words]
        found = [Path(text) for text in texts if text]
        for option, module in itertools.pairwise(texts):
            if option == "-m":
                path = Path(*module.split("."))
                found += [path.with_suffix(".py"), path / "__main__.py"]
        return [path for path in found if not path.is_absolute() and path.is_file()]


def _constant(word: Word) -> str:
    """Return the text of a word; "" if the word has a placeholder."""
    texts = [part for part in word if isinstance(part, str)]
    return "".join(texts) if len(texts) == len(word) else ""


def _filled(part: str | Field, values: Mapping[str, Any]) -> str:
    if isinstance(part, str):
        return part
    return part.text if part.text is not None else as_word(values[part.name])


def as_word(value: Any) -> str:
    """Return a value as a script reads it: `true` and `false`, and numbers as Python has them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_template(text: str) -> Template:
    """Read a command. Raises UserError, in one line, for a placeholder that cannot be read."""
    if "${" in text:
        raise UserError("command: gansweep starts no shell, so nothing replaces ${…}")
    try:
        words = tuple(_word(word) for word in shlex.split(text))
    except ValueError as error:
        raise UserError(f"command: {text!r} cannot be split into words ({error})") from None
    if not words:
        raise UserError("command is empty; write command='python train.py --out {out}'")
    template = Template(words)
    declared: dict[str, Field] = {}
    for field in template.fields():
        if field.own is not None and declared.setdefault(field.name, field) != field:
            raise UserError(f"command: {{{field.name}:…}} is declared twice; later write its name")
    return template


def _word(text: str) -> Word:
    """Return the parts of a word. Doubled braces are braces."""
    parts: list[str | Field] = []
    end = 0
    for match in _TOKENS.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        if match[0] in ("{{", "}}"):
            parts.append(match[0][0])
        elif match[1] is not None:
            parts.append(_field(match[1]))
        else:
            raise UserError(
                f"command: a single {match[0]} in {text!r}; write {match[0] * 2} for it"
            )
    parts.append(text[end:])
    return tuple(part for part in parts if part != "")


def _field(text: str) -> Field:
    """Read what stands between braces."""
    match = _FIELD.fullmatch(text)
    where = f"command: {{{text}}}"
    if match is None:
        raise UserError(f"{where} is no placeholder; write {{{{ and }}}} for braces")
    name, rest = match["name"], match["rest"]
    if rest is None or name == "resume":
        return Field(name, text=rest)
    kind, equals, default = rest.partition("=")
    if kind not in TYPES:
        raise UserError(f"{where}: {choices_hint(kind, TYPES)}; write {{{name}:float=0.1}}")
    if not equals:
        raise UserError(f"{where} has no default; write {{{name}:{kind}=…}}")
    try:
        return Field(name, TYPES[kind], _READ[kind](default))
    except (ValueError, KeyError):
        raise UserError(f"{where}: the default {default!r} is no {kind}") from None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


_READ: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": _finite,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "str": str,
}


class Commands(Registry):
    """The commands of scripts. Each template is the name of an entry.

    The signature of the entry has the parameters of the script's own, and its fact `template` is
    the template.
    """

    def _find(self, name: str) -> Entry:
        """Return the entry of a command. Raises UserError if the command cannot be read."""
        if name not in self._by_path:
            template = read_template(name)
            facts = {"template": template, "help": "a script"}
            self._by_path[name] = Entry(name, _signed(template), facts)
        return self._by_path[name]

    def valid(self) -> str:
        """Return what is valid in words."""
        return "a command with placeholders, such as {lr} and {out}"


def _signed(template: Template) -> Callable[..., Any]:
    """Return a function whose signature has the parameters of the script's own."""

    def script(**_: Any) -> None:
        raise AssertionError("a script is started as a process")

    own = template.own()
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(name, keyword, default=field.default, annotation=field.own)
        for name, field in own.items()
    ]
    script.__annotations__ = {name: field.own for name, field in own.items()}
    script.__module__ = "command"  # not gansweep's
    vars(script)["__signature__"] = inspect.Signature(parameters)
    return script


COMMANDS = Commands("command")


def template_of(command: str) -> Template:
    """Return the template of a command. Raises UserError if it cannot be read."""
    template: Template = COMMANDS[command].template
    return template
