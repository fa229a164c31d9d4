"""Figures as SVG: series of points with error bars over linear or logarithmic axes, in the colours of the report."""

from __future__ import annotations

import dataclasses
import html
import math
from typing import Callable, Iterable, Sequence

#: Those of the report, which eyes that see few colours tell apart.
COLOURS = ("#008C64", "#0064B4", "#D55000", "#8C3CA0", "#5A5A5A", "#B48200", "#C81E5A", "#00A0B4", "#7A5230", "#3C3C8C")
_WIDTH, _HEIGHT = 720, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 16, 14, 50
FONT = 'font-family="sans-serif"'
_LINE_OF_LEGEND = 17
# Letters that fit a third of the width.
_NARROW = 30


@dataclasses.dataclass(frozen=True)
class Point:
    """A point, and how far its error reaches to each side of `y`."""

    x: float
    y: float
    error: float = 0.0


@dataclasses.dataclass(frozen=True)
class Series:
    """Points of one name, in order. `is_joined` draws a line through them, `has_marks` a mark at each, `has_frontier` steps that say
    how much of `y` is there for `x` or less."""

    name: str
    points: Sequence[Point]
    is_joined: bool = True
    has_marks: bool = True
    has_frontier: bool = False


@dataclasses.dataclass(frozen=True)
class Chart:
    """A figure: titles of axes with their units, series, and vertical lines where something happens."""

    x: str
    y: str
    series: Sequence[Series]
    log_x: bool = False
    log_y: bool = False
    marks: Sequence[float] = ()

    def svg(self) -> str:
        """The figure as a file. The same chart is the same text."""
        points = [point for series in self.series for point in series.points]
        if not points:
            raise ValueError("a figure without a point")
        across = _Axis([point.x for point in points], self.log_x, _LEFT, _WIDTH - _RIGHT)
        # Names in the legend stand in columns that the longest fits.
        columns = 3 if max(len(series.name) for series in self.series) <= _NARROW else 2
        top = _TOP + _LINE_OF_LEGEND * math.ceil(len(self.series) / columns)
        ends = [end for point in points for end in (point.y - point.error, point.y + point.error) if end > 0 or not self.log_y]
        up = _Axis(ends, self.log_y, _HEIGHT - _BOTTOM, top)
        parts = [
            f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" xmlns="http://www.w3.org/2000/svg">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#FFFFFF"/>',
            *self._frame(across, up, top),
        ]
        for number, series in enumerate(self.series):
            parts += _drawn(series, COLOURS[number % len(COLOURS)], across.place, up.place)
            parts += _legend(series, COLOURS[number % len(COLOURS)], number, columns)
        return "\n".join([*parts, "</svg>\n"])

    def _frame(self, across: _Axis, up: _Axis, top: float) -> Iterable[str]:
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        for value in across.ticks:
            x = across.place(value)
            yield line(x, top, x, bottom, "#000000", 0.12)
            yield text(x, bottom + 18, across.word(value), 11, "middle")
        for value in up.ticks:
            y = up.place(value)
            yield line(_LEFT, y, right, y, "#000000", 0.12)
            yield text(_LEFT - 8, y + 4, up.word(value), 11, "end")
        for value in self.marks:
            yield f'<line x1="{across.place(value):.1f}" y1="{top}" x2="{across.place(value):.1f}" y2="{bottom}" ' \
                  'stroke="#000000" opacity="0.5" stroke-dasharray="4 3"/>'
        yield line(_LEFT, top, _LEFT, bottom, "#000000", 1)
        yield line(_LEFT, bottom, right, bottom, "#000000", 1)
        yield text((_LEFT + right) / 2, _HEIGHT - 12, self.x, 13, "middle")
        middle = (top + bottom) / 2
        yield f'<text x="18" y="{middle:.1f}" {FONT} font-size="13" text-anchor="middle" ' \
              f'transform="rotate(270, 18, {middle:.1f})">{html.escape(self.y)}</text>'


class _Axis:
    """Numbers as places in pixels."""

    def __init__(self, values: Sequence[float], is_log: bool, first: float, last: float) -> None:
        self._is_log = is_log
        least, most = min(map(self._scaled, values)), max(map(self._scaled, values))
        room = 0.04 * (most - least) or 0.5
        self._least, self._most = least - room, most + room
        self._first, self._last = first, last
        self.ticks = self._ticks()

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self._is_log else value

    def place(self, value: float) -> float:
        """Where a number is."""
        part = (self._scaled(value) - self._least) / (self._most - self._least)
        return self._first + part * (self._last - self._first)

    def _ticks(self) -> list[float]:
        if self._is_log:
            several = self._most - self._least > 2.5
            steps = (1,) if several else (1, 2, 5)
            powers = range(math.floor(self._least), math.ceil(self._most) + 1)
            values = [step * 10.0 ** power for power in powers for step in steps]
            return [value for value in values if self._least <= math.log10(value) <= self._most]
        raw = (self._most - self._least) / 6
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
        first = math.ceil(self._least / step)
        return [step * number for number in range(first, math.floor(self._most / step) + 1)]

    def word(self, value: float) -> str:
        """A number at a tick.

        >>> _Axis([1e6, 4e7], True, 0, 1).word(2e7), _Axis([0.1, 0.9], False, 0, 1).word(0.30000000000000004)
        ('20M', '0.3')
        """
        for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= unit:
                return f"{value / unit:.4g}{letter}"
        return f"{value:.4g}"


def _drawn(series: Series, colour: str, x: Callable[[float], float], y: Callable[[float], float]) -> Iterable[str]:
    if series.is_joined and len(series.points) > 1:
        path = " ".join(f"{x(point.x):.1f},{y(point.y):.1f}" for point in series.points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    if series.has_frontier:
        path = " ".join(f"{x(across):.1f},{y(up):.1f}" for across, up in _steps(series.points))
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.2" opacity="0.6"/>'
    for point in series.points:
        at = x(point.x)
        if point.error > 0:
            yield line(at, y(point.y - point.error), at, y(point.y + point.error), colour, 1)
        if series.has_marks:
            yield f'<circle cx="{at:.1f}" cy="{y(point.y):.1f}" r="3.5" fill="{colour}"/>'


def _steps(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Corners of a frontier: the points that no other beats, each joined to the next by a step up.

    >>> _steps([Point(2, 5), Point(1, 3), Point(3, 4), Point(4, 6)])
    [(1, 3), (2, 3), (2, 5), (4, 5), (4, 6)]
    """
    corners: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: (point.x, -point.y)):
        if not corners:
            corners.append((point.x, point.y))
        elif point.y > corners[-1][1]:
            corners += [(point.x, corners[-1][1]), (point.x, point.y)]
    return corners


def _legend(series: Series, colour: str, number: int, columns: int) -> Iterable[str]:
    x, y = _LEFT + 636 // columns * (number % columns), 15 + _LINE_OF_LEGEND * (number // columns)
    yield f'<circle cx="{x}" cy="{y - 4}" r="4.5" fill="{colour}"/>'
    yield text(x + 10, y, series.name, 11, "start")


def line(x1: float, y1: float, x2: float, y2: float, colour: str, opacity: float) -> str:
    """A line in pixels."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" opacity="{opacity:g}"/>'


def text(x: float, y: float, words: str, size: int, anchor: str) -> str:
    """Words at a place in pixels; `anchor` is "start", "middle" or "end"."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {FONT} font-size="{size}" text-anchor="{anchor}">{html.escape(words)}</text>'
