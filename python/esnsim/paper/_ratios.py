"""How many times as much one way costs as another at equal accuracy."""

from __future__ import annotations

import math
import statistics
from typing import Any, Callable, Iterable, Sequence

from ._page import Claim, Verdict

Chosen = Callable[[Any], bool]


def cheapest(points: Iterable[Any], cost: str, level: float) -> Any:
    """The point that reaches an accuracy at the least cost; none where none reaches it."""
    return min((point for point in points if point.top1 >= level), key=lambda point: getattr(point, cost), default=None)


def cost_between(points: Iterable[Any], cost: str, level: float) -> float | None:
    """The cost at which a line through the frontier has an accuracy, straight between two neighbours in accuracy and the logarithm of cost;
    none below the cheapest point and above the best one.

    >>> from types import SimpleNamespace as Point
    >>> cost_between([Point(top1=0.5, bits=1.0), Point(top1=0.7, bits=4.0), Point(top1=0.6, bits=8.0)], "bits", 0.6)
    2.0
    """
    line: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: (getattr(point, cost), -point.top1)):
        if line and line[-1][0] < level <= point.top1:
            (before, low), high = line[-1], getattr(point, cost)
            return float(low * (high / low) ** ((level - before) / (point.top1 - before)))
        if not line or point.top1 > line[-1][0]:
            line.append((point.top1, getattr(point, cost)))
    return None


def ratio_cell_between(points: Sequence[Any], dear: Chosen, cheap: Chosen, cost: str, level: float) -> str:
    """As `ratio_cell`, of `cost_between`."""
    seeds = sorted({point.seed for point in points})
    pairs = [[cost_between((point for point in points if point.seed == seed and chosen(point)), cost, level) for chosen in (dear, cheap)]
             for seed in seeds]
    return _cell([one / other for one, other in pairs if one is not None and other is not None], len(seeds))


def ratios(points: Sequence[Any], dear: Chosen, cheap: Chosen, cost: str, level: float) -> list[float]:
    """The least cost of the points that are `dear` over that of the `cheap` ones at an accuracy, for each seed where both reach it."""
    found = []
    for seed in sorted({point.seed for point in points}):
        own = [point for point in points if point.seed == seed]
        both = [cheapest(filter(chosen, own), cost, level) for chosen in (dear, cheap)]
        if None not in both:
            found.append(getattr(both[0], cost) / getattr(both[1], cost))
    return found


def _outcomes(points: Sequence[Any], dear: Chosen, cheap: Chosen, cost: str, level: float) -> list[float]:
    """As `ratios`, of each seed where one of them reaches the accuracy: 0 where the `dear` ones alone do, infinite where the `cheap` ones
    do."""
    found = []
    for seed in sorted({point.seed for point in points}):
        one, other = (cheapest((point for point in points if point.seed == seed and chosen(point)), cost, level) for chosen in (dear, cheap))
        if one is not None and other is not None:
            found.append(getattr(one, cost) / getattr(other, cost))
        elif one is not None or other is not None:
            found.append(math.inf if one is None else 0.0)
    return found


def ratio_claim(says: str, whose: str, points: Sequence[Any], dear: Chosen, cheap: Chosen, cost: str, levels: Sequence[float],
                most: float = 1.0) -> Claim:
    """A claim that `whose` cost, that of the points that are `dear`, is larger at each accuracy, and `most` times as large or more at
    one. An accuracy that one side alone reaches speaks for that side, and one that neither reaches for none. Of several seeds the
    mean is told with its standard deviation, and an accuracy speaks for the claim if each of them does.
    """
    several = {level: found for level in levels if (found := _outcomes(points, dear, cheap, cost, level))}
    if not several:
        return Claim(says, "no accuracy of the list is reached", Verdict.NOT)
    both = {level: [ratio for ratio in found if 0 < ratio < math.inf] for level, found in several.items()}
    means = {level: statistics.fmean(found) for level, found in both.items() if found}
    seeds = len({point.seed for point in points})
    words = ", ".join(f"{mean_and_deviation(both[level])} at {level:g}{_beside(several[level], seeds, whose)}" for level in means)
    words = words or "none that both reach"
    alone = {level: found for level, found in several.items() if not both[level]}
    for who, own in ((f"of the two, {whose} alone reaches", [level for level, found in alone.items() if max(found) == 0]),
                     (f"of the two, {whose} does not reach", [level for level, found in alone.items() if min(found) > 0]),
                     (f"with some seeds {whose} alone, and with others not, reaches",
                      [level for level, found in alone.items() if min(found) == 0 < max(found)])):
        words += f"; {who} {', '.join(f'{level:g}' for level in own)}" if own else ""
    bound = f", and {most:g} or more at one" if most > 1 else ""
    verdict = Verdict.of(sum(min(found) > 1 for found in several.values()), len(several))
    each = " and seed" if seeds > 1 else ""
    return Claim(says, f"{whose} costs this many times as much: {words}. It holds where that is above 1 at each accuracy{each}{bound}",
                 Verdict.IN_PART if verdict is Verdict.HOLDS and max(means.values(), default=0.0) < most else verdict)


def _beside(found: Sequence[float], seeds: int, whose: str) -> str:
    """What the mean of several seeds does not tell: that it is of some of them, and that one of them says the opposite."""
    both = [ratio for ratio in found if 0 < ratio < math.inf]
    told = [f"{len(both)} of {seeds} seeds"] if len(both) < seeds else []
    told += [f"{whose} alone with {found.count(0.0)}"] if 0.0 in found else []
    if min(both) <= 1 < statistics.fmean(both):
        told.append(f"{min(both):.2f} of one seed")
    return f" ({', '.join(told)})" if told else ""


def ratio_cell(points: Sequence[Any], dear: Chosen, cheap: Chosen, cost: str, level: float) -> str:
    """`ratios` in a cell of a table, with the number of seeds where some do not reach the accuracy."""
    return _cell(ratios(points, dear, cheap, cost, level), len({point.seed for point in points}))


def _cell(found: Sequence[float], seeds: int) -> str:
    return mean_and_deviation(found) + (f" ({len(found)} of {seeds} seeds)" if 0 < len(found) < seeds else "")


def mean_and_deviation(found: Sequence[float]) -> str:
    """Ratios of several seeds in a cell of a table."""
    if not found:
        return "–"
    return f"{statistics.fmean(found):.2f}" + (f" ± {statistics.stdev(found):.2f}" if len(found) > 1 else "")
