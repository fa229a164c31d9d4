"""Training that a kill at any moment costs at most an epoch."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import pathlib
import warnings
from typing import Any, Callable, Iterator, Mapping, Optional

import torch
from torch.nn import functional

from .. import BadArgument
from ..torch import AnnealedRate, EsnTracker
from ._data import balanced, load
from ._files import write_whole
from ._networks import Kind, made
from ._store import Epoch, EpochStore
from ._ways import Admm, Penalized, QuantizedWay, Slim, Way

# What the simulator calls the preprocessing "imagenet".
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MARGIN = 4
_SIDE = 32
_MOMENTUM = 0.9
# Images of a batch where nothing is trained.
_EVALUATED = 500

# What makes the network that a run begins with; without it the run makes its own.
First = Optional[Callable[[], torch.nn.Module]]


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long a figure trains at a scale: the width of its networks, epochs, training images, images of a batch, validation images,
    and seeds."""

    width: float
    epochs: int
    images: int
    batch: int
    validation: int
    seeds: int

    @property
    def words(self) -> str:
        """This as a part of a sentence."""
        return f"{self.epochs} epochs of {self.images:,} training images, as many of each class, in batches of {self.batch}"


@dataclasses.dataclass(frozen=True)
class Training:
    """One run of SGD with momentum 0.9, on crops with a margin of 4 pixels and flips.

    `schedule` is `"steps"` (a tenth of the rate after 1/2, a hundredth after 3/4 of the epochs), `"cosine"` (annealed to 0 with each
    step) or `"constant"`. `images` are training images, as many of each class. `data` is a digest of the images, and `start` one of
    the weights that the run begins with, empty for the network's own first ones. `seed` is that of the order of the images, of
    crops and flips.
    """

    network: Kind
    epochs: int
    images: int
    batch: int
    rate: float
    schedule: str
    weight_decay: float
    validation: int
    seed: int = 0
    start: str = ""
    data: str = ""

    @property
    def run(self) -> str:
        """The name of the run: the network and a digest of all of this."""
        text = json.dumps(self.settings, sort_keys=True)
        return f"{self.network}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def settings(self) -> dict[str, Any]:
        """All of this as plain values."""
        return dataclasses.asdict(self)

    def rate_at(self, done: float) -> float:
        """The learning rate when this part of all steps is done.

        >>> from esnsim.paper._networks import Kind
        >>> training = Training(Kind("resnet8"), 8, 100, 10, 0.1, "steps", 0.0, 100)
        >>> [round(training.rate_at(part), 6) for part in (0, 0.49, 0.5, 0.75)]
        [0.1, 0.1, 0.01, 0.001]
        """
        if self.schedule == "cosine":
            return self.rate * (1 + math.cos(math.pi * done)) / 2
        if self.schedule == "steps":
            return self.rate / (100 if done >= 0.75 else 10 if done >= 0.5 else 1)
        return self.rate

    def way(self, model: torch.nn.Module) -> Way:
        """What it does beside SGD."""
        return Way()


@dataclasses.dataclass(frozen=True)
class Pruning(Training):
    """A trained network is trained on: for `admm_epochs` with ADMM at `admm_rate`, then the `fraction` of its weakest filters is
    pruned, and the rest is fine-tuned with cosine annealing. A fraction of 0 prunes nothing, and trains as long.
    """

    fraction: float = 0.0
    admm_epochs: int = 0
    admm_rate: float = 0.0
    rho: float = 0.0

    def rate_at(self, done: float) -> float:
        """The learning rate when this part of all steps is done."""
        first = self.admm_epochs / self.epochs
        return self.admm_rate if done < first else super().rate_at((done - first) / (1 - first))

    def way(self, model: torch.nn.Module) -> Way:
        """ADMM."""
        return Admm(model, self.fraction, self.admm_epochs, self.rho) if self.fraction else Way()


@dataclasses.dataclass(frozen=True)
class PenalizedTraining(Pruning):
    """A trained network is trained on at the rates of a pruned one, with a metric as a part of the loss. `part` is what it adds to
    the loss at the start, where all layers are taken at `bits`.
    """

    metric: str = "esn-d"
    part: float = 0.0
    bits: int = 4

    def way(self, model: torch.nn.Module) -> Way:
        """The penalty."""
        return Penalized(model, self.metric, self.part, self.bits)


@dataclasses.dataclass(frozen=True)
class Slimming(Training):
    """A trained network is pruned at once to this part of the channels of each layer, and tuned."""

    kept: float = 1.0

    def way(self, model: torch.nn.Module) -> Way:
        """Pruned before the first step."""
        return Slim(model, self.kept)


@dataclasses.dataclass(frozen=True)
class QuantizedTraining(Training):
    """A trained network is trained on with weights of so many bits in every layer."""

    bits: int = 4

    def way(self, model: torch.nn.Module) -> Way:
        """Quantized before the first step."""
        return QuantizedWay(model, self.bits)


class ImageSet:
    """Images on the device where they are trained on: pixels `[N, 3, 32, 32]`, uint8, and labels `[N]`."""

    def __init__(self, path: pathlib.Path, count: int, device: str) -> None:
        arrays = load(path)
        chosen = balanced(arrays["labels"], count) if count < len(arrays["labels"]) else slice(None)
        self.pixels = torch.from_numpy(arrays["images"][chosen]).permute(0, 3, 1, 2).contiguous().to(device)
        self.labels = torch.from_numpy(arrays["labels"][chosen]).to(device)
        self._mean, self._deviation = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (_MEAN, _DEVIATION))

    def __len__(self) -> int:
        return len(self.labels)

    def input(self, pixels: torch.Tensor) -> torch.Tensor:
        """What a network takes of pixels."""
        numbers = (pixels.float() / 255 - self._mean) / self._deviation
        return numbers.contiguous(memory_format=torch.channels_last)

    def shuffled(self, batch: int, generator: torch.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches of one epoch in a random order, cropped and flipped at random. An incomplete last batch is left out."""
        order = torch.randperm(len(self), generator=generator)
        for places in torch.split(order, batch):
            if len(places) == batch:
                there = places.to(self.labels.device)
                yield self.input(_augmented(self.pixels[there], generator)), self.labels[there]

    def plain(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches in order, as they are."""
        for pixels, labels in zip(torch.split(self.pixels, _EVALUATED), torch.split(self.labels, _EVALUATED)):
            yield self.input(pixels), labels


def _augmented(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Crops `[N, 3, 32, 32]` of images with a margin of black pixels, half of them flipped."""
    count = len(pixels)
    shifts = torch.randint(0, 2 * _MARGIN + 1, (2, count, 1), generator=generator)
    is_flipped = torch.rand((count, 1), generator=generator) < 0.5
    along = torch.arange(_SIDE)
    rows = (shifts[0] + along)[:, :, None].to(pixels.device)
    columns = (shifts[1] + torch.where(is_flipped, along.flip(0), along))[:, None, :].to(pixels.device)
    padded = functional.pad(pixels, [_MARGIN] * 4)
    images = torch.arange(count, device=pixels.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[images, rows, columns].permute(0, 3, 1, 2)


class Trainer:
    """Runs trainings, each once: what is in the store is not trained again, and what was stopped goes on behind its last epoch. A run
    that has epochs with products of another precision is refused, for its epochs would not be those of one run.

    Checkpoints lie in `folder`, one for each run; they hold the network, the optimizer, the tracker and the epochs so far, and are
    written whole after each epoch. `told` is called with a run and how many of its epochs are done.
    """

    def __init__(self, folder: pathlib.Path, store: EpochStore, train: pathlib.Path, test: pathlib.Path, device: str,
                 told: Callable[[Training, int], None]) -> None:
        self._folder, self._store, self._train, self._test = folder, store, train, test
        self._device, self._told = device, told
        self._sets: dict[tuple[pathlib.Path, int], ImageSet] = {}

    def epochs(self, training: Training, start: First = None) -> list[Epoch]:
        """The epochs of a run, trained where the store does not have all of them. `start` makes the network that it begins with."""
        rows = self._of_one_precision(training, self._store.epochs(training.run))
        return rows if len(rows) == training.epochs else self._trained(training, start)[1]

    def network(self, training: Training, start: First = None) -> torch.nn.Module:
        """The network of a run after its last epoch, on the CPU and in evaluation."""
        return self._trained(training, start)[0].cpu().eval()

    def _of_one_precision(self, training: Training, rows: list[Epoch]) -> list[Epoch]:
        own = self._precision()
        for row in rows:
            before = row["settings"].get("precision")
            if before != own:
                raise BadArgument(f"{self._folder.parent}: epoch {row['epoch']} of {training.run} was trained with products of {before}, "
                                  f"and this device takes {own}; go on where it was begun, or give another --out")
        return rows

    def _precision(self) -> str:
        return precision(torch.device(self._device))

    def _images(self, path: pathlib.Path, count: int) -> ImageSet:
        key = (path, count)
        if key not in self._sets:
            self._sets[key] = ImageSet(path, count, self._device)
        return self._sets[key]

    def _trained(self, training: Training, start: First) -> tuple[torch.nn.Module, list[Epoch]]:
        model = (made(training.network) if start is None else start()).to(self._device)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, unused-ignore]
        optimizer = torch.optim.SGD(model.parameters(), training.rate, _MOMENTUM, weight_decay=training.weight_decay)
        way = training.way(model)
        tracker = EsnTracker(model)
        path = self._folder / f"{training.run}.pt"
        rows: list[Epoch] = []
        if path.exists():
            kept = torch.load(path, map_location=self._device, weights_only=True)
            way.load(kept.get("way", {}), kept["model"])
            model.load_state_dict(kept["model"])
            optimizer.load_state_dict(kept["optimizer"])
            tracker.load_state_dict(kept["tracker"])
            rows = self._of_one_precision(training, kept["rows"])
            self._store.put(rows)
        tracker.attach(optimizer)
        for epoch in range(len(rows), training.epochs):
            self._told(training, epoch)
            loss, rate = self._epoch(training, model, optimizer, way, epoch)
            way.epoch_end(epoch)
            rows.append(self._row(training, epoch, loss, rate, tracker, model))
            self._store.put(rows[-1:])
            _keep(path, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "tracker": tracker.state_dict(),
                         "way": way.state(), "rows": rows})
        self._told(training, training.epochs)
        return model, rows

    def _epoch(self, training: Training, model: torch.nn.Module, optimizer: torch.optim.Optimizer, way: Way,
               epoch: int) -> tuple[float, float]:
        """Trains for one epoch. Returns the mean loss, without what the way adds to it, and the mean learning rate."""
        images = self._images(self._train, training.images)
        # An epoch that is run again after a kill is the same one.
        generator = torch.Generator().manual_seed(training.seed * 100_003 + epoch)
        steps = len(images) // training.batch
        model.train()
        total, rates = torch.zeros((), dtype=torch.float64, device=self._device), 0.0
        for step, (inputs, labels) in enumerate(images.shuffled(training.batch, generator)):
            rate = training.rate_at((epoch * steps + step) / (training.epochs * steps))
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            with torch.autocast(inputs.device.type, torch.bfloat16, enabled=computes_bfloat16(inputs.device)):
                loss = functional.cross_entropy(model(inputs), labels)
            (loss + way.penalty()).backward()  # type: ignore[no-untyped-call, unused-ignore]
            optimizer.step()
            total, rates = total + loss.detach(), rates + rate
        return float(total) / steps, rates / steps

    def _row(self, training: Training, epoch: int, loss: float, rate: float, tracker: EsnTracker, model: torch.nn.Module) -> Epoch:
        with warnings.catch_warnings():
            # Pages say it.
            warnings.simplefilter("ignore", AnnealedRate)
            found = tracker.epoch_end()
        return {
            "run": training.run, "epoch": epoch, "settings": {**training.settings, "precision": self._precision()},
            "learning_rate": rate, "loss": loss,
            "top1": top1(model, self._images(self._test, training.validation)), "esn_a": found.total["esn_a"],
            "filters": found.total["filters"], "pruned_filters": found.total["pruned_filters"],
            "layers": {row["name"]: row["esn_a"] for row in found.layers},
        }


def computes_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 are what a device is fastest at."""
    has_them = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return device.type == "cuda" or bool(has_them())


def precision(device: torch.device) -> str:
    """Of what type the products of training are on a device."""
    return "bfloat16" if computes_bfloat16(device) else "float32"


@torch.no_grad()
def top1(model: torch.nn.Module, images: ImageSet) -> float:
    """The part of images that a network tells right."""
    model.eval()
    right = sum(int((model(inputs).argmax(dim=1) == labels).sum()) for inputs, labels in images.plain())
    return right / len(images)


def _keep(path: pathlib.Path, state: Mapping[str, Any]) -> None:
    file = io.BytesIO()
    torch.save(dict(state), file)
    write_whole(path, file.getvalue())
