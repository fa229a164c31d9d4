"""The metric during training, in PyTorch.

>>> import torch
>>> from esnsim.torch import EsnTracker
>>> model = torch.nn.Sequential(torch.nn.Linear(4, 3))
>>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
>>> tracker = EsnTracker(model)
>>> for _ in range(5):
...     model(torch.ones(2, 4)).sum().backward()
...     optimizer.step()
...     tracker.step()
>>> tracker.epoch_end().layers["weights"]
[12]
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

import torch

from .. import BadArgument
from .._tables import Row, Table



#: A filter whose largest magnitude is below this part of its layer's is counted as pruned by training.
PRUNED_BELOW = 1e-3

_LAYERS = (
    torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d, torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d,
    torch.nn.ConvTranspose3d, torch.nn.Linear,
)


class Epoch:
    """What one epoch says of every layer: a row of `layers` for each, and their sums in `total`.

    `signal` is the mean over iterations of ‖W‖², `noise` that of ‖W − W_init‖², with W_init at the start of the epoch
    (equation 5), and `esn_a` = S/N · nonzero weights / 12 with c = 1 (equation 4). `pruned_filters` are those whose largest
    magnitude is below `PRUNED_BELOW` of the layer's. `esn_a` is `None` where no weight moved.
    """

    def __init__(self, number: int, rows: list[dict[str, Any]]) -> None:
        self.number, self.layers = number, Table.from_rows(rows)
        known = [row["esn_a"] for row in rows]
        counts = ("weights", "nonzero", "filters", "pruned_filters")
        self.total = Row({name: sum(row[name] for row in rows) for name in counts})
        self.total["esn_a"] = None if None in known else sum(known)

    def __repr__(self) -> str:
        total = self.total
        esn_a = "–" if total["esn_a"] is None else f"{total['esn_a']:,.1f}"
        return (f"epoch {self.number}: ESN_a {esn_a} (c = 1) of {total['nonzero']:,} nonzero weights in {len(self.layers)} layers; "
                f"{total['pruned_filters']:,} of {total['filters']:,} filters below {PRUNED_BELOW:g} of their layer's largest weight")


class EsnTracker:
    """ESN_a of every convolution and linear layer while a model is trained, by equations (4) and (5) of the paper.

    Call `step` after each step of the optimizer and `epoch_end` after each epoch. It keeps one copy of the weights, and sums of
    64 bits, on the device of the model, and reads no number back before the epoch ends. Of a model that
    `DistributedDataParallel` wraps, all ranks have the same weights: one tracker, on rank 0, is enough. `state_dict` and
    `load_state_dict` resume it, with the epoch that is under way.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        inner = model.module if isinstance(model, torch.nn.parallel.DistributedDataParallel) else model
        self._modules = {name: module for name, module in inner.named_modules() if isinstance(module, _LAYERS)}
        if not self._modules:
            raise BadArgument(f"a {type(inner).__name__} has no convolution and no linear layer to track")
        self.epochs: list[Epoch] = []
        self._begin()

    @torch.no_grad()
    def _weights(self) -> list[torch.Tensor]:
        return [_weight(module) for module in self._modules.values()]

    @torch.no_grad()
    def _begin(self) -> None:
        weights = self._weights()
        self._start = [weight.detach().clone() for weight in weights]
        zeros = [torch.zeros((), dtype=torch.float64, device=weight.device) for weight in weights]
        self._signal, self._noise = zeros, [zero.clone() for zero in zeros]
        self._steps = 0

    @torch.no_grad()
    def step(self) -> None:
        """Takes the weights after one step of the optimizer into the sums."""
        weights = self._weights()
        moved = torch._foreach_sub(weights, self._start)
        for sums, norms in ((self._signal, _norms(weights)), (self._noise, _norms(list(moved)))):
            squares = [norm.double() for norm in norms]
            torch._foreach_mul_(squares, squares)
            torch._foreach_add_(sums, squares)
        self._steps += 1

    @torch.no_grad()
    def epoch_end(self) -> Epoch:
        """What the epoch was. The next one begins."""
        if self._steps == 0:
            raise BadArgument("an epoch ends without a step; call step() after each step of the optimizer")
        rows = []
        for (name, module), weight, signal, noise in zip(self._modules.items(), self._weights(), self._signal, self._noise):
            signal_power, noise_power = float(signal) / self._steps, float(noise) / self._steps
            if not math.isfinite(signal_power + noise_power):
                raise BadArgument(f"layer {name} had weights that are not finite; its ESN_a means nothing")
            nonzero = int(torch.count_nonzero(weight))
            largest = _by_filter(module, weight).abs().amax(dim=1)
            rows.append({
                "name": name, "esn_a": signal_power / noise_power * nonzero / 12 if noise_power > 0 else None,
                "signal": signal_power, "noise": noise_power, "weights": weight.numel(), "nonzero": nonzero,
                "filters": len(largest), "pruned_filters": int((largest < PRUNED_BELOW * largest.max()).sum()),
            })
        self.epochs.append(Epoch(len(self.epochs), rows))
        self._begin()
        return self.epochs[-1]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all epochs as JSON, which `esnsim compress --target-profile` takes. The file appears whole or not at all."""
        if not self.epochs:
            raise BadArgument("there is no epoch to write; call epoch_end() first")
        whole, part = os.fspath(path), f"{os.fspath(path)}.part"
        with open(part, "w", encoding="utf-8") as file:
            json.dump({"pruned_below": PRUNED_BELOW, "epochs": _plain(self.epochs)}, file, indent=1)
        os.replace(part, whole)

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs."""
        return {
            "layers": list(self._modules), "steps": self._steps, "start": self._start, "signal": self._signal,
            "noise": self._noise, "epochs": _plain(self.epochs),
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the tracker was that made `state`, of a model with the same layers."""
        if state["layers"] != list(self._modules):
            raise BadArgument(f"the state is that of layers {state['layers']}; the model has {list(self._modules)}")
        for own, other in ((self._start, "start"), (self._signal, "signal"), (self._noise, "noise")):
            for mine, given in zip(own, state[other]):
                mine.copy_(given)
        self._steps = state["steps"]
        self.epochs = [Epoch(epoch["epoch"], epoch["layers"]) for epoch in state["epochs"]]


def _plain(epochs: list[Epoch]) -> list[dict[str, Any]]:
    return [{"epoch": epoch.number, "layers": [dict(row) for row in epoch.layers]} for epoch in epochs]


def _norms(tensors: list[torch.Tensor]) -> Any:
    # Half precision has too few digits for a sum of squares.
    return torch._foreach_norm([tensor.float() if tensor.dtype.itemsize < 4 else tensor for tensor in tensors], 2)


def _weight(module: torch.nn.Module) -> torch.Tensor:
    """The weight that the next forward pass uses."""
    original, mask = getattr(module, "weight_orig", None), getattr(module, "weight_mask", None)
    # `torch.nn.utils.prune` multiplies as a forward pass begins: what `weight` holds is that of the pass before.
    weight = module.weight if original is None or mask is None else original * mask
    assert isinstance(weight, torch.Tensor)
    return weight.detach()


def _by_filter(module: torch.nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """The weights, a row for each filter."""
    groups = getattr(module, "groups", 1)
    if "Transpose" in type(module).__name__:
        inputs, each = weight.shape[0] // groups, weight.shape[1]
        weight = weight.reshape(groups, inputs, each, -1).transpose(1, 2)
        return weight.reshape(groups * each, -1)
    return weight.reshape(weight.shape[0], -1)
