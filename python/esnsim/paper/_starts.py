"""Trained networks that a figure begins with: all those of `--start`, or all trained here by the paper's schedule."""

from __future__ import annotations

import functools
import hashlib
import io
import pathlib
from typing import Callable, Iterable, NamedTuple

import torch

import esnsim

from .. import BadArgument
from ..torch import is_quantized, to_network
from ..torch.simulator import plain_copy
from ._job import Job
from ._networks import Kind, load
from ._training import Schedule, Training

#: By scale; widths are those of the networks that a figure asks for.
SCHEDULES = {"small": Schedule(1.0, 16, 10_000, 125, 2000, 1), "paper": Schedule(1.0, 160, 50_000, 125, 10_000, 1)}


def full_training(job: Job, kind: Kind) -> Training:
    """The schedule of the paper's figures 3, 4 and 6: cosine annealing from 0.1, batches of 125, weight decay 5e-4."""
    plan = SCHEDULES[job.scale]
    return Training(kind, plan.epochs, plan.images, plan.batch, 0.1, "cosine", 5e-4, plan.validation, seed=kind.seed, data=job.digest)


def told(job: Job, kinds: Iterable[Kind]) -> str:
    """A sentence that says where trained networks come from."""
    if job.start is not None:
        return "Trained networks come from the folder of `--start`, whose README states their schedule."
    trained = full_training(job, next(iter(kinds)))
    return (f"Networks are trained for {trained.epochs} epochs on {trained.images:,} images, SGD with momentum 0.9, batches of "
            f"{trained.batch}, learning rate {trained.rate} with cosine annealing, weight decay {trained.weight_decay:g}, crops with a "
            "margin of 4 and flips.")


class Start(NamedTuple):
    """A trained network: a digest of where it comes from, and what makes it. Nothing is trained before it is asked for."""

    digest: str
    network: Callable[[], torch.nn.Module]


def starts(job: Job, kinds: Iterable[Kind]) -> dict[Kind, Start]:
    """The network of each kind: that of `--start`, or one that is trained here where no folder was given.

    Raises `BadArgument` where the folder lacks one: trained by another schedule it would not compare with those that are there.
    """
    wanted, there = list(kinds), job.started()
    missing = [f"{kind}.pth" for kind in wanted if kind not in there]
    if there and missing:
        raise BadArgument(f"{job.start} lacks {', '.join(missing)}, which {job.figure} begins with; add {'it' if len(missing) == 1 else 'them'}, "
                          "run other seeds (--seeds, --first-seed), or leave --start out, and all are trained here")
    trainings = {kind: full_training(job, kind) for kind in wanted if kind not in there}

    def given(kind: Kind) -> torch.nn.Module:
        return load(kind, there[kind])

    def trained(kind: Kind) -> torch.nn.Module:
        network = job.trainer(trainings.values()).network(trainings[kind])
        job.progress.end()
        return network

    return {kind: Start(_digest(there[kind]), functools.partial(given, kind)) if kind in there
            else Start(trainings[kind].run, functools.partial(trained, kind)) for kind in wanted}


def as_networks(job: Job, kinds: Iterable[Kind]) -> dict[Kind, pathlib.Path]:
    """The networks of `starts` as ONNX files, in the order of their MACs, the smallest first."""
    wanted, there = list(kinds), job.started()
    paths = {kind: exported(job, kind, start.digest, there[kind] if kind in there else start.network)
             for kind, start in starts(job, wanted).items()}
    return dict(sorted(paths.items(), key=lambda item: (sum(esnsim.inspect(item[1]).layers["macs"]), item[0])))


def exported(job: Job, kind: Kind, digest: str, network: pathlib.Path | Callable[[], torch.nn.Module], ending: str = "") -> pathlib.Path:
    """A trained network as an ONNX file in work/networks, for the simulator; of a fake-quantized one with its integers.

    The digest tells one network from all others: a file that is there is not made again. The file's name ends with `ending`.
    """
    path = job.work / "networks" / digest / f"{kind}{ending}.onnx"
    if path.exists():
        return path
    made = esnsim.read(network, architecture=kind.name) if isinstance(network, pathlib.Path) else _as_network(kind, network())
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(path)
    return path


def _as_network(kind: Kind, model: torch.nn.Module) -> esnsim.Network:
    if is_quantized(model):
        return to_network(model, torch.zeros(1, 3, 32, 32), name=str(kind))
    file = io.BytesIO()
    # Pruned weights become zeros.
    torch.save(plain_copy(model).state_dict(), file)
    return esnsim.read(file.getvalue(), architecture=kind.name, name=f"{kind}.pth")


def _digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
