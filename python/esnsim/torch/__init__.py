"""The training half of the metric, in PyTorch: track ESN_a, quantize and export."""

from .export import export, to_network
from .lightning import lightning_callback
from .quantize import FakeQuantize, codes, quantize, refresh, unquantize
from .tracker import PRUNED_BELOW, Epoch, EsnTracker

__all__ = [
    "PRUNED_BELOW", "Epoch", "EsnTracker", "FakeQuantize", "codes", "export", "lightning_callback", "quantize", "refresh",
    "to_network", "unquantize",
]
