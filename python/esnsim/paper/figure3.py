"""Figure 3: accuracy against ESN_a during training, and after quantization of the trained weights."""

from __future__ import annotations

import functools
import math
import pathlib
import statistics
from typing import Any, NamedTuple, Sequence

from ..torch.tracker import ANNEALED_BELOW
from ._chart import Chart, Point, Series
from ._curves import Curve, csv_rows, curves, together
from ._job import Job
from ._networks import Kind
from ._page import Claim, Page, Section, Verdict
from ._points import Quantized, quantized
from ._starts import exported
from ._training import Schedule, Training

SCHEDULES = {"small": Schedule(0.25, 20, 5000, 125, 2000, 1), "paper": Schedule(1.0, 160, 50_000, 125, 10_000, 3)}
#: By scale, width and first learning rate of VGG7. In a short training at 0.1 a network of a quarter of the width ended at chance.
VGG7 = {"small": (0.125, 0.03), "paper": (1.0, 0.1)}

# Curves that are one have such a rank correlation at equal ESN_a, and such a mean distance in accuracy. Accuracy that rises with ESN_a
# has such a rank correlation with it.
_TOGETHER, _NEAR, _RISING = 0.8, 0.05, 0.6
# Fewer epochs are not compared.
_FEWEST = 3


class Pair(NamedTuple):
    """What one network did: its epochs, and its points after quantization, fewest bits first."""

    name: str
    training: Curve
    after: list[Quantized]


def run(job: Job) -> Page:
    """Trains with cosine annealing, quantizes what came of it, and puts both curves side by side."""
    plan = SCHEDULES[job.scale]
    several = trainings(job)
    rows = job.epochs(several)
    points = _quantized(job, several)
    pairs = [Pair(f"{training.network.label}, seed {training.seed}", curve, points[training.network])
             for training, curve in zip(several, curves(rows, lambda settings: ""))]
    return Page(
        title="Figure 3: ESN_a during training, and after quantization",
        opening="While a network is trained, its weights wander, and equations (4) and (5) make an ESN_a of that. When the trained "
                "weights are quantized, equation (2) gives theirs. Does accuracy depend on ESN_a in the same way in both?",
        was_run=_was_run(job, plan, several),
        claims=[_claim(pairs)],
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
        f"An epoch has {plan.images // plan.batch} steps; in the paper 400. Weights wander less in fewer steps, and ESN_a of an epoch is "
        "larger for that.",
        f"Validation during training: {plan.validation:,} test images, as many of each class, and the weights as they are.",
        "Quantization: the weights after the last epoch, all layers at one width of 1 to 8 bits on mid-rise, a step a layer by least "
        f"squares, BatchNorm statistics re-estimated on {unlabeled:,} training images; accuracy on {images:,} test images with "
        "activations of 8 bits.",
        "ESN_a counts each weight once (c = 1), over all layers.",
    ]


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


def _compared(pair: Pair, annealed: bool) -> tuple[float, float, int]:
    """Rank correlation and mean distance of accuracy during training and after quantization at the same ESN_a, and how many epochs
    could be compared: 0 and infinite where they are too few. Epochs of an annealed learning rate are left out unless `annealed`.
    """
    both = []
    for epoch, may_be_read in zip(pair.training.epochs, is_read(pair.training)):
        expected = expected_top1(pair.after, epoch["esn_a"]) if may_be_read or annealed else None
        if expected is not None:
            both.append((epoch["top1"], expected))
    if len(both) < _FEWEST:
        return 0.0, math.inf, len(both)
    return together(both), statistics.fmean(abs(one - other) for one, other in both), len(both)


def _rises(pair: Pair) -> tuple[float, float]:
    """The rank correlation of ESN_a and accuracy during training, in epochs that may be read, and after quantization."""
    during = [(epoch["esn_a"], epoch["top1"]) for epoch, may_be_read in zip(pair.training.epochs, is_read(pair.training)) if may_be_read]
    return together(during), together([(point.esn_a, point.top1) for point in pair.after])


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


def _claim(pairs: Sequence[Pair]) -> Claim:
    found = {pair.name: _compared(pair, annealed=False) for pair in pairs}
    rises = {pair.name: _rises(pair) for pair in pairs}
    one = sum(rank >= _TOGETHER and distance <= _NEAR for rank, distance, _ in found.values())
    rising = sum(min(ranks) >= _RISING for ranks in rises.values())
    words = []
    for pair in pairs:
        (rank, distance, count), (during, after), shift = found[pair.name], rises[pair.name], _shift(pair)
        apart = "no epoch has an accuracy of the other curve" if shift is None else f"training has {shift:.1f} times the ESN_a at equal accuracy"
        words.append(f"{pair.name}: accuracy and ESN_a have a rank correlation of {during:.3f} in training and {after:.3f} after quantization; "
                     f"at equal ESN_a ({count} epochs) the two accuracies have a rank correlation of {rank:.3f}, and are {distance:.3f} "
                     f"apart; {apart}")
    verdict = Verdict.of(one, len(pairs))
    return Claim("The curve of accuracy against ESN_a during training and the one after quantization go together",
                 f"{'. '.join(words)}. It holds where they are {_NEAR:g} or less apart with a correlation of {_TOGETHER:g} or more, and in part "
                 f"where accuracy rises with ESN_a in both ({_RISING:g} or more) for a network: for {rising} of {len(pairs)}",
                 Verdict.IN_PART if verdict is Verdict.NOT and rising else verdict)


def _chart(pairs: Sequence[Pair]) -> Chart:
    series = []
    for pair in pairs:
        during = [Point(epoch["esn_a"], epoch["top1"]) for epoch in pair.training.epochs]
        after = [Point(point.esn_a, point.top1, point.error) for point in pair.after]
        series += [Series(f"{pair.name}, training", during, is_joined=False), Series(f"{pair.name}, quantized", after)]
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
            rank, distance, count = _compared(pair, annealed)
            rows.append({"network": pair.name, "epochs": name, "compared": count, "rank correlation": f"{rank:.3f}",
                         "mean distance": f"{distance:.3f}"})
    return Section("How far the curves go together", [
        "The accuracy of an epoch is compared with that after quantization at the same ESN_a, between two widths of weights on a "
        "logarithmic axis. Epochs whose ESN_a is beyond that of 1 and of 8 bits have nothing to be compared with. Correlation is "
        "Spearman's."], rows)


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
