"""What a pruned and quantized CNN costs on ideal hardware, and on hardware that exists: the simulator `esnsim` in Python.

>>> import esnsim
>>> run = esnsim.simulate(bits=4)                  # the network that comes along, on the three ideal engines
>>> run.check.passed
True
>>> run.total["ideal-digital"].energy_count        # bits of weights, each as often as it is used
1535714
>>> net = esnsim.read()
>>> net.esn(bits=4).total.esn_d_macs
1535714

Figures are those of the command, to the last digit: counts are Python integers of any size, energies are floats in joules.
A column of counts is never rounded to a float.
"""

from __future__ import annotations

import json
import os
from types import MappingProxyType
from typing import Any, Iterable, Mapping, Sequence, Union

from . import _esnsim
from ._esnsim import (
    BadArgument,
    Error,
    InvalidFile,
    OutOfLimits,
    OwnBug,
    ReadWrite,
    Unsupported,
    __version__,
)
from ._tables import Row, Table, from_csv

__all__ = [
    "BadArgument", "Cost", "Error", "InvalidFile", "Inspection", "Network", "OutOfLimits", "OwnBug", "ReadWrite", "Row", "Run",
    "Table", "Unsupported", "__version__", "esn", "from_torch", "hardware", "inspect", "read", "simulate",
]

Source = Union[str, "os.PathLike[str]", bytes, None]


class Network:
    """A network that was read. It does not change. `read` makes one."""

    def __init__(self, inner: _esnsim.Network) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        """Its name in tables: that of its file."""
        return self._inner.name

    @property
    def notes(self) -> list[str]:
        """What there is to know of the reading: what was left out, assumed, or is not costed. One line each."""
        return self._inner.notes

    def inspect(self) -> Inspection:
        """The layers: geometry, weights and multiply-accumulates (MACs) of one image, and statistics of the weights."""
        csv, text = self._inner.inspect()
        return Inspection(from_csv(csv, texts={"layer", "op", "weights_of"}), text)

    def esn(self, *, bits: int | None = None, bit_convention: str = "nonzero-at-least-one",
            threads: int | None = None) -> Cost:
        """The effective signal norm of every layer and of the whole, without any hardware.

        `bits` is the width that real weights are quantized to; 4 where it is left out. Weights that a file stores as integers
        are taken as they are, and a width for them is refused.
        """
        run = self._simulate([], bits, bit_convention, None, None, threads, True)
        return Cost(json.loads(run.json), run.text)

    def simulate(self, hardware: Iterable[str | os.PathLike[str]] | str = (), *, bits: int | None = None,
                 images: str | os.PathLike[str] | None = None, limit: int | None = None,
                 bit_convention: str = "nonzero-at-least-one", threads: int | None = None) -> Run:
        """Costs on hardware, layer by layer, and the check of ideal engines against the metric.

        `hardware` are names of presets (`esnsim.hardware()` lists them) and descriptions in TOML, by path; `"ideal"`, and
        nothing, are the three ideal engines. `images` are a file or folder that the network runs on, at most `limit` of
        them. The interpreter goes on meanwhile: its lock is released.
        """
        names = [hardware] if isinstance(hardware, (str, os.PathLike)) else list(hardware)
        run = self._simulate(names, bits, bit_convention, images, limit, threads, False)
        return Run(json.loads(run.json), run.text, run.passes, run.notes)

    def _simulate(self, hardware: Sequence[Any], bits: int | None, bit_convention: str, images: Any, limit: int | None,
                  threads: int | None, metric_only: bool) -> _esnsim.Run:
        return self._inner.simulate(
            hardware=[os.fspath(name) for name in hardware], bits=bits, bit_convention=bit_convention,
            images=None if images is None else os.fspath(images), limit=limit, threads=threads, metric_only=metric_only,
        )

    def __repr__(self) -> str:
        return repr(self._inner)


class Inspection:
    """The layers of a network. `layers` is a table with the columns of `esnsim inspect --csv`."""

    def __init__(self, layers: Table, text: str) -> None:
        self.layers, self._text = layers, text

    def __repr__(self) -> str:
        return self._text


class Cost:
    """The metric of a network: `layers` is a table with a row for each layer, `total` the row of the whole."""

    def __init__(self, data: dict[str, Any], text: str) -> None:
        self.data, self._text = data, text
        self.layers = Table.from_rows(_without(layer, "runs") for layer in data["layers"])
        self.total = Row(_without(data["total"], "runs"))

    def __repr__(self) -> str:
        return self._text


class Check:
    """Whether every ideal engine counted exactly what the equations say."""

    def __init__(self, passed: bool) -> None:
        self.passed = passed

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return "PASS" if self.passed else "FAIL"


class Run:
    """A simulation. `layers` has a row for each layer and hardware, `total` the row of the whole by name of the hardware, `check`
    says whether ideal engines and the metric agree. `data` is all of it, as `esnsim simulate --json` writes it.
    """

    def __init__(self, data: dict[str, Any], text: str, passed: bool, notes: list[str]) -> None:
        self.data, self._text, self.notes = data, text, notes
        self.layers = Table.from_rows(row for layer in data["layers"] for row in _by_hardware(layer))
        rows = (Row(row) for row in _by_hardware(data["total"]))
        self.total: Mapping[str, Row] = MappingProxyType({row["hardware"]: row for row in rows})
        self.check = Check(passed)

    def __repr__(self) -> str:
        return self._text


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _by_hardware(layer: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """What a layer is, beside what it costs on each hardware."""
    own = _without(layer, "runs")
    return ({**own, **run} for run in layer["runs"])


def read(
    source: Source = None,
    *,
    name: str = "memory",
    input_shape: Mapping[str, Sequence[int]] | None = None,
    batch_axis: str | None = None,
    architecture: str | None = None,
    topology: str | os.PathLike[str] | None = None,
    operators: str | os.PathLike[str] | None = None,
    state: str | None = None,
    layers: Sequence[str] = (),
    grid: str | None = None,
    find_step: bool = False,
    tflite_kernels: str | None = None,
    synthetic_weights: int | None = None,
    synthetic_sparsity: float = 0.0,
) -> Network:
    """Reads a network: ONNX, TFLite, `.pt2`, weights of PyTorch, Keras and safetensors, topology files.

    `source` is a path, or the bytes of a file, which `name` then stands for in messages. Without it the network is the small one
    that comes along. The other arguments are the options of the command of that name. Raises one of the subclasses of `Error`,
    whose text names the file, the place, what was expected and what was found.
    """
    opening = {
        "input_shape": None if input_shape is None else {key: list(shape) for key, shape in input_shape.items()},
        "batch_axis": batch_axis, "architecture": architecture, "topology": topology, "operators": operators, "state": state,
        "layers": list(layers), "grid": grid, "find_step": find_step, "tflite_kernels": tflite_kernels,
        "synthetic_weights": synthetic_weights, "synthetic_sparsity": synthetic_sparsity,
    }
    if source is not None and not isinstance(source, bytes):
        source = os.fspath(source)
    return Network(_esnsim.open(source, name, opening))


def from_torch(module: Any, example: Any, **options: Any) -> Network:
    """A module of PyTorch as a network, by way of ONNX in memory. `example` is an input, or a tuple of inputs, of one image.

    `options` are those of `read`. Nothing of the module changes; it is exported in the mode of evaluation.
    """
    import io

    import torch

    inputs = example if isinstance(example, tuple) else (example,)
    was_training, file = module.training, io.BytesIO()
    module.eval()
    try:
        with torch.no_grad():
            torch.onnx.export(module, inputs, file, dynamo=False)
    except Exception as error:
        raise Unsupported(f"{type(module).__name__}: torch.onnx.export does not take it: {_one_line(error)}") from error
    finally:
        module.train(was_training)
    return read(file.getvalue(), name=type(module).__name__, **options)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _network(source: Any, example: Any, options: dict[str, Any]) -> Network:
    if isinstance(source, Network):
        if options:
            raise BadArgument(f"the network was read before; {', '.join(sorted(options))} belong to esnsim.read")
        return source
    if example is not None:
        return from_torch(source, example, **options)
    if source is not None and not isinstance(source, (str, bytes, os.PathLike)):
        raise BadArgument(f"a {type(source).__name__} is no path, no bytes and no Network; a module of PyTorch needs example=")
    return read(source, **options)


def inspect(source: Any = None, *, example: Any = None, **options: Any) -> Inspection:
    """`Network.inspect` of a path, bytes, a `Network`, or a module of PyTorch with an example of its input."""
    return _network(source, example, options).inspect()


def esn(source: Any = None, *, example: Any = None, bits: int | None = None, bit_convention: str = "nonzero-at-least-one",
        threads: int | None = None, **options: Any) -> Cost:
    """`Network.esn` of a path, bytes, a `Network`, or a module of PyTorch with an example of its input."""
    return _network(source, example, options).esn(bits=bits, bit_convention=bit_convention, threads=threads)


def simulate(source: Any = None, *, example: Any = None, hardware: Iterable[str | os.PathLike[str]] | str = (),
             bits: int | None = None, images: str | os.PathLike[str] | None = None, limit: int | None = None,
             bit_convention: str = "nonzero-at-least-one", threads: int | None = None, **options: Any) -> Run:
    """`Network.simulate` of a path, bytes, a `Network`, or a module of PyTorch with an example of its input."""
    network = _network(source, example, options)
    return network.simulate(hardware, bits=bits, images=images, limit=limit, bit_convention=bit_convention, threads=threads)


def hardware() -> dict[str, str]:
    """Names of the hardware that comes along, and what each is."""
    return dict(_esnsim.hardware())
