"""The names of gansweep's Hydra plugins, as hydra_plugins/gansweep registers them.

All names begin with `gansweep_`, because every Hydra app in the environment sees them, and a name
such as `hydra/sweeper=optuna` belongs to another plugin.
"""

LAUNCHER = "gansweep_local"
WORKER = "gansweep_worker"  # the slots of a worker, which joins a search
# The launchers that train by workers, by their targets, whatever the name of their configuration.
BY_WORKERS = ("hydra_plugins.gansweep.SlurmLauncher", "hydra_plugins.gansweep.RayLauncher")
GRID = "gansweep_grid"
SEARCH = "gansweep_search"

# Shorter names that a user may type, and that version 0.1 recorded in its commands.
ALIASES = {
    "--json": "json=true",
    "hydra/launcher=local": f"hydra/launcher={LAUNCHER}",
    "slots=local": f"hydra/launcher={LAUNCHER}",
    "slots=slurm": "hydra/launcher=slurm",
    "slots=ray": "hydra/launcher=gansweep_ray",
    "hydra/sweeper=grid": f"hydra/sweeper={GRID}",
    "hydra/sweeper=optuna": f"hydra/sweeper={SEARCH}",
}
