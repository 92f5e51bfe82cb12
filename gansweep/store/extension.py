"""Continue a finished run as a longer run of its own, from the final state that it has kept.

The longer run begins as a run that was interrupted at the last step of the shorter one: it gets its
checkpoint, streams and pictures. All else, such as kills and retries, is that of every run.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast

from gansweep.store.records import ParentRecord
from gansweep.store.run import Run, now, write_file, write_json

GIB = 1 << 30


def final_state(run: Run) -> Path | None:
    """Return the checkpoint of a finished run's last step; None if it is gone.

    That of a script is the folder that it writes into, which is never removed.
    """
    if run.script.is_dir():
        return run.script
    # A process that is killed after it has written the result leaves the checkpoint's usual name.
    return next((path for path in (run.state, run.last) if path.is_file()), None)


def begin(run: Run, parent: Run, steps: int) -> bool:
    """Let `run` begin with the final state of `parent`, which has trained `steps` steps.

    Returns whether it does; False if the state is gone. A run that is done or has come as far by
    itself is left as it is. Raises Held if a process trains `run`.
    """
    with run.owned():
        if run.read_result() is not None:
            return True
        if (run.last.is_file() or run.script.is_dir()) and _steps(run) >= steps:
            return True
        state = final_state(parent)
        if state is None:
            return False
        run.rewind(0)
        pairs = [(getattr(parent, name), getattr(run, name)) for name in COPIED]
        pairs += [(path, run.sample(n)) for n, path in parent.sample_pictures().items()]
        pairs += [(path, run.snapshot(n)) for n, path in parent.snapshots().items()]
        for source, target in pairs:
            if source.is_file():
                _copy(source, target)
        record: ParentRecord = {"run": parent.id, "step": steps, "time": now()}
        write_json(run.parent, record)
        if state.is_dir():
            shutil.copytree(state, run.script, dirs_exist_ok=True)
        else:
            _copy(state, run.last)  # last: a run without a checkpoint is begun anew
        return True


# What a run has at its last step, apart from its result: those of the best step, and the streams.
COPIED = ("metrics", "evaluations", "picture", "best", "best_picture", "best_images")


def _copy(source: Path, target: Path) -> None:
    write_file(target, partial(shutil.copyfile, source))


def _steps(run: Run) -> int:
    """Return the last step that the files of a run show, which is not before its checkpoint."""
    steps = [line["step"] for line in run.read_metrics(last=1)]
    return max([*steps, *run.sample_pictures()], default=0)


def read_parent(run: Run) -> ParentRecord | None:
    """Return from which run this one was continued, or None if from none."""
    return cast("ParentRecord | None", run.examine(run.parent)[0])


def bound_states(runs: Path, gib: float) -> None:
    """Remove the oldest final states below the folder `runs` that take more than `gib` in all."""
    found = []
    for path in runs.glob("*/state.ckpt"):
        with suppress(OSError):  # another process removes them too
            stat = path.stat()
            found.append((stat.st_mtime_ns, stat.st_size, path))
    left = gib * GIB
    for _, size, path in sorted(found, reverse=True):
        left -= size
        if left < 0:
            path.unlink(missing_ok=True)
