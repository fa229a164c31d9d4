"""Figure 6: prune only, quantize only, and prune, then quantize."""

from __future__ import annotations

import math
from typing import Any, Callable, Sequence

import esnsim

from ..torch.simulator import tensors
from . import _pruned
from ._bars import Bars
from ._chart import Chart, Point, Series
from ._job import Job
from ._page import Claim, Page, Picture, Section
from ._pruned import BOTH, COSTS, PRUNE, QUANTIZE, Tried
from ._ratios import cheapest, mean_and_deviation, ratio_claim, ratios
from ._starts import starts, told


def run(job: Job) -> Page:
    """Prunes with ADMM and fine-tunes, quantizes, and puts it beside quantization alone, with and without as many epochs more."""
    begun = starts(job, _pruned.kinds_of(job))
    several = _pruned.prunings(job, begun)
    job.epochs(several, begun)
    points = _pruned.points(job, several, begun, is_searched=True)
    return Page(
        title="Figure 6: prune, quantize, or both?",
        opening="A trained network is pruned with ADMM and fine-tuned, and then quantized. Is that better than to quantize alone, or to "
                "prune alone? Nothing is trained with quantized weights.",
        was_run=[*was_run(job), _left(points), search_words(job)],
        claims=[_wins(points, cost) for cost in COSTS],
        charts=_pictures(points),
        rows=[{name: value for name, value in row.items() if name != "penalty"} for row in _pruned.rows_of(points)],
        sections=[_ratios(points), _with_and_without(points), _of_search(points), frontier(points)],
        command=job.command,
    )


def was_run(job: Job) -> list[str]:
    """Networks, schedules and quantization, in sentences."""
    plan, (images, unlabeled), kinds = _pruned.SCHEDULES[job.scale], _pruned.IMAGES[job.scale], _pruned.kinds_of(job)
    admm, seeds = _pruned.ADMM_EPOCHS[job.scale], [str(kind.seed) for kind in kinds]
    return [
        f"Network: {kinds[0].label}, trained before, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}. {told(job, kinds)}",
        f"Pruning: ADMM for the first {admm} of the epochs (ρ = {_pruned.RHO:g}, learning rate {_pruned.ADMM_RATE:g}); "
        f"{', '.join(f'{part:.0%}' for part in _pruned.FRACTIONS)} of the filters that can be pruned go, the weakest of all layers. Then "
        f"{plan.epochs - admm} epochs of fine-tuning, learning rate {_pruned.RATES[job.scale]:g} with cosine annealing. SGD with momentum "
        f"0.9, weight decay 5e-4, {plan.words}. The paper fine-tunes for 160 epochs of 50,000 images, from a learning rate of 0.1.",
        f"Equal budgets: quantize only is shown twice, of the network as it was, and trained on for the same {plan.epochs} epochs at the "
        "same learning rates without pruning. The better of both counts at each cost.",
        "Without fine-tuning: the same filters by the same order go from the network as it was, by `esnsim sweep`.",
        "Quantization: after training, all layers at one width of 1 to 8 bits on mid-rise, one step a layer by least squares; BatchNorm "
        f"statistics re-estimated on {unlabeled:,} training images. Prune only is a pruned network at {_pruned.WHOLE} bits.",
        f"Accuracy: the digital engine with activations of 8 bits, on {images:,} test images, as many of each class; bars are one standard "
        "error. Costs are compared from 0.5 on: below, networks are less than half as accurate as before.",
    ]


def search_words(job: Job) -> str:
    """How networks are searched, and on which grid."""
    trials, images = _pruned.SEARCH[job.scale], _pruned.IMAGES[job.scale][1]
    return (f"\"Searched\": every network that was trained on, quantized by `esnsim.search` with ESN_d as its cost, {trials} points on "
            f"{images:,} training images each, of which the page has those that may be the best there. They are on the mid-tread grid, on "
            "which small weights become 0 and cost nothing by ESN_d. No claim counts them.")


def _left(points: Sequence[Tried]) -> str:
    """What pruning leaves: at 1 bit on mid-rise, ESN_d is the number of MACs."""
    macs = {point.fraction: point.esn_d_macs for point in points
            if point.bits == 1 and point.further and not point.is_searched and point.seed == points[0].seed}
    words = ", ".join(f"{macs[part] / macs[0.0]:.0%} with {part:.0%} of the filters pruned" for part in sorted(macs) if part)
    return f"All layers compete by signal norm, so that many filters go where they are small and used often. Left of the MACs are {words}."


def is_quantized_alone(point: Tried) -> bool:
    """Whether it was quantized at one width and not pruned."""
    return point.way == QUANTIZE and not point.is_searched


def is_pruned(point: Tried) -> bool:
    """Whether it was pruned and quantized at one width."""
    return point.way in (PRUNE, BOTH) and not point.is_searched


def _wins(points: Sequence[Tried], cost: str) -> Claim:
    return ratio_claim(f"By {COSTS[cost]}, prune-then-quantize has the better frontier, up to 4 times cheaper at equal accuracy",
                       "quantize only", points, is_quantized_alone, is_pruned, cost, _pruned.LEVELS, _pruned.MOST)


def _pictures(points: Sequence[Tried]) -> dict[str, Picture]:
    return {**charts(points), "histogram-max-bits": _histogram(points)}


def charts(points: Sequence[Tried]) -> dict[str, Picture]:
    """Accuracy against each cost."""
    return {f"accuracy-{name}": _chart(points, cost, title) for name, cost, title in
            (("esn-d", "esn_d_macs", "ESN_d (bits, c = MACs)"), ("esn-a", "esn_a_macs", "ESN_a (c = MACs)"),
             ("esn-d-filter", "esn_d_filter", "ESN'_d (bits, c = MACs)"))}


def _chart(points: Sequence[Tried], cost: str, title: str) -> Chart:
    groups: dict[str, list[Tried]] = {}
    for point in points:
        trained = f", {point.further} epochs more" if point.way == QUANTIZE and point.further else ""
        name = f"{point.way}{trained}"
        if point.fraction and not point.further:
            name = "pruned, not fine-tuned"
        if point.is_searched:
            name = "searched, " + ("penalized" if point.penalty else "pruned" if point.fraction else "not pruned")
        groups.setdefault(name, []).append(point)
    return Chart(title, "top-1 accuracy", [
        Series(name, [Point(getattr(point, cost), point.top1, point.error) for point in group], is_joined=False)
        for name, group in groups.items()], log_x=True)


def _histogram(points: Sequence[Tried]) -> Bars:
    """Filters by their widest weight, of the best point of each way at or below the cost of quantization to 1 bit, as in the paper."""
    first = [point for point in points if point.seed == points[0].seed and not point.is_searched]
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
    return Section("How many times as much quantize only costs", [
        "At each accuracy the cheapest point of each way that reaches it: the cost of quantize only over that of prune-then-quantize, mean "
        "over seeds with its standard deviation. The last columns name the points of the first seed by ESN_d. Prune only counts as "
        "prune-then-quantize at 8 bits."], ratio_rows(points, is_quantized_alone, is_pruned, ("quantize only", "prune, then quantize")))


def ratio_rows(points: Sequence[Tried], dear: Callable[[Tried], bool], cheap: Callable[[Tried], bool],
               names: tuple[str, str]) -> list[dict[str, Any]]:
    """The least cost of the first over that of the second at each accuracy, and which points these are."""
    first = [point for point in points if point.seed == points[0].seed]
    rows: list[dict[str, Any]] = []
    for level in _pruned.LEVELS:
        row = {name: mean_and_deviation(ratios(points, dear, cheap, cost, level)) for cost, name in COSTS.items()}
        pair = (cheapest(filter(chosen, first), "esn_d_macs", level) for chosen in (dear, cheap))
        rows.append({"top-1": f"{level:g}", **row, **{name: _words(point) for name, point in zip(names, pair)}})
    return rows


def _words(point: Tried | None) -> str:
    return "none" if point is None else point.words


def _with_and_without(points: Sequence[Tried]) -> Section:
    ways = {"neither has more epochs": 0, "both have the same epochs more": 1}
    groups = {name: [point for point in points if bool(point.further) == has_more] for name, has_more in ways.items()}
    rows = [{"top-1": f"{level:g}", "budget": name,
             **{told_as: mean_and_deviation(ratios(own, is_quantized_alone, is_pruned, cost, level)) for cost, told_as in COSTS.items()}}
            for level in _pruned.LEVELS for name, own in groups.items()]
    return Section("Without fine-tuning, and with it", [
        "The cost of quantize only over that of prune-then-quantize. Without more epochs, filters go from the network as it was, and "
        "statistics are re-estimated; with them, both sides were trained on."], rows)


def _of_search(points: Sequence[Tried]) -> Section:
    def is_searched(point: Tried) -> bool:
        return point.is_searched and not point.fraction

    def is_pruned_and_searched(point: Tried) -> bool:
        return point.is_searched and point.fraction > 0

    pairs = {"quantize only, over the cheapest of all points": (is_quantized_alone, lambda _: True),
             "quantize only, over searched": (is_quantized_alone, is_searched),
             "prune, then quantize, over pruned and searched": (is_pruned, is_pruned_and_searched),
             "searched, over pruned and searched": (is_searched, is_pruned_and_searched)}
    rows = [{"top-1": f"{level:g}", "cost of": name,
             **{told_as: mean_and_deviation(ratios(points, dear, cheap, cost, level)) for cost, told_as in COSTS.items()}}
            for name, (dear, cheap) in pairs.items() for level in _pruned.LEVELS]
    return Section("Beside what a search finds on the fine-tuned networks", [
        "How far quantization alone is from the best, how far a search of ways by layer moves each side, and whether pruning still pays "
        "when both sides are searched (the last rows: above 1, pruning pays)."], rows)


def frontier(points: Sequence[Tried]) -> Section:
    """The points of the first seed that no other beats by ESN_d."""
    rows: list[dict[str, Any]] = []
    first = [point for point in points if point.seed == points[0].seed]
    for point in sorted(first, key=lambda point: (point.esn_d_macs, -point.top1)):
        if not rows or point.top1 > rows[-1]["top-1"]:
            rows.append({"ESN_d, bits": round(point.esn_d_macs), "way": point.way, "point": point.words, "top-1": point.top1,
                         "± error": point.error, "live filters": point.live_filters, "of": point.filters})
    return Section("The frontier by ESN_d", [f"Points of seed {points[0].seed} that no other beats."], rows)
