"""Data sets: each prepared once, as one uint8 array N×C×H×W in the cache.

Add one by decorating a function in a module of this folder and giving it a file in conf/data.
Nothing here imports torch but `batches`.
"""

from gansweep.data import celeba, images, mnist, toyfaces
from gansweep.data.cache import Prepared, cache_folder, prepare
from gansweep.data.source import DATASETS, at_hand, find_source

__all__ = ["DATASETS", "Prepared", "at_hand", "cache_folder", "find_source", "prepare"]
del celeba, images, mnist, toyfaces
