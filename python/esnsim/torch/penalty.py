"""The metric as a penalty of the loss."""

from __future__ import annotations

import math
from typing import Any, Mapping

import torch

from .. import BadArgument
from .._arguments import choice
from .layers import check_finite, known, mac_layers, trained_weight, widened
from .quantize import FakeQuantize, quantizer_for
from .simulator import positions

METRICS = ("esn-a", "esn-d")


class EsnPenalty:
    """ESN_a or ESN_d of a model as one number, exact, with a gradient.

    ```text
    esn-a   Σ_l c_l · Σ_w W_int²                      equation (2)
    esn-d   Σ_l c_l · Σ_w max(1, ceil(log2 |code|))    equation (3), code = 2 · W_int, 0 of a pruned weight
    ```

    The value is that of `esnsim.esn` of the exported model, `total.esn_a_macs` or `total.esn_d_macs`, as float64, which is exact
    up to 2^53. `c_l` are the output positions for one image, which the simulator finds with `example`; without `example` they
    are 1, and the value is `total.esn_a` or `total.esn_d`. Layers that are fake-quantized are taken as they are, all others at
    `bits`, one width or one by name.

    The gradient is that of functions that rounding is left out of, with `r = W/Δ` and `dW_int/dr` = 1:

    ```text
    esn-a   d(W_int²) = 2 · W_int · dr
    esn-d   d(bits) = d log2(1 + |code|) = 2 · sign(W_int) / ((1 + |code|) · ln 2) · dr
    ```

    `log2(1 + |code|)` is the bits of the widest code of every width (1, 3, 7, 15, …), and smooth between them. The gradient is
    0 where a weight is pruned, beyond the end of a held grid, and, of esn-d, at ±0.5 of mid-rise, which is the least there is.
    `dr` has a part of `Δ`: a step that follows the largest weight makes both metrics independent of the scale of the weights,
    so that the gradient lowers most weights and raises the largest. A step that is held (`quantize(…, hold=True)`) is a
    constant: all weights are lowered.

    >>> import torch
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> model.weight.data = torch.tensor([[1.0, 0.3]])
    >>> EsnPenalty(model, "esn-a", bits=2)().item()        # levels 1.5 and 0.5
    2.5
    """

    def __init__(self, model: torch.nn.Module, metric: str = "esn-d", *, example: Any = None,
                 bits: int | Mapping[str, int] | None = None) -> None:
        self.metric = choice(*METRICS)("metric", metric)
        self._modules, self._bits = mac_layers(model, "cost"), bits
        if isinstance(bits, Mapping):
            known("bits", bits, self._modules)
        self._uses = _first_uses(self._modules) if example is None else positions(model, example)
        for name, module in self._modules.items():
            check_finite(name, trained_weight(module))
            self._quantizer(name)

    def __call__(self) -> torch.Tensor:
        """The metric of the weights as they are, a float64 of no axis."""
        values = [self._of_layer(name, uses) for name, uses in self._uses.items() if uses]
        return torch.stack([value.to(values[0].device) for value in values]).sum()

    def _quantizer(self, name: str) -> FakeQuantize:
        quantizer = quantizer_for(name, self._modules[name], self._bits)
        if quantizer is None:
            raise BadArgument(f"layer {name} is not quantized, and bits gives it no width")
        return quantizer

    def _of_layer(self, name: str, uses: int) -> torch.Tensor:
        weight, quantizer = widened(trained_weight(self._modules[name])), self._quantizer(name)
        codes = quantizer.codes(weight)
        exact = _exact_quarters(codes) / 4 if self.metric == "esn-a" else _exact_bits(codes)
        # The code of a weight that is not finite means nothing.
        exact = torch.where(torch.isfinite(weight.detach()).all(), exact, math.nan)
        real = weight / quantizer.differentiable_step(weight)
        # What is added is 0, and carries the gradient; a weight beyond the end of a held grid has none.
        passes = real.detach().abs() <= quantizer.reach
        code = codes.to(weight.dtype) + 2 * torch.where(passes, real - real.detach(), 0.0)
        if self.metric == "esn-a":
            smooth = code.square().sum() / 4
        else:
            lowest = 1 if quantizer.grid == "mid-rise" else 0
            smooth = torch.where(codes.abs() > lowest, code.abs().log1p(), 0.0).sum() / math.log(2)
        return (exact + (smooth - smooth.detach()).double()) * uses


def _exact_quarters(codes: torch.Tensor) -> torch.Tensor:
    return codes.long().square().sum().double()


def _exact_bits(codes: torch.Tensor) -> torch.Tensor:
    # A code has 17 bits at most, which a float32 holds; its exponent is exact where a logarithm may not be.
    magnitude = codes.abs()
    _, exponent = torch.frexp((magnitude - 1).clamp(min=0).float())
    return torch.where(magnitude == 0, 0, exponent.clamp(min=1)).long().sum().double()


def _first_uses(modules: Mapping[str, torch.nn.Module]) -> dict[str, int]:
    """1 for the first layer of each parameter: weights count once."""
    seen: set[int] = set()
    uses = {}
    for name, module in modules.items():
        key = id(_parameter(module))
        uses[name] = 0 if key in seen else 1
        seen.add(key)
    return uses


def _parameter(module: torch.nn.Module) -> Any:
    lists = getattr(module, "parametrizations", None)
    if lists is not None and "weight" in lists:
        return getattr(lists["weight"], "original", lists["weight"])
    return getattr(module, "weight_orig", module.weight)
