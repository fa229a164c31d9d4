"""Figure 6: prune only, quantize only, and prune, then quantize."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Sequence

import esnsim

from ..torch.simulator import tensors
from ._bars import Bars
from ._chart import Chart, Point, Series
from ._job import Job
from ._networks import Kind
from ._page import Claim, Page, Picture, Section
from ._points import Costed, Quantized, swept
from ._ratios import cheapest, mean_and_deviation, ratio_claim, ratios
from ._starts import Start, exported, starts, told
from ._training import Pruning, Schedule

FRACTIONS = (0.05, 0.1, 0.25, 0.5)
SCHEDULES = {"small": Schedule(0.5, 13, 10_000, 100, 2000, 1), "paper": Schedule(1.0, 165, 50_000, 100, 10_000, 3)}
# Epochs of ADMM among those, and its ρ.
ADMM_EPOCHS = {"small": 3, "paper": 5}
_RHO = 1e-2

QUANTIZE, PRUNE, BOTH = "quantize only", "prune only", "prune, then quantize"
# The bits that pruning alone is costed at, as the paper does.
_WHOLE = 8
_COSTS = {"esn_d_macs": "ESN_d", "esn_a_macs": "ESN_a", "esn_d_filter": "ESN'_d"}
# At these accuracies costs are compared.
_LEVELS = (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)

# "Up to 4 times", rounded.
_MOST = 3.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tried(Costed):
    """A point: what was done before quantization, and costs and accuracy after it. `further` are the epochs that it was trained on
    beyond the network that it began with."""

    way: str
    fraction: float
    further: int
    seed: int
    bits: int
    live_filters: int
    filters: int
    file: str


def run(job: Job) -> Page:
    """Prunes with ADMM and fine-tunes, quantizes, and puts it beside quantization alone, with and without as many epochs more."""
    plan = SCHEDULES[job.scale]
    kinds = [Kind("resnet20", plan.width, seed) for seed in range(job.seeds or plan.seeds)]
    begun = starts(job, kinds)
    several = [_training(job, plan, kind, begun[kind], fraction) for kind in kinds for fraction in (0.0, *FRACTIONS)]
    job.epochs(several, begun)
    points = _points(job, several, begun)
    return Page(
        title="Figure 6: prune, quantize, or both?",
        opening="A trained network is pruned with ADMM and fine-tuned, and then quantized. Is that better than to quantize alone, or to prune "
                "alone? Nothing is trained with quantized weights.",
        was_run=[*_was_run(job, plan, kinds), _left(points)],
        claims=[_wins(points, cost) for cost in _COSTS],
        charts=_pictures(job, points),
        rows=[{name: value for name, value in point.columns.items() if name != "file"} for point in points],
        sections=[_ratios(points), _frontier(points)],
        command=job.command,
    )


def _training(job: Job, plan: Schedule, kind: Kind, start: Start, fraction: float) -> Pruning:
    return Pruning(kind, plan.epochs, plan.images, plan.batch, 0.1, "cosine", 5e-4, plan.validation, seed=kind.seed, start=start.digest,
                   data=job.digest, fraction=fraction, admm_epochs=ADMM_EPOCHS[job.scale], rho=_RHO)


def _points(job: Job, several: Sequence[Pruning], begun: dict[Kind, Start]) -> list[Tried]:
    """Every network at 1 to 8 bits: as it was, trained on, and pruned."""
    trainer = job.trainer(several)
    files = {f"{kind}-start": (exported(job, kind, start.digest, start.network, "-start"), kind, 0.0, 0) for kind, start in begun.items()}
    for training in several:
        ending = f"-pruned{round(100 * training.fraction):02}"
        network = functools.partial(trainer.network, training, begun[training.network].network)
        path = exported(job, training.network, training.run, network, ending)
        files[path.stem] = (path, training.network, training.fraction, training.epochs)
    rows = swept(job, [path for path, *_ in files.values()], 'reestimate = [true]\nquantize = [{ bits = "1..8", step = "mse" }]\n')
    found = []
    for stem, row in rows:
        path, kind, fraction, further = files[stem]
        bits = int(row.configuration.split()[0])
        way = QUANTIZE if not fraction else PRUNE if bits == _WHOLE else BOTH
        found.append(Tried(way=way, fraction=fraction, further=further, seed=kind.seed, bits=bits, live_filters=row.live_filters,
                           filters=row.filters, file=str(path), **Costed.of(row)))
    return sorted(found, key=lambda point: (point.seed, point.fraction, point.further, point.bits))


def _was_run(job: Job, plan: Schedule, kinds: Sequence[Kind]) -> list[str]:
    images, unlabeled = Quantized.images_of(job)
    admm, seeds = ADMM_EPOCHS[job.scale], [str(kind.seed) for kind in kinds]
    return [
        f"Network: {kinds[0].label}, trained before, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}. {told(job, kinds)}",
        f"Pruning: ADMM for the first {admm} of the epochs (ρ = {_RHO:g}, learning rate 0.01); "
        f"{', '.join(f'{part:.0%}' for part in FRACTIONS)} of the filters that can be pruned go, the weakest of all layers. Then {plan.epochs - admm} epochs of fine-tuning, learning rate 0.1 with cosine "
        f"annealing. SGD with momentum 0.9, weight decay 5e-4, {plan.words}. The paper fine-tunes for 160 epochs of 50,000 images.",
        f"Equal budgets: quantize only is shown twice, of the network as it was, and trained on for the same {plan.epochs} epochs at the same "
        "learning rates without pruning. The better of both counts at each cost.",
        "Quantization: after training, all layers at one width of 1 to 8 bits on mid-rise, one step a layer by least squares; BatchNorm "
        f"statistics re-estimated on {unlabeled:,} training images. Prune only is a pruned network at {_WHOLE} bits.",
        f"Accuracy: the digital engine with activations of 8 bits, on {images:,} test images, as many of each class; bars are one standard "
        "error.",
    ]


def _left(points: Sequence[Tried]) -> str:
    """What pruning leaves: at 1 bit, ESN_d is the number of MACs."""
    macs = {point.fraction: point.esn_d_macs for point in points if point.bits == 1 and point.seed == points[0].seed}
    words = ", ".join(f"{macs[fraction] / macs[0.0]:.0%} with {fraction:.0%} of the filters pruned" for fraction in sorted(macs) if fraction)
    return f"All layers compete by signal norm, so that many filters go where they are small and used often. Left of the MACs are {words}."


def _is_fat(point: Tried) -> bool:
    return point.way == QUANTIZE


def _is_slim(point: Tried) -> bool:
    return point.way != QUANTIZE


def _wins(points: Sequence[Tried], cost: str) -> Claim:
    return ratio_claim(f"By {_COSTS[cost]}, prune-then-quantize has the better frontier, up to 4 times cheaper at equal accuracy",
                       "quantize only", points, _is_fat, _is_slim, cost, _LEVELS, _MOST)


def _pictures(job: Job, points: Sequence[Tried]) -> dict[str, Picture]:
    pictures: dict[str, Picture] = {
        f"accuracy-{name}": _chart(points, cost, title) for name, cost, title in
        (("esn-d", "esn_d_macs", "ESN_d (bits, c = MACs)"), ("esn-a", "esn_a_macs", "ESN_a (c = MACs)"),
         ("esn-d-filter", "esn_d_filter", "ESN'_d (bits, c = MACs)"))}
    return {**pictures, "histogram-max-bits": _histogram(points)}


def _chart(points: Sequence[Tried], cost: str, title: str) -> Chart:
    groups: dict[str, list[Tried]] = {}
    for point in points:
        trained = f", {point.further} epochs more" if point.way == QUANTIZE and point.further else ""
        groups.setdefault(f"{point.way}{trained}", []).append(point)
    return Chart(title, "top-1 accuracy", [
        Series(name, [Point(getattr(point, cost), point.top1, point.error) for point in group], is_joined=False)
        for name, group in groups.items()], log_x=True)


def _histogram(points: Sequence[Tried]) -> Bars:
    """Filters by their widest weight, of the best point of each way at or below the cost of quantization to 1 bit, as in the paper."""
    first = [point for point in points if point.seed == points[0].seed]
    bound = 1.05 * max(point.esn_d_macs for point in first if point.way == QUANTIZE and point.bits == 1)
    groups = {}
    for way in (PRUNE, QUANTIZE, BOTH):
        below = [point for point in first if point.way == way and point.esn_d_macs <= bound]
        if below:
            groups[way] = _max_bits(max(below, key=lambda point: point.top1))
    return Bars(f"largest bits of a filter, ESN_d up to {bound / 1e6:.1f} M bits", "filters", groups)


def _max_bits(point: Tried) -> dict[int, int]:
    """How many filters of a point need how many bits; 0 is a pruned one."""
    network = esnsim.read(point.file)
    names = network.inspect().layers["layer"]
    codes = tensors(network.compress(bits=point.bits, clip="mse").network)
    counts: dict[int, int] = {}
    for name in names[:-1]:
        largest = codes[f"{name}.weight"].flatten(1).abs().amax(dim=1).tolist()
        for code in largest:
            # Equation (3) on the mid-rise grid, whose codes are odd: 1 has one bit, 3 two.
            bits = math.ceil(math.log2(code)) if code > 1 else code
            counts[bits] = counts.get(bits, 0) + 1
    return counts


def _ratios(points: Sequence[Tried]) -> Section:
    first = [point for point in points if point.seed == points[0].seed]
    rows: list[dict[str, Any]] = []
    for level in _LEVELS:
        row = {name: mean_and_deviation(ratios(points, _is_fat, _is_slim, cost, level)) for cost, name in _COSTS.items()}
        named = {"quantize only": _words(cheapest(filter(_is_fat, first), "esn_d_macs", level)),
                 "prune, then quantize": _words(cheapest(filter(_is_slim, first), "esn_d_macs", level))}
        rows.append({"top-1": f"{level:g}", **row, **named})
    return Section("How many times as much quantize only costs", [
        "At each accuracy the cheapest point of each way that reaches it: the cost of quantize only over that of prune-then-quantize, mean "
        "over seeds with its standard deviation. The last columns name the points of the first seed by ESN_d. Prune only counts as "
        "prune-then-quantize at 8 bits."], rows)


def _words(point: Tried | None) -> str:
    if point is None:
        return "none"
    pruned = f"{point.fraction:.0%} pruned, " if point.fraction else ""
    return f"{pruned}{point.bits} bit{'s' if point.bits > 1 else ''}{', trained on' if point.further and not point.fraction else ''}"


def _frontier(points: Sequence[Tried]) -> Section:
    rows: list[dict[str, Any]] = []
    first = [point for point in points if point.seed == points[0].seed]
    for point in sorted(first, key=lambda point: (point.esn_d_macs, -point.top1)):
        if not rows or point.top1 > rows[-1]["top-1"]:
            rows.append({"ESN_d, bits": round(point.esn_d_macs), "way": point.way, "point": _words(point), "top-1": point.top1,
                         "± error": point.error, "live filters": point.live_filters, "of": point.filters})
    return Section("The frontier by ESN_d", [f"Points of seed {points[0].seed} that no other beats."], rows)
