"""Arguments, checked once by name: a wrong one is told in a line with what was expected and what was found.

A wrong type is a `TypeError`, as everywhere in Python, and a value out of range a `BadArgument`. An argument has one meaning in
all functions, so that its kind stands in one table.
"""

from __future__ import annotations

import math
import numbers
import os
import reprlib
from typing import Any, Callable, Iterable, Mapping

from ._esnsim import BadArgument, slurm_shard

Kind = Callable[[str, Any], Any]


def checked(**arguments: Any) -> dict[str, Any]:
    """The arguments, by name, in the types that the module in Rust takes."""
    return {name: KINDS[name](name, value) for name, value in arguments.items()}


def listed(hardware: Iterable[str | os.PathLike[str]] | str | os.PathLike[str]) -> list[str]:
    """Names and paths of hardware: one, or several."""
    one: list[str] = checked(hardware=[hardware] if isinstance(hardware, (str, os.PathLike)) else hardware)["hardware"]
    return one


def shown(value: object) -> str:
    """A value in a few words on one line."""
    if isinstance(value, (str, int, float, complex, bool, type(None), tuple, list, dict)):
        return " ".join(reprlib.repr(value).split())
    name = type(value).__name__
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def wrong(name: str, value: object, expected: str) -> TypeError:
    """The exception of a value of a wrong type."""
    return TypeError(f"{name} is {shown(value)}; expected {expected}")


def whole(least: int, most: int) -> Kind:
    """A whole number, of Python or of another library."""
    expected = f"a whole number of at least {least}" if most >= 1 << 32 else f"a whole number from {least} to {most}"

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise wrong(name, value, expected)
        try:
            number = int(value.__index__())
        except TypeError:
            # An array of several numbers.
            raise wrong(name, value, expected) from None
        if number < least:
            raise BadArgument(f"{name} is {number}; expected {f'{least} to {most}' if most < 1 << 32 else f'at least {least}'}")
        if number > most:
            raise BadArgument(f"{name} is {number}; expected {least} to {most}")
        return number

    return check


def real(name: str, value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise wrong(name, value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadArgument(f"{name} is {number}; expected a finite number")
    return number


def truth(name: str, value: Any) -> bool:
    """`True` or `False`."""
    if not isinstance(value, bool):
        raise wrong(name, value, "True or False")
    return value


def text(name: str, value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return value


def choice(*values: str) -> Kind:
    """One of some words."""

    def check(name: str, value: Any) -> str:
        word: str = text(name, value)
        if word not in values:
            raise BadArgument(f"{name} is {word!r}; expected {' or '.join(values)}")
        return word

    return check


def path(name: str, value: Any) -> str:
    """A path as a text."""
    if not isinstance(value, (str, os.PathLike)):
        raise wrong(name, value, "a path")
    name_of_file = os.fspath(value)
    if not isinstance(name_of_file, str):
        raise wrong(name, name_of_file, "a path that is a text")
    return name_of_file


def maybe(kind: Kind) -> Kind:
    """The same, or nothing."""
    return lambda name, value: None if value is None else kind(name, value)


def several(kind: Kind, expected: str) -> Kind:
    """A list."""

    def check(name: str, value: Any) -> list[Any]:
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            raise wrong(name, value, expected)
        return [kind(f"{name}[{place}]", each) for place, each in enumerate(value)]

    return check


def one_or_several(kind: Kind, expected: str) -> Kind:
    """A list, or one value that stands for a list of one."""
    many = several(kind, expected)
    return lambda name, value: [kind(name, value)] if isinstance(value, str) else many(name, value)


def shapes(name: str, value: Any) -> dict[str, list[int]]:
    """Shapes by name."""
    expected = 'shapes by name, as {"image": (1, 3, 224, 224)}'
    if not isinstance(value, Mapping):
        raise wrong(name, value, expected)
    extents = several(whole(0, LARGE), "a shape, as (1, 3, 224, 224)")
    return {text(f"a name of {name}", key): extents(f"{name}[{key!r}]", shape) for key, shape in value.items()}


def layers_of_their_own(name: str, value: Any) -> Any:
    """A file, or a list of what some layers get."""
    if isinstance(value, (str, os.PathLike)):
        return path(name, value)
    if not isinstance(value, Iterable) or not all(isinstance(each, Mapping) for each in value):
        raise wrong(name, value, 'a file, or layers, as [{"layer": "conv1", "bits": 8}]')
    return [{text(f"a key of {name}[{place}]", key).replace("_", "-"): each[key] for key in each}
            for place, each in enumerate(value)]


def share(name: str, value: Any) -> tuple[int, int]:
    """Two whole numbers, or the word for those that SLURM tells in the environment."""
    if isinstance(value, str) and value == "slurm":
        return slurm_shard()
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise wrong(name, value, "two whole numbers, as (1, 4), or 'slurm'")
    first, second = (whole(0, LARGE)(f"{name}[{place}]", each) for place, each in enumerate(value))
    return first, second


# The largest index of a 64-bit machine, and what a seed may be.
LARGE = (1 << 63) - 1
SEED = (1 << 64) - 1

_BITS = whole(1, 16)
_COUNT = whole(1, LARGE)

KINDS: Mapping[str, Kind] = {
    "activation_bits": _BITS,
    "allocate": maybe(text),
    "allocate_images": _COUNT,
    "architecture": maybe(text),
    "average_bits": maybe(real),
    "baseline": maybe(_BITS),
    "batch_axis": maybe(text),
    "bias_correction": truth,
    "bit_convention": text,
    "bits": maybe(_BITS),
    "calibration_images": _COUNT,
    "classes": maybe(_COUNT),
    "clip": maybe(text),
    "cluster": text,
    "compact": truth,
    "cost": text,
    "accuracy": text,
    "depth": maybe(_COUNT),
    "esn_d_filter_budget": maybe(real),
    "fan": text,
    "find_step": truth,
    "fit": maybe(path),
    "first_bits": maybe(_BITS),
    "granularity": maybe(text),
    "grid": maybe(text),
    "growth": maybe(_COUNT),
    "hardware": several(path, "names of hardware and paths"),
    "input": maybe(_COUNT),
    "input_shape": maybe(shapes),
    "label_offset": maybe(whole(-LARGE, LARGE)),
    "last_bits": maybe(_BITS),
    "layer_options": maybe(layers_of_their_own),
    "layers": several(text, "a list of patterns"),
    "layout": maybe(text),
    "limit": maybe(_COUNT),
    "memory": real,
    "name": text,
    "networks": several(text, "names of networks"),
    "operators": maybe(path),
    "output": maybe(text),
    "path": path,
    "plan": path,
    "preprocess": maybe(path),
    "prune": one_or_several(text, 'one pruning or several, as ["filters=0.1"]'),
    "prune_below": maybe(real),
    "prune_scope": text,
    "pruned": whole(0, 99),
    "resamples": whole(0, 100_000),
    "retry_failed": truth,
    "seed": whole(0, SEED),
    "sensitivity_images": _COUNT,
    "shard": maybe(share),
    "shortcut": maybe(text),
    "sources": several(path, "paths of stores"),
    "state": maybe(text),
    "store": path,
    "strict": truth,
    "synthetic_sparsity": real,
    "synthetic_weights": maybe(whole(0, SEED)),
    "target_esn_a": maybe(real),
    "target_profile": maybe(path),
    "target_snr": maybe(real),
    "terms": several(text, "names of costs"),
    "tflite_kernels": maybe(text),
    "threads": maybe(_COUNT),
    "threshold": maybe(real),
    "topology": maybe(path),
    "trials": _COUNT,
    "width": real,
}
