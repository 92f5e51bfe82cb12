"""Prepare data sets, each once, as one uint8 array N×C×H×W in the cache.

To add a data set, decorate a function in a module of this folder and add a file to conf/data. Data
sets of users come through `component`.
Only the modules `batches` and `pixels` import torch.
"""

from gansweep.training.data import celeba, images, mnist, toyfaces
from gansweep.training.data.cache import Prepared, prepare
from gansweep.training.data.component import heading
from gansweep.training.data.source import at_hand, find_source

__all__ = ["Prepared", "at_hand", "find_source", "heading", "prepare"]
del celeba, images, mnist, toyfaces
