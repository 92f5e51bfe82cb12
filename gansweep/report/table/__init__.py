"""The table of a sweep, computed from its files: rows, cells, columns, captions."""
