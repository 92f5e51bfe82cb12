"""Data sets: each prepared once, as one uint8 array N×C×H×W in the cache.

Add one by decorating a function in a module of this folder and giving it a file in conf/data.
Nothing here imports torch but `batches` and `pixels`.
"""

from gansweep.training.data import celeba, images, mnist, toyfaces
from gansweep.training.data.cache import Prepared, cache_folder, prepare
from gansweep.training.data.source import at_hand, find_source

__all__ = ["Prepared", "at_hand", "cache_folder", "find_source", "prepare"]
del celeba, images, mnist, toyfaces
