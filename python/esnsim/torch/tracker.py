"""ESN_a during training, by equations (4) and (5) of the paper."""

from __future__ import annotations

import json
import math
import os
import warnings
from typing import Any, Mapping

import torch

from .. import BadArgument
from .._arguments import checked, shown
from .._tables import Row, Table
from .layers import check_finite, filters_of, mac_layers, take, trained_weight, widened
from .quantize import MAX_BITS, FakeQuantize

#: A filter whose largest magnitude is below this part of its layer's is counted as pruned by training.
PRUNED_BELOW = 1e-3

#: Below this part of its largest, a learning rate that keeps falling has annealed to zero.
ANNEALED_BELOW = 1e-2

# So many squares are added in float32; such sums are added in float64.
_ROW = 1024


def _memory(tensor: torch.Tensor) -> tuple[str, int]:
    """What tensors have in common of which one is a part of the other; a tensor without memory has it with itself."""
    pointer = tensor.untyped_storage().data_ptr()
    return ("storage", pointer) if pointer else ("tensor", id(tensor))


class AnnealedRate(UserWarning):
    """The learning rate anneals to zero, and ESN_a of equation (5) grows with it without bound."""


class Epoch:
    """What one epoch says of every layer: a row of `layers` for each, and their sums in `total`.

    `signal` is the mean over iterations of ‖W‖², `noise` that of ‖W − W_init‖², with W_init at the start of the epoch
    (equation 5), and `esn_a` = S/N · nonzero weights / 12 with c = 1 (equation 4). `pruned_filters` are those whose largest
    magnitude is below `PRUNED_BELOW` of the layer's, all of a layer that is 0. `esn_a` is `None` where no weight of a layer moved, which has no noise; in
    `total` it is that of the layers that moved.
    """

    def __init__(self, number: int, rows: list[dict[str, Any]]) -> None:
        self.number, self.layers = number, Table.from_rows(rows)
        moved = [row["esn_a"] for row in rows if row["esn_a"] is not None]
        counts = ("weights", "nonzero", "filters", "pruned_filters")
        self.total = Row({name: sum(row[name] for row in rows) for name in counts})
        self.total["esn_a"] = sum(moved) if moved else None

    def __repr__(self) -> str:
        total = self.total
        esn_a = "–" if total["esn_a"] is None else f"{total['esn_a']:,.1f}"
        still = self.layers["esn_a"].count(None)
        without = f", without {still} that did not move" if still and total["esn_a"] is not None else ""
        return (f"epoch {self.number}: ESN_a {esn_a} (c = 1) of {total['nonzero']:,} nonzero weights in {len(self.layers)} layers"
                f"{without}; "
                f"{total['pruned_filters']:,} of {total['filters']:,} filters below {PRUNED_BELOW:g} of their layer's largest weight")


class EsnTracker:
    """ESN_a of every convolution and linear layer while a model is trained, by equations (4) and (5) of the paper:

    ```text
    S = mean over iterations of ‖W‖²,  N = mean over iterations of ‖W − W_init‖²,  ESN_a = S/N · ‖W‖_0 / 12
    ```

    Call `step` after each step of the optimizer, or let `attach` do so, and `epoch_end` after each epoch. It keeps one copy of
    the weights, and sums of 64 bits, on the device of the model, and reads no number back before the epoch ends. What is
    followed is the weight that is trained: masks of pruning are applied, fake quantization is not. Weights of 16 bits are
    subtracted in float32. Where the learning rate of an attached optimizer anneals to zero, the tracker warns once
    (`AnnealedRate`): noise goes to zero with it, and ESN_a then says how small the steps are. Of a model that
    `DistributedDataParallel` wraps, all ranks have the same weights: one tracker, on
    rank 0, is enough. `state_dict` and `load_state_dict` resume it, with the epoch that is under way.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> tracker = EsnTracker(model)
    >>> tracker.attach(optimizer)
    >>> for _ in range(5):
    ...     model(torch.ones(2, 4)).sum().backward()
    ...     optimizer.step()
    >>> tracker.epoch_end().layers["weights"]
    [12]
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._modules = mac_layers(model, "track")
        self.epochs: list[Epoch] = []
        self._hooks: list[Any] = []
        # The mean learning rate of each epoch in which an attached optimizer ran.
        self._rates: list[float] = []
        self._is_warned = False
        with torch.no_grad():
            self._start = [weight.clone() for weight in self._weights()]
        self._begin()

    @torch.no_grad()
    def _weights(self) -> list[torch.Tensor]:
        return [trained_weight(module).detach() for module in self._modules.values()]

    def _begin(self) -> None:
        zeros = [torch.zeros((), dtype=torch.float64, device=weight.device) for weight in self._start]
        self._signal, self._noise = zeros, [zero.clone() for zero in zeros]
        self.steps = 0
        self._rate_sum: Any = 0.0

    def __getstate__(self) -> dict[str, Any]:
        # Optimizers belong to the process that they are in.
        return {**vars(self), "_hooks": []}

    def follows(self, model: torch.nn.Module) -> bool:
        """Whether these are the layers that are tracked: the same objects of the same names."""
        return mac_layers(model, "track") == self._modules

    def attach(self, *optimizers: torch.optim.Optimizer) -> None:
        """Calls `step` behind every step of these optimizers. A step that a `GradScaler` leaves out is none. An optimizer that holds
        no parameter of the layers that are tracked is refused: its steps move none of them.
        """
        for optimizer in optimizers:
            if not hasattr(optimizer, "register_step_post_hook"):
                raise BadArgument(f"{shown(optimizer)} is no optimizer of PyTorch")
            if not self.is_trained_by(optimizer):
                raise BadArgument(f"the {type(optimizer).__name__} holds no parameter of the layers that are tracked; give the optimizer "
                                  "of this model, or call step() behind its steps where it trains copies of them")
        for optimizer in optimizers:
            self._hooks.append(optimizer.register_step_post_hook(self._stepped))

    def is_trained_by(self, optimizer: torch.optim.Optimizer) -> bool:
        """Whether an optimizer holds a parameter of the layers that are tracked, or memory that one is a part of."""
        own = {_memory(parameter) for module in self._modules.values() for parameter in module.parameters()}
        own.update(_memory(weight) for weight in self._weights())
        return any(_memory(parameter) in own for group in optimizer.param_groups for parameter in group["params"])

    def _stepped(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Takes a step of an attached optimizer in, with its learning rate: a number, or a tensor that is not read before the end."""
        self._rate_sum = self._rate_sum + sum(group["lr"] for group in optimizer.param_groups) / len(optimizer.param_groups)
        self.step()

    def detach(self) -> None:
        """Undoes `attach`."""
        while self._hooks:
            self._hooks.pop().remove()

    @torch.no_grad()
    def step(self) -> None:
        """Takes the weights after one step of the optimizer into the sums."""
        weights, start = [widened(weight) for weight in self._weights()], [widened(weight) for weight in self._start]
        torch._foreach_add_(self._signal, _squares(weights))
        torch._foreach_add_(self._noise, _squares(list(torch._foreach_sub(weights, start))))
        self.steps += 1

    @torch.no_grad()
    def epoch_end(self) -> Epoch:
        """What the epoch was. The next one begins."""
        if self.steps == 0:
            raise BadArgument("an epoch ends without a step; call step() after each step of the optimizer")
        rows, weights = [], self._weights()
        for (name, module), weight, signal, noise in zip(self._modules.items(), weights, self._signal, self._noise):
            signal_power, noise_power = float(signal) / self.steps, float(noise) / self.steps
            if not math.isfinite(signal_power + noise_power):
                raise BadArgument(f"layer {name} had weights that are not finite; its ESN_a means nothing")
            nonzero = int(torch.count_nonzero(weight))
            largest = filters_of(module, weight).abs().amax(dim=1)
            rows.append({
                "name": name, "esn_a": signal_power / noise_power * nonzero / 12 if noise_power > 0 else None,
                "signal": signal_power, "noise": noise_power, "weights": weight.numel(), "nonzero": nonzero,
                "filters": len(largest), "pruned_filters": int(((largest < PRUNED_BELOW * largest.max()) | (largest == 0)).sum()),
            })
        self.epochs.append(Epoch(len(self.epochs), rows))
        self._warn_if_annealed()
        torch._foreach_copy_(self._start, weights)
        self._begin()
        return self.epochs[-1]

    def _warn_if_annealed(self) -> None:
        """Warns once where the learning rate has fallen to nearly nothing, and fell in the two last epochs: a schedule of steps has
        epochs between its falls, and its noise stays.
        """
        self._rates.append(float(self._rate_sum) / self.steps)
        bound = ANNEALED_BELOW * max(self._rates)
        last = self._rates[-3:]
        if self._is_warned or not (len(last) == 3 and last[0] > last[1] > last[2] and last[2] < bound):
            return
        self._is_warned = True
        # A callback of a second training has the epochs of the first, and rates of its own.
        first = len(self.epochs) - len(self._rates)
        before = first + max(number for number, rate in enumerate(self._rates) if rate >= bound)
        warnings.warn(f"the learning rate anneals to zero: its mean in epoch {len(self.epochs) - 1} is {last[2]:.3g}, and the largest was "
                      f"{max(self._rates):.3g}. Noise vanishes with it and ESN_a of equation (5) grows without bound; read a policy from "
                      f"epoch {before} or one before", AnnealedRate, stacklevel=3)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all epochs as JSON, which `esnsim compress --target-profile` takes. The file appears whole or not at all.

        That command needs an ESN_a of every layer. A layer that did not move in an epoch has that of the last one in which it
        did; one that has never moved, as it is frozen, has that of its weights at 16 bits, the most that there are. `moved` of
        its row is then false.
        """
        if not self.epochs:
            raise BadArgument("there is no epoch to write; call epoch_end() first")
        whole = checked(path=path)["path"]
        part = f"{whole}.part"
        with open(part, "w", encoding="utf-8") as file:
            json.dump({"pruned_below": PRUNED_BELOW, "epochs": self._traced()}, file, indent=1)
        os.replace(part, whole)

    @torch.no_grad()
    def _traced(self) -> list[dict[str, Any]]:
        """The epochs with an ESN_a of every layer."""
        last: dict[str, float] = {}
        epochs = _plain(self.epochs)
        for row in (row for epoch in epochs for row in epoch["layers"]):
            row["moved"] = row["esn_a"] is not None
            if row["moved"]:
                last[row["name"]] = row["esn_a"]
            row["esn_a"] = last[row["name"]] if row["name"] in last else self._finest(row["name"])
        return epochs

    def _finest(self, name: str) -> float:
        """ESN_a of the weights of a layer at the most bits."""
        weight = trained_weight(self._modules[name])
        check_finite(name, weight)
        return int(FakeQuantize(MAX_BITS).codes(weight).long().square().sum()) / 4

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs, as it is now."""
        now = {what: [tensor.clone() for tensor in tensors] for what, tensors in
               (("start", self._start), ("signal", self._signal), ("noise", self._noise))}
        rates = {"rates": list(self._rates), "rate_sum": float(self._rate_sum), "is_warned": self._is_warned}
        return {"layers": list(self._modules), "steps": self.steps, **now, "epochs": _plain(self.epochs), **rates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the tracker was that made `state`, of a model with the same layers."""
        parts = ("layers", "steps", "start", "signal", "noise", "epochs")
        missing = next((part for part in parts if not isinstance(state, Mapping) or part not in state), None)
        if missing is not None:
            raise BadArgument(f"the state is none of EsnTracker.state_dict(): it has no {missing}")
        for own, other in ((self._start, "start"), (self._signal, "signal"), (self._noise, "noise")):
            take(dict(zip(self._modules, own)), dict(zip(state["layers"], state[other])))
        self.steps = state["steps"]
        # States of older versions have no learning rates.
        self._rates, self._rate_sum = list(state.get("rates", ())), state.get("rate_sum", 0.0)
        self._is_warned = state.get("is_warned", False)
        self.epochs = [Epoch(epoch["epoch"], epoch["layers"]) for epoch in state["epochs"]]


def _plain(epochs: list[Epoch]) -> list[dict[str, Any]]:
    return [{"epoch": epoch.number, "layers": [dict(row) for row in epoch.layers]} for epoch in epochs]


def _squares(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """`‖·‖²` of each, in float64, to seven digits of float32 or better."""
    if any(tensor.device.type == "cpu" for tensor in tensors):
        return [_square_by_rows(tensor.reshape(-1)) for tensor in tensors]
    return _squares_at_once(tensors)


def _squares_at_once(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    # Sums of a GPU are trees, short enough for float32; few kernels matter more there.
    norms = [norm.double() for norm in torch._foreach_norm(tensors, 2)]
    torch._foreach_mul_(norms, norms)
    return norms


def _square_by_rows(flat: torch.Tensor) -> torch.Tensor:
    # One float32 sum of millions of squares on a CPU is off in the fourth digit.
    whole = len(flat) // _ROW * _ROW
    parts = (flat[:whole].view(-1, _ROW), flat[whole:].view(1, -1))
    norms = torch.cat([torch.linalg.vector_norm(part, dim=1) for part in parts if part.numel()])
    return norms.double().square().sum()
