"""Finished runs whose networks have other code today: a sweep uses them, and says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gansweep.config import Config
from gansweep.store.run import Run
from gansweep.terminal.console import console
from gansweep.training.network_source import changed_networks


def report_changed_networks(finished: Iterable[tuple[Run, Config]]) -> list[str]:
    """Print a line for each network that has changed since finished runs were trained with it.

    Returns these networks, as `gen=5`.
    """
    counts = Counter(
        network for run, config in finished for network in changed_networks(run, config)
    )
    for network, count in counts.items():
        runs = "1 finished run was" if count == 1 else f"{count} finished runs were"
        console.print(
            f"  {network} has other code now than when {runs} trained: out=FOLDER trains anew, "
            "a new name for the network keeps both"
        )
    return list(counts)
