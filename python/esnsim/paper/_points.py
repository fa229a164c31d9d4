"""Networks quantized after training, as points of the store of a sweep."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import pathlib
import re
import statistics
from typing import Any, Iterable, Mapping, Sequence

import esnsim

from ._files import write_whole
from ._job import Job
from ._networks import Kind

# GiB that a sweep keeps to roughly.
_MEMORY = 4.0

#: By scale: test images that tell the accuracy, and training images that BatchNorm statistics are re-estimated on.
IMAGES = {"small": (10_000, 1000), "paper": (10_000, 5000)}

_PLAN = """# Trained networks, quantized after training.
networks = [
{networks}
]
{rest}
[images]
path = "images/{images}"
preprocess = "imagenet"

[statistics]
path = "images/{statistics}"
preprocess = "imagenet"
"""

# What a plan says of every network: each width of the paper.
_UNIFORM = """reestimate = [true]
quantize = [{ bits = "1..8", step = "mse" }]
"""


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A network at one width: costs of one image (`_macs`: c = MACs; `esn_a`: c = 1), and accuracy with its error, 0 to 1. Of several
    seeds it is their mean, `seed` is none, and costs are real numbers.
    """

    label: str
    seed: int | None
    bits: int
    weights: int
    macs: int
    esn_a: float
    esn_a_macs: float
    esn_d_macs: float
    esn_d_filter: float
    top1: float
    error: float
    float_top1: float

    @property
    def words(self) -> str:
        """What a sentence calls it."""
        return f"{self.label} at {self.bits} bit{'s' if self.bits > 1 else ''}"

    @staticmethod
    def images_of(job: Job) -> tuple[int, int]:
        """How many test images tell the accuracy, and how many training images the statistics."""
        return IMAGES[job.scale]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Costed:
    """A point of a way that is compared with others: its costs for one image (`_macs`: c = MACs), and its accuracy with its standard
    error, 0 to 1."""

    esn_a_macs: float
    esn_d_macs: float
    esn_d_filter: float
    top1: float
    error: float

    @staticmethod
    def of(row: esnsim.Row) -> dict[str, Any]:
        """These fields of a row of a store."""
        costs = {name: getattr(row, name) for name in ("esn_a_macs", "esn_d_macs", "esn_d_filter", "top1")}
        return {**costs, "error": standard_error(row.top1, row.images)}

    @property
    def columns(self) -> dict[str, Any]:
        """The point as a row of a table: what it is, then what it costs."""
        own = dataclasses.asdict(self)
        return {name: own[name] for name in self.names()}

    @classmethod
    def names(cls) -> list[str]:
        """The columns of `columns`, in order: those of this class, and then those of the classes that it is one of."""
        classes = [of for of in cls.__mro__ if dataclasses.is_dataclass(of)]
        depths = {field.name: depth for depth, of in enumerate(classes) for field in dataclasses.fields(of)}
        return sorted(depths, key=lambda name: depths[name])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rowed(Costed):
    """A point whose row stands for it in later runs. `protocol` is a digest of how the points of its seed
    are made."""

    seed: int
    is_searched: bool
    protocol: str


def quantized(job: Job, networks: Mapping[Kind, pathlib.Path]) -> list[Quantized]:
    """Every network at 1 to 8 bits."""
    kinds = {path.stem: kind for kind, path in networks.items()}
    found = [(kinds[stem], row) for stem, row in swept(job, networks.values(), _UNIFORM)]
    points = [(kind, Quantized(
        kind.label, kind.seed, width(row), row.weights, row.macs_alive, row.esn_a, row.esn_a_macs, row.esn_d_macs,
        row.esn_d_filter, row.top1, standard_error(row.top1, row.images), row.float_top1)) for kind, row in found]
    return [point for _, point in sorted(points, key=lambda pair: (pair[0], pair[1].bits))]


def width(row: esnsim.Row) -> int:
    """The bits of all layers, 0 where each has a way of its own."""
    found = re.search(r"\b(\d+) bits?\b", row.configuration)
    return int(found[1]) if found and not row.layers else 0


def standard_error(part: float, count: int) -> float:
    """That of an accuracy on so many images."""
    return math.sqrt(part * (1 - part) / count)


def swept(job: Job, networks: Iterable[pathlib.Path], rest: str, counts: tuple[int, int] | None = None) -> list[tuple[str, esnsim.Row]]:
    """The points of a plan, each with the name of its network's file. `rest` are the lines of the plan that say what is done to the
    networks; it comes before the first table. `counts` are the test images and the training images for statistics; left out, those of
    the scale. The sweep goes on where it was stopped. Other networks, images and lines have another store.
    """
    paths = list(networks)
    images, unlabeled = (job.images(split, count) for split, count in zip(("test", "train"), counts or Quantized.images_of(job)))
    listed = "\n".join(f'    "{pathlib.Path(os.path.relpath(path, job.work)).as_posix()}",' for path in paths)
    text = _PLAN.format(networks=listed, rest=rest, images=images.name, statistics=unlabeled.name)
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in (*paths, images, unlabeled)]
    digest = hashlib.sha256(text.encode() + b"".join(digests)).hexdigest()[:12]
    plan, store = (job.work / f"points-{digest}.{ending}" for ending in ("toml", "sqlite"))
    write_whole(plan, text)
    esnsim.sweep(plan, store, memory=_MEMORY, threads=job.threads, progress=lambda what, done, of: job.progress.tell(what, done, of))
    job.progress.end()
    rows = list(esnsim.pareto(store).points)
    failed = next((row for row in rows if row.status != "done"), None)
    if failed is not None:
        raise esnsim.Error(f"{store}: {failed.network}, {failed.configuration}: {failed.error}")
    return [(pathlib.Path(row.network).stem, row) for row in rows]


def mean_of_seeds(points: Sequence[Quantized]) -> list[Quantized]:
    """One point for each network and width. The error of several seeds is their standard deviation."""
    groups: dict[tuple[str, int], list[Quantized]] = {}
    for point in points:
        groups.setdefault((point.label, point.bits), []).append(point)
    return [_mean(group) if len(group) > 1 else group[0] for group in groups.values()]


def _mean(group: Sequence[Quantized]) -> Quantized:
    def mean(name: str) -> float:
        return statistics.fmean(getattr(point, name) for point in group)

    return dataclasses.replace(
        group[0], seed=None, esn_a=mean("esn_a"), esn_a_macs=mean("esn_a_macs"), esn_d_macs=mean("esn_d_macs"),
        esn_d_filter=mean("esn_d_filter"), top1=mean("top1"), float_top1=mean("float_top1"),
        error=statistics.stdev(point.top1 for point in group))
