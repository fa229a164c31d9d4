"""Figure 5: a trained ResNet-20 is trained on at constant, high learning rates."""

from __future__ import annotations

import math
from typing import Any, Sequence

from ..torch.tracker import PRUNED_BELOW
from ._curves import Curve, chart, csv_rows, curves
from ._job import Job
from ._networks import Kind
from ._page import Claim, Page, Section, Verdict
from ._starts import starts, told
from ._training import Schedule, Training

RATES = (0.32, 0.57, 1.02, 1.81)
SCHEDULES = {"small": Schedule(0.5, 20, 50_000, 200, 10_000, 1), "paper": Schedule(1.0, 20, 50_000, 200, 10_000, 3)}

# Steps of a run in the paper.
_PAPER_STEPS = 5000
# Epochs at the end that are averaged, and the window in which filters are pruned "within a few epochs".
_LAST, _FEW = 5, 4
# Of what a window has: this part of all that were pruned.
_MOST = 2 / 3
# A number of filters has settled where the last two epochs add no more than this part of it.
_SETTLED = 0.1


def run(job: Job) -> Page:
    """Trains each network on at each rate, and counts filters that go by themselves."""
    plan = SCHEDULES[job.scale]
    kinds = [Kind("resnet20", plan.width, seed) for seed in job.seed_range(plan.seeds)]
    begun = starts(job, kinds)
    several = [
        Training(kind, plan.epochs, plan.images, plan.batch, rate, "constant", 5e-4, plan.validation, seed=kind.seed,
                 start=begun[kind].digest, data=job.digest)
        for kind in kinds for rate in RATES
    ]
    rows = job.epochs(several, begun)
    found = curves(rows, lambda settings: f"learning rate {settings['rate']:g}")
    return Page(
        title="Figure 5: training at a low ESN_a prunes filters by itself",
        opening="A trained network is trained on at a constant learning rate far above the one that it was trained with. Nothing prunes "
                "filters here but SGD itself: a filter counts as pruned when its largest weight is below 0.001 of its layer's.",
        was_run=_was_run(job, plan, kinds),
        claims=[_rate_lowers_esn_a(found), _rate_prunes(found, plan), _pruned_at_once(found)],
        charts={"loss": chart(found, "loss", "loss"), "esn-a": chart(found, "esn_a", "ESN_a (c = 1)", log_y=True),
                "pruned": chart(found, "pruned_filters", "pruned filters")},
        rows=csv_rows(rows),
        sections=[_ends(found)],
        command=job.command,
    )


def _was_run(job: Job, plan: Schedule, kinds: Sequence[Kind]) -> list[str]:
    seeds = [str(kind.seed) for kind in kinds]
    return [
        f"Network: {kinds[0].label}, trained before, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}. {told(job, kinds)}",
        f"Schedule: SGD with momentum 0.9, weight decay 5e-4, {plan.words}, with crops and flips; constant learning rate. The paper has "
        f"20 epochs of 50,000 images in batches of 200, which are {_PAPER_STEPS:,} steps, of ResNet-20 of the full width.",
        f"A run has {_steps(plan):,} steps. A filter without a gradient shrinks by weight decay alone, from the largest of its layer to the "
        f"one that counts as pruned in {', '.join(f'{_steps_to_go(rate):,.0f}' for rate in RATES)} steps at the rates {_told_rates()}.",
        f"Validation: {plan.validation:,} test images, as many of each class.",
    ]


def _steps(plan: Schedule) -> int:
    """Steps of a run."""
    return plan.epochs * (plan.images // plan.batch)


def _steps_to_go(rate: float) -> float:
    """Steps in which weight decay alone makes a filter so small that it counts as pruned: the learning rate over 1 − momentum, times the
    decay, is the part of it that goes in a step."""
    return -math.log(PRUNED_BELOW) / (rate / (1 - 0.9) * 5e-4)


def _told_rates() -> str:
    return ", ".join(f"{rate:g}" for rate in RATES)


def _by_seed(found: Sequence[Curve]) -> list[list[Curve]]:
    """The runs of each seed, the lowest learning rate first."""
    seeds = sorted({curve.seed for curve in found})
    return [sorted((curve for curve in found if curve.seed == seed), key=lambda curve: float(curve.epochs[0]["settings"]["rate"]))
            for seed in seeds]


def _end(curve: Curve) -> float:
    return curve.mean("esn_a", len(curve.epochs) - _LAST, len(curve.epochs))


def _pruned(curve: Curve) -> int:
    return int(curve.epochs[-1]["pruned_filters"])


def _rate_lowers_esn_a(found: Sequence[Curve]) -> Claim:
    pairs = [(_end(low), _end(high)) for runs in _by_seed(found) for low, high in zip(runs, runs[1:])]
    holding = sum(high < low for low, high in pairs)
    words = "; ".join(", ".join(f"{_end(curve):,.0f}" for curve in runs) for runs in _by_seed(found))
    return Claim("The higher the learning rate, the lower ESN_a", f"over the last {_LAST} epochs, from the lowest rate to the highest: "
                 f"{words}; lower at the higher rate in {holding} of {len(pairs)} pairs", Verdict.of(holding, len(pairs)))


def _rate_prunes(found: Sequence[Curve], plan: Schedule) -> Claim:
    # Where the lower rate is too low to show a pruned filter within the run, nothing is compared.
    pairs = [(_pruned(low), _pruned(high)) for runs in _by_seed(found) for low, high in zip(runs, runs[1:])
             if _steps(plan) >= _steps_to_go(float(low.epochs[0]["settings"]["rate"])) or _pruned(low)]
    holding = sum(high > low for low, high in pairs)
    words = "; ".join(", ".join(str(_pruned(curve)) for curve in runs) for runs in _by_seed(found))
    return Claim("The higher the learning rate, the more filters are pruned by themselves",
                 f"after the last epoch, from the lowest rate to the highest: {words} of {found[0].epochs[0]['filters']} filters; "
                 + (f"more at the higher rate in {holding} of {len(pairs)} pairs whose lower rate could prune in so many steps" if pairs
                    else "no pair of rates has a lower one that could prune in so many steps"),
                 Verdict.of(holding, len(pairs)) if pairs else Verdict.OPEN)


def _steepest(curve: Curve) -> float:
    """The part of all filters pruned in the run that were pruned in the few epochs that pruned the most."""
    counts = [0, *curve.values("pruned_filters")]
    return max(later - earlier for earlier, later in zip(counts, counts[min(_FEW, len(counts) - 1):])) / max(counts[-1], 1)


def _late(curve: Curve) -> float:
    """The part of all filters pruned in the run that went in its last two epochs."""
    counts = [0, 0, *curve.values("pruned_filters")]
    return (counts[-1] - counts[-3]) / max(counts[-1], 1)


def _pruned_at_once(found: Sequence[Curve]) -> Claim:
    says = "Filters are pruned within a few epochs, and few after that"
    pruning = [curve for curve in found if _pruned(curve)]
    if not pruning:
        return Claim(says, "no filter was pruned", Verdict.NOT)
    steep, settled = ([of(curve) for curve in pruning] for of in (_steepest, _late))
    fast, still = sum(part >= _MOST for part in steep), sum(part <= _SETTLED for part in settled)
    words = "; ".join(f"{curve.name}: {first:.0%} and {last:.0%}" for curve, first, last in zip(pruning, steep, settled))
    return Claim(says, f"of all filters pruned in a run, the {_FEW} epochs that prune the most, and the last two epochs, have: {words}. Two "
                 f"thirds or more in {_FEW} epochs in {fast} of {len(pruning)} runs that prune, a tenth or less in the last two in {still}",
                 Verdict.of(fast + still, 2 * len(pruning)))


def _ends(found: Sequence[Curve]) -> Section:
    rows: list[dict[str, Any]] = [
        {"run": curve.name, "seed": curve.seed, "ESN_a": round(_end(curve)), "pruned filters": _pruned(curve),
         "of": curve.epochs[0]["filters"], "last loss": curve.epochs[-1]["loss"], "last accuracy": curve.epochs[-1]["top1"]}
        for curve in found
    ]
    return Section("At the end", [f"ESN_a is the mean over the last {_LAST} epochs."], rows)
