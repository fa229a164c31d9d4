"""Histograms as SVG, bars of several groups side by side."""

from __future__ import annotations

import dataclasses
import html
from typing import Mapping

from ._chart import COLOURS, FONT, line, text

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 360, 70, 16, 40, 50


@dataclasses.dataclass(frozen=True)
class Bars:
    """Counts by whole number, for each group by name. `x` and `y` are titles of the axes."""

    x: str
    y: str
    groups: Mapping[str, Mapping[int, int]]

    def svg(self) -> str:
        """The figure as a file. The same counts are the same text."""
        values = range(max((value for counts in self.groups.values() for value in counts), default=0) + 1)
        most = max((count for counts in self.groups.values() for count in counts.values()), default=1)
        slot = (_WIDTH - _LEFT - _RIGHT) / len(values)
        width = 0.8 * slot / max(len(self.groups), 1)
        bottom = _HEIGHT - _BOTTOM
        parts = [f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" xmlns="http://www.w3.org/2000/svg">',
                 f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#FFFFFF"/>']
        for number, (name, counts) in enumerate(self.groups.items()):
            colour = COLOURS[number]
            parts += [f'<circle cx="{_LEFT + 220 * number}" cy="16" r="4.5" fill="{colour}"/>',
                      text(_LEFT + 220 * number + 10, 20, name, 11, "start")]
            for value in values:
                height = counts.get(value, 0) / most * (bottom - _TOP)
                x = _LEFT + slot * value + 0.1 * slot + width * number
                if height:
                    parts += [f'<rect x="{x:.1f}" y="{bottom - height:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>',
                              text(x + width / 2, bottom - height - 3, str(counts[value]), 9, "middle")]
        parts += [text(_LEFT + slot * (value + 0.5), bottom + 18, str(value), 11, "middle") for value in values]
        parts += [line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "#000000", 1), line(_LEFT, _TOP, _LEFT, bottom, "#000000", 1),
                  text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, self.x, 13, "middle"),
                  f'<text x="18" y="{_HEIGHT / 2:.1f}" {FONT} font-size="13" text-anchor="middle" '
                  f'transform="rotate(270, 18, {_HEIGHT / 2:.1f})">{html.escape(self.y)}</text>']
        return "\n".join([*parts, "</svg>\n"])
