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

import contextlib
import importlib
import json
import os
import tempfile
from types import MappingProxyType
from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence, Union

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
    "BadArgument", "Compressed", "Cost", "Error", "Images", "InvalidFile", "Inspection", "Network", "OutOfLimits", "OwnBug",
    "Points", "ReadWrite", "Row", "Run", "Sweep", "Table", "Unsupported", "__version__", "compress", "convert", "esn",
    "from_torch", "hardware", "inspect", "landscape", "new", "pareto", "read", "simulate", "sweep",
]

Source = Union[str, "os.PathLike[str]", bytes, None]
Tell = Callable[[str, int, int], object]
Progress = Union[Tell, bool, None]


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
        return Inspection(from_csv(csv), text)

    def esn(self, *, bits: int | None = None, bit_convention: str = "nonzero-at-least-one",
            threads: int | None = None) -> Cost:
        """The effective signal norm of every layer and of the whole, without any hardware.

        `bits` is the width that real weights are quantized to; 4 where it is left out. Weights that a file stores as integers
        are taken as they are, and a width for them is refused.
        """
        run = self._simulate([], bits, bit_convention, None, threads, True, None)
        return Cost(json.loads(run.json), run.text)

    def simulate(self, hardware: Iterable[str | os.PathLike[str]] | str = (), *, bits: int | None = None,
                 images: Images | Any = None, limit: int | None = None, bit_convention: str = "nonzero-at-least-one",
                 threads: int | None = None, progress: Progress = None) -> Run:
        """Costs on hardware, layer by layer, and the check of ideal engines against the metric.

        `hardware` are names of presets (`esnsim.hardware()` lists them) and descriptions in TOML, by path; `"ideal"`, and
        nothing, are the three ideal engines. On `images` the network runs, too, in float and on every engine: a file or
        folder, an array, or `esnsim.Images`, of which at most `limit` are taken. The interpreter goes on meanwhile: its lock
        is released, and Ctrl-C stops the call. `progress` is called as `progress(stage, done, total)`; `True` shows a bar of
        tqdm.
        """
        names = [hardware] if isinstance(hardware, (str, os.PathLike)) else list(hardware)
        with _images(images, limit) as asked, _progress(progress) as tell:
            run = self._simulate(names, bits, bit_convention, asked, threads, False, tell)
        return Run(json.loads(run.json), run.text, run.passes, run.notes)

    def _simulate(self, hardware: Sequence[Any], bits: int | None, bit_convention: str, images: dict[str, Any] | None,
                  threads: int | None, metric_only: bool, progress: Tell | None) -> _esnsim.Run:
        return self._inner.simulate(
            hardware=[os.fspath(name) for name in hardware], bits=bits, bit_convention=bit_convention, images=images,
            threads=threads, metric_only=metric_only, progress=progress,
        )

    def compress(self, *, prune: str | Sequence[str] = (), prune_scope: str = "global", prune_below: float | None = None,
                 compact: bool = False, find_step: bool = False, bits: int | None = None, grid: str = "mid-rise",
                 granularity: str | None = None, clip: str | None = None, target_snr: float | None = None,
                 target_esn_a: float | None = None, target_profile: str | os.PathLike[str] | None = None,
                 average_bits: float | None = None, esn_d_filter_budget: float | None = None,
                 bias_correction: bool = False, first_bits: int | None = None, last_bits: int | None = None,
                 reestimate_bn: Images | Any = None, limit: int | None = 5000, baseline: int | None = None,
                 strict: bool = False, threads: int | None = None) -> Compressed:
        """The network pruned, quantized, and with statistics taken anew, in this order, each where it is asked for.

        `prune` is one way or several, as `"filters=0.1"` or `"2:4"`. On the images `reestimate_bn`, at most `limit` of them,
        BatchNorm statistics are re-estimated. All others are the options of `esnsim compress`, which
        `docs/commands/compress.md` explains. This network does not change.

        >>> import esnsim
        >>> small = esnsim.read().compress(prune="filters=0.1", bits=4)
        >>> small.network.esn().total.esn_d_macs < esnsim.read().esn(bits=4).total.esn_d_macs
        True
        """
        asked = {
            "prune": [prune] if isinstance(prune, str) else list(prune), "prune_scope": prune_scope,
            "prune_below": prune_below, "compact": compact, "find_step": find_step, "bits": bits, "grid": grid,
            "granularity": granularity, "clip": clip, "target_snr": target_snr, "target_esn_a": target_esn_a,
            "target_profile": None if target_profile is None else os.fspath(target_profile), "average_bits": average_bits,
            "esn_d_filter_budget": esn_d_filter_budget, "bias_correction": bias_correction, "first_bits": first_bits,
            "last_bits": last_bits, "baseline": baseline, "strict": strict,
        }
        with _images(reestimate_bn, limit) as images:
            return Compressed(self._inner.compress(asked, images=images, threads=threads))

    def save(self, path: str | os.PathLike[str], *, strict: bool = False) -> list[str]:
        """Writes the network as ONNX, or its weights as `.safetensors` or `.npz`: the end of the name decides, ONNX where it says
        nothing. How images become its input is written beside it, as NAME.preprocess.toml, where the network came with that.

        The result says what the new file does not hold, one line each; with `strict` that is an error, and nothing is
        written.
        """
        return self._inner.save(os.fspath(path), strict)

    def __repr__(self) -> str:
        return repr(self._inner)


class Images:
    """Images, and what is done with them before and while a network runs.

    `source` is a file or folder as `esnsim simulate --images` takes it, or an array `[images, …]` of NumPy or PyTorch; `labels`,
    one integer for each image, go with an array. `preprocess` is `"unit"` (pixels over 255), `"imagenet"`, `"none"` or a file;
    left out, it is that of the file NET.preprocess.toml beside the network, which the network that comes along has, too; else an
    array of real numbers is taken as it is where the network takes real numbers. `layout` says how the axes of an array lie,
    where that is not clear: `"channels-first"`, `"channels-last"`, `"as-is"`. `output` is the output that is scored and
    `threshold` where class 1 begins of an output of one number. Engines on integers get activations of `activation_bits`, whose
    ranges the first `calibration_images` tell.
    """

    def __init__(self, source: Any, labels: Any = None, *, limit: int | None = None, layout: str | None = None,
                 preprocess: str | os.PathLike[str] | None = None, label_offset: int | None = None,
                 output: str | None = None, threshold: float | None = None, activation_bits: int = 8,
                 calibration_images: int = 64) -> None:
        if labels is not None and isinstance(source, (str, os.PathLike)):
            raise BadArgument("labels go with an array; those of a file or folder are in it")
        self.source, self.labels, self.limit = source, labels, limit
        self._options = {
            "layout": layout, "preprocess": None if preprocess is None else os.fspath(preprocess),
            "label_offset": label_offset, "output": output, "threshold": threshold, "activation_bits": activation_bits,
            "calibration_images": calibration_images,
        }

    @contextlib.contextmanager
    def _request(self, limit: int | None) -> Iterator[dict[str, Any]]:
        limit = min((each for each in (limit, self.limit) if each is not None), default=None)
        if isinstance(self.source, (str, os.PathLike)):
            yield {"path": os.fspath(self.source), "limit": limit, **self._options}
            return
        import numpy

        arrays = {"images": _array(self.source)}
        if self.labels is not None:
            arrays["labels"] = _array(self.labels)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "images.npz")
            numpy.savez(path, **arrays)
            yield {"path": path, "limit": limit, **self._options}


def _array(values: Any) -> Any:
    """An array of NumPy of an array of any library. What is on a device, or part of a graph of PyTorch, is brought here."""
    import numpy

    for method in ("detach", "cpu"):
        values = getattr(values, method)() if hasattr(values, method) else values
    array = numpy.asarray(values)
    if array.dtype == object:
        raise BadArgument(f"a {type(values).__name__} is no path, no esnsim.Images and no array of numbers")
    return array


@contextlib.contextmanager
def _images(images: Any, limit: int | None) -> Iterator[dict[str, Any] | None]:
    if images is None:
        yield None
        return
    asked = images if isinstance(images, Images) else Images(images)
    with asked._request(limit) as request:
        yield request


@contextlib.contextmanager
def _progress(progress: Progress) -> Iterator[Tell | None]:
    if not isinstance(progress, bool):
        yield progress
        return
    if not progress:
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise BadArgument("progress=True needs tqdm; pip install tqdm, or give a function") from error

    with tqdm() as bar:
        def tell(stage: str, done: int, total: int) -> None:
            bar.set_description(stage, refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        yield tell


class Compressed:
    """A compressed network: `network` is the network, `report` what was done by layer and the costs before and after, as
    `esnsim compress --json` writes it, `notes` what there is to know of it.
    """

    def __init__(self, inner: _esnsim.Compressed) -> None:
        self._text, self.notes = inner.text, inner.notes
        self.report: dict[str, Any] = json.loads(inner.json)
        self.network = Network(inner.network)

    def save(self, path: str | os.PathLike[str], *, strict: bool = False) -> list[str]:
        """`Network.save` of the network. The file also says how the network was compressed."""
        return self.network.save(path, strict=strict)

    def __repr__(self) -> str:
        return self._text


class Points:
    """What was measured, a row of `points` for each, with the columns of the command's CSV."""

    def __init__(self, points: Table, text: str) -> None:
        self.points, self._text = points, text

    def __repr__(self) -> str:
        return self._text


class Sweep:
    """How many points a sweep has (`points`), found in its store (`found`) and ran (`run`); how many `failed`, came to less than
    was asked for (`short`), or differ between an ideal engine and its metric (`differing`).
    """

    def __init__(self, store: str | os.PathLike[str], counts: Sequence[int]) -> None:
        self.store = store
        self.points, self.found, self.run, self.failed, self.short, self.differing = counts

    def __repr__(self) -> str:
        return (f"<esnsim.Sweep {os.fspath(self.store)}: {self.points} points, {self.found} there before, {self.run} run, "
                f"{self.failed} failed, {self.short} short, {self.differing} differing>")


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

    @property
    def accuracy(self) -> Table | None:
        """Images, labels and correct answers of the network in float and of every engine; `None` where no images ran."""
        inference = self.data["inference"]
        if inference is None:
            return None
        rows = [{"hardware": "float", **inference["float"], "agreement": None}] if inference["float"] else []
        rows += [
            {"hardware": name, **engine["score"], "agreement": engine["agreement"]}
            for engine in inference["engines"]
            for name in engine["hardware"]
        ]
        return Table.from_rows({**row, "images": inference["images"]} for row in rows)

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

    if not isinstance(module, torch.nn.Module):
        raise BadArgument(f"a {type(module).__name__} is no module of PyTorch, which example= belongs to")
    inputs = example if isinstance(example, tuple) else (example,)
    was_training, file = module.training, io.BytesIO()
    module.eval()
    try:
        with torch.no_grad():
            # In the mode that it has, which is that of evaluation, every BatchNorm stays a node of its own.
            mode = torch.onnx.TrainingMode.PRESERVE
            torch.onnx.export(module, inputs, file, training=mode, dynamo=False)
    except Exception as error:
        raise Unsupported(f"{type(module).__name__}: torch.onnx.export does not take it: {_one_line(error)}") from error
    finally:
        module.train(was_training)
    return read(file.getvalue(), name=type(module).__name__, **options)


def __getattr__(name: str) -> Any:
    # Loaded where it is asked for: it needs PyTorch.
    if name == "torch":
        return importlib.import_module(".torch", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _network(source: Any, example: Any, options: dict[str, Any]) -> Network:
    if isinstance(source, Network):
        if options:
            raise BadArgument(f"the network was read before; esnsim.read takes {', '.join(sorted(options))}")
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
             bits: int | None = None, images: Images | Any = None, limit: int | None = None,
             bit_convention: str = "nonzero-at-least-one", threads: int | None = None, progress: Progress = None,
             **options: Any) -> Run:
    """`Network.simulate` of a path, bytes, a `Network`, or a module of PyTorch with an example of its input."""
    network = _network(source, example, options)
    return network.simulate(hardware, bits=bits, images=images, limit=limit, bit_convention=bit_convention, threads=threads,
                            progress=progress)


def compress(source: Any = None, *, example: Any = None, **options: Any) -> Compressed:
    """`Network.compress` of a path, bytes, a `Network`, or a module of PyTorch with an example of its input.

    Options of `read` belong to `read`: `esnsim.read(path, input_shape=…).compress(…)`.
    """
    return _network(source, example, {}).compress(**options)


def convert(source: Any, path: str | os.PathLike[str], *, example: Any = None, strict: bool = False) -> list[str]:
    """Reads a network and writes it to `path`: `Network.save` of `read`."""
    return _network(source, example, {}).save(path, strict=strict)


def new(name: str, *, width: float = 1.0, classes: int | None = None, input: int | None = None, shortcut: str | None = None,
        depth: int | None = None, growth: int | None = None, seed: int = 0, fan: str = "in") -> Network:
    """A network of the literature with random weights, as `esnsim new` writes it: `resnet8` to `resnet56`, `resnet18`,
    `resnet50`, `vgg7`, `densenet-bc`.

    >>> import esnsim
    >>> esnsim.new("resnet20").esn(bits=4).total.weights
    268336
    """
    return Network(_esnsim.new(name, width=width, classes=classes, input=input, shortcut=shortcut, depth=depth, growth=growth,
                               seed=seed, fan=fan))


def sweep(plan: str | os.PathLike[str], store: str | os.PathLike[str], *, shard: tuple[int, int] | None = None,
          retry_failed: bool = False, memory: float = 4.0, threads: int | None = None, progress: Progress = None) -> Sweep:
    """Runs every point of a plan that the store does not have; `docs/sweep.md` explains both files.

    `shard` is `(i, n)`: every n-th point from the i-th on. `memory` is in GiB, and kept to roughly. Ctrl-C stops a sweep behind
    the points that run; what is in the store stays there, and the next call goes on.
    """
    with _progress(progress) as tell:
        counts = _esnsim.sweep(os.fspath(plan), os.fspath(store), shard=shard, retry_failed=retry_failed, memory=memory,
                               threads=threads, progress=tell)
    return Sweep(store, counts)


def pareto(store: str | os.PathLike[str], *, cost: str = "esn-d", accuracy: str = "top1") -> Points:
    """The points of a store. The column `frontier` says which of them no other beats in cost and accuracy."""
    csv, text = _esnsim.pareto(os.fspath(store), cost, accuracy)
    return Points(from_csv(csv), text)


def landscape(hardware: Iterable[str | os.PathLike[str]] | str = (), *, bits: int = 8, pruned: int = 0, seed: int = 0,
              threads: int | None = None) -> Points:
    """Which hardware gains from fewer bits, and which from pruning: one layer in many forms. Without names, on all that comes
    along. `pruned` is in per cent.
    """
    names = [hardware] if isinstance(hardware, (str, os.PathLike)) else list(hardware)
    csv, text = _esnsim.landscape(hardware=[os.fspath(name) for name in names], bits=bits, pruned=pruned, seed=seed,
                                  threads=threads)
    return Points(from_csv(csv), text)


def hardware() -> dict[str, str]:
    """Names of the hardware that comes along, and what each is."""
    return dict(_esnsim.hardware())
