"""Figure 8: prune to a width, tune briefly, quantize; against post-training quantization of the whole network by Banner et al. 2018.

The paper runs it on ImageNet. Here the same protocol is run on CIFAR-10, and the page is named so.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from typing import Any, Sequence

from ._chart import Chart, Point, Series
from ._job import Job
from ._networks import Kind
from ._page import Claim, Page, Section
from ._points import Costed, Quantized, swept
from ._ratios import ratio_cell, ratio_claim
from ._starts import Start, exported, starts, told
from ._training import Schedule, Slimming

WIDTHS = (0.25, 0.5, 0.75)
SCHEDULES = {"small": Schedule(1.0, 4, 50_000, 64, 10_000, 3), "paper": Schedule(4.0, 4, 50_000, 64, 10_000, 3)}

BANNER, WHOLE, STATISTICS_STAY = "Banner et al. 2018", "whole, one width", "whole, one width, its statistics"
_COSTS = {"esn_d_filter": "ESN'_d", "esn_d_macs": "ESN_d", "esn_a_macs": "ESN_a"}
_LEVELS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85)

# Widths of all weights, one step a filter by least squares.
_OURS = """reestimate = [true]
quantize = [{ bits = "1..8", granularity = "filter", step = "mse" }]
"""
# Bits shared out among filters, the norm of each filter restored, weights clipped for Laplace's distribution or not; means are restored
# where statistics are re-estimated.
_BANNER = """reestimate = [false, true]
quantize = [{ bits = 16, granularity = "filter", step = ["max-abs", "laplace"], allocation = { average-bits = [1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, \
6.0, 8.0] }, bias-correction = true }]
"""
# The same of the whole network, for who asks what new statistics do.
_AS_IT_WAS = """reestimate = [false]
quantize = [{ bits = "1..8", granularity = "filter", step = "mse" }]
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tried(Costed):
    """A point: the part of the channels that was kept, the way it was quantized, its costs and its accuracy."""

    way: str
    kept: float
    seed: int
    quantization: str
    live_filters: int
    filters: int


def run(job: Job) -> Page:
    """Prunes and tunes to three widths, quantizes all, and puts the frontiers beside that of Banner et al."""
    plan = SCHEDULES[job.scale]
    kinds = [Kind("resnet20", plan.width, seed) for seed in job.seed_range(plan.seeds)]
    begun = starts(job, kinds)
    several = [
        Slimming(kind, plan.epochs, plan.images, plan.batch, 0.1, "steps", 5e-4, plan.validation, seed=kind.seed,
                 start=begun[kind].digest, data=job.digest, kept=kept)
        for kind in kinds for kept in WIDTHS
    ]
    job.epochs(several, begun)
    points = _points(job, several, begun)
    return Page(
        title="Figure 8: slim networks against post-training quantization, on CIFAR-10",
        opening="The paper compares on ImageNet: a pretrained network is pruned to a part of its width, tuned for four epochs and "
                "quantized, against post-training quantization of the whole network by Banner et al. 2018. No ImageNet was at hand. "
                "This page runs the same protocol on CIFAR-10 with a ResNet-20 in place of ResNet-18 and ResNet-50.",
        was_run=_was_run(job, plan, kinds),
        claims=[_wins(points, cost) for cost in _COSTS],
        charts={f"accuracy-{name}": _chart(points, cost, title) for name, cost, title in
                (("esn-d-filter", "esn_d_filter", "ESN'_d (bits, c = MACs)"), ("esn-d", "esn_d_macs", "ESN_d (bits, c = MACs)"),
                 ("esn-a", "esn_a_macs", "ESN_a (c = MACs)"))},
        rows=[point.columns for point in points],
        sections=[_ratios(points), _imagenet()],
        command=job.command,
    )


def _points(job: Job, several: Sequence[Slimming], begun: dict[Kind, Start]) -> list[Tried]:
    trainer = job.trainer(several)
    whole = {kind: exported(job, kind, start.digest, start.network, "-whole") for kind, start in begun.items()}
    files: dict[str, tuple[Kind, float]] = {path.stem: (kind, 1.0) for kind, path in whole.items()}
    slim: list[pathlib.Path] = []
    for training in several:
        network = functools.partial(trainer.network, training, begun[training.network].network)
        slim.append(exported(job, training.network, training.run, network, f"-kept{round(100 * training.kept):03}"))
        files[slim[-1].stem] = (training.network, training.kept)
    ours = [(None, stem, row) for stem, row in swept(job, [*whole.values(), *slim], _OURS)]
    theirs = [(BANNER, stem, row) for stem, row in swept(job, whole.values(), _BANNER)]
    as_it_was = [(STATISTICS_STAY, stem, row) for stem, row in swept(job, whole.values(), _AS_IT_WAS)]
    found = []
    for way, stem, row in [*ours, *theirs, *as_it_was]:
        kind, kept = files[stem]
        name = way or (WHOLE if kept == 1 else f"{kept:g} × the width")
        found.append(Tried(way=name, kept=kept, seed=kind.seed, quantization=row.configuration, live_filters=row.live_filters,
                           filters=row.filters, **Costed.of(row)))
    return sorted(found, key=lambda point: (point.seed, point.way, point.esn_d_filter))


def _was_run(job: Job, plan: Schedule, kinds: Sequence[Kind]) -> list[str]:
    images, unlabeled = Quantized.images_of(job)
    seeds = [str(kind.seed) for kind in kinds]
    return [
        f"Network: {kinds[0].label}, trained before, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}. {told(job, kinds)}",
        f"Slim: all but {', '.join(f'{width:g}' for width in WIDTHS)} of the channels of each layer are pruned, the filters of the smallest "
        f"signal norm first, and the rest is tuned: SGD with momentum 0.9, weight decay 5e-4, {plan.words}; learning rate 0.1, 0.01 from "
        "epoch 2 and 0.001 from epoch 3 on.",
        "Quantization of the slim networks: all layers at one width of 1 to 8 bits on mid-rise, a step a filter by least squares, BatchNorm "
        f"statistics re-estimated on {unlabeled:,} training images without labels. The whole network is quantized so, too.",
        "Banner et al. 2018 is the whole network with bits shared out among filters (1.5 to 8 on average), and the norm of each filter "
        "restored. Weights are clipped for Laplace's distribution or not, and BatchNorm statistics re-estimated, which restores means, or "
        "not: of these four the cheapest counts at each accuracy. The clipping of activations that the method has is not used; they have "
        "8 bits for all networks of the page.",
        "Unequal: slim networks were tuned with labels, as in the paper; the whole network was not.",
        f"Accuracy: the digital engine with activations of 8 bits, on {images:,} test images, as many of each class; bars are one standard "
        "error. Pictures have the first seed.",
    ]


def _is_slim(point: Tried) -> bool:
    return point.kept < 1


def _is_whole(point: Tried) -> bool:
    return point.way == WHOLE


def _keeps_statistics(point: Tried) -> bool:
    return point.way == STATISTICS_STAY


def _is_theirs(point: Tried) -> bool:
    return point.way == BANNER


def _wins(points: Sequence[Tried], cost: str) -> Claim:
    # The paper's figure is by ESN'_d.
    times, most = (", 2 to 4 times at low cost", 2.0) if cost == "esn_d_filter" else ("", 1.0)
    return ratio_claim(f"By {_COSTS[cost]}, slim networks reach an accuracy at a lower cost than Banner et al.{times}", "Banner et al.",
                       points, _is_theirs, _is_slim, cost, _LEVELS, most)


def _chart(points: Sequence[Tried], cost: str, title: str) -> Chart:
    first = [point for point in points if point.seed == points[0].seed]
    series = []
    for way in dict.fromkeys(point.way for point in first):
        own = sorted((point for point in first if point.way == way), key=lambda point: float(getattr(point, cost)))
        # Several ways of Banner et al. have one cost: steps say what the best of them reaches.
        is_theirs = way == BANNER
        series.append(Series(way, [Point(getattr(point, cost), point.top1, point.error) for point in own], is_joined=not is_theirs,
                             has_frontier=is_theirs))
    return Chart(title, "top-1 accuracy", series, log_x=True)


def _ratios(points: Sequence[Tried]) -> Section:
    pairs = {"Banner et al. over slim": (_is_theirs, _is_slim), "whole over slim": (_is_whole, _is_slim),
             "Banner et al. over whole": (_is_theirs, _is_whole), "whole with its statistics over whole": (_keeps_statistics, _is_whole)}
    rows: list[dict[str, Any]] = [
        {"top-1": f"{level:g}", "cost of": name, **{column: ratio_cell(points, *pair, cost, level)
                                                    for cost, column in _COSTS.items()}}
        for level in _LEVELS for name, pair in pairs.items()
    ]
    return Section("How many times as much one costs as another", [
        "At each accuracy the cheapest point that reaches it, mean over seeds. *Whole* is the whole network at one width, quantized as "
        "the slim ones are; the paper's figure does not have it. New statistics cost accuracy at many bits and save much at few: the last "
        "rows of each accuracy say how much."], rows)


def _imagenet() -> Section:
    return Section("What the paper's own figure needs", [
        "ImageNet's training and validation images, and pretrained ResNet-18 and ResNet-50. The package trains on images of 32 × 32 "
        "pixels alone, so that the figure on ImageNet is not built."])
