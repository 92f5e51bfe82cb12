"""Expanding a command line into rows and runs, and training what is not done. No torch here."""
