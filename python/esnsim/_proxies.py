"""Which number ranks networks as a hardware does."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Iterator, Sequence

from . import _esnsim
from ._arguments import checked
from ._esnsim import BadArgument
from ._images import asked
from ._tables import from_csv

#: What a fitted sum is made of, unless somebody asks for other terms.
TERMS = ("esn-d", "weight-bits", "activation-bits", "outputs")


class Proxies:
    """Numbers that stand for hardware, held against it.

    - `table`: a row for each hardware, target (`"energy"`, `"energy-without-memory"`, `"latency"`) and number, with the columns of `esnsim proxies --csv`.
    - `networks`: a row for each network, with the columns of `--points`: every number, and energy and cycles on each hardware.
    - `data`: what `--json` writes, with a sentence for each hardware.
    - `cost`: the sum that was fitted, as a text that `esnsim.pareto(cost=…)` takes; `None` without `fit=`.
    """

    def __init__(self, csv: str, points: str, data: str, text: str, figure: str) -> None:
        self.table, self.networks, self._text, self._figure = from_csv(csv), from_csv(points), text, figure
        self.data: dict[str, Any] = json.loads(data)
        self.cost: str | None = self.data["fit"] and self.data["fit"]["cost"]

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._figure


def is_store(source: Any) -> bool:
    """Whether a file of this path is a store."""
    if not isinstance(source, (str, os.PathLike)):
        return False
    with contextlib.suppress(OSError), open(source, "rb") as file:
        return file.read(16) == b"SQLite format 3\0"
    return False


def check_named_once(sources: Sequence[Any]) -> None:
    """Refuses a file that comes twice, by whatever path: it would be ranked twice."""
    paths = [os.fspath(source) for source in sources if isinstance(source, (str, os.PathLike))]
    files = [os.path.realpath(path) for path in paths]
    twice = next((path for place, path in enumerate(paths) if files[place] in files[:place]), None)
    if twice is not None:
        raise BadArgument(f"source has {twice} twice; name each network once")


def widths(bits: Any) -> list[int | None]:
    """One width, several, or none."""
    return [bits] if bits is None or hasattr(bits, "__index__") else list(bits)


def subjects(networks: Sequence[Any], hardware: list[str], fit: str | None, bits: Sequence[int | None], images: Any, limit: int | None,
             threads: int | None) -> Iterator[_esnsim.Subject]:
    """Every network at every width, costed, and run on the images where there are some. Widths are of real weights; where no network
    has any, the first one refuses them.
    """
    have_real = any(network._inner.has_real_weights for network in networks)
    beside = len(networks) > 1 and (have_real or bits == [None])
    for network in networks:
        own = [None] if beside and not network._inner.has_real_weights else bits
        with asked(images, limit, network._preprocess, "images") as found:
            request = None if found is None else found.request
            for width in own:
                name = network._inner.name if len(own) == 1 else f"{network._inner.name}, {width} {'bit' if width == 1 else 'bits'}"
                yield network._inner.subject(name, hardware=hardware, fit=fit, images=request, progress=None, beside=beside,
                                             **checked(bits=width, threads=threads))
