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
import functools
import importlib
import inspect as inspection
import json
import logging
import os
import pathlib
from typing import TYPE_CHECKING, Any, Callable, Generator, Iterable, Mapping, Sequence, Union

from . import _esnsim
from ._arguments import checked, listed, wrong
from ._esnsim import (
    BadArgument,
    Error,
    InvalidFile,
    OutOfLimits,
    OwnBug,
    ReadWrite,
    Unsupported,
    WorkerLost,
    __version__,
)
from ._evaluation import Evaluation, Score, accuracy_table
from ._images import EMBEDDED, Asked, Images, asked
from ._pages import framed
from ._proxies import TERMS, Proxies, check_named_once, is_store, subjects, widths
from ._tables import Row, Table, from_csv

if TYPE_CHECKING:
    # Loaded where it is asked for.
    from ._search import search as search

__all__ = [
    "BadArgument", "Compressed", "Cost", "Error", "Evaluation", "Images", "InvalidFile", "Inspection", "Network", "OutOfLimits",
    "OwnBug", "Points", "Proxies", "ReadWrite", "Row", "Run", "Score", "Sweep", "SweepStatus", "Table", "Unsupported", "WorkerLost",
    "__version__", "compare", "compress", "convert", "esn", "evaluate", "from_torch", "hardware", "inspect", "landscape", "merge",
    "new", "pareto", "proxies", "read", "search", "simulate", "sweep", "sweep_status",
    "upgrade",
]

log = logging.getLogger("esnsim")

Source = Union[str, "os.PathLike[str]", bytes, None]
Tell = Callable[[str, int, int], object]
Progress = Union[Tell, bool, None]
Hardware = Union[Iterable[Union[str, "os.PathLike[str]"]], str, "os.PathLike[str]"]


class Network:
    """A network that was read. It does not change. `read` makes one.

    It can be pickled, so that processes of `multiprocessing` or Ray take it: as the bytes of its file; as the path of its file
    where the file has parts in others; and as an ONNX file where it was made here.
    """

    def __init__(self, inner: _esnsim.Network, again: tuple[Any, ...] | None = None, preprocess: str | None = None) -> None:
        # `again` is the function that makes the network, and its arguments; none where only its file tells it.
        self._inner, self._again, self._preprocess = inner, again, preprocess

    def __reduce__(self) -> tuple[Any, ...]:
        if self._again is None:
            file, of_embedded, provenance = self._inner.kept()
            preprocess = None if of_embedded else self._comes_with()
            return _restored, (file, self._inner.path, of_embedded, provenance, preprocess)
        make, *arguments = self._again
        if make is not _opened:
            return make, tuple(arguments)
        source, name, opening = arguments
        preprocess = None if source is None else self._comes_with()
        if isinstance(source, str) and os.path.isfile(source):
            file = pathlib.Path(source).read_bytes()
            try:
                _esnsim.open(file, source, opening)
            except Error:
                # It has parts in other files, which are beside it.
                return _opened, (os.path.abspath(source), name, opening)
            source, name = file, source
        return _opened, (source, name, opening, preprocess)

    def _comes_with(self) -> str | None:
        """The text of the file that says how images become the input of the network."""
        file = pathlib.Path(self._inner.path)
        beside = file.with_suffix(".preprocess.toml") if file.name else file
        return beside.read_text(encoding="utf-8") if self._preprocess is None and beside.is_file() else self._preprocess

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
        return Inspection(from_csv(csv), text, self.notes)

    def esn(self, *, bits: int | None = None, bit_convention: str = "nonzero-at-least-one",
            threads: int | None = None) -> Cost:
        """The effective signal norm of every layer and of the whole, without any hardware.

        `bits` is the width that real weights are quantized to, 1 to 16; 4 where it is left out. Weights that a file stores as
        integers are taken as they are, and a width for them is refused. Figures that end in `_macs` count each weight once for
        each multiply-accumulate of one image, the others once.

        >>> import esnsim
        >>> cost = esnsim.read().esn(bits=4)
        >>> cost.total.esn_d, cost.total.esn_d_macs, len(cost.layers)
        (145973, 1535714, 10)
        """
        run = self._simulate([], bits, bit_convention, None, threads, True, None)
        return Cost(json.loads(run.json), run.text, run.notes, self._inner)

    def simulate(self, hardware: Hardware = (), *, bits: int | None = None, images: Images | Any = None,
                 limit: int | None = None, bit_convention: str = "nonzero-at-least-one", threads: int | None = None,
                 progress: Progress = None) -> Run:
        """Costs on hardware, layer by layer, and the check of ideal engines against the metric.

        `hardware` are names of presets (`esnsim.hardware()` lists them) and descriptions in TOML, by path; `"ideal"`, and
        nothing, are the three ideal engines. On `images` the network runs, too, in float and on every engine: a file or
        folder, `"embedded"` for those of the network that comes along, an array `[images, …]`, a pair of arrays of images and
        labels, or `esnsim.Images`, of which at most `limit` are taken. The interpreter goes on meanwhile: its lock is released,
        and Ctrl-C stops the call. `progress` is called as `progress(stage, done, total)`; `True` shows a bar of tqdm.

        >>> import esnsim
        >>> run = esnsim.read().simulate("cpu-serial", bits=4, images="embedded", limit=20)
        >>> run.total["cpu-serial"].macs, run.accuracy["top1"]
        (763520, [17, 17])
        """
        names = listed(hardware)
        with asked(images, limit, self._preprocess, "images") as found, _progress(progress) as tell:
            run = self._simulate(names, bits, bit_convention, None if found is None else found.request, threads, False, tell)
            return Run(run, found)

    def _simulate(self, hardware: list[str], bits: int | None, bit_convention: str, images: dict[str, Any] | None,
                  threads: int | None, metric_only: bool, progress: Tell | None) -> _esnsim.Run:
        return self._inner.simulate(
            hardware=hardware, images=images, metric_only=metric_only, progress=progress,
            **checked(bits=bits, bit_convention=bit_convention, threads=threads),
        )

    def evaluate(self, images: Images | Any, hardware: Hardware = (), *, bits: int | None = None, limit: int | None = None,
                 threads: int | None = None, progress: Progress = None) -> Evaluation:
        """How well the network does on images, in float and on hardware, and what each answers. Costs are not counted.

        The arguments are those of `simulate`. Answers of all images stay in memory: 4 bytes for each number of the output, image
        and engine.

        >>> import esnsim
        >>> found = esnsim.read().evaluate("embedded", bits=4, limit=100)
        >>> found.top1["float"], found.top1["ideal-analog"]
        (Score(right=97, of=100), Score(right=97, of=100))
        >>> found.logits["float"].shape, found.predictions["float"][:5].tolist()
        ((100, 10), [0, 9, 8, 3, 1])
        """
        if images is None:
            raise wrong("images", images, 'a path, "embedded", an array [images, …], a pair of arrays, or esnsim.Images')
        names = listed(hardware)
        with asked(images, limit, self._preprocess, "images") as found, _progress(progress) as tell:
            assert found is not None
            inner = self._inner.evaluate(hardware=names, images=found.request, progress=tell,
                                         **checked(bits=bits, threads=threads))
            return Evaluation(inner, inner.text, [found.named(note) for note in inner.notes])

    def compress(self, *, prune: str | Sequence[str] = (), prune_scope: str = "global", prune_below: float | None = None,
                 compact: bool = False, find_step: bool = False, bits: int | None = None, grid: str = "mid-rise",
                 granularity: str | None = None, clip: str | None = None, target_snr: float | None = None,
                 target_esn_a: float | None = None, target_profile: str | os.PathLike[str] | None = None,
                 average_bits: float | None = None, esn_d_filter_budget: float | None = None,
                 allocate: str | None = None, allocate_images: int = 128,
                 layer_options: Sequence[Mapping[str, Any]] | str | os.PathLike[str] | None = None, images: Images | Any = None,
                 bias_correction: bool = False, first_bits: int | None = None, last_bits: int | None = None,
                 reestimate_bn: Images | Any = None, limit: int | None = None, baseline: int | None = None,
                 strict: bool = False, threads: int | None = None) -> Compressed:
        """The network pruned, quantized, and with statistics taken anew, in this order, each where it is asked for.

        `prune` is one way or several, as `"filters=0.1"` or `"2:4"`. On the images `reestimate_bn`, at most `limit` of them, 5000
        where it is left out, BatchNorm statistics are re-estimated; what `images` of `simulate` takes, they take. All others are
        the options of `esnsim compress`, which `docs/commands/compress.md` explains: widths are 1 to 16 bits, fractions 0 to 1,
        `target_snr` is a ratio of powers and no dB, budgets are those of one image. `allocate`, as `"esn-d=3e7"`, shares out a budget
        among layers by what `allocate_images` of `reestimate_bn` or of `images` show; `layer_options` are layers of their own, as
        `[{"layer": "conv1", "bits": 8}]`, or a file. This network does not change. Ctrl-C stops the call.

        >>> import esnsim
        >>> small = esnsim.read().compress(prune="filters=0.1", bits=4)
        >>> small.network.esn().total.esn_d_macs < esnsim.read().esn(bits=4).total.esn_d_macs
        True
        """
        options = checked(
            prune=prune, prune_scope=prune_scope, prune_below=prune_below, compact=compact, find_step=find_step, bits=bits,
            grid=grid, granularity=granularity, clip=clip, target_snr=target_snr, target_esn_a=target_esn_a,
            target_profile=target_profile, average_bits=average_bits, esn_d_filter_budget=esn_d_filter_budget,
            allocate=allocate, allocate_images=allocate_images, layer_options=layer_options, bias_correction=bias_correction,
            first_bits=first_bits, last_bits=last_bits, baseline=baseline, strict=strict,
        )
        own = options.pop("layer_options")
        options["layer_file"] = own if isinstance(own, str) else None
        options["layers"] = None if own is None or isinstance(own, str) else json.dumps(own)
        reestimates = reestimate_bn is not None
        if images is not None and (allocate is None or reestimates):
            why = "there is no allocate= that looks at them" if allocate is None else "allocate looks at those of reestimate_bn"
            raise BadArgument(f"images are given, and {why}")
        if allocate is None and options["allocate_images"] != ALLOCATE_IMAGES:
            raise BadArgument(f"allocate_images is {options['allocate_images']}, and there is no allocate= that looks at images")
        argument, given = ("reestimate_bn", reestimate_bn) if images is None else ("images", images)
        limit = STATISTICS_IMAGES if limit is None and given is not None else limit
        with asked(given, limit, self._preprocess, argument) as found:
            inner = self._inner.compress(options, images=None if found is None else found.request, reestimates=reestimates,
                                         **checked(threads=threads))
            return Compressed(inner, found, self._preprocess)

    def save(self, path: str | os.PathLike[str], *, strict: bool = False) -> list[str]:
        """Writes the network as ONNX, or its weights as `.safetensors` or `.npz`: the end of the name decides, ONNX where it says
        nothing. How images become its input is written beside it, as NAME.preprocess.toml, where the network came with that.

        The result says what the new file does not hold, one line each; with `strict` that is an error, and nothing is
        written.
        """
        given = checked(path=path, strict=strict)
        notes = self._inner.save(given["path"], given["strict"])
        beside = pathlib.Path(given["path"]).with_suffix(".preprocess.toml")
        if self._preprocess is not None and not beside.exists():
            beside.write_text(self._preprocess, encoding="utf-8")
        return notes

    def __repr__(self) -> str:
        return repr(self._inner)


#: Images that statistics are re-estimated on, where nobody says how many.
STATISTICS_IMAGES = 5000
#: Images that a budget is shared out by, where nobody says how many.
ALLOCATE_IMAGES = 128


@contextlib.contextmanager
def _progress(progress: Progress) -> Generator[Tell | None, None, None]:
    if not isinstance(progress, bool):
        if progress is not None and not callable(progress):
            raise wrong("progress", progress, "True, False or a function of stage, done and total")
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

    def __init__(self, inner: _esnsim.Compressed, images: Asked | None, preprocess: str | None) -> None:
        self._text, self.notes = inner.text, _named(images, inner.notes)
        self.report: dict[str, Any] = json.loads(inner.json)
        self.network = Network(inner.network, None, preprocess)

    def save(self, path: str | os.PathLike[str], *, strict: bool = False) -> list[str]:
        """`Network.save` of the network. The file also says how the network was compressed."""
        return self.network.save(path, strict=strict)

    def __repr__(self) -> str:
        return self._text


class Points:
    """What was measured, a row of `points` for each, with the columns of the command's CSV. A notebook shows the figure of the
    command.
    """

    def __init__(self, points: Table, text: str, figure: str) -> None:
        self.points, self._text, self._figure = points, text, figure

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._figure


class Sweep:
    """How many points a sweep has (`points`), found in its store (`found`) and ran (`run`); how many `failed`, came to less than
    was asked for (`short`), or differ between an ideal engine and its metric (`differing`).
    """

    def __init__(self, store: str, counts: Sequence[int]) -> None:
        self.store = store
        self.points, self.found, self.run, self.failed, self.short, self.differing = counts

    def __repr__(self) -> str:
        return (f"<esnsim.Sweep {self.store}: {self.points} points, {self.found} there before, {self.run} run, "
                f"{self.failed} failed, {self.short} short, {self.differing} differing>")


class SweepStatus:
    """How far a sweep is: how many points its plan has (`points`), and how many of them are `done`, `failed` and `open`. `seconds` is
    how long the open ones take, by what those of the last sweep took; `None` where none has run yet.
    """

    def __init__(self, store: str, counts: tuple[int, int, int, int, float | None]) -> None:
        self.store = store
        self.points, self.done, self.failed, self.open, self.seconds = counts

    def __repr__(self) -> str:
        takes = "" if self.seconds is None or not self.open else f", about {self.seconds:.0f} s to go"
        return f"<esnsim.SweepStatus {self.store}: {self.points} points, {self.done} done, {self.failed} failed, {self.open} open{takes}>"


class Inspection:
    """The layers of a network. `layers` is a table with the columns of `esnsim inspect --csv`, `notes` what there is to know of the
    reading.
    """

    def __init__(self, layers: Table, text: str, notes: list[str]) -> None:
        self.layers, self._text, self.notes = layers, text, notes

    def __repr__(self) -> str:
        return self._text


class Cost:
    """The metric of a network: `layers` is a table with a row for each layer, `total` the row of the whole, `notes` what there is to
    know, one line each. `data` is all of it, with the keys of `esnsim simulate --json`; the digests of file and weights in it are made
    when it is first asked for.
    """

    def __init__(self, data: dict[str, Any], text: str, notes: list[str], network: _esnsim.Network) -> None:
        self._data, self._text, self.notes, self._network = data, text, notes, network
        self.layers = Table.from_rows(_without(layer, "runs") for layer in data["layers"])
        self.total = Row(_without(data["total"], "runs"))

    @property
    def data(self) -> dict[str, Any]:
        # Digests of the file and of all weights take longer than the metric.
        if "run" not in self._data:
            run = json.loads(self._network.record())
            begin = {name: self._data[name] for name in ("schema", "program", "version")}
            self._data = {**begin, "run": run, **self._data}
        return self._data

    def __getstate__(self) -> dict[str, Any]:
        # The network stays here; what it tells goes along.
        return {**self.__dict__, "_data": self.data, "_network": None}

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
    says whether ideal engines and the metric agree. `data` is all of it, as `esnsim simulate --json` writes it, and `notes` what
    there is to know, one line each. Energies, `energy_j`, are in joules, times, `latency_s`, in seconds, and cycles and counts
    integers of one image. A notebook shows the page that `esnsim simulate --html` writes.
    """

    def __init__(self, inner: _esnsim.Run, images: Asked | None) -> None:
        data = json.loads(inner.json if images is None else images.named(inner.json))
        self.data: dict[str, Any] = data
        self._text, self._inner, self._images, self._page = inner.text, inner, images, ""
        self.notes = _named(images, inner.notes)
        self.layers = Table.from_rows(row for layer in data["layers"] for row in _by_hardware(layer))
        rows = (Row(row) for row in _by_hardware(data["total"]))
        self.total: Mapping[str, Row] = {row["hardware"]: row for row in rows}
        self.check = Check(inner.passes)

    @property
    def accuracy(self) -> Table | None:
        """Images, labels and correct answers of the network in float and of every engine; `None` where no images ran."""
        inference = self.data["inference"]
        return None if inference is None else accuracy_table(inference)

    def html(self) -> str:
        """The page that `esnsim simulate --html` writes: one file that needs nothing else."""
        if not self._page:
            page = self._inner.html()
            self._page = page if self._images is None else self._images.named(page)
        return self._page

    def __getstate__(self) -> dict[str, Any]:
        # What the page is drawn from stays here; the page goes along.
        self.html()
        return {**self.__dict__, "_inner": None, "_images": None}

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return framed(self.html())


def _named(images: Asked | None, notes: list[str]) -> list[str]:
    return notes if images is None else [images.named(note) for note in notes]


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _by_hardware(layer: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """What a layer is, beside what it costs on each hardware."""
    own = _without(layer, "runs")
    return ({**own, **run} for run in layer["runs"])


def read(
    source: Source = None,
    *,
    name: str | None = None,
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

    `source` is a path, the bytes of a file, or an open file that is read to its end; `name` then stands for the file in messages.
    Without it the network is the small one that comes along. `input_shape` gives shapes of inputs by name, batch first. The other
    arguments are the options of the command of that name. Raises one of the subclasses of `Error`, whose text names the file, the
    place, what was expected and what was found.

    >>> import esnsim
    >>> esnsim.read()
    <esnsim.Network traces/digits-resnet.onnx: 10 layers>
    >>> esnsim.read(b"nothing", name="mine.onnx")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    esnsim.Unsupported: mine.onnx: file: ...
    """
    opening = checked(
        input_shape=input_shape, batch_axis=batch_axis, architecture=architecture, topology=topology, operators=operators,
        state=state, layers=layers, grid=grid, find_step=find_step, tflite_kernels=tflite_kernels,
        synthetic_weights=synthetic_weights, synthetic_sparsity=synthetic_sparsity,
    )
    if synthetic_weights is None and opening["synthetic_sparsity"]:
        raise BadArgument("synthetic_sparsity is given, and no weights are drawn; synthetic_weights=SEED draws them")
    if source is not None:
        source = _bytes_or_path(source)
    else:
        _check_needed(opening)
    name_of_bytes = checked(name="memory" if name is None else name)["name"]
    if name is not None and not isinstance(source, bytes):
        raise BadArgument(f"name is {name!r}, and source is no bytes that it could stand for")
    return _opened(source, name_of_bytes, opening)


def _check_needed(opening: dict[str, Any]) -> None:
    """Refuses options of a file where there is none."""
    of_file = ["input_shape", "batch_axis", "architecture", "operators", "state", "layers", "tflite_kernels"]
    if not opening["find_step"]:
        of_file.append("grid")
    needless = next((name for name in of_file if opening[name]), None)
    if needless is not None:
        what = "the one that comes along" if opening["topology"] is None else "the layers of the topology"
        raise BadArgument(f"{needless} is for a file, and there is none; without source the network is {what}")


def _bytes_or_path(source: Any) -> bytes | str:
    """What a network is read from."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, (str, os.PathLike)):
        one: str = checked(path=source)["path"]
        return one
    if not hasattr(source, "read"):
        if hasattr(source, "forward"):
            raise BadArgument(f"source is a {type(source).__name__}; a module of PyTorch needs example=, an input of one image")
        raise wrong("source", source, "a path, bytes, an open file or a Network")
    try:
        read = source.read()
    except (OSError, ValueError) as error:
        raise ReadWrite(f"source cannot be read: {_one_line(error)}") from error
    if not isinstance(read, bytes):
        raise BadArgument("source is a file of text; open it in the mode \"rb\"")
    return read


def _opened(source: bytes | str | None, name: str, opening: dict[str, Any], preprocess: str | None = None) -> Network:
    return Network(_esnsim.open(source, name, opening), (_opened, source, name, opening), preprocess)


def _restored(file: bytes, path: str, of_embedded: bool, provenance: list[tuple[str, str]], preprocess: str | None) -> Network:
    return Network(_esnsim.restore(file, path, of_embedded, provenance), None, preprocess)


def from_torch(module: Any, example: Any, **options: Any) -> Network:
    """A module of PyTorch as a network, by way of ONNX in memory, or of an archive of `torch.export` where ONNX lacks an
    operator. `example` is an input, or a tuple of inputs, of one image.

    `options` are those of `read`. Fake quantization of `esnsim.torch` gives its integers. Nothing of the module changes; it is
    exported in the mode of evaluation.
    """
    network: Network = importlib.import_module(".torch.export", __name__).from_torch(module, example, options)
    return network


def __getattr__(name: str) -> Any:
    # Loaded where it is asked for: it needs PyTorch.
    if name == "torch":
        return importlib.import_module(".torch", __name__)
    # So are parts that few calls need.
    if name in ("search", "Study"):
        return getattr(importlib.import_module("._search", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "torch"])


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _network(source: Any, example: Any, options: dict[str, Any]) -> Network:
    known = inspection.signature(read).parameters
    unknown = next((name for name in options if name not in known), None)
    if unknown is not None:
        of_images = unknown in inspection.signature(Images).parameters
        hint = f"; esnsim.Images(…, {unknown}=…) says it of images" if of_images else ""
        raise TypeError(f"there is no argument {unknown!r} here, nor of esnsim.read{hint}")
    if isinstance(source, Network):
        if options:
            raise BadArgument(f"the network was read before; esnsim.read takes {', '.join(sorted(options))}")
        if example is not None:
            raise BadArgument("example belongs to a module of PyTorch, and source is a Network")
        return source
    if example is not None:
        return from_torch(source, example, **options)
    return read(source, **options)


def inspect(source: Any = None, *, example: Any = None, **options: Any) -> Inspection:
    """`Network.inspect` of a path, bytes, a `Network`, or a module of PyTorch with an example of its input."""
    return _network(source, example, options).inspect()


def esn(source: Any = None, *, example: Any = None, bits: int | None = None, bit_convention: str = "nonzero-at-least-one",
        threads: int | None = None, **options: Any) -> Cost:
    """`Network.esn` of a path, bytes, a `Network`, or a module of PyTorch with an example of its input."""
    return _network(source, example, options).esn(bits=bits, bit_convention=bit_convention, threads=threads)


def simulate(source: Any = None, *, example: Any = None, hardware: Hardware = (), bits: int | None = None,
             images: Images | Any = None, limit: int | None = None, bit_convention: str = "nonzero-at-least-one",
             threads: int | None = None, progress: Progress = None, **options: Any) -> Run:
    """`Network.simulate` of a path, bytes, a `Network`, or a module of PyTorch with an example of its input."""
    network = _network(source, example, options)
    return network.simulate(hardware, bits=bits, images=images, limit=limit, bit_convention=bit_convention, threads=threads,
                            progress=progress)


def evaluate(source: Any = None, images: Images | Any = EMBEDDED, *, example: Any = None, hardware: Hardware = (),
             bits: int | None = None, limit: int | None = None, threads: int | None = None, progress: Progress = None,
             **options: Any) -> Evaluation:
    """`Network.evaluate` of a path, bytes, a `Network`, or a module of PyTorch with an example of its input. Without anything it
    is the network that comes along, on its own images.
    """
    network = _network(source, example, options)
    return network.evaluate(images, hardware, bits=bits, limit=limit, threads=threads, progress=progress)


def compare(before: Any, *after: Any, hardware: Hardware = (), bits: int | None = None, bit_convention: str = "nonzero-at-least-one",
            threads: int | None = None, progress: Progress = None) -> Points:
    """Does compression pay? What each network `after` gains over `before`, in weights, effective MACs, bit operations and the metric,
    and in energy and cycles on each hardware; what ideal hardware would gain; and what ate the difference.

    Networks are paths, bytes, or a `Network` of `read`, `compress` or `from_torch`; `None` is the network that comes along. Real
    weights are quantized to `bits`, 1 to 16, 8 where it is left out; integers of a file are taken as they are. `hardware` is that of
    `simulate`, as far as its cost does not depend on images. The columns of `points` are those of `esnsim simulate --gains`, `print`
    shows the table and sentences of the command, and a notebook its figure. A gain is a ratio, before over after.

    >>> import esnsim
    >>> net = esnsim.read()
    >>> found = esnsim.compare(net, net.compress(prune="weights=0.8").network, hardware="gpu-8bit")
    >>> [row.lost_to for row in found.points if row.hardware and not row.part]
    ['zeros: weight fetch', 'zeros']
    """
    given, names = checked(bits=bits, bit_convention=bit_convention, threads=threads), listed(hardware)
    if not after:
        raise BadArgument("there is no network to compare; name those that were made of the first behind it")
    networks = [_network(source, None, {})._inner for source in (before, *after)]
    with _progress(progress) as tell:
        csv, text, figure = _esnsim.compare(networks, hardware=names, progress=tell, **given)
    return Points(from_csv(csv), text, figure)


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
    given = checked(width=width, classes=classes, input=input, shortcut=shortcut, depth=depth, growth=growth, seed=seed, fan=fan)
    return _made(checked(name=name)["name"], given)


def _made(name: str, given: dict[str, Any]) -> Network:
    return Network(_esnsim.new(name, **given), (_made, name, given))


def sweep(plan: str | os.PathLike[str], store: str | os.PathLike[str], *, shard: tuple[int, int] | str | None = None,
          cluster: str | None = None, retry_failed: bool = False, memory: float = 4.0, threads: int | None = None,
          progress: Progress = None) -> Sweep:
    """Runs every point of a plan that the store does not have; `docs/sweep.md` explains both files.

    `shard` is `(i, n)`: every n-th point from the i-th on; `"slurm"` takes both from the variables of an array job. `memory` is
    in GiB, and kept to roughly. With `cluster="ray"` the points are spread over a Ray cluster, and `memory` and `threads`, 1
    where it is left out, are those of one worker. Ctrl-C stops a sweep; what is in the store stays there, and the next call goes
    on. `sweep_status` says how far it is.
    """
    given = checked(plan=plan, store=store, shard=shard, retry_failed=retry_failed, memory=memory, threads=threads)
    run = _esnsim.sweep if cluster is None else _on_cluster(**checked(cluster=cluster))
    if (system := _esnsim.shared_file_system(given["store"])) is not None:
        log.warning("%s lies on a file system of several machines (%s), where SQLite's locks are not safe; give each shard a store of "
                    "its own and put them together with esnsim.merge", given["store"], system)
    with _progress(progress) as tell:
        return Sweep(given["store"], run(progress=tell, **given))


def sweep_status(plan: str | os.PathLike[str], store: str | os.PathLike[str], *, shard: tuple[int, int] | str | None = None,
                 memory: float = 4.0) -> SweepStatus:
    """How far the sweep of a plan into a store is. Nothing is run and nothing written; where there is no store yet, all points are
    open. `shard` and `memory` are those of `sweep`. The sweep may run meanwhile.
    """
    given = checked(plan=plan, store=store, shard=shard, memory=memory)
    return SweepStatus(given["store"], _esnsim.sweep_status(**given))


def _on_cluster(cluster: str) -> Callable[..., Sequence[int]]:
    # Loaded where it is asked for: few calls need it.
    from . import _cluster

    return functools.partial(_cluster.sweep, cluster=cluster)


def merge(store: str | os.PathLike[str], *sources: str | os.PathLike[str]) -> None:
    """Puts the results of other stores into a store, which is made where it is not there. A point that two of them have must be
    equal in both.
    """
    given = checked(store=store, sources=sources)
    if not sources:
        raise BadArgument("there are no stores to merge; name them behind the store that they are put into")
    _esnsim.merge(**given)


def upgrade(store: str | os.PathLike[str]) -> int | None:
    """Makes a store of an older layout one of today's, in its place: how many points it has, `None` where it was one already. Stores
    of older layouts are read, and no longer written.
    """
    return _esnsim.upgrade(**checked(store=store))


def pareto(store: str | os.PathLike[str], *, cost: str = "esn-d", accuracy: str = "top1") -> Points:
    """The points of a store. The column `frontier` says which of them no other beats in cost and accuracy."""
    csv, text, page = _esnsim.pareto(**checked(store=store, cost=cost, accuracy=accuracy))
    return Points(from_csv(csv), text, framed(page))


def proxies(source: Any = None, *, networks: Sequence[str] = (), hardware: Hardware = (), bits: int | Sequence[int] | None = None,
            images: Images | Any = None, limit: int | None = None, fit: str | os.PathLike[str] | None = None,
            terms: Sequence[str] = TERMS, resamples: int = 1000, threads: int | None = None, **options: Any) -> Proxies:
    """Which number ranks networks as a hardware does: parameters, MACs, bit operations, ESN and others beside energy and latency.

    `source` is the store of a sweep, of which `networks` may name some, or a list of networks: paths, bytes, or what
    `esnsim.read` made; `options` are those of `read`. Such networks are costed at each of the `bits`, and run on `images`, as the
    command does; without `hardware` on all that comes along but the chips. `fit` names hardware that a weighted sum of `terms`
    is fitted to; the result has it as `.cost`, which `esnsim.pareto` takes. An interval is made of so many `resamples`.

    >>> import esnsim
    >>> found = esnsim.proxies([None], bits=range(2, 12), hardware="unpu", resamples=0)
    >>> best = max(row.tau for row in found.table if row.target == "energy" and row.tau is not None)
    >>> best, found.networks["esn-d"][:3]
    (1.0, [807450, 1058346, 1535714])
    """
    given = checked(hardware=listed(hardware), networks=networks, fit=fit, terms=terms, resamples=resamples, threads=threads)
    store = checked(store=source)["store"] if is_store(source) else None
    costed: list[_esnsim.Subject] = []
    if store is None:
        several = list(source) if isinstance(source, (list, tuple)) else [source]
        check_named_once(several)
        opened = [_network(one, None, options) for one in several]
        costed = list(subjects(opened, given["hardware"], given["fit"], widths(bits), images, limit, threads))
    return Proxies(*_esnsim.proxies(store=store, subjects=costed, **given))


def landscape(hardware: Hardware = (), *, bits: int = 8, pruned: int = 0, seed: int = 0, threads: int | None = None) -> Points:
    """Which hardware gains from fewer bits, and which from pruning: one layer in many forms. Without names, on all that comes
    along. `bits` is 1 to 16, `pruned` in per cent, 0 to 99. Energies are in joules.
    """
    given = checked(pruned=pruned, seed=seed, threads=threads, bits=bits)
    if given["bits"] is None:
        raise wrong("bits", bits, "a whole number from 1 to 16")
    csv, text, figure = _esnsim.landscape(hardware=listed(hardware), **given)
    return Points(from_csv(csv), text, figure)


def hardware() -> dict[str, str]:
    """Names of the hardware that comes along, and what each is."""
    return dict(_esnsim.hardware())
