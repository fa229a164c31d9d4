"""Fake quantization on the grid of the metric, with a gradient that goes straight through."""

from __future__ import annotations

import math
from typing import Any, Callable, Iterable, Mapping

import torch
from torch.nn.utils import parametrize

from .. import BadArgument
from .._arguments import choice, truth, whole
from .layers import (
    LAYERS, by_filter, check_finite, fake_quantizer, inner, is_transposed, known, mac_layers, mask, pruned_names, spread,
    trained_weight, unmask,
)
from .simulator import chosen_steps, drop_parametrizations

GRIDS = ("mid-rise", "mid-tread")
GRANULARITIES = ("layer", "filter")
RULES = ("max-abs", "mse", "laplace", "gauss")

#: Most bits of a weight.
MAX_BITS = 16

# The smallest step: half of it, the scale of a mid-rise grid in a file, is still a normal float32.
_MIN_STEP = 2 * torch.finfo(torch.float32).tiny


class Mask(torch.nn.Module):
    """A parametrization that keeps pruned weights at 0: `weight · mask`, with a mask of 0 and 1 in the shape of the weight."""

    mask: torch.Tensor

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight with what is pruned at 0."""
        return weight * self.mask.to(weight.dtype)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """What is assigned to the weight becomes its original."""
        return weight


class FakeQuantize(torch.nn.Module):
    """A parametrization that puts a weight on the levels of a grid of `bits` bits.

    ```text
    mid-rise    W_int = clamp(floor(W / Δ) + 0.5, ±(2^(bits − 1) − 0.5));  W = 0 is pruned and stays 0
    mid-tread   W_int = clamp(round(W / Δ), ±(2^(bits − 1) − 1)), halves to even
    forward     Δ · W_int;  backward: the gradient as it comes
    ```

    Mid-rise is the quantizer of the paper. Both are those of `esnsim compress --bits`, in float64 as there, so that codes are
    equal. `Δ` is a float32, one for the layer or one for each filter. With the rule `max-abs` it follows the weights,
    `Δ = max|W| / 2^(bits − 1)` (on mid-tread `2^(bits − 1) − 1`), unless `hold` is set; all other steps stay as they are
    until `refresh` chooses them anew. One that is held and not chosen yet is NaN, and no weight is quantized with it. `Δ` stays
    a float32 where a model is moved to another type, and its state has the largest code, which says the grid and its bits.

    >>> import torch
    >>> FakeQuantize(2)(torch.tensor([[1.0, 0.3, 0.0, -0.2, -1.0]])).tolist()
    [[0.75, 0.25, 0.0, -0.25, -0.75]]
    """

    step: torch.Tensor
    largest_code: torch.Tensor

    def __init__(self, bits: int, *, granularity: str = "layer", rule: str = "max-abs", grid: str = "mid-rise",
                 hold: bool = False, transposed: bool = False, groups: int = 1) -> None:
        super().__init__()
        self.granularity = choice(*GRANULARITIES)("granularity", granularity)
        self.rule, self.grid = choice(*RULES)("rule", rule), choice(*GRIDS)("grid", grid)
        self.bits: int = whole(1 if grid == "mid-rise" else 2, MAX_BITS)(f"bits on {grid}", bits)
        held = truth("hold", hold)
        self.follows = rule == "max-abs" and not held
        self.transposed, self.groups = transposed, groups
        self.register_buffer("step", torch.tensor(math.nan))
        # Odd on mid-rise and even on mid-tread: no two grids have the same.
        self.register_buffer("largest_code", torch.tensor(2 ** self.bits - (1 if grid == "mid-rise" else 2)))
        self._chosen = False

    @property
    def reach(self) -> float:
        """How many steps the grid reaches from 0."""
        half_levels = 2.0 ** (self.bits - 1)
        return half_levels if self.grid == "mid-rise" else half_levels - 1

    @torch.no_grad()
    def refresh(self, weight: torch.Tensor) -> None:
        """Chooses the step for `weight`. That of a rule other than `max-abs` is the simulator's own choice."""
        if self.rule == "max-abs":
            step = self._max_abs_step(weight)
        else:
            rows = by_filter(weight.detach(), self.transposed, self.groups)
            step = chosen_steps(rows, self.bits, self.granularity, self.rule, self.grid).to(weight.device)
        self.step, self._chosen = step, True

    def step_for(self, weight: torch.Tensor) -> torch.Tensor:
        """`Δ` in the unit of the weight, float32: one number, or one for each filter, `[filters]`."""
        return self._max_abs_step(weight) if self.follows else self._held_step()

    def _held_step(self) -> torch.Tensor:
        if not self._chosen:
            raise BadArgument("a step that is held has not been chosen yet; refresh(weight) of the quantizer chooses it")
        return self.step

    def differentiable_step(self, weight: torch.Tensor) -> torch.Tensor:
        """`Δ` as a function of the weight, in its type and in a shape that is broadcast over it. A held step is a constant."""
        if not self.follows:
            return self._over(self._held_step(), weight).to(weight.dtype)
        largest = self._largest(weight)
        return self._over(torch.where(largest > 0, largest / self.reach, 1.0), weight)

    @torch.no_grad()
    def codes(self, weight: torch.Tensor) -> torch.Tensor:
        """`2 · W_int` of every weight, in its shape, int32: odd on mid-rise, even on mid-tread, 0 where the weight is 0."""
        levels = self._levels(weight, self.step_for(weight))
        return (2 * levels).to(torch.int32)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight on its levels, in its shape and type."""
        with torch.no_grad():
            step = self.step_for(weight)
            levels = (self._levels(weight, step) * self._over(step, weight)).to(weight.dtype)
        # What is added is exactly 0, and carries the gradient.
        return levels + (weight - weight.detach())

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """What is assigned to the weight becomes its original."""
        return weight

    def extra_repr(self) -> str:
        """How it quantizes, in a few words."""
        return f"bits={self.bits}, per {self.granularity}, {self.rule}{'' if self.follows else ' held'}, {self.grid}"

    def _levels(self, weight: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """`W_int` in float64."""
        # The quotient of float64 is that of the simulator; one of float32 may pass a threshold.
        steps = weight.detach().double() / self._over(step, weight).double()
        if self.grid == "mid-tread":
            return steps.clamp(-self.reach, self.reach).round()
        levels = steps.clamp(-self.reach, self.reach - 1).floor() + 0.5
        return torch.where(weight.detach() == 0, 0.0, levels)

    def _max_abs_step(self, weight: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            largest = self._largest(weight.detach())
            step = (largest.double() / self.reach).float().clamp(_MIN_STEP, torch.finfo(torch.float32).max)
            # A step of weights that are all 0 multiplies nothing but zeros.
            return torch.where(largest == 0, 1.0, step)

    def _largest(self, weight: torch.Tensor) -> torch.Tensor:
        if self.granularity == "layer":
            return weight.abs().amax()
        return by_filter(weight.abs(), self.transposed, self.groups).amax(dim=1)

    def _over(self, step: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return step if step.dim() == 0 else spread(step, weight, self.transposed, self.groups)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> FakeQuantize:
        step = self.step
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call, unused-ignore]
        if self.step.dtype != torch.float32:
            # Moved, and of the type that it had.
            self.step = step.to(self.step.device)
        return self

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, local_metadata: Any, strict: bool,
                              missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str]) -> None:
        problem = self._unlike(state_dict.get(f"{prefix}step"), state_dict.get(f"{prefix}largest_code"))
        if problem is not None:
            error_msgs.append(f"{prefix[:-1]}: {problem}; this is {self.extra_repr()}")
            return
        saved = state_dict.get(f"{prefix}step")
        if saved is not None:
            self.step = torch.full_like(saved, math.nan, dtype=torch.float32, device=self.step.device)
            self._chosen = not bool(saved.isnan().any())
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)

    def _unlike(self, step: torch.Tensor | None, largest_code: torch.Tensor | None) -> str | None:
        """What a state has that this quantizer cannot take."""
        largest = int(self.largest_code if largest_code is None else largest_code)
        if largest != int(self.largest_code):
            return f"the state is that of {largest.bit_length()} bits on {GRIDS[0] if largest % 2 else GRIDS[1]}"
        if step is not None and not bool(step.isnan().any()) and step.dim() != (self.granularity == "filter"):
            return f"the state has steps of shape {list(step.shape)}"
        return None


def quantizer_for(name: str, module: torch.nn.Module, bits: int | Mapping[str, int] | None) -> FakeQuantize | None:
    """What quantizes a layer: its own fake quantization, else one of `bits`, with one step from the largest magnitude."""
    width = _width(bits, name) if not isinstance(bits, Mapping) or name in bits else None
    own = fake_quantizer(module)
    return own if own is not None or width is None else _quantizer_of(module, width)


def _quantizer_of(module: torch.nn.Module, bits: int, **options: Any) -> FakeQuantize:
    """A new quantizer for the filters of a layer."""
    return FakeQuantize(bits, transposed=is_transposed(module), groups=getattr(module, "groups", 1), **options)


def quantize(model: torch.nn.Module, bits: int | Mapping[str, int] = 4, *, granularity: str = "layer", rule: str = "max-abs",
             grid: str = "mid-rise", hold: bool = False, skip: Iterable[str] = ()) -> dict[str, FakeQuantize]:
    """Fake-quantizes the weights of every convolution and linear layer, in place, and returns what does it, by layer.

    `bits` is one width, or one for each layer by name, as `named_modules` has it; layers in `skip` stay real. `granularity`
    says what shares a step, a `"layer"` or a `"filter"`. `rule` and `grid` are `--clip` and `--grid` of `esnsim compress`.
    `hold` keeps the step of `max-abs` as it is now, where it would follow the weights.

    A weight becomes a parametrization of `torch.nn.utils.parametrize`: the parameter that is trained stays the same object, so
    that an optimizer may be there before. Weights that `torch.nn.utils.prune` masks stay masked. Quantize before
    `DistributedDataParallel` and `torch.compile` wrap the model.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False))
    >>> model[0].weight.data = torch.tensor([[1.0, 0.3], [0.0, -0.2]])
    >>> quantize(model, bits=2)
    {'0': FakeQuantize(bits=2, per layer, max-abs, mid-rise)}
    >>> codes(model)["0"].tolist()
    [[3, 1], [0, -1]]
    """
    layers = mac_layers(model, "quantize")
    widths = _widths(bits, layers, known("skip", skip, layers))
    made = {}
    for name, width in widths.items():
        module = layers[name]
        if fake_quantizer(module) is not None:
            raise BadArgument(f"layer {name} is quantized already; unquantize(model) comes first")
        weight = trained_weight(module)
        check_finite(name, weight)
        made[name] = _quantizer_of(module, width, granularity=granularity, rule=rule, grid=grid, hold=hold).to(weight.device)
        made[name].refresh(weight)
    # Nothing is changed until all of it is known to be right.
    for name, quantizer in made.items():
        _mask_by_parametrization(layers[name])
        parametrize.register_parametrization(layers[name], "weight", quantizer)
    return made


@torch.no_grad()
def unquantize(model: torch.nn.Module) -> None:
    """Takes fake quantization out of a model. Weights are the real ones that were trained, masks are those of
    `torch.nn.utils.prune`.

    >>> import torch
    >>> model = torch.nn.Linear(2, 2)
    >>> before = model.weight.clone()
    >>> _ = quantize(model)
    >>> unquantize(model)
    >>> bool((model.weight == before).all())
    True
    """
    for name, layer in mac_layers(model, "unquantize").items():
        if fake_quantizer(layer) is None:
            continue
        module: Any = layer
        chain = module.parametrizations.weight
        if len(module.parametrizations) > 1 or any(not isinstance(step, (Mask, FakeQuantize)) for step in chain):
            raise BadArgument(f"layer {name} has parametrizations of others around its quantization, which would be lost")
        kept = next((step.mask for step in chain if isinstance(step, Mask)), None)
        drop_parametrizations(module, keep_values=False)
        if kept is not None:
            mask(module, "weight", kept)


def is_quantized(model: torch.nn.Module) -> bool:
    """Whether a layer of the model is fake-quantized."""
    return any(fake_quantizer(module) is not None for module in inner(model).modules() if isinstance(module, LAYERS))


def refresh(model: torch.nn.Module) -> None:
    """Chooses the held steps of a fake-quantized model anew, for its weights as they are."""
    for module in mac_layers(model, "quantize").values():
        quantizer = fake_quantizer(module)
        if quantizer is not None:
            quantizer.refresh(trained_weight(module))


def codes(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The codes `2 · W_int` of every fake-quantized layer by name, int32, in the shape of the weight."""
    found = {}
    for name, module in mac_layers(model, "quantize").items():
        quantizer = fake_quantizer(module)
        if quantizer is not None:
            weight = trained_weight(module)
            check_finite(name, weight)
            found[name] = quantizer.codes(weight)
    return found


def _widths(bits: int | Mapping[str, int], layers: Mapping[str, Any], skip: set[str]) -> dict[str, int]:
    if not isinstance(bits, Mapping):
        return {name: bits for name in layers if name not in skip}
    missing = [name for name in layers if name not in known("bits", bits, layers) and name not in skip]
    if missing:
        raise BadArgument(f"no width for {', '.join(missing)}; bits names every layer that skip does not")
    return {name: _width(bits, name) for name in layers if name not in skip}


def _width(bits: Any, layer: str) -> Any:
    """The width of a layer. One that is for a layer alone is checked here, so that its error names the layer."""
    return whole(1, MAX_BITS)(f"bits of layer {layer}", bits[layer]) if isinstance(bits, Mapping) else bits


@torch.no_grad()
def _mask_by_parametrization(module: torch.nn.Module) -> None:
    """Turns a mask of `torch.nn.utils.prune`, which a parametrization cannot stand behind, into one that it can."""
    if "weight" in pruned_names(module):
        kept = module.weight_mask
        assert isinstance(kept, torch.Tensor)
        unmask(module, "weight")
        parametrize.register_parametrization(module, "weight", Mask(kept))
