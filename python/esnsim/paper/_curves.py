"""Epochs of several runs as curves."""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import Any, Callable, Sequence

from ._chart import Chart, Point, Series
from ._store import Epoch


@dataclasses.dataclass(frozen=True)
class Curve:
    """The epochs of one run. `name` is what runs of several seeds have in common in a figure."""

    name: str
    seed: int
    epochs: list[Epoch]

    def values(self, column: str) -> list[float]:
        """A column of the epochs, those left out that have no value."""
        return [epoch[column] for epoch in self.epochs if epoch[column] is not None]

    def mean(self, column: str, first: int, last: int) -> float:
        """The mean of a column over the epochs from `first` on and before `last`."""
        return statistics.fmean(epoch[column] for epoch in self.epochs[first:last])


def curves(rows: Sequence[Epoch], name: Callable[[dict[str, Any]], str]) -> list[Curve]:
    """A curve for each run. `name` says of settings what runs that differ in their seed alone have in common."""
    runs: dict[str, list[Epoch]] = {}
    for row in rows:
        runs.setdefault(row["run"], []).append(row)
    return [Curve(name(epochs[0]["settings"]), epochs[0]["settings"]["seed"], epochs) for epochs in runs.values()]


def chart(found: Sequence[Curve], column: str, title: str, *, log_y: bool = False, marks: Sequence[float] = ()) -> Chart:
    """A column by epoch: for each name the mean over seeds, with the standard deviation where there are several."""
    names = dict.fromkeys(curve.name for curve in found)
    series = [Series(name, _means([curve for curve in found if curve.name == name], column), has_marks=False) for name in names]
    return Chart("epoch", title, series, log_y=log_y, marks=marks)


def _means(group: Sequence[Curve], column: str) -> list[Point]:
    points = []
    for epochs in zip(*(curve.epochs for curve in group)):
        values = [epoch[column] for epoch in epochs if epoch[column] is not None]
        if values:
            error = statistics.stdev(values) if len(values) > 1 else 0.0
            points.append(Point(epochs[0]["epoch"], statistics.fmean(values), error))
    return points


def csv_rows(rows: Sequence[Epoch]) -> list[dict[str, Any]]:
    """Epochs as rows of a table, with the settings that differ between runs."""
    settings = ("seed", "rate", "schedule", "weight_decay", "batch", "images", "start", "data", "precision")
    own = ("epoch", "learning_rate", "loss", "top1", "esn_a", "filters", "pruned_filters")
    return [{"run": row["run"], **{name: row["settings"][name] for name in settings}, **{name: row[name] for name in own}}
            for row in rows]


def together(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's rank correlation of pairs, -1 to 1; equal values share their mean rank. It is 0 where one side is constant.

    >>> together([(1, 10), (2, 30), (3, 20)]), together([(1, 3), (2, 2), (3, 1)])
    (0.5, -1.0)
    """
    ranks = [_ranks([pair[side] for pair in pairs]) for side in (0, 1)]
    return statistics.correlation(*ranks) if all(len(set(side)) > 1 for side in ranks) else 0.0


# Student's t for 1 to 9 degrees of freedom, 95 % on both sides together.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)


def interval(values: Sequence[float]) -> float | None:
    """How far the mean of independent numbers may lie from what was measured, with 95 % confidence; none of a single number. Of more
    than ten numbers it is a little too far.

    >>> round(interval([1.0, 2.0, 3.0]), 2), interval([1.0])
    (2.48, None)
    """
    if len(values) < 2:
        return None
    return _STUDENT[min(len(values) - 1, len(_STUDENT)) - 1] * statistics.stdev(values) / math.sqrt(len(values))


def span(values: Sequence[float], form: str) -> str:
    """The least and the largest number, in a format; one where they are written alike.

    >>> span([0.25, 0.5, 0.125], ".1f"), span([17, 17], "d")
    ('0.1 to 0.5', '17')
    """
    ends = [format(end, form) for end in (min(values), max(values))]
    return " to ".join(dict.fromkeys(ends))


def _ranks(values: Sequence[float]) -> list[float]:
    return [sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2 for value in values]
