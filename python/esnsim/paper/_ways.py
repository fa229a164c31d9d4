"""What a training does beside SGD: nothing, pruning, quantizing, or paying for what weights cost."""

from __future__ import annotations

from typing import Any, Mapping

import torch

from ..torch import AdmmPruner, EsnPenalty, prune_filters, quantize, refresh
from ..torch.layers import mask


class Way:
    """Plain training. Others add to the loss, and do something at the end of an epoch."""

    def penalty(self) -> torch.Tensor | float:
        """What is added to the loss of every step."""
        return 0.0

    def epoch_end(self, epoch: int) -> None:
        """Comes after the last step of an epoch."""

    def state(self) -> dict[str, Any]:
        """What `load` needs to go on."""
        return {}

    def load(self, state: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
        """Goes on where the way was that had this state; `weights` are those of its network, which are loaded after that."""


class Admm(Way):
    """ADMM for some epochs. Then the weakest filters are pruned, this part of all that can be, and stay 0."""

    def __init__(self, model: torch.nn.Module, fraction: float, epochs: int, rho: float) -> None:
        self._model, self._epochs = model, epochs
        example = torch.zeros(1, 3, 32, 32, device=next(model.parameters()).device)
        self._pruner: AdmmPruner | None = AdmmPruner(model, example, fraction=fraction, rho=rho)

    def penalty(self) -> torch.Tensor | float:
        """ADMM's, until the filters are pruned."""
        return 0.0 if self._pruner is None else self._pruner.penalty()

    def epoch_end(self, epoch: int) -> None:
        """Projects and pulls; prunes after the last epoch of ADMM."""
        if self._pruner is None:
            return
        self._pruner.step()
        if epoch + 1 >= self._epochs:
            self._pruner.finish()
            self._pruner = None

    def state(self) -> dict[str, Any]:
        """The state of ADMM; nothing once the filters are pruned."""
        return {} if self._pruner is None else self._pruner.state_dict()

    def load(self, state: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
        """Goes on amid ADMM, or puts the masks of pruned filters on."""
        if state and self._pruner is not None:
            self._pruner.load_state_dict(state)
            return
        self._pruner = None
        modules = dict(self._model.named_modules())
        for name, kept in weights.items():
            if name.endswith("_mask"):
                layer, _, tensor = name.removesuffix("_mask").rpartition(".")
                mask(modules[layer], tensor, kept)


class Slim(Way):
    """Filters that are pruned at once, before the first step: all but this part of the channels of each layer, the weakest first."""

    def __init__(self, model: torch.nn.Module, width: float) -> None:
        # Where a run goes on, it begins with the same network, so that the masks are the same.
        prune_filters(model, torch.zeros(1, 3, 32, 32, device=next(model.parameters()).device), width=width)


class QuantizedWay(Way):
    """Weights on the grid of so many bits from the first step on, with a gradient that goes straight through. The step of each layer is
    that of least squares, chosen anew after every epoch."""

    def __init__(self, model: torch.nn.Module, bits: int) -> None:
        self._model = model
        quantize(model, bits=bits, rule="mse")

    def epoch_end(self, epoch: int) -> None:
        """Chooses steps for the weights as they are."""
        refresh(self._model)


class Penalized(Way):
    """A metric as a part of the loss. It adds `part` at the start, and less in proportion as the metric falls."""

    def __init__(self, model: torch.nn.Module, metric: str, part: float, bits: int) -> None:
        example = torch.zeros(1, 3, 32, 32, device=next(model.parameters()).device)
        self._metric = EsnPenalty(model, metric, example=example, bits=bits)
        # Where a run goes on, it begins with the same network, so that the scale is the same.
        self._scale = part / float(self._metric().detach())

    def penalty(self) -> torch.Tensor | float:
        """The metric of the weights as they are."""
        return self._scale * self._metric()
