"""The tracker as a callback of Lightning."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from .. import BadArgument
from .tracker import EsnTracker

# The module of the class `Callback` by package. Both have the same interface.
PACKAGES = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}


def lightning_callback(path: str | os.PathLike[str] | None = None, *, package: str | None = None) -> Any:
    """A callback that tracks ESN_a of a `LightningModule`, for `Trainer(callbacks=[…])`.

    Its `tracker` is the `EsnTracker`, which follows every optimizer of the trainer. At the end of each epoch ESN_a is logged as
    `esn_a`, and with `path` rank 0 writes the trace there, as `EsnTracker.save`. Checkpoints hold its state. `package` is
    `"lightning"` or `"pytorch_lightning"`; left out, it is the one that is imported, else the one that is installed.
    """
    kind: Any = type("EsnCallback", (_Tracking, _callback_class(package)), {})
    return kind(path)


class _Tracking:
    """What a callback of either package does."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        super().__init__()
        self.path = path
        self.tracker: EsnTracker | None = None
        self._state: dict[str, Any] | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.tracker = EsnTracker(pl_module) if self.tracker is None else self.tracker
        if self._state is not None:
            self.tracker.load_state_dict(self._state)
            self._state = None
        self.tracker.attach(*trainer.optimizers)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        # Mixed precision may have left out every step of an epoch.
        if self.tracker is None or not self.tracker.steps:
            return
        esn_a = self.tracker.epoch_end().total["esn_a"]
        if esn_a is not None:
            pl_module.log("esn_a", esn_a)
        if self.path is not None and trainer.is_global_zero:
            self.tracker.save(self.path)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        if self.tracker is not None:
            self.tracker.detach()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self.on_train_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.tracker is None else self.tracker.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._state = state_dict or None


def _callback_class(package: str | None) -> Any:
    if package is not None and package not in PACKAGES:
        raise BadArgument(f"package is {package!r}; expected {' or '.join(PACKAGES)}")
    imported = [name for name in PACKAGES if name in sys.modules]
    for name in [package] if package is not None else [*imported, *PACKAGES]:
        try:
            return importlib.import_module(PACKAGES[name]).Callback
        except ImportError:
            continue
    raise BadArgument(f"{package or 'neither lightning nor pytorch_lightning'} is installed; pip install lightning")
