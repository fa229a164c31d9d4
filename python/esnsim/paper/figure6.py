"""Figure 6: prune only, quantize only, and prune, then quantize."""

from __future__ import annotations

import math
from typing import Sequence

import esnsim

from ..torch.simulator import tensors
from . import _pruned
from ._bars import Bars
from ._job import Job
from ._page import Claim, Page, Picture, Section
from ._pruned import BOTH, COSTS, PRUNE, QUANTIZE, Tried, is_pruned, is_pruned_and_searched, is_quantized_alone
from ._pruned_page import charts, frontier, ratio_rows, search_words, was_run
from ._ratios import ratio_cell, ratio_cell_between, ratio_claim
from ._rows import rows_of


# Columns that rows of this figure do not have, with their value.
_WITHOUT = {"penalty": ""}


def run(job: Job) -> Page:
    """Prunes with ADMM and fine-tunes, quantizes, and puts it beside quantization alone, with and without as many epochs more."""
    points = _pruned.tried(job, _pruned.prunings, _WITHOUT)
    return Page(
        title="Figure 6: prune, quantize, or both?",
        opening="A trained network is pruned with ADMM and fine-tuned, and then quantized. Is that better than to quantize alone, or to "
                "prune alone? Nothing is trained with quantized weights.",
        was_run=[*was_run(job), _of_four(), _left(points), search_words(job), *_of_histogram(points)],
        claims=[_wins(points, cost) for cost in COSTS],
        charts=_pictures(points),
        rows=rows_of(points, _WITHOUT),
        sections=[_ratios(points), _between(points), _with_and_without(points), _of_search(points), frontier(points)],
        command=job.command,
    )


def _left(points: Sequence[Tried]) -> str:
    """What pruning leaves: at 1 bit on mid-rise, ESN_d is the number of MACs."""
    macs = {point.fraction: point.esn_d_macs for point in points
            if point.bits == 1 and point.further and not point.is_searched and point.seed == points[0].seed}
    words = ", ".join(f"{macs[part] / macs[0.0]:.0%} with {part:.0%} of the filters pruned" for part in sorted(macs) if part)
    return ("All layers compete by signal norm, so that many filters go where they are small and used often. Left of the MACs of seed "
            f"{points[0].seed} are {words}.")


def _wins(points: Sequence[Tried], cost: str) -> Claim:
    return ratio_claim(f"By {COSTS[cost]}, prune-then-quantize has the better frontier, up to 4 times cheaper at equal accuracy",
                       "quantize only", points, is_quantized_alone, is_pruned, cost, _pruned.LEVELS, _pruned.MOST)


def _pictures(points: Sequence[Tried]) -> dict[str, Picture]:
    return {**charts(points), **({"histogram-max-bits": _histogram(points)} if _here(points) else {})}


def _here(points: Sequence[Tried]) -> list[Tried]:
    """Points of the first seed whose networks are here: rows have none."""
    seeds = [point.seed for point in points if point.file]
    return [point for point in points if point.seed == seeds[0]] if seeds else []


def _histogram(points: Sequence[Tried]) -> Bars:
    """Filters by their widest weight, of the best points at the cost of quantization to 1 bit, as in the paper."""
    bound, best = _best_of_each(points)
    return Bars(f"largest bits of a filter, ESN_d up to {bound / 1e6:.1f} M bits", "filters",
                {way: _max_bits(point) for way, point in best.items()})


def _best_of_each(points: Sequence[Tried]) -> tuple[float, dict[str, Tried]]:
    """A little more than quantization to 1 bit costs, and the most accurate point of each way that costs no more."""
    first = [point for point in _here(points) if not point.is_searched]
    bound = 1.05 * max(point.esn_d_macs for point in first if point.way == QUANTIZE and point.bits == 1)
    best: dict[str, Tried] = {}
    for point in sorted(first, key=lambda point: point.top1):
        if point.esn_d_macs <= bound:
            best[point.way] = point
    return bound, {way: best[way] for way in (PRUNE, QUANTIZE, BOTH) if way in best}


def _of_histogram(points: Sequence[Tried]) -> list[str]:
    here = _here(points)
    if not here:
        return ["There is no histogram of the bits of filters: rows have no networks that it could be of."]
    bound, best = _best_of_each(points)
    told = ", ".join(f"{way}: {point.words}, top-1 {point.top1:.4f}" for way, point in best.items())
    return [f"The last picture has, of seed {here[0].seed}, the most accurate network of each way whose ESN_d is no more than "
            f"{bound / 1e6:.1f} M bits, 5 % above quantization to 1 bit ({told}), and all its filters but those of the last layer."]


def _of_four() -> str:
    return (f"\"Up to 4 times\" holds where one ratio is {_pruned.MOST:g} or more, which is 4 when rounded. Quantization "
            "alone has no width between two of its own: where accuracies lie between them, a ratio says as much of that gap as of pruning.")


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
        "At each accuracy the cheapest point of each way that reaches it: the cost of quantize only over that of prune-then-quantize, of "
        "several seeds the mean with its standard deviation. The last columns name the points of the first seed by ESN_d, and their "
        "top-1."], ratio_rows(points, is_quantized_alone, is_pruned, ("quantize only", "prune, then quantize")))


def _between(points: Sequence[Tried]) -> Section:
    rows = [{"top-1": f"{level:g}", **{told_as: ratio_cell_between(points, is_quantized_alone, is_pruned, cost, level)
                                       for cost, told_as in COSTS.items()}} for level in _pruned.LEVELS]
    return Section("The same, between the points", [
        "As above, but a way costs at each accuracy what a straight line between its two neighbouring points does, in accuracy and the "
        "logarithm of cost, as if there were networks between them. This takes the gaps between widths out of the ratio. A dash stands "
        "where the cheapest point of a way has a higher accuracy, or none reaches it."], rows)


def _with_and_without(points: Sequence[Tried]) -> Section:
    ways = {"neither has more epochs": 0, "both have the same epochs more": 1}
    groups = {name: [point for point in points if bool(point.further) == has_more] for name, has_more in ways.items()}
    rows = [{"top-1": f"{level:g}", "budget": name,
             **{told_as: ratio_cell(own, is_quantized_alone, is_pruned, cost, level) for cost, told_as in COSTS.items()}}
            for level in _pruned.LEVELS for name, own in groups.items()]
    return Section("Without fine-tuning, and with it", [
        "The cost of quantize only over that of prune-then-quantize. Without more epochs, filters go from the network as it was, and "
        "statistics are re-estimated; with them, both sides were trained on."], rows)


def _of_search(points: Sequence[Tried]) -> Section:
    def is_searched_alone(point: Tried) -> bool:
        return point.is_searched and not point.fraction

    pairs = {"quantize only, over the cheapest of all points": (is_quantized_alone, lambda _: True),
             "quantize only, over searched": (is_quantized_alone, is_searched_alone),
             "prune, then quantize, over pruned and searched": (is_pruned, is_pruned_and_searched),
             "searched, over pruned and searched": (is_searched_alone, is_pruned_and_searched)}
    rows = [{"top-1": f"{level:g}", "cost of": name,
             **{told_as: ratio_cell(points, dear, cheap, cost, level) for cost, told_as in COSTS.items()}}
            for name, (dear, cheap) in pairs.items() for level in _pruned.LEVELS]
    return Section("Beside what a search finds on the fine-tuned networks", [
        "How far quantization alone is from the best, how far a search of ways by layer moves each side, and whether pruning still pays "
        "when both sides are searched (the last rows: above 1, pruning pays)."], rows)
