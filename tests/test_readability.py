"""Tests that the documentation stays easy to read, by the measures of docs/_make/readability.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
# Upper limits that a page in plain language keeps with room to spare: the mean length of sentences
# in words, the share of those of more than 25, years of school, and the words of any sentence.
WORDS, LONG, GRADE, LONGEST = 23, 0.35, 10, 50


def measure() -> Any:
    path = ROOT / "docs" / "_make" / "readability.py"
    spec = importlib.util.spec_from_file_location("readability", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["readability"] = module
    spec.loader.exec_module(module)
    return module


MEASURE = measure()


@pytest.mark.parametrize("path", MEASURE.pages(), ids=lambda path: path.name)
def test_a_page_is_easy_to_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = list(MEASURE.sentences(text))
    too_long = [s for s in found if len(MEASURE.WORD.findall(s)) > LONGEST]
    assert too_long == [], "sentences to divide (docs/_make/readability.py --worst 10)"
    about = MEASURE.readability(text)
    assert about.words <= WORDS
    assert about.long <= LONG
    assert about.grade <= GRADE


PAGE = """# A heading of words

The [first sentence](https://example.org/a/long/target) has `code in it`. It is
followed, e.g. here, by the second!

```sh
no sentence stands in a block
```

| a | table with words |
| --- | --- |

* an item which is
  one sentence
* label
"""


def test_only_prose_is_measured() -> None:
    assert list(MEASURE.sentences(PAGE)) == [
        "The first sentence has code .",
        "It is followed, e.g here, by the second!",
        "an item which is one sentence",
    ]


def test_measures_by_hand() -> None:
    words = {"a": 1, "table": 2, "closed": 1, "needed": 2, "2,000": 1, "metric": 2}
    assert {word: MEASURE.syllables(word) for word in words} == words
    about = MEASURE.readability("The cat was seen. The dog ran to the cat.")  # 10 syllables
    assert about.sentences == 2
    assert about.words == 5
    assert about.passive == 0.5
    assert about.grade == pytest.approx(0.39 * 5 + 11.8 - 15.59)
    assert MEASURE.readability(f"Words {'and words ' * 13}end.").long == 1
    with pytest.raises(ValueError, match="no sentences"):
        MEASURE.readability("# Only a heading")
