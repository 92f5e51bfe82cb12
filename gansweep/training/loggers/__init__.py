"""Write runs to other trackers, such as TensorBoard or MLflow, which `logger=` chooses.

An adapter is a subclass of `Logger`, and imports its package only when it opens a run. `Follower`
reads the files of a run and forwards what is new in them to the adapters, while the run trains
(`live.py`) or afterwards (`gansweep export`). An adapter therefore measures nothing itself.
"""

from gansweep.training.loggers import csv_files, mlflow, tensorboard, trackio, wandb
from gansweep.training.loggers.base import Logger

__all__ = ["Logger", "csv_files", "mlflow", "tensorboard", "trackio", "wandb"]
