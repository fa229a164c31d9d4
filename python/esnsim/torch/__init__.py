"""The training half of the metric, in PyTorch: track ESN_a, prune, quantize, penalize and export.

>>> import torch
>>> import esnsim
>>> from esnsim.torch import export, quantize
>>> model = torch.nn.Sequential(torch.nn.Linear(4, 3))
>>> quantize(model, bits=3)
{'0': FakeQuantize(bits=3, per layer, max-abs, mid-rise)}

`docs/training.md` goes through all of it.
"""

from .admm import AdmmPruner
from .export import export, to_network
from .lightning import lightning_callback
from .penalty import EsnPenalty
from .prune import Pruned, prune_filters
from .quantize import FakeQuantize, codes, is_quantized, quantize, refresh, unquantize
from .statistics import reestimate
from .tracker import PRUNED_BELOW, AnnealedRate, Epoch, EsnTracker

__all__ = [
    "PRUNED_BELOW", "AdmmPruner", "AnnealedRate", "Epoch", "EsnPenalty", "EsnTracker", "FakeQuantize", "Pruned", "codes", "export",
    "is_quantized", "lightning_callback", "prune_filters", "quantize", "reestimate", "refresh", "to_network", "unquantize",
]
