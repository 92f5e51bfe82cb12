"""Expand a command line into rows and runs, and train the missing runs. Imports no torch."""
