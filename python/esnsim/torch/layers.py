"""The layers of a module that the metric counts, and the weights that they have."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Generator, Iterable, Iterator, Mapping

import torch
from torch.nn.utils import parametrize, prune

from .. import BadArgument
from .._arguments import several, shown, text

if TYPE_CHECKING:
    from .quantize import FakeQuantize

LAYERS = (
    torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d, torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d,
    torch.nn.ConvTranspose3d, torch.nn.Linear,
)


def inner(model: Any) -> torch.nn.Module:
    """The module itself, without what data parallelism and `torch.compile` wrap around it."""
    if not isinstance(model, torch.nn.Module):
        raise BadArgument(f"{shown(model)} is no module of PyTorch")
    while True:
        parallel = isinstance(model, (torch.nn.parallel.DistributedDataParallel, torch.nn.DataParallel))
        inside = model.module if parallel else getattr(model, "_orig_mod", None)
        if not isinstance(inside, torch.nn.Module):
            break
        model = inside
    assert isinstance(model, torch.nn.Module)
    return model


@contextlib.contextmanager
def evaluating(model: torch.nn.Module) -> Generator[None, None, None]:
    """A model in evaluation for a while. Every module then has the mode that it had: some may be frozen amid training."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def mac_layers(model: Any, purpose: str) -> dict[str, torch.nn.Module]:
    """The convolutions and linear layers, by name. Without one there is nothing to `purpose`."""
    layers = all_mac_layers(model)
    if not layers:
        raise BadArgument(f"a {type(inner(model)).__name__} has no convolution and no linear layer to {purpose}")
    return layers


def all_mac_layers(model: Any) -> dict[str, torch.nn.Module]:
    """The convolutions and linear layers, by name, or none."""
    return {name: module for name, module in inner(model).named_modules() if isinstance(module, LAYERS)}


def plain_layers(model: Any, purpose: str) -> dict[str, torch.nn.Module]:
    """`mac_layers` of a model of which none is fake-quantized."""
    layers = mac_layers(model, purpose)
    for name, module in layers.items():
        if fake_quantizer(module) is not None:
            raise BadArgument(f"layer {name} is quantized; {purpose} first, or unquantize(model)")
    return layers


@torch.no_grad()
def take(own: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> None:
    """Copies the tensors of a state, once all of them are known to have the shapes of the layers here."""
    if list(own) != list(given):
        raise BadArgument(f"the state is that of layers {list(given)}; the model has {list(own)}")
    for name, tensor in given.items():
        if tensor.shape != own[name].shape:
            raise BadArgument(f"the state has {name!r} of shape {list(tensor.shape)}; the model has {list(own[name].shape)}")
    for name, tensor in given.items():
        own[name].copy_(tensor)


def known(argument: str, names: Iterable[str], layers: Mapping[str, Any]) -> set[str]:
    """The names of an argument as a set, each of which is that of a layer."""
    wanted: set[str] = set(several(text, "names of layers in a list")(argument, names))
    for name in sorted(wanted - set(layers)):
        raise BadArgument(f"{argument}: there is no layer {name!r}; there are {', '.join(layers)}")
    return wanted


def fake_quantizer(module: torch.nn.Module) -> FakeQuantize | None:
    """What fake-quantizes the weight of a layer, if anything does."""
    from .quantize import FakeQuantize

    return next((step for step in _parametrizations(module) if isinstance(step, FakeQuantize)), None)


def trained_weight(module: torch.nn.Module) -> torch.Tensor:
    """The weight as it is trained: pruned weights are 0, and nothing is quantized. Gradients flow through."""
    chain = _parametrizations(module)
    return _before_quantization(module, chain) if chain else trained_tensor(module, "weight")


def trained_tensor(module: torch.nn.Module, name: str) -> torch.Tensor:
    """A parameter of a module as it is trained: what `torch.nn.utils.prune` masks is 0."""
    if name == "weight" and _parametrizations(module):
        return trained_weight(module)
    original, kept = getattr(module, f"{name}_orig", None), getattr(module, f"{name}_mask", None)
    # `torch.nn.utils.prune` multiplies as a forward pass begins: what `weight` holds is that of the pass before.
    tensor = getattr(module, name) if original is None or kept is None else original * kept
    assert isinstance(tensor, torch.Tensor)
    return tensor


def _parametrizations(module: Any) -> list[torch.nn.Module]:
    return list(module.parametrizations.weight) if parametrize.is_parametrized(module, "weight") else []


def _before_quantization(module: Any, chain: list[torch.nn.Module]) -> torch.Tensor:
    from .quantize import FakeQuantize

    of = module.parametrizations.weight
    # As `ParametrizationList.forward`, which would quantize as well.
    values = (of.original,) if of.is_tensor else tuple(getattr(of, f"original{i}") for i in range(of.ntensors))
    for step in chain:
        if isinstance(step, FakeQuantize):
            break
        values = (step(*values),)
    weight = values[0]
    assert isinstance(weight, torch.Tensor)
    return weight


def widened(weight: torch.Tensor) -> torch.Tensor:
    """The weight in float32 where it has 16 bits, which have too few digits and too small a range for sums of squares."""
    return weight.float() if weight.dtype.itemsize < 4 else weight


def check_finite(name: str, weight: torch.Tensor) -> None:
    """Refuses a weight that is NaN or infinite, by its place."""
    finite = torch.isfinite(weight.detach())
    if not bool(finite.all()):
        place = int((~finite).flatten().nonzero()[0])
        raise BadArgument(f"layer {name}: weight {place} is {weight.detach().flatten()[place].item()}; weights must be finite")


def is_transposed(module: torch.nn.Module) -> bool:
    """Whether its weights are `[channels, filters / groups, …]`, and not `[filters, channels / groups, …]`."""
    return isinstance(module, (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d))


def by_filter(weight: torch.Tensor, transposed: bool, groups: int) -> torch.Tensor:
    """The weights as `[filters, weights of a filter]`."""
    if not transposed:
        return weight.reshape(weight.shape[0], -1)
    inputs, each = weight.shape[0] // groups, weight.shape[1]
    return weight.reshape(groups, inputs, each, -1).transpose(1, 2).reshape(groups * each, -1)


def spread(values: torch.Tensor, weight: torch.Tensor, transposed: bool, groups: int) -> torch.Tensor:
    """One number for each filter, `[filters]`, in a shape that is broadcast over its weights."""
    if not transposed:
        return values.reshape(-1, *[1] * (weight.dim() - 1))
    inputs, each = weight.shape[0] // groups, weight.shape[1]
    whole = values.reshape(groups, 1, each).expand(groups, inputs, each)
    return whole.reshape(groups * inputs, each, *[1] * (weight.dim() - 2))


def filters_of(module: torch.nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """`by_filter` of a layer."""
    return by_filter(weight, is_transposed(module), getattr(module, "groups", 1))


def parameter_name(layer: str, tensor: str) -> str:
    """What a tensor of a layer is called in a `state_dict`. The model itself may be the layer, of no name."""
    return f"{layer}.{tensor}" if layer else tensor


def place(name: str) -> tuple[str, str]:
    """The layer and the tensor that a name of `parameter_name` stands for."""
    layer, _, tensor = name.rpartition(".")
    return layer, tensor


def mask(module: torch.nn.Module, tensor: str, kept: torch.Tensor) -> None:
    """Masks a parameter by `torch.nn.utils.prune`, where it may be masked before."""
    prune.custom_from_mask(module, tensor, kept)  # type: ignore[no-untyped-call, unused-ignore]


def unmask(module: torch.nn.Module, tensor: str) -> None:
    """Works the mask of `torch.nn.utils.prune` into its parameter."""
    prune.remove(module, tensor)  # type: ignore[no-untyped-call, unused-ignore]


def pruned_names(module: torch.nn.Module) -> Iterator[str]:
    """The tensors of a module that `torch.nn.utils.prune` masks."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, prune.BasePruningMethod):
            yield hook._tensor_name
