"""The commands: `gansweep report`, `gansweep status` and the others, one module each.

Training, `gansweep name=value …`, is the one without a name of its own: train.py.
"""

import sys
from typing import NamedTuple

if sys.platform == "win32":  # before anything asks for what Windows has not: fork, file locks
    print(
        "gansweep: error: Windows is not supported, as jobs are forked; use WSL, Linux or macOS",
        file=sys.stderr,
    )
    raise SystemExit(2)


class Command(NamedTuple):
    """What --help says of a command. usage: its arguments."""

    usage: str
    help: str


# In the order of --help.
COMMANDS = {
    "report": Command("SWEEP...", "build tables and galleries"),
    "status": Command("[SWEEP]", "what sweeps are doing"),
    "resume": Command("SWEEP", "continue an interrupted sweep"),
    "confirm": Command("SWEEP", "train the best rows again with fresh seeds"),
    "show": Command("RUN", "one run: its parameters, results, origin and picture"),
    "diff": Command("RUN RUN", "compare two runs"),
    "judge": Command("RUN|FOLDER", "score weights or a folder of pictures"),
    "data": Command("[NAME]", "prepare a data set ahead of a sweep"),
}
