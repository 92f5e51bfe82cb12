"""The contract: what a run folder and a sweep folder hold, and how they are read and written.

Everything else meets here, on disk. Standard library only.
"""
