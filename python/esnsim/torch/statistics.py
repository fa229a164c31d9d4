"""New statistics for BatchNorm, by the definition of `esnsim compress --reestimate-bn`."""

from __future__ import annotations

import itertools
from typing import Any, Iterable, Iterator

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from .. import BadArgument, Unsupported
from .._arguments import LARGE, whole, wrong
from .layers import evaluating, inner


class _Reached(Exception):
    """The rest of a pass is not needed."""


class _Moments:
    """Mean and variance by channel of what is added piece by piece."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = torch.zeros(())

    def add(self, values: torch.Tensor) -> None:
        """Takes in activations `[N, C, …]`."""
        rows = values.detach().double().transpose(0, 1).flatten(1)
        count, mean = rows.shape[1], rows.mean(dim=1)
        squares = (rows - mean[:, None]).square().sum(dim=1)
        if self.count == 0:
            self.count, self.mean, self.squares = count, mean, squares
            return
        # Chan, Golub and LeVeque 1979: sums of squares around means of two parts.
        apart, total = mean - self.mean, self.count + count
        self.mean = self.mean + apart * (count / total)
        self.squares = self.squares + squares + apart.square() * (self.count * count / total)
        self.count = total

    def variance(self) -> torch.Tensor:
        """Population variance: divided by the count, not by one less."""
        return self.squares / self.count


@torch.no_grad()
def reestimate(model: torch.nn.Module, loader: Iterable[Any], batches: int | None = None) -> int:
    """Gives every BatchNorm the mean and variance that its input has on the images of `loader`, and returns how many it gave.

    The definition is that of `esnsim compress --reestimate-bn`: plain averages over all images and positions, population
    variance, the model in evaluation, and the BatchNorms before already with their new statistics. Moving averages of
    training have none of these. After quantization this is all that the paper tunes (its section 2.8).

    `loader` gives batches: inputs `[N, …]`, or tuples and lists that begin with them. It is gone through once for each
    BatchNorm, in the order in which they run; of `batches`, that many are taken and kept. The mode of every module stays.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.BatchNorm1d(1))
    >>> reestimate(model, [torch.tensor([[1.0]]), torch.tensor([[3.0]])])
    1
    >>> model[0].running_mean.item(), model[0].running_var.item()
    (2.0, 1.0)
    """
    model = inner(model)
    norms = {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
    if not norms:
        raise BadArgument(f"a {type(model).__name__} has no BatchNorm")
    for name, norm in norms.items():
        if norm.running_mean is None:
            raise Unsupported(f"BatchNorm {name} keeps no statistics (track_running_stats=False)")
    data = _Inputs(model, _repeatable(loader, batches))
    # The weights stay as they are, so that a fake quantization is worked out once.
    with evaluating(model), parametrize.cached():
        order = _order(model, norms, data)
        for name in order:
            _renew(model, name, norms[name], data)
    return len(order)


def _repeatable(loader: Iterable[Any], batches: int | None) -> Iterable[Any]:
    # A data set without `__iter__` is gone through by its places.
    if isinstance(loader, torch.Tensor) or not (hasattr(loader, "__iter__") or hasattr(loader, "__getitem__")):
        raise wrong("loader", loader, "batches: a DataLoader, or a list, as [images]")
    if batches is not None:
        return list(itertools.islice(loader, whole(1, LARGE)("batches", batches)))
    if isinstance(loader, Iterator):
        raise BadArgument("the loader is an iterator, which ends after one pass; give a list or a DataLoader, or batches=")
    return loader


class _Inputs:
    """The inputs of a loader's batches, on the device of a model; as often as they are asked for."""

    def __init__(self, model: torch.nn.Module, loader: Iterable[Any]) -> None:
        self._loader = loader
        self._device = next(itertools.chain(model.parameters(), model.buffers())).device

    def __iter__(self) -> Iterator[torch.Tensor]:
        for batch in self._loader:
            first = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
            if not isinstance(first, torch.Tensor):
                raise BadArgument(f"a batch is a {type(batch).__name__}; expected a tensor, or a tuple or list that begins with one")
            yield first.to(self._device)


def _order(model: torch.nn.Module, norms: dict[str, _BatchNorm], data: Iterable[torch.Tensor]) -> list[str]:
    """The BatchNorms in the order in which they run."""
    order: list[str] = []
    hooks = [norm.register_forward_pre_hook(lambda *_, name=name: order.append(name)) for name, norm in norms.items()]
    try:
        for images in data:
            model(images)
            break
        else:
            raise BadArgument("the loader gave no batch; at least one is needed")
    finally:
        for hook in hooks:
            hook.remove()
    for name in order:
        if order.count(name) > 1:
            raise Unsupported(f"BatchNorm {name} runs {order.count(name)} times in a pass; expected one, of which statistics are")
    return order


def _renew(model: torch.nn.Module, name: str, norm: _BatchNorm, data: Iterable[torch.Tensor]) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    moments = _Moments()

    def reached(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        moments.add(inputs[0])
        raise _Reached

    hook = norm.register_forward_pre_hook(reached)
    try:
        for images in data:
            try:
                model(images)
            except _Reached:
                pass
    finally:
        hook.remove()
    if not bool(torch.isfinite(moments.mean + moments.squares).all()):
        raise BadArgument(f"BatchNorm {name}: its input is not finite on these images")
    norm.running_mean.copy_(moments.mean)
    norm.running_var.copy_(moments.variance())
