"""Figure 7 and appendix B: ESN_a of each layer at an epoch of training as the target of its quantization."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import statistics
from typing import Any, Mapping, Sequence

import esnsim

from ._chart import Chart, Point, Series
from ._curves import Curve, curves, interval
from ._job import Job
from ._page import Claim, Page, Section, Verdict
from ._points import Quantized, mean_of_seeds, quantized, standard_error, swept
from ._training import Training
from .figure3 import SCHEDULES, expected_top1, files, is_read, trainings

# Below this loss of accuracy, quantization costs nothing worth telling.
_COSTS = 0.01
# Parts of the training after which a policy is read; the last epoch that may be read is another one.
_READ_AT = (0.125, 0.25, 0.5, 0.75)


@dataclasses.dataclass(frozen=True)
class Policy:
    """A network quantized by what an epoch of its training said, and by a rule that knows nothing of it, at the same ESN_a.

    `esn_a` counts each weight once. `top1` is by the policy, `even` by one signal-to-noise ratio for all layers, and `uniform` by one
    width for all layers, read between two widths; none where the policy's ESN_a is beyond them.
    """

    network: str
    seed: int
    epoch: int
    esn_a: float
    esn_d_macs: float
    top1: float
    error: float
    even_esn_a: float
    even_top1: float
    uniform_top1: float | None


def run(job: Job) -> Page:
    """Trains as figure 3, reads a policy at several epochs, and quantizes what came of the training by each."""
    several = trainings(job)
    found = curves(job.epochs(several), lambda settings: "")
    networks = files(job, several)
    uniform = quantized(job, networks)
    read = {name: (training, curve, epoch) for training, curve in zip(several, found) for epoch in _epochs(curve)
            for name in [f"{training.network}-epoch{epoch}"]}
    copies = _copies(job, networks, read)
    profiles = {name: _profile(copies[name], curve, epoch) for name, (_, curve, epoch) in read.items()}
    by_policy = dict(swept(job, copies.values(), _points(job, copies, profiles)))
    equal = {name: f"{{ esn-a = {float(row.esn_a)} }}" for name, row in by_policy.items()}
    even = dict(swept(job, copies.values(), _points(job, copies, equal)))
    policies = [_policy(read[name], by_policy[name], even[name], uniform) for name in read]
    return Page(
        title="Figure 7 and appendix B: a policy for quantization out of training",
        opening="In training, weights move, and equations (4) and (5) make an ESN_a of that for each layer. Is the ESN_a of a layer at some "
                "epoch a good target when the layer is quantized after training?",
        was_run=_was_run(job, several, policies),
        claims=[_beats_uniform(policies, uniform), _beats_even(policies, uniform)],
        charts={"accuracy-esn-a": _chart(policies, uniform)},
        rows=_csv_rows(policies, uniform),
        sections=[_table(policies)],
        command=job.command,
        asked="asked",
    )


def _epochs(curve: Curve) -> list[int]:
    """The epochs at which policies are read."""
    last = max(number for number, may_be_read in enumerate(is_read(curve)) if may_be_read)
    return sorted({min(last, int(part * len(curve.epochs))) for part in _READ_AT} | {last})


def _copies(job: Job, networks: Mapping[Any, pathlib.Path], read: Mapping[str, tuple[Training, Curve, int]]) -> dict[str, pathlib.Path]:
    """The network of each policy under a name of its own, by which its point is found in the store."""
    copies = {}
    for name, (training, _, _) in read.items():
        source = networks[training.network]
        copies[name] = source.with_name(f"{name}.onnx")
        if not copies[name].exists():
            shutil.copyfile(source, copies[name])
    return copies


def _profile(network: pathlib.Path, curve: Curve, epoch: int) -> str:
    """The step of a plan with the ESN_a of each layer at an epoch, in the order of the network."""
    layers = curve.epochs[epoch]["layers"]
    return f"{{ esn-a-profile = [{', '.join(repr(float(layers[name])) for name in esnsim.inspect(network).layers['layer'])}] }}"


def _points(job: Job, copies: Mapping[str, pathlib.Path], steps: Mapping[str, str]) -> str:
    """The lines of a plan with one point for each network."""
    listed = ",\n".join(f'    {{ network = "{copies[name].relative_to(job.work).as_posix()}", reestimate = true, '
                        f'quantize = {{ bits = 16, step = {step} }} }}' for name, step in steps.items())
    return f"point = [\n{listed},\n]\n"


def _policy(read: tuple[Training, Curve, int], row: esnsim.Row, even: esnsim.Row, uniform: Sequence[Quantized]) -> Policy:
    training, _, epoch = read
    kind = training.network
    own = [point for point in uniform if (point.label, point.seed) == (kind.label, kind.seed)]
    return Policy(kind.label, kind.seed, epoch, row.esn_a, row.esn_d_macs, row.top1, standard_error(row.top1, row.images), even.esn_a,
                  even.top1, expected_top1(own, row.esn_a))


def _was_run(job: Job, several: Sequence[Training], policies: Sequence[Policy]) -> list[str]:
    images, unlabeled = Quantized.images_of(job)
    labels = dict.fromkeys(training.network.label for training in several)
    seeds = sorted({training.seed for training in several})
    return [
        f"Networks: {' and '.join(labels)}, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}, "
        f"trained as for figure 3: SGD with momentum 0.9, weight decay 5e-4, {SCHEDULES[job.scale].words}, with cosine "
        "annealing of the learning rate to 0.",
        f"Policies are read at epochs {', '.join(str(epoch) for epoch in sorted({policy.epoch for policy in policies}))} (from 0); the "
        "last is the last whose learning rate is 1 % of the largest or more.",
        "Quantization: the weights after the last epoch, on mid-rise, at most 16 bits. By policy, each layer has the step that gives it the "
        "ESN_a that it had at the epoch. Even: one signal-to-noise ratio for all layers, at the same ESN_a of the network. Uniform: one "
        "width for all layers, steps by least squares, read between two widths on a logarithmic axis at the same ESN_a.",
        f"BatchNorm statistics are re-estimated on {unlabeled:,} training images; accuracy is on {images:,} test images with activations "
        "of 8 bits, and its error one standard error. ESN_a counts each weight once (c = 1).",
    ]


def _beats_uniform(policies: Sequence[Policy], uniform: Sequence[Quantized]) -> Claim:
    return _beats("Is the ESN_a of each layer in training a better target than one width for all layers at equal ESN_a?",
                  [(policy, policy.uniform_top1) for policy in policies if policy.uniform_top1 is not None], uniform)


def _beats_even(policies: Sequence[Policy], uniform: Sequence[Quantized]) -> Claim:
    return _beats("Is it better than one signal-to-noise ratio for all layers at equal ESN_a, too?",
                  [(policy, policy.even_top1) for policy in policies], uniform)


def _beats(asked: str, compared: Sequence[tuple[Policy, float]], uniform: Sequence[Quantized]) -> Claim:
    """Whether the mean gain is above 0: each run of training is one case, for its policies share their weights."""
    best = {(label, seed): max(point.top1 for point in uniform if (point.label, point.seed) == (label, seed))
            for label, seed in {(point.label, point.seed) for point in uniform}}
    # Where no way of quantizing costs anything, none can be better.
    decided = [(policy, other) for policy, other in compared
               if best[policy.network, policy.seed] - min(policy.top1, other) >= _COSTS]
    if not decided:
        return Claim(asked, f"in none of {len(compared)} cases quantization costs {_COSTS:g} of the accuracy of 8 bits or more, so that no "
                     "way can be better", Verdict.OPEN)
    gains: dict[tuple[str, int], list[float]] = {}
    for policy, other in decided:
        gains.setdefault((policy.network, policy.seed), []).append(policy.top1 - other)
    runs = [statistics.fmean(of_run) for of_run in gains.values()]
    single = [gain for of_run in gains.values() for gain in of_run]
    mean, reach = statistics.fmean(runs), interval(runs)
    told = f"between {mean - reach:+.4f} and {mean + reach:+.4f} with 95 % confidence" if reach is not None else "of one run, without an error"
    verdict = Verdict.OPEN if reach is None or abs(mean) <= reach else Verdict.HOLDS if mean > 0 else Verdict.NOT
    return Claim(asked, f"in {len(single)} of {len(compared)} cases quantization costs {_COSTS:g} of the accuracy of 8 bits or more. There the "
                 f"policy gains {mean:+.4f} in the mean of {len(runs)} runs, {told}; single cases gain {min(single):+.4f} to "
                 f"{max(single):+.4f}", verdict)


def _chart(policies: Sequence[Policy], uniform: Sequence[Quantized]) -> Chart:
    series = []
    for name in dict.fromkeys(policy.network for policy in policies):
        own = [policy for policy in policies if policy.network == name]
        widths = [Point(point.esn_a, point.top1, point.error) for point in mean_of_seeds([point for point in uniform if point.label == name])]
        series += [Series(f"{name}, one width", widths),
                   Series(f"{name}, policy", [Point(policy.esn_a, policy.top1, policy.error) for policy in own], is_joined=False),
                   Series(f"{name}, one S/N", [Point(policy.even_esn_a, policy.even_top1) for policy in own], is_joined=False)]
    return Chart("ESN_a (c = 1)", "top-1 accuracy", series, log_x=True)


def _csv_rows(policies: Sequence[Policy], uniform: Sequence[Quantized]) -> list[dict[str, Any]]:
    by_policy = [{"kind": "policy", **dataclasses.asdict(policy), "bits": None} for policy in policies]
    empty = dict.fromkeys(by_policy[0])
    widths = [{**empty, "kind": "uniform", "network": point.label, "seed": point.seed, "bits": point.bits, "esn_a": point.esn_a,
               "esn_d_macs": point.esn_d_macs, "top1": point.top1, "error": point.error} for point in uniform]
    return [*by_policy, *widths]


def _table(policies: Sequence[Policy]) -> Section:
    rows = [{"network": policy.network, "seed": policy.seed, "epoch": policy.epoch, "ESN_a": round(policy.esn_a), "by policy": policy.top1,
             "± error": policy.error, "one S/N": policy.even_top1, "its ESN_a": round(policy.even_esn_a),
             "one width": policy.uniform_top1} for policy in policies]
    return Section("Each policy", ["Accuracy of the same weights, quantized in three ways at one ESN_a."], rows)
