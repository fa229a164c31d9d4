"""A fake-quantized model as a network, and as a file, with its weights as integers."""

from __future__ import annotations

import os
import sys
from typing import Any, Iterable, Mapping, NamedTuple

import torch

from .. import BadArgument, Network, Unsupported, read
from .._arguments import shown
from .layers import all_mac_layers, check_finite, evaluating, inner, known, mac_layers, parameter_name, trained_weight
from .quantize import FakeQuantize, is_quantized, quantizer_for
from .simulator import as_float, as_onnx, as_tensors, marked, plain_copy, read_model

# The integers between here and the simulator have 16 bits.
_LARGEST = 2 ** 15 - 1


class Coded(NamedTuple):
    """The integers of a layer."""

    #: The weight that is trained.
    weight: torch.Tensor
    #: `2 · W_int`, in the shape of the weight.
    codes: torch.Tensor
    #: `Δ`, one number or one for each filter, `[filters]`.
    step: torch.Tensor
    quantizer: FakeQuantize


def to_network(model: torch.nn.Module, example: Any, *, bits: int | Mapping[str, int] | None = None,
               skip: Iterable[str] = (), **options: Any) -> Network:
    """A model as an `esnsim.Network` whose weights are the integers of its fake quantization.

    `example` is an input of one image, or a tuple of inputs. Layers that are not fake-quantized get `bits`, one width or one by
    name, with one step from the largest magnitude; without it, and in `skip`, they stay real. `options` are those of
    `esnsim.read`. The model does not change. Weights of other modules, as LSTM, and those that functions take stay real: `bits=` of
    `esn` and `simulate` is theirs.

    >>> import torch
    >>> from esnsim.torch import quantize, to_network
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3))
    >>> _ = quantize(model, bits=1)
    >>> to_network(model, torch.zeros(1, 4)).esn().total.esn_d
    12
    """
    coded = _coded_layers(model, bits, skip)
    grids = {layer.quantizer.grid for layer in coded.values()}
    if len(grids) > 1:
        raise BadArgument("some layers are quantized on mid-rise and some on mid-tread; a file has one grid")
    twin = plain_copy(model)
    for name, module in all_mac_layers(twin).items() if coded else ():
        if name not in coded and module.weight.dtype == torch.float64:
            raise Unsupported(f"layer {name} is float64 and stays real; bits= quantizes it, model.float() rounds it")
    # What DequantizeLinear makes is float32.
    twin = twin.float() if coded else twin
    if not coded:
        return read_model(twin, as_float(twin, example), **_named(model, options))
    stored = _mark(twin, coded)
    file, written = _with_integers(as_onnx(twin, as_float(twin, example)), coded, stored, next(iter(grids), None))
    network = read(file, **_named(model, options))
    _check_arrived(network, {name: coded[name] for name in written})
    return network


def export(model: torch.nn.Module, path: str | os.PathLike[str], example: Any, *, bits: int | Mapping[str, int] | None = None,
           skip: Iterable[str] = (), strict: bool = False) -> list[str]:
    """Writes a fake-quantized or pruned model: `Network.save` of `to_network`.

    The file holds integers behind DequantizeLinear, with a step for each layer or each filter, which `esnsim` and onnxruntime
    read; or weights alone where the path ends in `.safetensors` or `.npz`. `esnsim.esn(path)` then has exactly the codes of
    the fake quantization. The result says what the file does not hold, one line each.
    """
    return to_network(model, example, bits=bits, skip=skip).save(path, strict=strict)


def from_torch(module: Any, example: Any, options: Mapping[str, Any]) -> Network:
    """`esnsim.from_torch`. The integers of a fake-quantized module are known, and need not be found again among real numbers."""
    if not isinstance(module, torch.nn.Module):
        raise BadArgument(f"{shown(module)} is no module of PyTorch, which example= belongs to")
    module = inner(module)
    if is_quantized(module):
        return to_network(module, example, **options)
    with evaluating(module):
        return read_model(module, as_tensors(example), fold=True, **_named(module, options))


def _named(module: torch.nn.Module, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with the module's name where they have none."""
    return {"name": type(inner(module)).__name__, **options}


def _coded_layers(model: torch.nn.Module, bits: int | Mapping[str, int] | None, skip: Iterable[str]) -> dict[str, Coded]:
    """The integers of every layer that is fake-quantized, and, at `bits`, of every other one that is not in `skip`."""
    layers = mac_layers(model, "quantize") if bits is not None else all_mac_layers(model)
    passed = known("skip", skip, layers)
    if isinstance(bits, Mapping):
        known("bits", bits, layers)
    found = {}
    for name, module in layers.items():
        weight = trained_weight(module).detach()
        check_finite(name, weight)
        quantizer = quantizer_for(name, module, None if name in passed else bits)
        if quantizer is not None:
            found[name] = Coded(weight, quantizer.codes(weight), quantizer.step_for(weight), quantizer)
    return found


def _mark(twin: torch.nn.Module, coded: Mapping[str, Coded]) -> dict[str, str]:
    """Puts a number of its own in every parameter that integers will replace, so that none is taken for another. Returns by
    layer the one that stores its weight: layers may have the same parameter."""
    modules = dict(twin.named_modules())
    first: dict[int, str] = {}
    stored = {}
    for number, (name, layer) in enumerate(coded.items()):
        weight = modules[name].weight
        assert isinstance(weight, torch.Tensor)
        stored[name] = first.setdefault(id(weight), name)
        other = coded[stored[name]]
        if not (torch.equal(layer.codes, other.codes) and torch.equal(layer.step, other.step)):
            raise BadArgument(f"layers {stored[name]} and {name} have one parameter, but not the same bits or steps")
        if stored[name] == name:
            marked(weight, number)
    return stored


def _check_arrived(network: Network, written: Mapping[str, Coded]) -> None:
    """Refuses a network of which a layer has other weights than the integers that were written for it."""
    found = {(row.weights, row.esn_a) for row in network.esn().layers if row.bits is None} if written else set()
    for name, layer in written.items():
        squares = int(layer.codes.long().square().sum())
        if (layer.codes.numel(), squares / 4) not in found:
            raise Unsupported(f"layer {name}: the model computes its weight from the one that is quantized; its integers are others")


def _with_integers(file: bytes, coded: Mapping[str, Coded], stored: Mapping[str, str],
                   grid: str | None) -> tuple[bytes, list[str]]:
    """The ONNX file with integers behind DequantizeLinear in place of the weights that were marked, and the layers of these."""
    import onnx

    proto = onnx.load_from_string(file)
    graph = proto.graph
    place = {tensor.name: index for index, tensor in enumerate(graph.initializer)}
    nodes: list[Any] = []
    written: list[str] = []
    real: dict[str, str] = {}
    for name, layer in coded.items():
        value = parameter_name(name, "weight")
        # The exporter keeps one name of a parameter that several layers have, and leaves out what no output needs.
        if value not in place or stored[name] != name and parameter_name(stored[name], "weight") in place:
            continue
        written.append(name)
        integers, scale = _integers(name, layer)
        graph.initializer[place[value]].CopyFrom(_tensor(value, onnx.TensorProto.INT16, integers))
        graph.initializer.append(_tensor(f"{value}_scale", onnx.TensorProto.FLOAT, scale))
        real[value] = f"{value}_real"
        axis = 1 if layer.quantizer.transposed else 0
        nodes.append(onnx.helper.make_node("DequantizeLinear", [value, f"{value}_scale"], [real[value]], axis=axis))
    for node in graph.node:
        node.input[:] = [real.get(read_value, read_value) for read_value in node.input]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    if grid is not None:
        proto.metadata_props.add(key="esnsim.grid", value=grid)
    return bytes(proto.SerializeToString()), written


def _integers(name: str, layer: Coded) -> tuple[torch.Tensor, torch.Tensor]:
    """The integers of the file and what they are multiplied with: half-steps on mid-rise, steps on mid-tread."""
    if layer.quantizer.transposed and layer.quantizer.groups > 1 and layer.step.dim():
        raise Unsupported(f"layer {name}: a transposed convolution in groups has no axis of filters; one step a layer is exported")
    on_mid_rise = layer.quantizer.grid == "mid-rise"
    integers = layer.codes if on_mid_rise else layer.codes // 2
    if bool((integers.abs() > _LARGEST).any()):
        raise Unsupported(f"layer {name}: codes pass the 16 bits of integers; at most 15 bits are exported on mid-rise")
    return integers.to(torch.int16), layer.step.float() / 2 if on_mid_rise else layer.step.float()


def _tensor(name: str, data_type: int, values: torch.Tensor) -> Any:
    import onnx

    flat = values.detach().cpu().contiguous().reshape(-1).numpy()
    data = flat.tobytes() if sys.byteorder == "little" else flat.byteswap().tobytes()
    return onnx.TensorProto(name=name, data_type=data_type, dims=list(values.shape), raw_data=data)
