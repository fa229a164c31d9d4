"""How a network does on images, on every engine."""

from __future__ import annotations

import json
from typing import Any, Mapping, NamedTuple

from . import _esnsim
from ._tables import Table


class Score(NamedTuple):
    """So many right, of so many images with a label."""

    right: int
    of: int


def accuracy_table(inference: dict[str, Any]) -> Table:
    """A row for the network in float and for every engine, of the scores in the JSON of a simulation."""
    rows = [{"hardware": "float", **inference["float"], "agreement": None}] if inference["float"] else []
    rows += [
        {"hardware": name, **engine["score"], "agreement": engine["agreement"]}
        for engine in inference["engines"]
        for name in engine["hardware"]
    ]
    return Table.from_rows({**row, "images": inference["images"]} for row in rows)


class Evaluation:
    """How a network does on images, in float and on every engine; `"float"` is one of the names of engines here.

    - `accuracy`: a table with a row for each engine: images, images with a label, right answers (`top1`, and `top5` from 100
      classes on), and images on which the engine names the class that the network in float names (`agreement`).
    - `top1`, `top5`: `Score(right, of)` by name of the engine, both integers. `top5` is empty below 100 classes.
    - `predictions`: by name of the engine, the class that it names for each image: an array of `int64` `[images]`.
    - `logits`: by name of the engine, the output that is scored: an array of `float32` `[images, numbers]`.
    - `labels`: an array of `int64` `[images]`, -1 where an image has none.
    - `data`: scores and signal-to-noise ratios (in dB) of every layer, as `inference` of `esnsim simulate --json` has them.
    - `notes`: what there is to know, one line each.

    Arrays are those of NumPy; engines that compute the same share one.
    """

    def __init__(self, inner: _esnsim.Evaluation, text: str, notes: list[str]) -> None:
        import numpy

        self._text, self.notes = text, notes
        self.data: dict[str, Any] = json.loads(inner.json)
        self.accuracy = accuracy_table(self.data)
        runs = inner.runs
        self.labels: Any = numpy.frombuffer(inner.labels(), numpy.int64)
        classes = numpy.frombuffer(inner.classes(), numpy.int64).reshape(-1, len(runs))
        logits = numpy.frombuffer(inner.logits(), numpy.float32).reshape(-1, len(runs), inner.numbers)
        place = {name: run for run, names in enumerate(runs) for name in names}
        self.predictions: Mapping[str, Any] = {name: classes[:, run] for name, run in place.items()}
        self.logits: Mapping[str, Any] = {name: logits[:, run] for name, run in place.items()}
        self.top1: Mapping[str, Score] = {row.hardware: Score(row.top1, row.labelled) for row in self.accuracy}
        self.top5: Mapping[str, Score] = {
            row.hardware: Score(row.top5, row.labelled) for row in self.accuracy if row.top5 is not None
        }

    def __repr__(self) -> str:
        return self._text
