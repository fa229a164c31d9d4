"""The paper's outlook: the metric as a penalty of training, beside pruning and fine-tuning on the same budget."""

from __future__ import annotations

from typing import Sequence

from . import _pruned
from ._job import Job
from ._page import Claim, Page, Section
from ._pruned import COSTS, PENALIZE, QUANTIZE, Tried, is_pruned, is_pruned_and_searched, is_quantized_alone
from ._pruned_page import charts, frontier, ratio_rows, search_words, was_run
from ._ratios import ratio_cell, ratio_claim
from ._rows import rows_of


def run(job: Job) -> Page:
    """Trains on with a penalty, quantizes, and puts it beside the networks of figure 6."""
    points = _pruned.tried(job, lambda job, begun: [*_pruned.prunings(job, begun), *_pruned.penalties(job, begun)])
    return Page(
        title="The paper's outlook: ESN as a penalty of training",
        opening="The paper hopes that its metric may regularize training. Here a trained network is trained on with ESN_d or ESN_a as a "
                "part of the loss, and then quantized. Is that better than the paper's own way, to prune, fine-tune and quantize, on the "
                "same budget?",
        was_run=[*was_run(job), _penalty_words(), search_words(job)],
        claims=[_wins(points, cost) for cost in COSTS],
        charts=charts(points),
        rows=rows_of(points),
        sections=[_over_pruned(points), _of_search(points), _over_quantized(points), _by_penalty(points), frontier(points)],
        command=job.command,
        asked="asked",
    )


def _penalty_words() -> str:
    told = ", ".join(f"{part:g} by {_pruned.NAMES[metric]}" for metric, part in _pruned.PENALTIES)
    return (f"Penalty: `esnsim.torch.EsnPenalty` with c = MACs, of all layers at {_pruned.PENALTY_BITS} bits with a step that follows the "
            "largest weight, for all epochs, at the learning rates of the pruned networks. It is scaled once, so that it adds this to the "
            f"loss when training begins: {told}. Weights are real numbers until training ends. On mid-rise, which the claims are about, "
            "no weight becomes 0 and each has a bit at least, so that a penalty can save bits of wide weights alone.")


def _is_penalized(point: Tried) -> bool:
    return point.way == PENALIZE and not point.is_searched


def _is_fine_tuned(point: Tried) -> bool:
    return is_pruned(point) and point.further > 0


def _wins(points: Sequence[Tried], cost: str) -> Claim:
    return ratio_claim(f"By {COSTS[cost]}, a penalty has a better frontier than prune-then-quantize", "prune, then quantize",
                       points, _is_fine_tuned, _is_penalized, cost, _pruned.LEVELS)


def _over_pruned(points: Sequence[Tried]) -> Section:
    return Section("How many times as much prune-then-quantize costs", [
        "At each accuracy the cheapest point that reaches it: the cost of prune-then-quantize over that of a network that was penalized. "
        "Above 1 the penalty is the better way. The last columns name the points of the first seed by ESN_d."],
        ratio_rows(points, _is_fine_tuned, _is_penalized, ("prune, then quantize", "penalize, then quantize")))


def _of_search(points: Sequence[Tried]) -> Section:
    def is_penalized_and_searched(point: Tried) -> bool:
        return point.is_searched and point.way == PENALIZE

    def is_searched_alone(point: Tried) -> bool:
        return point.is_searched and point.way == QUANTIZE

    names = {"pruned": is_pruned_and_searched, "trained on": is_searched_alone}
    rows = [{"top-1": f"{level:g}", "cost of": name,
             **{told: ratio_cell(points, way, is_penalized_and_searched, cost, level) for cost, told in COSTS.items()}}
            for name, way in names.items() for level in _pruned.LEVELS]
    return Section("How many times as much others cost where a search quantizes all", [
        "The same of networks that a search quantized on mid-tread, where small weights become 0 and a penalty can save more: the cost of "
        "pruned networks, and of those that were only trained on, over that of penalized ones."], rows)


def _over_quantized(points: Sequence[Tried]) -> Section:
    return Section("How many times as much quantize only costs", [
        "The same over quantization alone, of the network as it was or trained on for as many epochs without penalty."],
        ratio_rows(points, is_quantized_alone, _is_penalized, ("quantize only", "penalize, then quantize")))


def _by_penalty(points: Sequence[Tried]) -> Section:
    def costs(level: float, name: str) -> dict[str, str]:
        def is_one_of_it(point: Tried) -> bool:
            return _is_penalized(point) and point.penalty == name

        return {told: ratio_cell(points, is_quantized_alone, is_one_of_it, cost, level) for cost, told in COSTS.items()}

    names = dict.fromkeys(point.penalty for point in points if point.penalty)
    rows = [{"top-1": f"{level:g}", "penalty": name, **costs(level, name)} for level in _pruned.LEVELS for name in names]
    return Section("Which penalty", ["The cost of quantize only over that of networks of one penalty."], rows)
