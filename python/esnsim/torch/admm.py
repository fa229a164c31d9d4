"""Structured pruning with the alternating direction method of multipliers (ADMM)."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

import torch

from .. import BadArgument
from .._arguments import real
from .layers import inner, place, plain_layers, take, trained_tensor
from .prune import Pruned, Way, prune_filters
from .simulator import plain_copy


class AdmmPruner:
    """Training that brings the weakest filters to 0 before they are pruned (Wang et al. 2019b of the paper).

    The loss is minimized under the condition that filters are 0, which is split in two:

    ```text
    train    min over W of  loss(W) + Σ_l ρ/2 · ‖W − Z + U‖²      `penalty()`, added to the loss of every step
    project  Z = W + U with its weakest filters at 0              `step()`, at the end of every epoch or so
    pull     U = U + W − Z                                        there, too
    prune    W with its weakest filters at 0, as masks            `finish()`, at the end
    ```

    `W` are the weights and, as a normalized channel does not tell how small its filter is, all that goes to 0 with a filter: its
    bias, and the scale and shift of its BatchNorm. `fraction`, `count`, `width` and `scope` are those of `prune_filters`, which
    also decides what the weakest filters are: those that are coupled go together. `rho` is ρ; it may be changed between steps.
    `Z` and `U` are two copies of these parameters.
    """

    def __init__(self, model: torch.nn.Module, example: Any, *, fraction: float | None = None, count: int | None = None,
                 width: float | None = None, scope: str = "global", rho: float = 1e-2) -> None:
        rho = real("rho", rho)
        if rho <= 0:
            raise BadArgument(f"rho is {rho}; expected a number above 0")
        self._way = Way.checked(fraction, count, width, None, None, scope)
        self._model, self._example, self.rho = model, example, rho
        plain_layers(model, "prune")
        self._pull: dict[str, torch.Tensor] = {}
        with torch.no_grad():
            self._target = self._projected()
            self._pull = {name: torch.zeros_like(target) for name, target in self._target.items()}

    def penalty(self) -> torch.Tensor:
        """`Σ ρ/2 · ‖W − Z + U‖²`, one number with a gradient."""
        weights = self._weights(self._target)
        terms = [(weights[name] - target + self._pull[name]).square().sum() for name, target in self._target.items()]
        return self.rho / 2 * torch.stack(terms).sum()

    @torch.no_grad()
    def step(self) -> float:
        """Projects and pulls. Returns how far the weights are from the new target, `‖W − Z‖² / ‖W‖²` over all layers. It goes up
        and down while other filters become the weakest; where it is small, pruning takes little away.
        """
        self._target = self._projected()
        distance, norm = 0.0, 0.0
        for name, weight in self._weights(self._target).items():
            left = weight - self._target[name]
            self._pull[name] += left
            distance, norm = distance + float(left.square().sum()), norm + float(weight.square().sum())
        return distance / norm if norm else 0.0

    def finish(self) -> Pruned:
        """Prunes the weakest filters: `prune_filters` of the weights as they are."""
        way = self._way
        return prune_filters(self._model, self._example, fraction=way.fraction, count=way.count, width=way.width, scope=way.scope)

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to go on, as it is now."""
        now = {what: {name: tensor.clone() for name, tensor in tensors.items()}
               for what, tensors in (("target", self._target), ("pull", self._pull))}
        return {**now, "rho": self.rho}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where the pruner was that made `state`, of a model with the same layers."""
        take(self._target, state["target"])
        take(self._pull, state["pull"])
        self.rho = state["rho"]

    @torch.no_grad()
    def _projected(self) -> dict[str, torch.Tensor]:
        """`W + U` with its weakest filters at 0, of every parameter that goes with a filter."""
        twin = plain_copy(self._model)
        parameters = dict(twin.named_parameters())
        for name, pull in self._pull.items():
            parameters[name].add_(pull)
        wanted = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        masks, _ = self._way.decide(twin, self._example)
        # A parameter of several layers goes by the name of the first, and is pruned in all of them.
        return {name: wanted[name] * kept for name, kept in masks.items() if name in wanted}

    def _weights(self, names: Iterable[str]) -> dict[str, torch.Tensor]:
        """The parameters as they are trained, pruned ones at 0."""
        modules = dict(inner(self._model).named_modules())
        places = {name: place(name) for name in names}
        return {name: trained_tensor(modules[layer], tensor) for name, (layer, tensor) in places.items()}
