"""This room draws the plots of sweeps and searches."""
