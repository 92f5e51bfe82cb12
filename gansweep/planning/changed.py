"""Report finished runs whose networks have changed in the code since the runs were trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gansweep.config import Config
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.training.network_source import changed_networks


def report_changed_networks(finished: Iterable[tuple[Run, Config]]) -> list[str]:
    """Print a line for each network whose code has changed since finished runs were trained.

    Returns the names of these networks, for example `gen=5`.
    """
    counts = Counter(
        network for run, config in finished for network in changed_networks(run, config)
    )
    for network, count in counts.items():
        runs = "1 finished run was" if count == 1 else f"{count} finished runs were"
        console.print(
            f"  the code of {network} has changed since {runs} trained: out=FOLDER trains again, "
            "a new name for the network keeps both results"
        )
    return list(counts)
