"""The table as Markdown, LaTeX, CSV, JSON and on the terminal."""
