"""A trained network that is trained on, pruned or paying for its weights, and quantized then: the points of figure 6 and of the penalty."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from typing import Any, Callable, Mapping, Sequence, TypeVar

import esnsim

from ._job import Job
from ._networks import Kind
from ._points import Costed, Rowed, swept, width
from ._rows import earlier, protocol
from ._search import searched
from ._starts import Start, exported, starts
from ._training import PenalizedTraining, Pruning, Schedule

FRACTIONS = (0.05, 0.1, 0.25, 0.5)
SCHEDULES = {"small": Schedule(1.0, 8, 50_000, 100, 2000, 1), "paper": Schedule(1.0, 165, 50_000, 100, 10_000, 3)}
#: The learning rate that fine-tuning begins with. Short fine-tuning at the paper's loses more than it finds again.
RATES = {"small": 0.03, "paper": 0.1}
#: Epochs of ADMM among those, its learning rate and its ρ.
ADMM_EPOCHS = {"small": 2, "paper": 5}
ADMM_RATE = 0.01
RHO = 1e-2
#: Test images that tell the accuracy, and training images that BatchNorm statistics are re-estimated on and a search sees.
IMAGES = {"small": (10_000, 1000), "paper": (10_000, 5000)}
#: Points that a search of widths by layer tries.
SEARCH = {"small": 40, "paper": 400}
#: A metric, and what it adds to the loss at the start.
PENALTIES = (("esn-d", 0.1), ("esn-d", 0.3), ("esn-d", 1.0), ("esn-a", 0.1), ("esn-a", 0.3))
#: The width that a penalty takes all layers at.
PENALTY_BITS = 4

QUANTIZE, PRUNE, BOTH, PENALIZE = "quantize only", "prune only", "prune, then quantize", "penalize, then quantize"
#: The bits that pruning alone is costed at, as the paper does.
WHOLE = 8
COSTS = {"esn_d_macs": "ESN_d", "esn_a_macs": "ESN_a", "esn_d_filter": "ESN'_d"}
NAMES = {"esn-d": "ESN_d", "esn-a": "ESN_a"}
#: At these accuracies costs are compared.
LEVELS = (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
#: "Up to 4 times", rounded.
MOST = 3.5

_WIDTHS = """reestimate = [true]
quantize = [{ bits = "1..8", step = "mse" }]
"""
_CUT = "prune = [{{ each = [{{ filters = {{ fraction = {} }} }}] }}]\n"

AnyPruning = TypeVar("AnyPruning", bound=Pruning)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tried(Rowed):
    """A point: what was done before quantization, and costs and accuracy after it. `further` are the epochs that it was trained on
    beyond the network that it began with. `penalty` is the metric that it paid for, and how much. `bits` are 0 where a search gave each
    layer a way of its own."""

    way: str
    fraction: float
    penalty: str
    further: int
    bits: int
    live_filters: int
    filters: int
    file: str

    @property
    def words(self) -> str:
        """The point in a cell of a table."""
        done = [f"{self.fraction:.0%} pruned" if self.fraction else "", self.penalty,
                "trained on" if self.further and self.way == QUANTIZE else "",
                "not fine-tuned" if self.fraction and not self.further else "",
                "searched" if self.is_searched else "", f"{self.bits} bit{'s' if self.bits > 1 else ''}" if self.bits else ""]
        return ", ".join(filter(None, done))


def is_quantized_alone(point: Tried) -> bool:
    """Whether it was quantized at one width, and nothing else."""
    return point.way == QUANTIZE and not point.is_searched


def is_pruned(point: Tried) -> bool:
    """Whether it was pruned, and quantized at one width."""
    return point.fraction > 0 and not point.is_searched


def is_pruned_and_searched(point: Tried) -> bool:
    """Whether it was pruned, and a search quantized it."""
    return point.fraction > 0 and point.is_searched


def kinds_of(job: Job) -> list[Kind]:
    """The network of each seed."""
    plan = SCHEDULES[job.scale]
    return [Kind("resnet20", plan.width, seed) for seed in job.seed_range(plan.seeds)]


def prunings(job: Job, begun: Mapping[Kind, Start]) -> list[Pruning]:
    """Trainings of all seeds and of all parts of the filters, 0 among them."""
    return [_training(Pruning, job, kind, start, fraction=fraction) for kind, start in begun.items() for fraction in (0.0, *FRACTIONS)]


def penalties(job: Job, begun: Mapping[Kind, Start]) -> list[PenalizedTraining]:
    """Trainings of all seeds and penalties."""
    return [_training(PenalizedTraining, job, kind, start, metric=metric, part=part, bits=PENALTY_BITS)
            for kind, start in begun.items() for metric, part in PENALTIES]


def _training(of: type[AnyPruning], job: Job, kind: Kind, start: Start, **more: Any) -> AnyPruning:
    plan = SCHEDULES[job.scale]
    return of(kind, plan.epochs, plan.images, plan.batch, RATES[job.scale], "cosine", 5e-4, plan.validation, seed=kind.seed,
              start=start.digest, data=job.digest, admm_epochs=ADMM_EPOCHS[job.scale], admm_rate=ADMM_RATE, rho=RHO, **more)


def tried(job: Job, trainings: Callable[[Job, Mapping[Kind, Start]], Sequence[Pruning]],
          without: Mapping[str, Any] | None = None) -> list[Tried]:
    """The points of all seeds: those of `--rows`, and of the others what is trained here. `without` are columns that rows of the
    figure leave out, with their values."""
    begun = starts(job, kinds_of(job))
    protocols = {kind.seed: _protocol(job, trainings(job, {kind: start}), start) for kind, start in begun.items()}
    known = earlier(job.rows, Tried, protocols, without)
    seeds = {point.seed for point in known}
    left = {kind: start for kind, start in begun.items() if kind.seed not in seeds}
    several = trainings(job, left)
    if several:
        job.epochs(several, left)
        known += points(job, several, left, protocols)
    return sorted(known, key=lambda point: (point.seed, point.penalty, point.fraction, point.further, point.is_searched, point.bits,
                                            point.esn_d_macs))


def _protocol(job: Job, several: Sequence[Pruning], start: Start) -> str:
    """How a seed is run."""
    return protocol(job, start.digest, [training.run for training in several], FRACTIONS, _WIDTHS, _CUT, IMAGES[job.scale],
                    SEARCH[job.scale])


@dataclasses.dataclass(frozen=True)
class _File:
    """A network before it is quantized."""

    path: pathlib.Path
    kind: Kind
    protocol: str
    training: Pruning | None
    # Of one that is pruned and not trained on.
    cut: float = 0.0

    def at(self, row: esnsim.Row, is_searched: bool = False) -> Tried:
        """What a row says of it."""
        bits = width(row)
        fraction = self.training.fraction if self.training else self.cut
        penalty = (f"{NAMES[self.training.metric]} adding {self.training.part:g}"
                   if isinstance(self.training, PenalizedTraining) else "")
        way = PENALIZE if penalty else QUANTIZE if not fraction else PRUNE if bits == WHOLE and not is_searched else BOTH
        return Tried(way=way, fraction=fraction, penalty=penalty, further=self.training.epochs if self.training else 0,
                     seed=self.kind.seed, protocol=self.protocol, bits=bits, is_searched=is_searched, live_filters=row.live_filters, filters=row.filters,
                     file=str(self.path), **Costed.of(row))


def points(job: Job, several: Sequence[Pruning], begun: Mapping[Kind, Start], protocols: Mapping[int, str]) -> list[Tried]:
    """Every network at 1 to 8 bits: as it was, pruned without more training, and trained on. Those that were trained on are searched,
    too."""
    trainer = job.trainer(several)
    files = [_File(exported(job, kind, start.digest, start.network, "-start"), kind, protocols[kind.seed], None)
             for kind, start in begun.items()]
    for training in several:
        network = functools.partial(trainer.network, training, begun[training.network].network)
        path = exported(job, training.network, training.run, network, f"-{_ending(training)}")
        files.append(_File(path, training.network, protocols[training.network.seed], training))
    by_stem = {file.path.stem: file for file in files}
    # Apart, so that what the one page has swept the other finds in its store.
    kinds = [[file.path for file in files if isinstance(file.training, PenalizedTraining) is is_penalized] for is_penalized in (False, True)]
    found = [by_stem[stem].at(row) for paths in filter(None, kinds) for stem, row in swept(job, paths, _WIDTHS, IMAGES[job.scale])]
    untrained = {file.path.stem: file for file in files if file.training is None}
    for fraction in FRACTIONS:
        rows = swept(job, [file.path for file in untrained.values()], _CUT.format(fraction) + _WIDTHS, IMAGES[job.scale])
        found += [dataclasses.replace(untrained[stem], cut=fraction).at(row) for stem, row in rows]
    found += [file.at(row, True) for file in files if file.training
              for row in searched(job, file.path, SEARCH[job.scale], IMAGES[job.scale], file.kind.seed)]
    return found


def _ending(training: Pruning) -> str:
    if isinstance(training, PenalizedTraining):
        return f"{training.metric}-{round(100 * training.part):03}"
    return f"pruned{round(100 * training.fraction):02}"

