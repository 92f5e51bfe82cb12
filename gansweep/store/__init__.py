"""The files of run folders and sweep folders, and how to read and write them.

All other parts of gansweep exchange data through these files. The package `store` imports only the
standard library.
"""
