"""The functions of `import gansweep as gs`; see docs/python.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gansweep.api.command_line import arguments, interval
from gansweep.api.results import Results
from gansweep.api.run import Run
from gansweep.api.sweep import Plan, Sweep, SweepError, make_sweep
from gansweep.config import DEFAULTS
from gansweep.report.table.address import runs_of
from gansweep.store.errors import UserError
from gansweep.store.find_run import find_sweep
from gansweep.store.manifest import read_manifest

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Plan", "Results", "Run", "Sweep", "SweepError", "UserError",
    "interval", "load_export", "open", "run", "sweep",
]  # fmt: skip


def sweep(
    options: Mapping[str, Any] | None = None,
    /,
    *,
    cwd: str | Path | None = None,
    config_dir: str | Path | None = None,
    **parameters: Any,
) -> Sweep:
    """Describe a sweep: `gs.sweep(lr=[1e-4, 5e-5], beta1=[.3, .5, .9]).run().table()`.

    parameters: those of the command line by name, each with one value or a list of values;
    options: the same for names with a dot, `{"gen.features": [16, 32], "data.root": "faces"}`;
    cwd: the folder in which the command runs, to which paths are relative, by default the current
    one; config_dir: a folder with data sets and profiles of your own. `search=["lr", "beta1"]` and
    `gs.interval` make a search. Raises UserError for a name or a value that no command line can
    have; `run` and `plan` check all else.
    """
    given = {**(options or {})}
    if twice := [name for name in parameters if name in given]:
        raise UserError(f"{twice[0]} is given twice; give it once, with a list for several values")
    given |= parameters
    words = [] if config_dir is None else ["--config-dir", str(config_dir)]
    return make_sweep([*words, *arguments(given)], Path(cwd or "."), given)


def open(
    *names: str, out: str | Path = DEFAULTS["out"], reports: str | Path = DEFAULTS["reports"]
) -> Results:
    """Return the results of a sweep, finished or not; of several sweeps, those of one joint table.

    names: the names of sweeps, beginnings of names, or `latest`; out: the folder of runs and
    sweeps; reports: the folder of reports. Raises UserError if there is no such sweep.
    """
    if not names:
        raise UserError("open: name a sweep, such as gs.open('latest')")
    found = list(dict.fromkeys(find_sweep(str(name), out) for name in names))
    for name in found:
        read_manifest(out, name)
    return Results(found, out, reports)


def run(
    name: str, *, data: str | None = None, seed: int | None = None,
    out: str | Path = DEFAULTS["out"],
) -> Run:  # fmt: skip
    """Return one run.

    name: its id, a beginning of its id, its folder, SWEEP/ROW as the table numbers it, or
    SWEEP/best; data, seed: which of the runs of a row; out: the folder of runs. Raises UserError
    if there is no such run, or more than one.
    """
    runs = [Run(folder) for folder in runs_of(str(name), out)]
    fitting = [run for run in runs if run.is_on(data, seed)]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{run.id} ({run.params['data']}, seed {run.seed})" for run in runs[:8])
    which = f"{len(fitting)} runs fit" if fitting else "no run fits"
    raise UserError(f"{name}: {which}; choose with data= and seed= one of {listed}")


def load_export(path: str | Path) -> nn.Module:
    """Return the generator of a `.safetensors` file that `gansweep export` has written.

    It is in evaluation mode on the CPU; `Run.generator` says what it maps. The run is not needed,
    and a network of the user must be importable. Raises UserError if the file cannot be used.
    """
    from gansweep.training.exports.write import load_export

    return load_export(path)
