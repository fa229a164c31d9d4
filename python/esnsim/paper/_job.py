"""What one call of the command is about: its data, its scale and its folders."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pathlib
from typing import TYPE_CHECKING, Iterable, Mapping

from .. import BadArgument
from ._data import balanced_file, split_file
from ._progress import Progress

if TYPE_CHECKING:
    # They need PyTorch.
    from ._networks import Kind
    from ._starts import Start
    from ._store import Epoch
    from ._training import Trainer, Training

SCALES = ("small", "paper")


@dataclasses.dataclass
class Job:
    """One figure of one call.

    Everything that can be made again lies in `out`/work: images, checkpoints, networks, the store of epochs `epochs.sqlite` and
    those of quantized points, `points-DIGEST.sqlite`, each beside its plan. `start` is a folder of trained networks. `seeds` is how many seeds are run, from
    `first_seed` on; `None` is what the figure says for the scale. `rows` are files of rows of this figure, whose seeds are not run again.
    """

    figure: str
    data: pathlib.Path
    scale: str
    out: pathlib.Path
    device: str = "cpu"
    start: pathlib.Path | None = None
    seeds: int | None = None
    first_seed: int = 0
    rows: tuple[pathlib.Path, ...] = ()
    threads: int | None = None
    progress: Progress = dataclasses.field(default_factory=Progress)

    @property
    def is_small(self) -> bool:
        """Whether the schedules are the shortened ones."""
        return self.scale == "small"

    def seed_range(self, usual: int) -> range:
        """The seeds that the page is about; `usual` is how many a figure has for the scale."""
        return range(self.first_seed, self.first_seed + (self.seeds or usual))

    @property
    def work(self) -> pathlib.Path:
        """What can be made again."""
        return self.out / "work"

    def images(self, split: str, count: int | None = None) -> pathlib.Path:
        """The images of a split, or `count` of them, as many of each class."""
        path = split_file(self.data, split, self.work / "images")
        return path if count is None else balanced_file(path, count)

    @property
    def command(self) -> str:
        """What makes the page again, with the folders by their roles."""
        options = {"--data": "DATA", "--scale": self.scale, "--start": self.start and "START", "--seeds": self.seeds,
                   "--first-seed": self.first_seed or None,
                   "--device": self.device if self.device != "cpu" else None, "--out": "OUT"}
        words = (f"{name} {value}" for name, value in options.items() if value is not None)
        return f"python -m esnsim.paper {self.figure} {' '.join(words)}"

    @functools.cached_property
    def digest(self) -> str:
        """What tells these images from others."""
        sums = [hashlib.sha256(self.images(split).read_bytes()).hexdigest() for split in ("train", "test")]
        return hashlib.sha256("".join(sums).encode()).hexdigest()[:12]

    def started(self) -> dict[Kind, pathlib.Path]:
        """The trained networks of `start`, none where it was not given."""
        from ._networks import found

        return {} if self.start is None else found(self.start)

    def trainer(self, trainings: Iterable[Training]) -> Trainer:
        """What runs these trainings, and says how far all of them are."""
        import torch

        from ._store import EpochStore
        from ._training import Trainer

        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise BadArgument(f"the device {self.device} needs a GPU with CUDA, which PyTorch does not find; leave --device out")
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        order = [training.run for training in trainings]
        lengths = {training.run: training.epochs for training in trainings}

        def told(training: Training, epochs: int) -> None:
            before = sum(lengths[run] for run in order[:order.index(training.run)])
            self.progress.tell(f"epochs of training, now {training.run}", before + epochs, sum(lengths.values()))

        return Trainer(self.work / "checkpoints", EpochStore(self.work / "epochs.sqlite"), self.images("train"), self.images("test"),
                       self.device, told)

    def epochs(self, trainings: Iterable[Training], start: Mapping[Kind, Start] | None = None) -> list[Epoch]:
        """The epochs of several runs, one behind the other. `start` has what runs begin with."""
        several = list(trainings)
        trainer = self.trainer(several)
        rows = []
        for training in several:
            rows += trainer.epochs(training, start[training.network].network if start else None)
        self.progress.end()
        return rows
