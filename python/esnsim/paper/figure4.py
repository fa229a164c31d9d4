"""Figure 4: networks of several depths and widths, each quantized after training at 1 to 8 bits."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from typing import Any, Sequence

from ._chart import Chart, Point, Series
from ._job import Job
from ._networks import RESNETS, Kind
from ._page import Claim, Page, Section, Verdict
from ._points import Quantized, mean_of_seeds, quantized
from ._starts import as_networks, told

#: Widths of weights that the paper calls radical.
RADICAL = (1, 2)
#: Those that it calls mild: here 4 and 5 bits, and at its figure 6 also 3.
MILD = {"4 or 5 bits": (4, 5), "3 to 5 bits": (3, 4, 5)}
_COSTS = {"esn_d_macs": "ESN_d", "esn_a_macs": "ESN_a"}


def run(job: Job) -> Page:
    """Quantizes every network of `--start`, or those that it trains first, and puts slim and mild beside fat and radical."""
    networks = as_networks(job, _kinds(job))
    rows = quantized(job, networks)
    points = mean_of_seeds(rows)
    claims = [*(_slim_beats_fat(points, cost, mild) for cost in _COSTS for mild in MILD), _fat_is_needed(points)]
    return Page(
        title="Figure 4: slim and mildly quantized, or fat and radically quantized?",
        opening="Networks of several depths and widths are trained, and their weights then quantized at 1 to 8 bits. At equal cost, is "
                "a slim network of more bits better than a fat one of fewer? Nothing is trained with quantized weights here.",
        was_run=_was_run(job, networks),
        claims=claims,
        charts={name: _chart(points, cost, title) for name, cost, title in
                (("accuracy-esn-d", "esn_d_macs", "ESN_d (bits, c = MACs)"), ("accuracy-esn-a", "esn_a_macs", "ESN_a (c = MACs)"))},
        rows=[dataclasses.asdict(row) for row in rows],
        sections=[_radical_section(points), *(_frontier_section(points, cost) for cost in _COSTS)],
        command=job.command,
    )


def _kinds(job: Job) -> list[Kind]:
    """The networks of the paper's figure. Those of `--start` are all that are there. Small: no network of the full width."""
    started = job.started()
    if started:
        return sorted(started)
    names, widths = (*RESNETS, "vgg7"), (0.5, 0.25) if job.is_small else (1.0, 0.5, 0.25)
    kinds = [Kind(name, width, seed) for seed in job.seed_range(1) for name in names for width in widths]
    return [kind for kind in kinds if not (job.is_small and kind.name == "vgg7" and kind.width > 0.25)]


def _was_run(job: Job, networks: dict[Kind, pathlib.Path]) -> list[str]:
    labels = dict.fromkeys(kind.label for kind in networks)
    seeds = {label: sum(kind.label == label for kind in networks) for label in labels}
    named = ", ".join(f"{label} ({count} seeds)" if count > 1 else label for label, count in seeds.items())
    how = told(job, networks)
    images, statistics = Quantized.images_of(job)
    return [
        f"Networks: {named}; one seed where no number stands. {how}",
        "Quantization: after training, all layers at one width of 1 to 8 bits on mid-rise, one step a layer, chosen by least squares "
        "(`mse`). BatchNorm statistics are re-estimated on "
        f"{statistics:,} training images without labels.",
        f"Accuracy: the digital engine with activations of 8 bits, on {images:,} test images, as many of each class. Error bars are "
        "one standard error of that many images; of several seeds, the standard deviation between them. The latter lacks the error of the "
        "images, which all seeds have in common.",
        "Budgets are equal: every point has the epochs of its network and no training after it. A slim network costs less to train.",
    ]


def _chart(points: Sequence[Quantized], cost: str, title: str) -> Chart:
    labels = dict.fromkeys(point.label for point in sorted(points, key=lambda point: -point.macs))
    series = [Series(label, [Point(getattr(point, cost), point.top1, point.error)
                             for point in sorted(points, key=lambda point: point.bits) if point.label == label]) for label in labels]
    return Chart(title, "top-1 accuracy", series, log_x=True)


def _family(point: Quantized) -> str:
    return "VGG7" if point.label.startswith("VGG7") else "ResNet"


def _radicals(points: Sequence[Quantized]) -> list[Quantized]:
    """The fattest network of each family at the widths that are called radical."""
    fattest = {family: max((point for point in points if _family(point) == family), key=lambda point: point.macs).label
               for family in dict.fromkeys(map(_family, points))}
    return [point for point in points if point.label in fattest.values() and point.bits in RADICAL]


def _best_slim(points: Sequence[Quantized], fat: Quantized, cost: str, mild: str) -> Quantized | None:
    """The most accurate point that is slimmer, mildly quantized, of the same family and costs no more."""
    slim = [point for point in points if _family(point) == _family(fat) and point.macs < fat.macs and point.bits in MILD[mild]
            and getattr(point, cost) <= getattr(fat, cost)]
    return max(slim, key=lambda point: point.top1, default=None)


def _is_better(one: Quantized, other: Quantized) -> bool:
    """Whether the difference is larger than its standard error."""
    return bool(one.top1 - other.top1 > (one.error ** 2 + other.error ** 2) ** 0.5)


def _slim_beats_fat(points: Sequence[Quantized], cost: str, mild: str) -> Claim:
    fats = _radicals(points)
    pairs = [(fat, _best_slim(points, fat, cost, mild)) for fat in fats]
    holding = [(fat, slim) for fat, slim in pairs if slim is not None and _is_better(slim, fat)]
    words = [f"{fat.words} {fat.top1:.4f}, " + (f"{slim.words} {slim.top1:.4f}" if slim else "no slim point as cheap")
             for fat, slim in pairs]
    return Claim(f"By {_COSTS[cost]}, slim and mildly quantized ({mild}) beats fat and radically quantized (1 or 2 bits) at no larger "
                 "cost", f"in {len(holding)} of {len(fats)} cases: {'; '.join(words)}", Verdict.of(len(holding), len(fats)))


def _fat_is_needed(points: Sequence[Quantized]) -> Claim:
    """Fat networks lead where much may be spent: of each family the best point of the fattest, and of those of half its MACs."""
    holding, words = 0, []
    families = list(dict.fromkeys(map(_family, points)))
    for family in families:
        own = [point for point in points if _family(point) == family]
        most = max(point.macs for point in own)
        fat = max((point for point in own if point.macs == most), key=lambda point: point.top1)
        slim = max((point for point in own if 2 * point.macs <= most), key=lambda point: point.top1, default=None)
        holding += slim is None or _is_better(fat, slim)
        words.append(f"{fat.words} {fat.top1:.4f}, " + (f"{slim.words} {slim.top1:.4f}" if slim else "no slimmer one"))
    return Claim("At high cost a fat network has the higher accuracy",
                 f"the best point of the fattest network of each family, and the best of networks of at most half its MACs: {'; '.join(words)}; "
                 f"better by more than the standard error of the difference in {holding} of {len(families)} families",
                 Verdict.of(holding, len(families)))


def frontier(points: Sequence[Quantized], cost: str) -> list[Quantized]:
    """The points that no other beats, the cheapest first."""
    leaders: list[Quantized] = []
    for point in sorted(points, key=lambda point: (getattr(point, cost), -point.top1)):
        if not leaders or point.top1 > leaders[-1].top1:
            leaders.append(point)
    return leaders


def _large(number: float) -> str:
    """A cost in words: millions, or thousands of millions."""
    return f"{number / 1e9:.2f} G" if number >= 1e9 else f"{number / 1e6:.1f} M"


def _radical_section(points: Sequence[Quantized]) -> Section:
    rows: list[dict[str, Any]] = []
    for cost, mild, fat in itertools.product(_COSTS, MILD, _radicals(points)):
        slim = _best_slim(points, fat, cost, mild)
        rows.append({"metric": _COSTS[cost], "mild": mild, "fat, radical": fat.words, "cost": _large(getattr(fat, cost)),
                     "top-1": fat.top1, "best slim, no dearer": slim.words if slim else "none",
                     "its cost": _large(getattr(slim, cost)) if slim else "–", "its top-1": slim.top1 if slim else None})
    return Section("Fat and radical beside slim and mild", ["Each fat network at 1 and 2 bits, and the best slimmer network of its "
                   "family that is mildly quantized and costs no more. The paper calls 4 and 5 bits mild here, and 3 bits, too, at "
                   "its figure 6."], rows)


def _frontier_section(points: Sequence[Quantized], cost: str) -> Section:
    rows = [{"point": point.words, "top-1": point.top1, "± error": point.error, "ESN_d, bits": round(point.esn_d_macs),
             "ESN_a": round(point.esn_a_macs)} for point in frontier(points, cost)]
    return Section(f"The frontier by {_COSTS[cost]}",
                   ["Points that no other beats. The gain of one over the point before may be within their errors."], rows)

