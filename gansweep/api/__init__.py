"""Sweeps from Python: `import gansweep as gs` has what `entry.py` defines; see docs/python.md."""
