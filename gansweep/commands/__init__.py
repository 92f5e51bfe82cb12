"""The commands: `gansweep report`, `gansweep status` and the others, one module each.

Training, `gansweep name=value …`, is the one without a name of its own: train.py.
"""

# In the order of --help.
COMMANDS = {
    "report": "build tables and galleries",
    "status": "what sweeps are doing",
    "resume": "continue an interrupted sweep",
    "confirm": "train the best rows again with fresh seeds",
    "show": "one run: what it was, where it came from, its picture",
    "diff": "in what two runs differ",
    "judge": "score weights or a folder of pictures",
    "data": "prepare a data set ahead of a sweep",
}
