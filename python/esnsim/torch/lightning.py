"""The tracker as a callback of Lightning."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from typing import Any

from .. import BadArgument
from .._arguments import checked, choice, maybe
from .tracker import EsnTracker

# The module of the class `Callback` by package. Both have the same interface.
PACKAGES = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}


def lightning_callback(path: str | os.PathLike[str] | None = None, *, package: str | None = None) -> Any:
    """A callback that tracks ESN_a of a `LightningModule`, for `Trainer(callbacks=[…])`.

    Its `tracker` is the `EsnTracker`, which follows every optimizer of the trainer that holds a parameter of its layers. At the end
    of each epoch ESN_a is logged as `esn_a`, and with `path` rank 0 writes the trace there, as `EsnTracker.save`. Checkpoints hold its state. `package` is
    `"lightning"` or `"pytorch_lightning"`; left out, it is the one that is imported, else the one that is installed.

    Each fit has a tracker of its own. Epochs of the fit before stay in it where the model is the same.
    """
    return _kind(package)(None if path is None else checked(path=path)["path"])


class _Tracking:
    """What a callback of either package does."""

    package: str

    def __init__(self, path: str | None) -> None:
        super().__init__()
        self.path = path
        self.tracker: EsnTracker | None = None
        self._state: dict[str, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made where it is asked for, and has no place in a module that a pickle could name. A trainer adds methods of
        # its model, which are not of the callback.
        return _restored, (self.package,), {name: vars(self)[name] for name in ("path", "tracker", "_state")}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        before, self.tracker = self.tracker, EsnTracker(pl_module)
        if self._state is not None:
            self.tracker.load_state_dict(self._state)
            self._state = None
        elif before is not None and before.follows(pl_module):
            self.tracker.epochs = before.epochs
        # Others, as one of BatchNorm alone, move no weight that is tracked. Where there are no others, `attach` says so.
        own = [optimizer for optimizer in trainer.optimizers if self.tracker.is_trained_by(optimizer)]
        self.tracker.attach(*(own or trainer.optimizers))

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


def _kind(package: str | None) -> Any:
    """The class of the callback."""
    maybe(choice(*PACKAGES))("package", package)
    imported = [name for name in PACKAGES if name in sys.modules]
    for name in [package] if package is not None else [*imported, *PACKAGES]:
        try:
            return _derived(importlib.import_module(PACKAGES[name]).Callback, name)
        except ImportError:
            continue
    missing = "neither lightning nor pytorch_lightning is installed" if package is None else f"{package} is not installed"
    raise BadArgument(f"{missing}; pip install {package or 'lightning'}")


@functools.cache
def _derived(of: Any, package: str) -> Any:
    return type("EsnCallback", (_Tracking, of), {"package": package})


def _restored(package: str) -> Any:
    kind = _kind(package)
    return kind.__new__(kind)
