"""Compute the tables of a report from the files of sweeps: rows, cells, columns and captions."""
