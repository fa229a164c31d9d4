"""Modules and tensors of PyTorch as networks of the simulator, and back."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import struct
import tempfile
import warnings
from typing import Any, Generator, Iterator, Mapping

import torch
from torch.nn.utils import parametrize

from .. import BadArgument, Network, Unsupported, read
from .._arguments import shown
from .layers import inner, mac_layers, pruned_names, unmask

_TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I8": torch.int8, "U8": torch.uint8,
    "I16": torch.int16, "U16": torch.uint16, "I32": torch.int32, "I64": torch.int64,
}


def chosen_steps(rows: torch.Tensor, bits: int, granularity: str, rule: str, grid: str) -> torch.Tensor:
    """The steps that `esnsim compress --clip` chooses for weights `[filters, weights of a filter]`: float32, one number or
    `[filters]`."""
    wide, file = rows if rows.dtype == torch.float64 else rows.float(), io.BytesIO()
    torch.save({"w.weight": wide.cpu().contiguous()}, file)
    small = read(file.getvalue(), name="weights").compress(bits=bits, granularity=granularity, clip=rule, grid=grid)
    scale = tensors(small.network)["w.weight_scale"].float()
    return 2 * scale if grid == "mid-rise" else scale


def tensors(network: Network) -> dict[str, torch.Tensor]:
    """The tensors of a network by name, as its file of safetensors has them; layers of one tensor each have it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "network.safetensors")
        network.save(path)
        with open(path, "rb") as file:
            content = bytearray(file.read())
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + length])
    tied = json.loads(header.pop("__metadata__", {}).get("esnsim.tied", "{}"))
    found = {}
    for name, entry in header.items():
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(content[first:last], dtype=_TYPES[entry["dtype"]]) if last > first else torch.zeros(0)
        found[name] = flat.reshape(entry["shape"])
    for other, first_use in tied.items():
        found[f"{other}.weight"] = found[f"{first_use}.weight"]
    return found


@torch.no_grad()
def plain_copy(model: torch.nn.Module) -> torch.nn.Module:
    """A copy of a model in evaluation whose parameters are the weights that it computes with: masks and parametrizations are
    worked in. Parameters of 16 bits are float32."""
    model = inner(model)
    # What a hook computed before the last pass is no parameter, and `copy` refuses it.
    memo = {id(value): value.detach().clone() for value in _computed(model)}
    twin = copy.deepcopy(model, memo).eval()
    for module in list(twin.modules()):
        if parametrize.is_parametrized(module):
            drop_parametrizations(module, keep_values=True)
        for name in list(pruned_names(module)):
            unmask(module, name)
    return twin.float() if _has_halves(twin) else twin


def _has_halves(model: torch.nn.Module) -> bool:
    return any(value.is_floating_point() and value.dtype.itemsize < 4 for value in model.parameters())


def drop_parametrizations(module: torch.nn.Module, keep_values: bool) -> None:
    """Makes parameters of what is parametrized: the values that are computed, or the originals."""
    # `remove_parametrizations` would take the attribute from the class, which copies of a module share with it.
    lists: Any = module.parametrizations
    values = {name: getattr(module, name).detach() for name in lists} if keep_values else {}
    kind = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    module.__class__ = kind
    for name, of in lists.items():
        parameter = of.original if of.is_tensor else torch.nn.Parameter(values[name])
        if name in values:
            parameter.data = values[name]
        module.register_parameter(name, parameter)


def _computed(model: torch.nn.Module) -> Iterator[torch.Tensor]:
    for module in model.modules():
        yield from (value for value in vars(module).values() if isinstance(value, torch.Tensor) and not value.is_leaf)


def as_float(model: torch.nn.Module, example: Any) -> Any:
    """Inputs in the type of the parameters of a plain model."""
    kind = next((value.dtype for value in model.parameters() if value.is_floating_point()), torch.float32)
    inputs = as_tensors(example)
    if not all(isinstance(value, torch.Tensor) for value in inputs):
        raise _no_example(example)
    return tuple(value.to(kind) if value.is_floating_point() else value for value in inputs)


def as_tensors(example: Any) -> tuple[Any, ...]:
    """The inputs of an example. They may be lists and dictionaries of tensors, but not without any."""
    inputs = example if isinstance(example, tuple) else (example,)
    if not any(_has_tensor(value) for value in inputs):
        raise _no_example(example)
    return inputs


def _has_tensor(value: Any) -> bool:
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (tuple, list)) else ()
    return isinstance(value, torch.Tensor) or any(map(_has_tensor, parts))


def _no_example(example: Any) -> BadArgument:
    return BadArgument(f"example is {shown(example)}; expected an input of the model, or a tuple of inputs: tensors, with a batch of 1")


def as_onnx(model: torch.nn.Module, inputs: tuple[Any, ...], fold: bool = False) -> bytes:
    """A model in evaluation as the bytes of an ONNX file whose initializers are called as its parameters. With `fold`, what is
    computed of constants alone becomes a constant, of another name."""
    file = io.BytesIO()
    # Older versions of PyTorch take a file, too, and newer ones say a path alone.
    stream: Any = file
    try:
        with torch.no_grad(), _without_fast_paths(), warnings.catch_warnings():
            # What the exporter says of its own future, and of folding constants in a mode of training, which this one is not.
            warnings.simplefilter("ignore", DeprecationWarning)
            # Checks of shapes in PyTorch's own modules are those of the example, as all shapes of the file.
            warnings.filterwarnings("ignore", category=vars(torch.jit)["TracerWarning"], module=r"torch\.nn\.")
            warnings.filterwarnings("ignore", message="It is recommended that constant folding be turned off")
            # In the mode that it has, every BatchNorm stays a node of its own.
            mode = torch.onnx.TrainingMode.PRESERVE
            torch.onnx.export(model, inputs, stream, training=mode, do_constant_folding=fold, dynamo=False)
    except Exception as error:
        said = " ".join(str(error).split())
        shapes = " and ".join(str(list(value.shape)) for value in inputs if isinstance(value, torch.Tensor))
        example = f"; example= has the shape {shapes}" if shapes else ""
        raise Unsupported(f"{type(model).__name__}: torch.onnx.export does not take it: {said}{example}") from error
    return file.getvalue()


@contextlib.contextmanager
def _without_fast_paths() -> Generator[None, None, None]:
    """Attention and encoder layers compute by operators that ONNX has, and not by one of their own that PyTorch has for evaluation."""
    attention: Any = getattr(torch.backends, "mha", None)
    if attention is None or not attention.get_fastpath_enabled():
        yield
        return
    attention.set_fastpath_enabled(False)
    try:
        yield
    finally:
        attention.set_fastpath_enabled(True)


def read_model(model: torch.nn.Module, inputs: tuple[Any, ...], fold: bool = False, **options: Any) -> Network:
    """A model as a network, by way of ONNX in memory, or of an archive of `torch.export` where that lacks an operator. `options` are
    those of `esnsim.read`."""
    try:
        content = as_onnx(model, inputs, fold)
    except Unsupported as refused:
        if not isinstance(refused.__cause__, torch.onnx.errors.UnsupportedOperatorError):
            raise
        try:
            return read(_as_archive(model, inputs), **options)
        except Exception:
            raise refused from refused.__cause__
    return read(content, **options)


def _as_archive(model: torch.nn.Module, inputs: tuple[Any, ...]) -> bytes:
    file = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(model, inputs), file)
    return file.getvalue()


def as_network(model: torch.nn.Module, example: Any) -> Network:
    """A plain model as a network."""
    return read_model(model, as_float(model, example), name=type(model).__name__)


@torch.no_grad()
def marked(weight: torch.Tensor, number: int) -> float:
    """Fills a weight with a number of its own, and returns it. No constant of a model is so far above a whole number; filters of
    ones are found in many."""
    weight.fill_(number + 0.38196601)
    return float(weight.flatten()[0])


def positions(model: torch.nn.Module, example: Any) -> dict[str, int]:
    """How often each weight of a convolution or linear layer is used for one image, by the name of the layer, all uses
    together; 0 where no output needs it, and for all but the first name of one parameter.

    The simulator finds it. It finds a layer by its weights, which are a number of their own here.
    """
    twin = plain_copy(model)
    seen: set[int] = set()
    names: dict[float, str] = {}
    for name, module in mac_layers(twin, "cost").items():
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        if id(weight) not in seen:
            seen.add(id(weight))
            names[marked(weight, len(seen))] = name
    found = dict.fromkeys(mac_layers(twin, "cost"), 0)
    for row in as_network(twin, example).inspect().layers:
        if row.min != row.max or row.min not in names:
            raise Unsupported(f"layer {row.layer} has weights of no convolution and no linear layer of the model")
        found[names[row.min]] += row.macs // row.weights
    return found


def named(found: Mapping[str, torch.Tensor], name: str, like: torch.Tensor) -> torch.Tensor | None:
    """The tensor of that name in the shape and on the device of `like`; none where the network has none."""
    tensor = found.get(name)
    return None if tensor is None else tensor.reshape(like.shape).to(like.device)
