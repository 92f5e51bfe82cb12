"""Let pages of the site link to files of the repository outside docs/, such as examples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
SITE = "repository/"  # where the site has these files
LEAVING = re.compile(r"\[([^\]]*)\]\((?:\.\./)+([^)#\s.][^)#\s]*)([^)]*)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the files to which pages link: documents, examples and published reports."""
    found = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    for folder in ("examples", "reports"):
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in found:
        source = SITE + path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, source, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Point links that leave docs/ to the files that `on_files` has added.

    Where the site does not have the file, only the text of the link stays.
    """
    source: str = page.file.src_uri
    if source.startswith(SITE):  # the README and its neighbours link to docs/
        return re.sub(r"(\]\()docs/", r"\1../", markdown)
    up = "../" * source.count("/")

    def link(found: re.Match[str]) -> str:
        text, path, rest = found.groups()
        if files.get_file_from_path(path) is not None:  # of a page in a folder of docs/
            return found[0]
        known = files.get_file_from_path(SITE + path) is not None
        return f"[{text}]({up}{SITE}{path}{rest})" if known else text

    return LEAVING.sub(link, markdown)
