"""Networks quantized after training, as points of the store of a sweep."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import pathlib
import statistics
from typing import Sequence

import esnsim

from ._files import write_whole
from ._job import Job
from ._networks import Kind

# GiB that a sweep keeps to roughly.
_MEMORY = 4.0

#: By scale: test images that tell the accuracy, and training images that BatchNorm statistics are re-estimated on.
IMAGES = {"small": (2000, 1000), "paper": (10_000, 5000)}

_PLAN = """# Networks after training, at each width from 1 to 8 bits.
networks = [
{networks}
]
reestimate = [true]

[images]
path = "images/{images}"
preprocess = "imagenet"

[statistics]
path = "images/{statistics}"
preprocess = "imagenet"

[[quantize]]
bits = "1..8"
step = "mse"
"""


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A network at one width: costs of one image (`_macs`: c = MACs; `esn_a`: c = 1), and accuracy with its error, 0 to 1. Of several seeds it is
    their mean, `seed` is none, and costs are real numbers.
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


def quantized(job: Job, networks: dict[Kind, pathlib.Path]) -> list[Quantized]:
    """Every network at 1 to 8 bits. The sweep goes on where it was stopped; other networks have another store."""
    images, unlabeled = (job.images(split, count) for split, count in zip(("test", "train"), Quantized.images_of(job)))
    listed = "\n".join(f'    "{os.path.relpath(path, job.work)}",' for path in networks.values())
    text = _PLAN.format(networks=listed, images=images.name, statistics=unlabeled.name)
    plan = job.work / f"{job.figure}.toml"
    write_whole(plan, text)
    files = [*networks.values(), images, unlabeled]
    digest = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()[:12]
    store = job.work / f"points-{digest}.sqlite"
    esnsim.sweep(plan, store, memory=_MEMORY, threads=job.threads, progress=lambda what, done, of: job.progress.tell(what, done, of))
    job.progress.end()
    return _of_store(store, networks)


def _of_store(store: pathlib.Path, networks: dict[Kind, pathlib.Path]) -> list[Quantized]:
    kinds = {path.stem: kind for kind, path in networks.items()}
    found = []
    for row in esnsim.pareto(store).points:
        if row.status != "done":
            raise esnsim.Error(f"{store}: {row.network}, {row.configuration}: {row.error}")
        kind = kinds[pathlib.Path(row.network).stem]
        found.append((kind, Quantized(
            kind.label, kind.seed, int(row.configuration.split()[0]), row.weights, row.macs_alive, row.esn_a, row.esn_a_macs,
            row.esn_d_macs, row.esn_d_filter, row.top1, math.sqrt(row.top1 * (1 - row.top1) / row.images), row.float_top1)))
    return [point for _, point in sorted(found, key=lambda pair: (pair[0], pair[1].bits))]


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
        esn_d_filter=mean("esn_d_filter"), top1=mean("top1"), float_top1=mean("float_top1"), error=statistics.stdev(point.top1 for point in group))
