"""The names of our Hydra plugins, as hydra_plugins/gansweep registers them.

Each begins with `gansweep_`: every Hydra app in the environment sees them, and a name such as
`hydra/sweeper=optuna` belongs to another plugin there.
"""

LAUNCHER = "gansweep_local"
GRID = "gansweep_grid"
SEARCH = "gansweep_search"

# What a user of gansweep may type instead; version 0.1 recorded these in its commands.
ALIASES = {
    "hydra/launcher=local": f"hydra/launcher={LAUNCHER}",
    "hydra/sweeper=grid": f"hydra/sweeper={GRID}",
    "hydra/sweeper=optuna": f"hydra/sweeper={SEARCH}",
}
