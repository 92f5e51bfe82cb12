"""Render the tables of a report: Markdown, LaTeX, CSV and the terminal."""
