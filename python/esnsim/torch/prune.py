"""Pruning of filters by signal norm: the decision of `esnsim compress`, as masks that training keeps."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, Iterator, Mapping

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from .. import BadArgument, Unsupported
from .._arguments import LARGE, Kind, choice, maybe, real, whole, wrong
from .layers import (
    check_finite, filters_of, inner, is_transposed, known, mac_layers, mask, parameter_name, place, plain_layers, spread,
    trained_tensor, trained_weight,
)
from .quantize import Mask
from .simulator import as_float, as_network, named, plain_copy, tensors

SCOPES = ("global", "layer")


def _parts(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise wrong(name, value, 'a part for each layer by name, as {"conv1": 0.5}')
    return {layer: real(f"{name} of layer {layer}", part) for layer, part in value.items()}


def _fraction(name: str, value: Any) -> float:
    number = real(name, value)
    if not 0 <= number <= 1:
        raise BadArgument(f"{name} is {number}; expected a fraction from 0 to 1")
    return number


_KINDS: Mapping[str, Kind] = {
    "fraction": maybe(_fraction), "count": maybe(whole(0, LARGE)), "width": maybe(_fraction), "profile": maybe(_parts),
    "below": maybe(_fraction),
    "scope": choice(*SCOPES),
}

# Filters that are named are made so small beside the rest of their layer, and whatever is smaller than the second is pruned.
_TINY, _BELOW = 1e-20, 1e-19


class Pruned:
    """What pruning did. `filters` has by layer which filters are 0, those included that were before. `of`, `asked` and `done`
    count filters: those that can be pruned, those that were to be, and those that were; `None` where each layer was named.
    `notes` says what came out otherwise than it was asked for, one line each.
    """

    def __init__(self, filters: dict[str, list[int]], counts: Mapping[str, Any], notes: list[str]) -> None:
        self.filters, self.notes = filters, notes
        self.of, self.asked, self.done = (counts.get(name) for name in ("of", "asked", "done"))

    def __repr__(self) -> str:
        zero = sum(map(len, self.filters.values()))
        asked = "" if self.asked is None else f"; {self.done} of {self.of} by norm, {self.asked} were asked for"
        return f"<esnsim.torch.Pruned {zero} filters are 0{asked}>"


def prune_filters(model: torch.nn.Module, example: Any, *, fraction: float | None = None, count: int | None = None,
                  width: float | None = None, profile: Mapping[str, float] | None = None, below: float | None = None,
                  scope: str = "global") -> Pruned:
    """Prunes whole filters in the order of their signal norm `‖W_m‖²`, the smallest first (the paper's section 2.8), in place.

    Exactly one of these says how many. `example` is an input of one image: channels are followed through the graph of the model.

    - `fraction`: this part of all filters that can be pruned, `--prune filters=F` of `esnsim compress`.
    - `count`: so many of them; the scope is global.
    - `width`: all but this part of the channels of every layer, `--prune width=F`.
    - `profile`: by name of the layer, this part of its filters, each on its own; the strongest one of a layer stays.
    - `below`: filters whose largest magnitude is below this part of their layer's, each on its own, `--prune-below R`.

    With the scope `"global"` all filters compete, with `"layer"` those of each layer. Which filters go is decided by the
    simulator: channels that are added go together, the strongest filter of a layer and the classes stay, and what only zeros
    feed or nothing reads goes, too. A pruned filter is 0 with its bias and the scale and shift of its BatchNorm.

    Everything is a mask of `torch.nn.utils.prune`, so that it stays 0 while training goes on. Prune first, then quantize.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> _ = model[0].weight.data[1].fill_(0.001)
    >>> prune_filters(model, torch.zeros(1, 4), count=1).filters
    {'0': [1], '2': []}
    """
    way = Way.checked(fraction, count, width, profile, below, scope)
    plain_layers(model, "prune")
    masks, report = way.decide(plain_copy(model), example)
    _apply(model, masks)
    counts: dict[str, Any] = next(iter(report["prunings"]), {})
    return Pruned(_dead_filters(model, masks), counts, list(report["notes"]))


@dataclasses.dataclass(frozen=True)
class Way:
    """How many filters are pruned, and what competes."""

    fraction: float | None
    count: int | None
    width: float | None
    profile: Mapping[str, float] | None
    below: float | None
    scope: str

    @classmethod
    def checked(cls, *parts: Any) -> Way:
        """One way out of these, of which one is given."""
        kinds = {field.name: _KINDS[field.name] for field in dataclasses.fields(cls)}
        way = cls(*(kind(name, part) for (name, kind), part in zip(kinds.items(), parts, strict=True)))
        ways = {name: value for name, value in vars(way).items() if name != "scope"}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) != 1:
            raise BadArgument(f"exactly one of {', '.join(ways)} says what is pruned, not {' and '.join(given) or 'none'}")
        if way.count is not None and way.scope != "global":
            raise BadArgument("count is one of all filters; with scope='layer' there is fraction or profile")
        return way

    def decide(self, twin: torch.nn.Module, example: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """What the simulator prunes of a plain model, which changes: by name of the parameter, True where it stays; and its
        report."""
        for name, module in mac_layers(twin, "prune").items():
            weight: Any = module.weight
            check_finite(name, weight)
        asked = self._one_by_one(twin)
        _make_distinct(twin)
        below = _BELOW if self.profile is not None else self.below
        small = as_network(twin, example).compress(prune=self._how(twin, example), prune_scope=self.scope, prune_below=below)
        masks, report = _masks(twin, tensors(small.network)), small.report["prune"][1]
        report["notes"] = [*report["notes"], *self._shortfalls(asked, masks, twin, example)]
        wanted = sum(pruning["done"] for pruning in report["prunings"])
        found = sum(map(len, _dead_filters(twin, masks).values()))
        if found < wanted:
            raise Unsupported(f"{wanted} filters are to go, {wanted - found} of them of layers that compute their weights themselves")
        return masks, report

    def _one_by_one(self, twin: torch.nn.Module) -> dict[str, torch.Tensor]:
        """By layer, which filters go each on its own, as a profile or a threshold asks. Those of a profile are made tiny."""
        if self.profile is not None:
            return _make_tiny(twin, self.profile)
        if self.below is None:
            return {}
        rows = {name: filters_of(module, trained_weight(module)) for name, module in mac_layers(twin, "prune").items()}
        # Not every device has float64.
        largest = {name: weights.abs().amax(dim=1).cpu().double() for name, weights in rows.items()}
        return {name: each < self.below * each.max() for name, each in largest.items()}

    def _shortfalls(self, asked: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor], twin: torch.nn.Module,
                    example: Any) -> Iterator[str]:
        """A line for each layer of which fewer filters went than `_one_by_one` asked for."""
        dead = _dead_filters(twin, masks)
        for name, wanted in asked.items():
            if name in dead:
                done = int(wanted[dead[name]].sum())
                if done < wanted.sum():
                    yield (f"layer {name}: {done} of {len(wanted)} filters were pruned, not the {int(wanted.sum())} that were asked "
                           "for: the strongest channel of every layer stays, and the network's classes do")
            elif bool(wanted.any()) and name in _called(twin, example):
                raise Unsupported(f"layer {name} computes its weight itself; filters that are chosen by it cannot be pruned")
            elif bool(wanted.any()) and self.profile is not None:
                raise BadArgument(f"profile has layer {name}, which no output of the model needs")

    def _how(self, twin: torch.nn.Module, example: Any) -> list[str]:
        if self.fraction is not None:
            return [f"filters={self.fraction!r}"]
        if self.width is not None:
            return [f"width={self.width!r}"]
        if self.count is None:
            return []
        of = as_network(twin, example).compress(prune="filters=0").report["prune"][1]["prunings"][0]["of"]
        if self.count > of:
            raise BadArgument(f"count is {self.count}; {of} filters can be pruned")
        return [f"filters={self.count / max(of, 1)!r}"]


@torch.no_grad()
def _called(twin: torch.nn.Module, example: Any) -> set[str]:
    """The layers that run in a pass."""
    called: set[str] = set()
    hooks = [module.register_forward_pre_hook(lambda *_, name=name: called.add(name))
             for name, module in mac_layers(twin, "prune").items()]
    try:
        twin(*as_float(twin, example))
    finally:
        for hook in hooks:
            hook.remove()
    return called


def _masks(twin: torch.nn.Module, found: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """By name of the parameter, where the simulator let it stay."""
    masks = {}
    for name, module in mac_layers(twin, "prune").items():
        masks.update(_masks_of_layer(name, module, twin, found))
    for name, module in twin.named_modules():
        if isinstance(module, _BatchNorm) and module.affine:
            stays = [_stays(found, parameter_name(name, what), getattr(module, what)) for what in ("weight", "bias")]
            # A shift that was 0 before stays 0 where the scale goes.
            masks.update({parameter_name(name, what): stays[0] & stays[1] for what in ("weight", "bias")})
    return masks


def _masks_of_layer(name: str, module: torch.nn.Module, twin: torch.nn.Module,
                    found: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    weight: Any = module.weight
    key = parameter_name(name, "weight")
    if key not in found:
        # The exporter stores equal tensors once, under one of their names. These are one parameter, or 0 altogether.
        key = next((other for other, value in twin.named_parameters() if other in found and torch.equal(value, weight)), key)
    after = named(found, key, weight)
    if after is None:
        return {}
    stays = _stays(found, key, weight)
    dead = (filters_of(module, after) == 0).all(dim=1)
    masks = {parameter_name(name, "weight"): stays & ~spread(dead, weight, is_transposed(module), getattr(module, "groups", 1))}
    bias: Any = module.bias
    if bias is not None:
        kept = named(found, parameter_name(name, "bias"), bias)
        was_dead = (filters_of(module, weight) == 0).all(dim=1)
        masks[parameter_name(name, "bias")] = ~(dead & ~was_dead & ((bias if kept is None else kept) == 0))
    return masks


def _stays(found: Mapping[str, torch.Tensor], name: str, before: torch.Tensor) -> torch.Tensor:
    """False where a number has become 0."""
    after = named(found, name, before)
    return torch.ones_like(before, dtype=torch.bool) if after is None else (after != 0) | (before == 0)


@torch.no_grad()
def _make_distinct(twin: torch.nn.Module) -> None:
    """Makes equal tensors different that are not the same parameter, for the exporter stores equal ones once, and the simulator
    would prune them as one. Numbers of BatchNorms and biases that are not 0 get values of their own: no decision depends on
    more than whether they are 0. Weights get signs of their own: no decision depends on the sign of one."""
    for weights in _equal_weights(twin):
        for number, weight in enumerate(weights):
            _flip(weight, number)
    last = 0
    for module in twin.modules():
        names = ("weight", "bias") if isinstance(module, _BatchNorm) else ("bias",)
        for value in (getattr(module, name, None) for name in names):
            if isinstance(value, torch.nn.Parameter):
                own = torch.arange(last + 1, last + 1 + value.numel(), device=value.device, dtype=value.dtype).reshape(value.shape)
                value.copy_(torch.where(value == 0, 0.0, own))
                last += value.numel()


def _equal_weights(twin: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """The weights of the layers, those together that are equal; one that several layers have is there once."""
    # Few weights have the same largest magnitude; only those are compared.
    groups: dict[tuple[torch.Size, float], list[list[torch.Tensor]]] = {}
    for weight in {id(module.weight): module.weight for module in mac_layers(twin, "prune").values()}.values():
        assert isinstance(weight, torch.Tensor)
        alike = groups.setdefault((weight.shape, float(weight.abs().amax())), [])
        group = next((group for group in alike if torch.equal(group[0], weight)), None)
        if group is None:
            alike.append([weight])
        else:
            group.append(weight)
    return itertools.chain.from_iterable(groups.values())


def _flip(weight: torch.Tensor, number: int) -> None:
    """Turns the signs of weights that are not 0, the first ones, where a number has ones in binary."""
    live = weight.flatten().nonzero().flatten()
    signs = torch.ones(weight.numel(), dtype=weight.dtype, device=weight.device)
    signs[live[[place for place in range(min(number.bit_length(), len(live))) if number >> place & 1]]] = -1
    weight.mul_(signs.view(weight.shape))


@torch.no_grad()
def _make_tiny(twin: torch.nn.Module, profile: Mapping[str, float]) -> dict[str, torch.Tensor]:
    """Makes the weakest filters of each layer so small that the simulator prunes them by their size. Returns by layer which
    filters its part are; the strongest stays as it is even where it is one of them, for filters are small beside it."""
    layers, asked = mac_layers(twin, "prune"), {}
    for name in sorted(known("profile", profile, layers)):
        part, module = profile[name], layers[name]
        if not 0 <= part < 1:
            raise BadArgument(f"profile of layer {name} is {part}; expected a fraction from 0, below 1")
        weight: Any = module.weight
        check_finite(name, weight)
        rows = filters_of(module, weight)
        order = rows.cpu().double().square().sum(dim=1).argsort(stable=True).to(weight.device)
        # Halves are rounded up, as the simulator does.
        asked[name] = torch.zeros(len(order), dtype=torch.bool, device=weight.device)
        asked[name][order[:int(part * len(order) + 0.5)]] = True
        chosen = asked[name] & (rows.abs().amax(dim=1) > 0)
        chosen[order[-1]] = False
        # Beside a largest weight of 1, since what is tiny beside a small one would be 0.
        scaled = weight / rows.abs().max().clamp(min=torch.finfo(weight.dtype).tiny)
        weight.copy_(torch.where(spread(chosen, weight, is_transposed(module), getattr(module, "groups", 1)), _TINY, scaled))
    return asked


@torch.no_grad()
def _apply(model: torch.nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    modules = dict(inner(model).named_modules())
    for name, kept in masks.items():
        if bool(kept.all()):
            continue
        layer, tensor = place(name)
        module = modules[layer]
        of_type = kept.to(trained_tensor(module, tensor).dtype)
        if parametrize.is_parametrized(module, tensor):
            parametrize.register_parametrization(module, tensor, Mask(of_type))
        else:
            mask(module, tensor, of_type)


def _dead_filters(model: torch.nn.Module, masks: Mapping[str, torch.Tensor]) -> dict[str, list[int]]:
    found = {}
    for name, module in mac_layers(model, "prune").items():
        kept = masks.get(parameter_name(name, "weight"))
        if kept is not None:
            found[name] = (~filters_of(module, kept).any(dim=1)).nonzero().flatten().tolist()
    return found
