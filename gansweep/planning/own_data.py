"""Let Hydra choose data sets of users: `data=mypkg.data:cats`, which have no file in conf/data."""

from __future__ import annotations

from gansweep.loading import is_import_path
from gansweep.plugins import DATASETS


def offer(name: str) -> bool:
    """Make a user's data set a choice of Hydra's group `data`; return whether `name` is one.

    name: an import path, or what a plugin has registered. Raises UserError if the import fails.
    """
    if not (is_import_path(name) or name in DATASETS.names()) or DATASETS[name].builder:
        return False
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(group="data", name=name, node={"name": name}, provider="gansweep")
    return True
