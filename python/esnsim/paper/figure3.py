"""Figure 3: accuracy against ESN_a during training, and after quantization of the trained weights."""

from __future__ import annotations

import functools
import math
import pathlib
import statistics
from typing import Any, Callable, NamedTuple, Sequence

from ..torch.tracker import ANNEALED_BELOW
from ._chart import Chart, Point, Series
from ._curves import Curve, csv_rows, curves, span
from ._job import Job
from ._networks import Kind
from ._page import Claim, Page, Section, Verdict
from ._points import Quantized, mean_of_seeds, quantized
from ._starts import exported
from ._training import Schedule, Training

SCHEDULES = {"small": Schedule(0.25, 20, 50_000, 125, 10_000, 3), "paper": Schedule(1.0, 160, 50_000, 125, 10_000, 3)}
#: By scale, width and first learning rate of VGG7. In a short training at 0.1 a network of a quarter of the width ended at chance.
VGG7 = {"small": (0.125, 0.03), "paper": (1.0, 0.1)}

# Curves that are one have such a mean distance in accuracy at equal ESN_a.
_NEAR = 0.05
# Steps of an epoch in the paper.
_PAPER_STEPS = 400
# Fewer epochs are not compared.
_FEWEST = 3


class Pair(NamedTuple):
    """What one network did: its epochs, and its points after quantization, fewest bits first."""

    label: str
    seed: int
    training: Curve
    after: list[Quantized]

    @property
    def name(self) -> str:
        """The network in a cell of a table."""
        return f"{self.label}, seed {self.seed}"


def run(job: Job) -> Page:
    """Trains with cosine annealing, quantizes what came of it, and puts both curves side by side."""
    plan = SCHEDULES[job.scale]
    several = trainings(job)
    rows = job.epochs(several)
    points = _quantized(job, several)
    pairs = [Pair(training.network.label, training.seed, curve, points[training.network])
             for training, curve in zip(several, curves(rows, lambda settings: ""))]
    return Page(
        title="Figure 3: ESN_a during training, and after quantization",
        opening="While a network is trained, its weights move, and equations (4) and (5) make an ESN_a of that. When the trained "
                "weights are quantized, equation (2) gives theirs. Does accuracy depend on ESN_a in the same way in both?",
        was_run=_was_run(job, plan, several),
        claims=[_bound_claim(pairs), _one_claim(pairs)],
        charts={"accuracy-esn-a": _chart(pairs)},
        rows=_csv_rows(pairs, rows),
        sections=[_comparison(pairs), _annealing(pairs)],
        command=job.command,
    )


def trainings(job: Job) -> list[Training]:
    """One run for each seed and network, seed by seed."""
    plan = SCHEDULES[job.scale]
    vgg7_width, vgg7_rate = VGG7[job.scale]
    networks = (("resnet20", plan.width, 0.1), ("vgg7", vgg7_width, vgg7_rate))
    return [
        Training(Kind(name, width, seed), plan.epochs, plan.images, plan.batch, rate, "cosine", 5e-4, plan.validation, seed=seed,
                 data=job.digest)
        for seed in job.seed_range(plan.seeds) for name, width, rate in networks
    ]


def files(job: Job, several: Sequence[Training]) -> dict[Kind, pathlib.Path]:
    """What came of the trainings, as files for the simulator."""
    trainer = job.trainer(several)
    return {training.network: exported(job, training.network, training.run, functools.partial(trainer.network, training))
            for training in several}


def _quantized(job: Job, several: Sequence[Training]) -> dict[Kind, list[Quantized]]:
    networks = files(job, several)
    points = quantized(job, networks)
    return {kind: [point for point in points if (point.label, point.seed) == (kind.label, kind.seed)] for kind in networks}


def _was_run(job: Job, plan: Schedule, several: Sequence[Training]) -> list[str]:
    images, unlabeled = Quantized.images_of(job)
    labels = dict.fromkeys(training.network.label for training in several)
    seeds = sorted({training.seed for training in several})
    return [
        f"Networks: {' and '.join(labels)}, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. The paper has both at their "
        "full width, and DenseNet-BC on CIFAR-100, which is not run.",
        f"Schedule: SGD with momentum 0.9, weight decay 5e-4, {plan.words}, with crops and flips; learning rate "
        f"{' and '.join(f'{rate:g}' for rate in dict.fromkeys(training.rate for training in several))}, in the order of the networks, with "
        "cosine annealing to 0. The paper has 0.1.",
        _steps_words(plan.images // plan.batch),
        f"Validation during training: {plan.validation:,} test images, as many of each class, and the weights as they are.",
        "Quantization: the weights after the last epoch, all layers at one width of 1 to 8 bits on mid-rise, a step a layer by least "
        f"squares, BatchNorm statistics re-estimated on {unlabeled:,} training images; accuracy on {images:,} test images with "
        "activations of 8 bits.",
        "ESN_a counts each weight once (c = 1), over all layers.",
    ]


def _steps_words(steps: int) -> str:
    if steps == _PAPER_STEPS:
        return f"An epoch has {steps} steps, as in the paper. That counts, for weights wander less in fewer steps."
    return f"An epoch has {steps} steps; in the paper {_PAPER_STEPS}. Weights wander less in fewer steps, and ESN_a of an epoch is larger for that."


def is_read(curve: Curve) -> list[bool]:
    """Which epochs a policy may be read from: those before the learning rate has annealed to nearly nothing."""
    rates = curve.values("learning_rate")
    return [rate >= ANNEALED_BELOW * max(rates) for rate in rates]


def expected_top1(after: Sequence[Quantized], esn_a: float) -> float | None:
    """The accuracy after quantization at this ESN_a, between two widths on a logarithmic axis; none beyond the points."""
    points = sorted(after, key=lambda point: point.esn_a)
    for low, high in zip(points, points[1:]):
        if low.esn_a <= esn_a <= high.esn_a:
            part = math.log(esn_a / low.esn_a) / math.log(high.esn_a / low.esn_a)
            return low.top1 + part * (high.top1 - low.top1)
    return None


class Compared(NamedTuple):
    """Epochs of a run beside what came of it, quantized to the same ESN_a: how many could be compared, their mean distance in accuracy,
    in how many the quantized network is as accurate as the one in training, or more, within two standard errors, and how far it is
    below at most.
    """

    epochs: int
    distance: float
    bounded: int
    below: float


def _compared(pair: Pair, annealed: bool) -> Compared | None:
    """Epochs of an annealed learning rate are left out unless `annealed`; none where too few can be compared."""
    both = []
    for epoch, may_be_read in zip(pair.training.epochs, is_read(pair.training)):
        expected = expected_top1(pair.after, epoch["esn_a"]) if may_be_read or annealed else None
        if expected is not None:
            both.append((epoch["top1"], expected))
    if len(both) < _FEWEST:
        return None
    error = 2 * math.sqrt(2) * max(point.error for point in pair.after)
    return Compared(len(both), statistics.fmean(abs(one - other) for one, other in both),
                    sum(after >= during - error for during, after in both), max(during - after for during, after in both))


def _shift(pair: Pair) -> float | None:
    """How many times as much ESN_a training has as the quantized weights at the same accuracy: the geometric mean over the epochs that
    may be read, whose accuracy lies on the rise of the other curve; none where no epoch does.
    """
    logs = []
    for epoch, may_be_read in zip(pair.training.epochs, is_read(pair.training)):
        for low, high in zip(pair.after, pair.after[1:]):
            if may_be_read and low.top1 <= epoch["top1"] < high.top1:
                part = (epoch["top1"] - low.top1) / (high.top1 - low.top1)
                logs.append(math.log(epoch["esn_a"] / low.esn_a) - part * math.log(high.esn_a / low.esn_a))
                break
    return math.exp(statistics.fmean(logs)) if logs else None


def _bound_claim(pairs: Sequence[Pair]) -> Claim:
    found = [one for one in (_compared(pair, annealed=False) for pair in pairs) if one]
    says = "Accuracy in training bounds, loosely, what quantization to the same ESN_a leaves"
    if not found:
        return Claim(says, "too few epochs have an ESN_a between that of 1 and of 8 bits", Verdict.OPEN)
    told = _of_networks(pairs, lambda one: f"{one.bounded} of {one.epochs}")
    return Claim(says, f"the quantized network is as accurate, or more, within two standard errors, in so many epochs: {told}. At worst it "
                 f"is {max(one.below for one in found):.3f} below",
                 Verdict.of(sum(one.bounded for one in found), sum(one.epochs for one in found)))


def _one_claim(pairs: Sequence[Pair]) -> Claim:
    found = [one for one in (_compared(pair, annealed=False) for pair in pairs) if one]
    told = _of_networks(pairs, lambda one: f"{one.distance:.3f}")
    shifts = [shift for shift in map(_shift, pairs) if shift is not None]
    apart = f"At equal accuracy, training has {span(shifts, '.1f')} times the ESN_a. " if shifts else ""
    return Claim("The curve of accuracy against ESN_a during training and the one after quantization are correlated",
                 f"their mean distance in accuracy at equal ESN_a: {told}. {apart}A run bears it out with {_NEAR:g} or less",
                 Verdict.of(sum(one.distance <= _NEAR for one in found), len(found)) if found else Verdict.OPEN)


def _of_networks(pairs: Sequence[Pair], told: Callable[[Compared], str]) -> str:
    """What is to be told of the runs of each network, seed by seed."""
    words = []
    for label in dict.fromkeys(pair.label for pair in pairs):
        own = [_compared(pair, annealed=False) for pair in pairs if pair.label == label]
        words.append(f"{label} {', '.join(told(one) if one else 'too few epochs' for one in own)}")
    return "; ".join(words)


def _chart(pairs: Sequence[Pair]) -> Chart:
    series = []
    for label in dict.fromkeys(pair.label for pair in pairs):
        own = [pair for pair in pairs if pair.label == label]
        during = [Point(epoch["esn_a"], epoch["top1"]) for pair in own for epoch in pair.training.epochs]
        after = [Point(point.esn_a, point.top1, point.error) for point in mean_of_seeds([point for pair in own for point in pair.after])]
        series += [Series(f"{label}, training", during, is_joined=False), Series(f"{label}, quantized", after)]
    return Chart("ESN_a (c = 1)", "top-1 accuracy", series, log_x=True)


def _csv_rows(pairs: Sequence[Pair], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    epochs = [{"kind": "training", **row, "bits": None} for row in csv_rows(rows)]
    empty = dict.fromkeys(epochs[0])
    points = [{**empty, "kind": "quantized", "run": pair.training.epochs[0]["run"], "seed": point.seed, "bits": point.bits,
               "top1": point.top1, "esn_a": point.esn_a} for pair in pairs for point in pair.after]
    return [*epochs, *points]


def _comparison(pairs: Sequence[Pair]) -> Section:
    rows: list[dict[str, Any]] = []
    for pair in pairs:
        for name, annealed in (("those that may be read", False), ("all", True)):
            one = _compared(pair, annealed)
            rows.append({"network": pair.name, "epochs": name, "compared": one.epochs if one else "too few",
                         "mean distance": f"{one.distance:.3f}" if one else "–", "as accurate quantized": one.bounded if one else "–"})
    return Section("How far the curves go together", [
        "The accuracy of an epoch is compared with that after quantization at the same ESN_a, between two widths of weights on a "
        "logarithmic axis. Epochs whose ESN_a is beyond that of 1 and of 8 bits have nothing to be compared with. Where the curve after "
        "quantization is flat, all that it says is that the network lost nothing. In training, accuracy and ESN_a both grow as the "
        "learning rate falls, so that it is no proof that one depends on the other."], rows)


def _annealing(pairs: Sequence[Pair]) -> Section:
    rows: list[dict[str, Any]] = []
    for pair in pairs:
        readable = is_read(pair.training)
        last = max(number for number, read in enumerate(readable) if read)
        for epoch in pair.training.epochs[max(0, last - 2):]:
            rows.append({"network": pair.name, "epoch": epoch["epoch"], "learning rate": f"{epoch['learning_rate']:.2g}",
                         "ESN_a": round(epoch["esn_a"]), "accuracy": epoch["top1"],
                         "may be read": "yes" if epoch["epoch"] <= last else "no"})
    return Section("Where the learning rate anneals to zero", [
        "Noise vanishes with the learning rate, and ESN_a of equation (5) grows without bound, while accuracy hardly moves. A policy "
        "may be read from the last epoch whose learning rate is 1 % of the largest or more, or from one before. `EsnTracker` warns there."], rows)
