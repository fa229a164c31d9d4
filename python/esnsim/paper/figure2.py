"""Figure 2: ESN_a and validation accuracy while ResNet-20 is trained, at three weight decays."""

from __future__ import annotations

import math
from typing import Any, Sequence

from ._curves import Curve, chart, csv_rows, curves
from ._job import Job
from ._networks import Kind
from ._page import Claim, Page, Section, Verdict
from ._training import Schedule, Training

DECAYS = (5e-4, 1e-3, 2e-3)
SCHEDULES = {"small": Schedule(0.25, 40, 50_000, 100, 10_000, 1), "paper": Schedule(1.0, 160, 50_000, 100, 10_000, 3)}

# ESN_a that doubles jumps; what is a tenth below its peak at the end of a phase has overshot.
_JUMP, _OVERSHOT = 2.0, 1.1
# The learning rate between the falls over 1 − momentum.
_STEP = 0.01 / (1 - 0.9)
# Epochs on each side of a change that are averaged.
_SIDE = 2


def run(job: Job) -> Page:
    """Trains at each weight decay and looks at what the two curves do where the learning rate falls."""
    several = trainings(job)
    rows = job.epochs(several)
    found = curves(rows, lambda settings: f"weight decay {settings['weight_decay']:g}")
    plan = SCHEDULES[job.scale]
    marks = [epoch - 0.5 for epoch in _falls(plan.epochs)]
    return Page(
        title="Figure 2: ESN_a and accuracy while a network is trained",
        opening="A network is trained with a learning rate that falls to a tenth twice. ESN_a is that of equations (4) and (5): the "
                "weights are the signal, and what they wander in an epoch is the noise.",
        was_run=_was_run(plan, several),
        claims=[_esn_a_jumps(found), _accuracy_jumps(found, plan.validation), _falls_with_decay(found), _overshoots(found),
                _accuracy_overshoots(found, plan), _overshoot_falls_with_decay(found, plan)],
        charts={"esn-a": chart(found, "esn_a", "ESN_a (c = 1)", log_y=True, marks=marks),
                "accuracy": chart(found, "top1", "validation accuracy", marks=marks)},
        rows=csv_rows(rows),
        sections=[_phases(found)],
        command=job.command,
    )


def trainings(job: Job) -> list[Training]:
    """One run for each seed and weight decay, seed by seed."""
    plan = SCHEDULES[job.scale]
    return [
        Training(Kind("resnet20", plan.width, seed), plan.epochs, plan.images, plan.batch, 0.1, "steps", decay, plan.validation,
                 seed=seed, data=job.digest)
        for seed in job.seed_range(plan.seeds) for decay in DECAYS
    ]


def _was_run(plan: Schedule, several: Sequence[Training]) -> list[str]:
    seeds = sorted({training.seed for training in several})
    return [
        f"Network: {several[0].network.label}, with seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))} for each weight "
        "decay.",
        f"Schedule: SGD with momentum 0.9, {plan.words}, with crops and flips; learning rate 0.1, 0.01 from 1/2 and 0.001 from 3/4 of "
        "the epochs on. The paper has ResNet-20 of the full width, 50,000 images, and falls at epochs 80 and 120.",
        f"Between the two falls lie {_steps_between(plan):,} steps; in the paper there are 20,000. ESN_a there settles in about "
        f"{', '.join(f'{_settling(decay):,.0f}' for decay in DECAYS)} steps, the fewer the larger the decay: 1/(2·η·decay), with the "
        f"learning rate η over 1 − momentum, {_STEP:.1f}.",
        f"Validation: {plan.validation:,} test images, as many of each class. Points are means over seeds; bars are their standard "
        "deviation where there are several.",
        "ESN_a counts each weight once (c = 1), over all layers.",
    ]


def _steps_between(plan: Schedule) -> int:
    """Steps at the second learning rate."""
    return plan.epochs // 4 * (plan.images // plan.batch)


def _settling(decay: float) -> float:
    """In about so many steps of the second learning rate, weight decay takes back what weights have grown to before."""
    return 1 / (2 * _STEP * decay)


def _is_settled(plan: Schedule, decay: float) -> bool:
    """Whether the second learning rate lasts long enough to see where ESN_a ends."""
    return _steps_between(plan) >= 2 * _settling(decay)


def _falls(epochs: int) -> tuple[int, int]:
    """The first epochs of the second and the third learning rate."""
    return math.ceil(epochs / 2), math.ceil(epochs * 3 / 4)


def _steps(curve: Curve, column: str) -> list[tuple[float, float]]:
    """A column before and after each fall of the learning rate."""
    return [(curve.mean(column, fall - _SIDE, fall), curve.mean(column, fall, fall + _SIDE)) for fall in _falls(len(curve.epochs))]


def _esn_a_jumps(found: Sequence[Curve]) -> Claim:
    ratios = [after / before for curve in found for before, after in _steps(curve, "esn_a")]
    holding = sum(ratio >= _JUMP for ratio in ratios)
    return Claim("ESN_a rises steeply where the learning rate falls to a tenth",
                 f"it is {min(ratios):.1f} to {max(ratios):.1f} times as large in the {_SIDE} epochs after a fall as in the {_SIDE} "
                 f"before; {_JUMP:g} times or more in {holding} of {len(ratios)} falls", Verdict.of(holding, len(ratios)))


def _accuracy_jumps(found: Sequence[Curve], images: int) -> Claim:
    gains, holding, cases = [], 0, 0
    for curve in found:
        for before, after in _steps(curve, "top1"):
            error = math.sqrt((before * (1 - before) + after * (1 - after)) / images)
            gains.append(after - before)
            holding, cases = holding + (after - before > 2 * error), cases + 1
    return Claim("Validation accuracy rises steeply there, too",
                 f"it changes by {min(gains):+.4f} to {max(gains):+.4f}; by more than two standard errors in {holding} of {cases} falls",
                 Verdict.of(holding, cases))


def _by_seed(found: Sequence[Curve]) -> list[list[Curve]]:
    """The runs of each seed, the smallest weight decay first."""
    seeds = sorted({curve.seed for curve in found})
    return [sorted((curve for curve in found if curve.seed == seed), key=_decay) for seed in seeds]


def _decay(curve: Curve) -> float:
    return float(curve.epochs[0]["settings"]["weight_decay"])


def _phase_means(curve: Curve) -> list[float]:
    """ESN_a at the end of each learning rate: the mean over the last quarter of its epochs."""
    first, second = _falls(len(curve.epochs))
    bounds = ((0, first), (first, second), (second, len(curve.epochs)))
    return [curve.mean("esn_a", end - max(1, (end - start) // 4), end) for start, end in bounds]


def _falls_with_decay(found: Sequence[Curve]) -> Claim:
    holding = cases = 0
    ratios = []
    for runs in _by_seed(found):
        for small, large in zip(runs, runs[1:]):
            for less, more in zip(_phase_means(small), _phase_means(large)):
                ratios.append(more / less)
                holding, cases = holding + (more < less), cases + 1
    return Claim("ESN_a falls as weight decay grows",
                 f"at the end of each learning rate, twice the decay has {min(ratios):.2f} to {max(ratios):.2f} times the ESN_a; less in "
                 f"{holding} of {cases} pairs", Verdict.of(holding, cases))


def _overshoot(curve: Curve, column: str) -> float:
    """The peak of the second learning rate over its end."""
    first, second = _falls(len(curve.epochs))
    return max(curve.values(column)[first:second]) / curve.mean(column, second - _SIDE, second)


def _overshoots(found: Sequence[Curve]) -> Claim:
    ratios = [_overshoot(curve, "esn_a") for curve in found]
    holding = sum(ratio >= _OVERSHOT for ratio in ratios)
    return Claim("After the first jump ESN_a overshoots, and then falls",
                 f"its peak between the falls is {min(ratios):.2f} to {max(ratios):.2f} times what it is at their end; {_OVERSHOT:g} times or "
                 f"more in {holding} of {len(ratios)} runs", Verdict.of(holding, len(ratios)))


def _accuracy_overshoots(found: Sequence[Curve], plan: Schedule) -> Claim:
    losses, holding, images = [], 0, plan.validation
    is_short = not any(_is_settled(plan, _decay(curve)) for curve in found)
    for curve in found:
        first, second = _falls(len(curve.epochs))
        peak, end = max(curve.values("top1")[first:second]), curve.mean("top1", second - _SIDE, second)
        losses.append(peak - end)
        holding += peak - end > 2 * math.sqrt((peak * (1 - peak) + end * (1 - end)) / images)
    return Claim("So does validation accuracy",
                 f"its peak between the falls is {min(losses):.4f} to {max(losses):.4f} above what it is at their end; more than two standard "
                 f"errors in {holding} of {len(found)} runs{_TOO_SHORT if is_short and not holding else ''}",
                 Verdict.OPEN if is_short and not holding else Verdict.of(holding, len(found)))


# What is said of a claim about the end of a learning rate that ends before weights have settled.
_TOO_SHORT = ". No run settles between the falls, so that this tells nothing of where it would end"


def _overshoot_falls_with_decay(found: Sequence[Curve], plan: Schedule) -> Claim:
    pairs = [(_overshoot(small, "esn_a"), _overshoot(large, "esn_a")) for runs in _by_seed(found) for small, large in zip(runs, runs[1:])]
    holding = sum(small > large for small, large in pairs)
    overshot = any(ratio >= _OVERSHOT for pair in pairs for ratio in pair)
    # The smaller decay of a pair settles later.
    is_short = not any(_is_settled(plan, _decay(curve)) for runs in _by_seed(found) for curve in runs[:-1])
    words = "; ".join(f"{small:.2f} and {large:.2f}" for small, large in pairs)
    return Claim("The overshoot is larger where weight decay is smaller",
                 f"peak over end of ESN_a, at a decay and at the next larger one: {words}; larger at the smaller decay in {holding} of "
                 f"{len(pairs)} pairs" + (". The smaller decays do not settle between the falls, so that this tells nothing of where they "
                                          "would end" if is_short else "" if overshot else ", but no run overshoots"),
                 Verdict.OPEN if is_short else Verdict.of(holding, len(pairs)) if overshot else Verdict.NOT)


def _phases(found: Sequence[Curve]) -> Section:
    rows: list[dict[str, Any]] = []
    for curve in found:
        first, second, third = _phase_means(curve)
        rows.append({"run": curve.name, "seed": curve.seed, "ESN_a at 0.1": round(first), "at 0.01": round(second),
                     "at 0.001": round(third), "last accuracy": curve.epochs[-1]["top1"], "last loss": curve.epochs[-1]["loss"]})
    return Section("At the end of each learning rate", ["ESN_a is the mean over the last quarter of the epochs of a learning rate."],
                   rows)
