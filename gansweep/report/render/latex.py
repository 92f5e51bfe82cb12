r"""Render a report as LaTeX: a `longtable` with pictures, and a document that includes it."""

from __future__ import annotations

from gansweep.report.render.files import Files
from gansweep.report.render.markup import Markup, cell_parts, single
from gansweep.report.table.caption import caption
from gansweep.report.table.collect import ReportTable, Results

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}", "'": r"\textquotesingle{}", "-": "{-}", "[": "{[}", "]": "{]}",
    "±": r"\(\pm\)", "≈": r"\(\approx\)", "×": r"\(\times\)", "≥": r"\(\geq\)", "–": "--",
    "…": r"\ldots{}",
}  # fmt: skip
PICTURE_WIDTH = "2.2cm"
T1_END = 0x180  # the font encoding T1 has letters below this code point

DOCUMENT = r"""\documentclass[a4paper,landscape]{article}
\usepackage[T1]{fontenc}
\usepackage[margin=1.5cm]{geometry}
\usepackage{array,booktabs,graphicx,longtable,textcomp}
\begin{document}
\section*{TITLE}
\small
\input{table}
\end{document}
"""


def escape(text: str) -> str:
    """Escape text for LaTeX; characters that pdfLaTeX's fonts do not have become `?`."""
    flat = " ".join(str(text).split())
    return "".join(_SPECIAL.get(c, c if ord(c) < T1_END and c.isprintable() else "?") for c in flat)


MARKUP = Markup(
    escape,
    bold=lambda text: rf"\textbf{{{text}}}",
    picture=lambda path, _: rf"\includegraphics[width={PICTURE_WIDTH}]{{{path}}}",
)


def render(results: Results, files: Files) -> str:
    r"""Return the tables and the caption, for `\input` in a document.

    The document must load the packages array, booktabs, graphicx, longtable and textcomp.
    """
    parts = ["% Written by gansweep. Pictures are relative to the document."]
    for table in results.tables:
        if table.remark:
            parts.append(rf"\begin{{quote}}{escape(table.remark)}\end{{quote}}")
        parts.append(_table(table, files))
    items = "\n".join(rf"\item {escape(line)}" for line in caption(results))
    parts.append(f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}")
    return "\n\n".join(parts) + "\n"


def render_document(results: Results) -> str:
    """Return a document that includes `table.tex`."""
    return DOCUMENT.replace("TITLE", escape(results.title))


def _table(table: ReportTable, files: Files) -> str:
    pictures = [*table.singles, *table.pictures]
    texts = [column.heading for column in table.columns]
    wide = r">{\raggedright\arraybackslash}m{4.2cm}"
    layout = "".join(r">{\raggedleft\arraybackslash}m{1.4cm}" for _ in texts)
    layout += "".join(wide for _ in pictures)
    heads = " & ".join(escape(heading) for heading in (*texts, *pictures))
    lines = [
        rf"\begin{{longtable}}{{{layout}}}", r"\toprule", heads + r" \\", r"\midrule", r"\endhead",
    ]  # fmt: skip
    for row in table.rows:
        cells = [escape(column.text(row)) for column in table.columns]
        cells += [single(row, heading, files, MARKUP) for heading in table.singles]
        for heading in table.pictures:
            parts = cell_parts(row, heading, files, MARKUP)
            cells.append(r" \newline ".join(text for _, text in parts))
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{longtable}"])
