"""What the pages of figure 6 and of the penalty both show: how networks were made, pictures, and tables of costs."""

from __future__ import annotations

from typing import Any, Callable, Sequence

from . import _pruned
from ._chart import Chart, Point, Series
from ._job import Job
from ._page import Picture, Section
from ._pruned import COSTS, QUANTIZE, Tried
from ._ratios import cheapest, ratio_cell
from ._starts import told


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
        f"Quantize only is shown twice, of the network as it was, and trained on for the same {plan.epochs} epochs at the same learning "
        "rates without pruning. Where nothing else is said, the cheaper of both counts, so that quantization alone is never held back by "
        "training that did it no good.",
        "Without fine-tuning: the same filters by the same order go from the network as it was, by `esnsim sweep`.",
        "Quantization: after training, all layers at one width of 1 to 8 bits on mid-rise, one step a layer by least squares; BatchNorm "
        f"statistics re-estimated on {unlabeled:,} training images. Prune only is a pruned network at {_pruned.WHOLE} bits, and counts as "
        "prune-then-quantize where ways are compared.",
        f"Accuracy: the digital engine with activations of 8 bits, on {images:,} test images, as many of each class; bars are one standard "
        "error, which mostly is smaller than its dot.",
        "How costs are compared: an accuracy is reached by every point that has it or more, and the cheapest of them counts, whatever its "
        "error. Where points lie far apart, several accuracies have one pair of points; tables give the accuracy of each. Steps in the "
        f"pictures are what a way reaches at a cost or less{', with any seed' if len(seeds) > 1 else ''}.",
    ]


def search_words(job: Job) -> str:
    """How networks are searched, and on which grid."""
    trials, images = _pruned.SEARCH[job.scale], _pruned.IMAGES[job.scale][1]
    return (f"\"Searched\": every network that was trained on, quantized by `esnsim.search` with ESN_d as its cost, {trials} points on "
            f"{images:,} training images each, of which the page has those that may be the best there. Most have a way to quantize for each "
            "layer (0 bits in the rows), those that name bits one width for all. They are on the mid-tread grid, on which small weights "
            "become 0 and cost nothing by ESN_d; filters of zeros alone are dead, too. No claim counts them.")


def charts(points: Sequence[Tried]) -> dict[str, Picture]:
    """Accuracy against each cost."""
    return {f"accuracy-{name}": _chart(points, cost, title) for name, cost, title in
            (("esn-d", "esn_d_macs", "ESN_d (bits, c = MACs)"), ("esn-a", "esn_a_macs", "ESN_a (c = MACs)"),
             ("esn-d-filter", "esn_d_filter", "ESN'_d (bits, c = MACs)"))}


def _chart(points: Sequence[Tried], cost: str, title: str) -> Chart:
    groups: dict[str, list[Tried]] = {}
    for point in points:
        trained = ", trained on" if point.way == QUANTIZE and point.further else ""
        name = f"{point.way}{trained}"
        if point.fraction and not point.further:
            name = "pruned, not fine-tuned"
        if point.is_searched:
            name = "searched, " + ("penalized" if point.penalty else "pruned" if point.fraction else "not pruned")
        groups.setdefault(name, []).append(point)
    return Chart(title, "top-1 accuracy", [
        Series(name, [Point(getattr(point, cost), point.top1, point.error) for point in group], is_joined=False, has_frontier=True)
        for name, group in groups.items()], log_x=True)


def ratio_rows(points: Sequence[Tried], dear: Callable[[Tried], bool], cheap: Callable[[Tried], bool],
               names: tuple[str, str]) -> list[dict[str, Any]]:
    """The least cost of the first over that of the second at each accuracy, and which points these are."""
    first = [point for point in points if point.seed == points[0].seed]
    rows: list[dict[str, Any]] = []
    for level in _pruned.LEVELS:
        row = {name: ratio_cell(points, dear, cheap, cost, level) for cost, name in COSTS.items()}
        pair = (cheapest(filter(chosen, first), "esn_d_macs", level) for chosen in (dear, cheap))
        rows.append({"top-1": f"{level:g}", **row, **{name: _words(point) for name, point in zip(names, pair)}})
    return rows


def _words(point: Tried | None) -> str:
    return "none" if point is None else f"{point.words} ({point.top1:.4f})"


def frontier(points: Sequence[Tried]) -> Section:
    """The points of the first seed that no other beats by ESN_d."""
    rows: list[dict[str, Any]] = []
    first = [point for point in points if point.seed == points[0].seed]
    for point in sorted(first, key=lambda point: (point.esn_d_macs, -point.top1)):
        if not rows or point.top1 > rows[-1]["top-1"]:
            rows.append({"ESN_d, bits": round(point.esn_d_macs), "way": point.way, "point": point.words, "top-1": point.top1,
                         "± error": point.error, "live filters": point.live_filters, "of": point.filters})
    return Section("The frontier by ESN_d", [f"Points of seed {points[0].seed} that no other beats."], rows)
