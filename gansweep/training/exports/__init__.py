"""Files from which other programs load a trained generator, each checked when it is written."""
