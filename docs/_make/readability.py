"""Measure how easily the README and the pages of the documentation are read.

`python docs/_make/readability.py [--worst 10] [FILE …]` prints a table of the pages, and the
longest sentences. Code blocks, tables, headings, pictures and the targets of links are left out.
Code within a sentence counts as one short word.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONG = 25  # words; guides to plain language name 20 to 25 as the most
LEFT_OUT = re.compile(r"```.*?```|<!--.*?-->|<[^>\n]+>|!\[[^\]]*\]\([^)]*\)", re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
CODE = re.compile(r"`[^`]*`")
BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[*-]|\d+\.) )")  # paragraphs, and items of lists
ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|etc|vs|et al|cf|No|approx)\.")
END = re.compile(r"(?<=[.!?])[\"')\]*_]*\s+")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d[\d.,]*")
PASSIVE = re.compile(
    r"\b(?:is|are|was|were|be|been|being)\s+(?:not\s+|\w+ly\s+|also\s+|then\s+|only\s+)?"
    r"(?:\w{2,}ed|\w+(?:own|iven|aken|itten|osen|oken|awn)|made|kept|held|found|shown|set|put|read"
    r"|run|left|lost|built|sent|told|done|seen|known)\b",
    re.IGNORECASE,
)  # fmt: skip


@dataclass(frozen=True)
class Readability:
    """The measures of a text.

    words: per sentence, the mean; long: the share of sentences of more than LONG words; passive:
    the share of sentences with a passive verb; grade: the years of school by Flesch and Kincaid
    (1975).
    """

    sentences: int
    words: float
    long: float
    passive: float
    grade: float


def sentences(markdown: str) -> Iterator[str]:
    """Yield the sentences of a page's prose."""
    text = LINK.sub(r"\1", CODE.sub(" code ", LEFT_OUT.sub("\n\n", markdown)))
    for block in BLOCK.split(text):
        lines = [line for line in block.splitlines() if not re.match(r"\s*(#|\||---)", line)]
        prose = re.sub(r"^\s*(?:[*>-]|\d+\.)\s+", "", " ".join(lines).strip())
        for sentence in END.split(ABBREVIATIONS.sub(r"\1", prose)):
            if len(WORD.findall(sentence)) > 2:  # not a label
                yield " ".join(sentence.split())


def syllables(word: str) -> int:
    """Return about how many syllables an English word has."""
    if word[0].isdigit():
        return 1
    lower = word.lower()
    groups = len(re.findall(r"[aeiouy]+", lower))
    spoken = ("le", "ee", "ted", "ded")
    silent = lower.endswith(("e", "ed")) and not lower.endswith(spoken)
    return max(1, groups - (1 if silent and groups > 1 else 0))


def readability(markdown: str) -> Readability:
    """Return the measures of a page. Raises ValueError if it has no sentences."""
    found = list(sentences(markdown))
    if not found:
        raise ValueError("the text has no sentences")
    counts = [len(WORD.findall(sentence)) for sentence in found]
    spoken = [syllables(word) for sentence in found for word in WORD.findall(sentence)]
    words = sum(counts) / len(found)
    return Readability(
        sentences=len(found),
        words=words,
        long=sum(count > LONG for count in counts) / len(found),
        passive=sum(bool(PASSIVE.search(sentence)) for sentence in found) / len(found),
        grade=0.39 * words + 11.8 * sum(spoken) / sum(counts) - 15.59,
    )


def pages() -> list[Path]:
    """Return the README, CONTRIBUTING and the pages that are written by hand."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--worst", type=int, default=0, help="how many long sentences to print")
    options = parser.parse_args()
    files = options.files or pages()
    print("| page | sentences | words each | over 25 words | passive | grade |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    found = []
    for path in files:
        text = path.read_text(encoding="utf-8")
        found += [(len(WORD.findall(s)), path.name, s) for s in sentences(text)]
        about = readability(text)
        print(
            f"| {path.name} | {about.sentences} | {about.words:.1f} | {about.long:.0%} "
            f"| {about.passive:.0%} | {about.grade:.1f} |"
        )
    for count, name, sentence in sorted(found, reverse=True)[: options.worst]:
        print(f"\n{name}, {count} words: {sentence}")


if __name__ == "__main__":
    main()
