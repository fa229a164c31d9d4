"""The question behind figures 4 and 6, asked fairly: slim or fat, mild or radical, after training and with training.

The paper quantizes after training. Whoever builds hardware trains with quantized weights. Here a fat network, a slim one and a
pruned one are quantized in both ways, each with the same epochs more.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import statistics
from typing import Any, Callable, Sequence, TypeVar

import torch

from ._chart import Chart, Point, Series
from ._job import Job
from ._networks import Kind
from ._page import Claim, Page, Section
from ._points import Costed, Rowed, swept, width
from ._pruned import ADMM_RATE, RHO
from ._ratios import cheapest, mean_and_deviation, ratio_cell, ratio_cell_between, ratio_claim
from ._rows import earlier, protocol, rows_of
from ._search import searched
from ._starts import Start, as_networks, exported, starts, told
from ._training import Pruning, QuantizedTraining, Schedule, Trainer, Training

#: The width is that of the fat network; the slim one has half of it. Epochs are those of each phase behind the first weights.
SCHEDULES = {"small": Schedule(1.0, 3, 50_000, 100, 2000, 1), "paper": Schedule(1.0, 40, 50_000, 100, 10_000, 3)}
ADMM_EPOCHS = {"small": 1, "paper": 5}
#: Test images that tell the accuracy, and training images that BatchNorm statistics are re-estimated on.
IMAGES = {"small": (10_000, 1000), "paper": (10_000, 5000)}
#: Epochs and images of an epoch of networks that are trained longer with quantized weights, beyond the equal budgets.
LONGER = {"small": (10, 50_000), "paper": (160, 50_000)}
#: Points that a search of widths by layer tries, and training images that it sees.
SEARCH = {"small": (80, 1000), "paper": (400, 5000)}
# The learning rates of the two phases, and of longer training. ADMM, within the first phase, is that of figure 6.
_FIRST_RATE, _SECOND_RATE, _LONGER_RATE = 0.03, 0.01, 0.02
# A quarter of the filters, all layers competing, are nearly two thirds of the MACs; the slim network has a quarter of them left.
_FRACTION = 0.25

FAT, SLIM, PRUNED = "fat", "slim", "pruned"
RADICAL, MILD = (1, 2), (3, 4)
_BITS = (*RADICAL, *MILD)
# What is trained longer: where more training may pay most.
_LONGER = ((FAT, 2), (SLIM, 3))
_COSTS = {"esn_a_macs": "ESN_a", "esn_d_macs": "ESN_d", "esn_d_filter": "ESN'_d"}
_LEVELS = (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)

AnyTraining = TypeVar("AnyTraining", bound=Training)
# What all points of a seed share: `seed` and `protocol`.
Known = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tried(Rowed):
    """A point. `is_trained` says whether it was trained with quantized weights, `further` the epochs beyond the network that it began
    with: 0 of one that is quantized as it was. `bits` are 0 where a search gave each layer a way of its own."""

    network: str
    is_trained: bool
    bits: int
    further: int
    is_longer: bool

    @property
    def is_of_equal_budget(self) -> bool:
        """Whether it had the epochs that all points of the claims have."""
        return self.further > 0 and not self.is_longer


def run(job: Job) -> Page:
    """Trains the three networks on, with real and with quantized weights, and compares each half of the paper's sentence."""
    plan = SCHEDULES[job.scale]
    seeds = job.seed_range(plan.seeds)
    several = [_Trainings.of(job, plan, seed) for seed in seeds]
    known = earlier(job.rows, Tried, {trainings.seed: trainings.protocol(job) for trainings in several})
    points: list[Tried] = []
    for trainings in several:
        points += [point for point in known if point.seed == trainings.seed] or _of_seed(job, trainings)
    claims = [claim for is_trained in (False, True) for cost in _COSTS for claim in _halves(points, is_trained, cost)]
    kinds = [kind for seed in seeds for kind in _kinds(plan, seed)]
    return Page(
        title="Slim or fat, mild or radical: after training and with training",
        opening="The paper quantizes after training, so that extreme quantization is judged without ever being trained. Here a fat, a slim "
                "and a pruned network are quantized after training, to 1 to 8 bits, and trained with 1 to 4 bits. The paper's sentence has "
                "two halves, and each is judged alone: is slim better than fat, and is mild (3 and 4 bits) better than radical (1 and 2 "
                "bits), at equal accuracy?",
        was_run=[*_was_run(job, plan, kinds), _macs(points), _budget_costs(points)],
        claims=claims,
        charts={f"accuracy-{name}": _chart(points, cost, title) for name, cost, title in
                (("esn-d", "esn_d_macs", "ESN_d (bits, c = MACs)"), ("esn-a", "esn_a_macs", "ESN_a (c = MACs)"),
                 ("esn-d-filter", "esn_d_filter", "ESN'_d (bits, c = MACs)"))},
        rows=rows_of(points),
        sections=[_best(points), _least(points), _search_moves(points), _pruned_or_slim(points), _between(points)],
        command=job.command,
        asked="asked",
    )


def _kinds(plan: Schedule, seed: int) -> tuple[Kind, Kind]:
    """The fat network and the slim one."""
    return Kind("resnet20", plan.width, seed), Kind("resnet20", plan.width / 2, seed)


@dataclasses.dataclass(frozen=True)
class _Trainings:
    """All that is trained of a seed, by network and bits: 0 bits are real weights."""

    seed: int
    fat: Kind
    slim: Kind
    begun: dict[Kind, Start]
    first: dict[str, Training]
    second: dict[tuple[str, int], Training]
    longer: dict[tuple[str, int], QuantizedTraining]

    @staticmethod
    def of(job: Job, plan: Schedule, seed: int) -> _Trainings:
        fat, slim = _kinds(plan, seed)
        begun = starts(job, [fat, slim])

        def training(of: type[AnyTraining], kind: Kind, start: str, rate: float, **more: Any) -> AnyTraining:
            return of(kind, plan.epochs, plan.images, plan.batch, rate, "cosine", 5e-4, plan.validation, seed=seed, start=start,
                      data=job.digest, **more)

        # All have one more phase before they are quantized, and one more in which they are trained with quantized weights or with real
        # ones.
        first: dict[str, Training] = {
            FAT: training(Training, fat, begun[fat].digest, _FIRST_RATE), SLIM: training(Training, slim, begun[slim].digest, _FIRST_RATE),
            PRUNED: training(Pruning, fat, begun[fat].digest, _FIRST_RATE, fraction=_FRACTION, admm_epochs=ADMM_EPOCHS[job.scale],
                             admm_rate=ADMM_RATE, rho=RHO)}
        second: dict[tuple[str, int], Training] = {}
        for name, before in first.items():
            second[name, 0] = training(Training, before.network, before.run, _SECOND_RATE)
            for bits in _BITS:
                second[name, bits] = training(QuantizedTraining, before.network, before.run, _SECOND_RATE, bits=bits)
        return _Trainings(seed, fat, slim, begun, first, second, _longer(job, plan, {FAT: fat, SLIM: slim}, begun))

    @property
    def all(self) -> list[Training]:
        """Every training, in the order of running."""
        return [*self.first.values(), *self.second.values(), *self.longer.values()]

    def protocol(self, job: Job) -> str:
        """How the seed is run."""
        return protocol(job, [start.digest for start in self.begun.values()], [training.run for training in self.all], _AFTER, _AS_TRAINED,
                        IMAGES[job.scale], SEARCH[job.scale])


def _of_seed(job: Job, of: _Trainings) -> list[Tried]:
    trainer = job.trainer(of.all)
    networks = {name: functools.partial(trainer.network, before, of.begun[before.network].network) for name, before in of.first.items()}
    for (name, _), after in of.second.items():
        trainer.epochs(after, networks[name])
    for after in of.longer.values():
        trainer.epochs(after, of.begun[after.network].network)
    job.progress.end()
    known = {"seed": of.seed, "protocol": of.protocol(job)}
    points = _points(job, known, of.second,
                     {key: functools.partial(trainer.network, after, networks[key[0]]) for key, after in of.second.items()})
    return [*_as_they_were(job, known, {FAT: of.fat, SLIM: of.slim}), *_searched(job, known, of.fat), *points,
            *_longer_points(job, known, of.longer, trainer, of.begun)]


def _longer(job: Job, plan: Schedule, kinds: dict[str, Kind], begun: dict[Kind, Start]) -> dict[tuple[str, int], QuantizedTraining]:
    """Trainings beyond the equal budgets, from the networks that all began with."""
    epochs, images = LONGER[job.scale]
    return {(name, bits): QuantizedTraining(
        kinds[name], epochs, images, plan.batch, _LONGER_RATE, "cosine", 5e-4, plan.validation, seed=kinds[name].seed,
        start=begun[kinds[name]].digest, data=job.digest, bits=bits) for name, bits in _LONGER}


def _longer_points(job: Job, known: Known, longer: dict[tuple[str, int], QuantizedTraining], trainer: Trainer,
                   begun: dict[Kind, Start]) -> list[Tried]:
    files = {(name, bits): exported(
        job, training.network, training.run, functools.partial(trainer.network, training, begun[training.network].network),
        f"-{name}{bits}-longer") for (name, bits), training in longer.items()}
    by_stem = {path.stem: key for key, path in files.items()}
    rows = swept(job, files.values(), _AS_TRAINED, IMAGES[job.scale])
    return [Tried(network=by_stem[stem][0], is_trained=True, bits=by_stem[stem][1], further=longer[by_stem[stem]].epochs,
                  is_longer=True, is_searched=False, **known, **Costed.of(row)) for stem, row in rows]


def _as_they_were(job: Job, known: Known, kinds: dict[str, Kind]) -> list[Tried]:
    """The networks that all began with, quantized without more training."""
    files = as_networks(job, kinds.values())
    names = {files[kind].stem: name for name, kind in kinds.items()}
    points = [Tried(network=names[stem], is_trained=False, bits=width(row), further=0, is_longer=False, is_searched=False, **known,
                    **Costed.of(row))
              for stem, row in swept(job, files.values(), _AFTER, IMAGES[job.scale])]
    return sorted(points, key=lambda point: (point.network, point.bits))


def _searched(job: Job, known: Known, kind: Kind) -> list[Tried]:
    """The network that all began with, quantized without more training, each layer in a way of its own that a search found."""
    trials, count = SEARCH[job.scale]
    rows = searched(job, as_networks(job, [kind])[kind], trials, (IMAGES[job.scale][0], count), kind.seed)
    points = [Tried(network=FAT, is_trained=False, bits=width(row), further=0, is_longer=False, is_searched=True, **known, **Costed.of(row))
              for row in rows]
    return sorted(points, key=lambda point: point.esn_d_macs)


def _points(job: Job, known: Known, second: dict[tuple[str, int], Training],
            networks: dict[tuple[str, int], Callable[[], torch.nn.Module]]) -> list[Tried]:
    """Real weights quantized after training, and integers of training as they are."""
    files = {(name, bits): exported(job, training.network, training.run, networks[name, bits], f"-{name}{bits}")
             for (name, bits), training in second.items()}
    by_stem = {path.stem: key for key, path in files.items()}
    after = swept(job, [path for (_, bits), path in files.items() if not bits], _AFTER, IMAGES[job.scale])
    trained = swept(job, [path for (_, bits), path in files.items() if bits], _AS_TRAINED, IMAGES[job.scale])
    found = []
    for stem, row in [*after, *trained]:
        name, bits = by_stem[stem]
        further = 2 * second[name, bits].epochs
        found.append(Tried(network=name, is_trained=bits > 0, bits=bits or width(row), further=further, is_longer=False, is_searched=False,
                           **known, **Costed.of(row)))
    return sorted(found, key=lambda point: (point.network, point.is_trained, point.bits))


_AFTER = """reestimate = [true]
quantize = [{ bits = "1..8", step = "mse" }]
"""
_AS_TRAINED = """reestimate = [true]
prune = [{}]
"""


def _was_run(job: Job, plan: Schedule, kinds: Sequence[Kind]) -> list[str]:
    images, unlabeled = IMAGES[job.scale]
    return [
        f"Networks: {', '.join(str(kind) for kind in kinds)}, trained before. Fat is the wide one, slim the one of half its width, and pruned "
        f"is the fat one without {_FRACTION:.0%} of its filters. {told(job, kinds)}",
        f"Training: two phases behind the networks above, each of {plan.words}. SGD with momentum 0.9, weight decay 5e-4, cosine annealing.",
        f"First phase, with real weights: learning rate {_FIRST_RATE}. Of the pruned network the first {ADMM_EPOCHS[job.scale]} of its "
        f"{plan.epochs} epochs are ADMM (ρ = {RHO:g}) at {ADMM_RATE:g}; then filters go.",
        f"Second phase, learning rate {_SECOND_RATE}: for quantization after training, real weights; for quantization with training, "
        "weights on the grid (straight-through gradient, every layer at one width, steps by least squares).",
        f"Equal budgets: every point that the claims compare has {2 * plan.epochs} epochs beyond the network that it began with, "
        f"{2 * plan.epochs * plan.images:,} images. Unequal remains that an epoch of a slim network costs less, and that fat and slim "
        "networks have other first weights. \"As it was\" are the networks that all began with, quantized without more training.",
        "Beyond equal budgets: \"trained longer\" are those networks trained on with quantized weights, "
        f"{LONGER[job.scale][0]} epochs of {LONGER[job.scale][1]:,} images, learning rate {_LONGER_RATE} with cosine annealing. No claim "
        "counts them.",
        f"\"Searched\" is the fat network as it was, quantized by `esnsim.search` with ESN_d as its cost: {SEARCH[job.scale][0]} points on "
        f"{SEARCH[job.scale][1]:,} training images, of which the page has those that may be the best there. Most have a way to quantize for "
        "each layer (0 bits in the rows), some one width for all. They are on the mid-tread grid, on which small weights become 0 and cost "
        "nothing by ESN_d. All other points are on mid-rise, as in the paper.",
        "How costs are compared: an accuracy is reached by every point that has it or more, and the cheapest of them counts, whatever its "
        "error. Where points lie far apart, several accuracies have one pair of points. Fat and slim are compared at all widths, mild and "
        "radical over all three networks together: where the mild point is slim and the radical one fat, both halves are about one pair.",
        f"BatchNorm statistics are re-estimated on {unlabeled:,} training images. Accuracy: the digital engine with activations of 8 bits, "
        f"on {images:,} test images, as many of each class; bars are one standard error. Lines in the pictures join the widths of one "
        "network, and steps are what the search reaches at a cost or less.",
    ]


def _budget_costs(points: Sequence[Tried]) -> str:
    """What the epochs of the equal budgets made of the networks, at the largest width."""
    def top1(network: str, is_further: bool) -> str:
        own = [point for point in points if point.network == network and not point.is_trained and not point.is_searched]
        found = [point.top1 for point in own if (point.further > 0) is is_further and point.bits == max(point.bits for point in own)]
        return f"{statistics.fmean(found):.4f}"

    changes = ", ".join(f"{network} {top1(network, False)} and {top1(network, True)}" for network in (FAT, SLIM))
    pruned = f"{PRUNED}, from the fat one, {top1(PRUNED, True)}"
    return (f"What these epochs made of the networks: top-1 at the largest width, as it was and trained on: {changes}; {pruned}. "
            "[figure6.md](figure6.md) prunes other parts of the filters, too, and fine-tunes longer.")


def _macs(points: Sequence[Tried]) -> str:
    """What the networks have to multiply: at 1 bit on mid-rise, ESN_d is the number of MACs."""
    macs = {point.network: point.esn_d_macs for point in points if point.bits == 1 and not point.is_searched}
    told = ", ".join(f"{network} {macs[network] / 1e6:.1f} M" for network in (FAT, SLIM, PRUNED) if network in macs)
    return f"MACs of the networks, for one image: {told}."


def _when(is_trained: bool) -> str:
    return "with training" if is_trained else "after training"


def _words(point: Tried) -> str:
    if point.is_longer:
        return f"{point.network}, trained longer"
    if point.is_searched:
        return f"{point.network}, searched"
    return f"{point.network}, {_when(point.is_trained) if point.further else 'as it was'}"


def _told(point: Tried) -> str:
    width = f", {point.bits} bit{'s' if point.bits > 1 else ''}" if point.bits else ""
    return _words(point) + width


def _halves(points: Sequence[Tried], is_trained: bool, cost: str) -> list[Claim]:
    own = [point for point in points if point.is_trained is is_trained and point.is_of_equal_budget]
    begin = f"Quantized {_when(is_trained)}, by {_COSTS[cost]}:"
    return [
        ratio_claim(f"{begin} slim is better than fat", "fat", own, _is_fat, _is_slim, cost, _LEVELS),
        ratio_claim(f"{begin} mild is better than radical", "radical", own, _is_radical, _is_mild, cost, _LEVELS),
    ]


def _is_fat(point: Tried) -> bool:
    return point.network == FAT


def _is_quantized_only(point: Tried) -> bool:
    return point.network == FAT and not point.is_trained and not point.is_searched


def _is_slim(point: Tried) -> bool:
    return point.network == SLIM


def _is_pruned(point: Tried) -> bool:
    return point.network == PRUNED


def _is_radical(point: Tried) -> bool:
    return point.bits in RADICAL


def _is_mild(point: Tried) -> bool:
    return point.bits in MILD


def _chart(points: Sequence[Tried], cost: str, title: str) -> Chart:
    groups: dict[str, list[Tried]] = {}
    for point in points:
        # There is one point of each network that was trained longer: together they are no curve.
        groups.setdefault("trained longer" if point.is_longer else _words(point), []).append(point)
    is_one_seed = len({point.seed for point in points}) == 1
    return Chart(title, "top-1 accuracy", [
        Series(words, [Point(getattr(point, cost), point.top1, point.error) for point in group],
               is_joined=is_one_seed and not (group[0].is_longer or group[0].is_searched), has_frontier=group[0].is_searched)
        for words, group in groups.items()], log_x=True)


def _pruned_or_slim(points: Sequence[Tried]) -> Section:
    rows: list[dict[str, Any]] = []
    for is_trained in (False, True):
        own = [point for point in points if point.is_trained is is_trained and point.is_of_equal_budget]
        rows += [{"quantized": _when(is_trained), "top-1": f"{level:g}",
                  **{name: ratio_cell(own, _is_pruned, _is_slim, cost, level) for cost, name in _COSTS.items()}}
                 for level in _LEVELS]
    return Section("Does a slim network beat a pruned fat one?", [
        "The least cost of the pruned network over that of the slim one at each accuracy: above 1 the slim network is cheaper. A dash stands "
        "where one of them does not reach the accuracy."], rows)


def _between(points: Sequence[Tried]) -> Section:
    pairs = {"fat over slim": _is_fat, "pruned over slim": _is_pruned}
    rows: list[dict[str, Any]] = []
    for is_trained, (words, dear) in itertools.product((False, True), pairs.items()):
        own = [point for point in points if point.is_trained is is_trained and point.is_of_equal_budget]
        for level in _LEVELS:
            cells = {name: ratio_cell_between(own, dear, _is_slim, cost, level) for cost, name in _COSTS.items()}
            if any(cell != mean_and_deviation([]) for cell in cells.values()):
                rows.append({"quantized": _when(is_trained), "top-1": f"{level:g}", "cost of": words, **cells})
    return Section("The same, between the points", [
        "What a network costs at each accuracy where a straight line between two of its widths says so, in accuracy and the logarithm of "
        "cost, as if there were widths between them. This takes the gaps between widths out of the ratio. An accuracy is left out, "
        "or has a dash, where the cheapest point of one is more accurate, or none reaches it."], rows)


def _best(points: Sequence[Tried]) -> Section:
    """What a fat network that is quantized after training costs, over the cheapest point of all."""
    rows = [{"top-1": f"{level:g}", **{name: ratio_cell(points, _is_quantized_only, lambda _: True, cost, level)
                                       for cost, name in _COSTS.items()}} for level in _LEVELS]
    return Section("How far is quantization after training from the best?", [
        "The least cost of the fat network quantized after training, as it was or trained on, over that of the cheapest of all points."],
        rows)


def _search_moves(points: Sequence[Tried]) -> Section:
    ways = {"one width on mid-tread": lambda point: point.is_searched and point.bits > 0,
            "a way for each layer": lambda point: point.is_searched and point.bits == 0}
    rows = [{"top-1": f"{level:g}", "over": words, **{name: ratio_cell(points, _is_quantized_only, way, cost, level)
                                                      for cost, name in _COSTS.items()}} for level in _LEVELS for words, way in ways.items()]
    return Section("How far do the grid and a search move quantization after training?", [
        "The least cost of the fat network with one width on mid-rise, as it was or trained on, over that of points of the search: with one "
        "width for all layers on mid-tread, of which few were judged, and with a way for each layer."], rows)


def _least(points: Sequence[Tried]) -> Section:
    first = [point for point in points if point.seed == points[0].seed]
    rows: list[dict[str, Any]] = []
    for level in _LEVELS:
        row: dict[str, Any] = {"top-1": f"{level:g}"}
        for cost, name in _COSTS.items():
            point = cheapest(first, cost, level)
            row[name] = "none" if point is None else _told(point)
        rows.append(row)
    return Section("The cheapest of all", [f"Of seed {points[0].seed}, the point that reaches an accuracy at the least cost."], rows)
