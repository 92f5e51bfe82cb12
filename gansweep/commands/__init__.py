"""The commands, such as `gansweep report` and `gansweep status`, in one module each.

Training, `gansweep name=value …`, has no command name; its module is train.py.
"""

import sys
from typing import NamedTuple

if sys.platform == "win32":  # before imports fail for lack of fork and file locks
    print(
        "gansweep: error: Windows is not supported, as jobs are forked; use WSL, Linux or macOS",
        file=sys.stderr,
    )
    raise SystemExit(2)


class Command(NamedTuple):
    """The entry of a command in --help. usage: the arguments; help: a description."""

    usage: str
    help: str


# In the order of --help.
COMMANDS = {
    "report": Command("SWEEP...", "build tables and galleries"),
    "open": Command("[SWEEP]", "open a sweep's gallery in the browser"),
    "serve": Command("SWEEP", "show a sweep in the browser while it runs"),
    "rate": Command("SWEEP", "vote on pairs of pictures, and compare with the metric"),
    "status": Command("[SWEEP]", "show the progress of sweeps"),
    "resume": Command("SWEEP", "continue an interrupted sweep"),
    "work": Command("SWEEP", "train runs of a sweep together with other machines"),
    "stop": Command("SWEEP", "end a sweep on all machines, with checkpoints"),
    "confirm": Command("SWEEP", "train the best rows again with fresh seeds"),
    "extend": Command("SWEEP", "train finished runs longer"),
    "versus": Command("RUN RUN", "test whether the difference of two rows is real"),
    "show": Command("RUN", "show a run's parameters, results, origin and picture"),
    "diff": Command("RUN RUN", "compare two runs"),
    "judge": Command("RUN|FOLDER", "score weights or a folder of pictures"),
    "sample": Command("RUN", "draw images with a run's generator"),
    "export": Command("SWEEP|RUN", "write runs to a tracker, or weights for other programs"),
    "clean": Command("SWEEP", "remove the weights of all but the best rows"),
    "data": Command("[NAME]", "prepare a data set before a sweep"),
}
