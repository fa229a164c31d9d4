"""The page of a figure: the paper's claims beside what was measured, pictures, tables, and the raw rows as CSV."""

from __future__ import annotations

import csv
import dataclasses
import enum
import io
import pathlib
import textwrap
from typing import Any, Mapping, Protocol, Sequence

from ._files import write_whole

# The page is read as text, too.
_COLUMNS = 120

Rows = Sequence[dict[str, Any]]


class Picture(Protocol):
    """What a page shows as SVG, with the titles of its axes."""

    @property
    def x(self) -> str:
        """The title of the axis across."""
        ...

    @property
    def y(self) -> str:
        """The title of the axis up."""
        ...

    def svg(self) -> str:
        """The file."""
        ...


class Verdict(enum.Enum):
    """Whether a claim of the paper is what was measured; open where the errors of what was measured decide nothing."""

    HOLDS = "holds"
    IN_PART = "holds in part"
    NOT = "does not hold"
    OPEN = "cannot be told"

    @classmethod
    def of(cls, holding: int, cases: int) -> Verdict:
        """The verdict of a claim that was put to several cases, of which some bear it out.

        >>> Verdict.of(3, 3), Verdict.of(1, 3), Verdict.of(0, 3)
        (<Verdict.HOLDS: 'holds'>, <Verdict.IN_PART: 'holds in part'>, <Verdict.NOT: 'does not hold'>)
        """
        return cls.HOLDS if holding == cases else cls.IN_PART if holding else cls.NOT


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of the paper, what was measured, and the verdict. The measured part names the numbers that decide."""

    says: str
    measured: str
    verdict: Verdict


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading, and under it paragraphs and a table."""

    heading: str
    paragraphs: Sequence[str] = ()
    rows: Rows = ()


@dataclasses.dataclass(frozen=True)
class Page:
    """A figure as it is read. `was_run` says networks, schedules, images and seeds, a sentence each. `charts` are pictures by the
    names of their files, `rows` the raw rows, and `command` what made all of it. `asked` says whose claims they are.
    """

    title: str
    opening: str
    was_run: Sequence[str]
    claims: Sequence[Claim]
    charts: Mapping[str, Picture]
    rows: Rows
    sections: Sequence[Section]
    command: str
    asked: str = "the paper says"

    def write(self, out: pathlib.Path, figure: str) -> pathlib.Path:
        """Writes `out`/FIGURE.md, and pictures and rows in `out`/FIGURE. The page comes last, so that what it shows is there."""
        for name, chart in self.charts.items():
            write_whole(out / figure / f"{name}.svg", chart.svg())
        write_whole(out / figure / "rows.csv", _csv(self.rows))
        write_whole(out / f"{figure}.md", self.markdown(figure))
        return out / f"{figure}.md"

    def markdown(self, figure: str) -> str:
        """The text of the page."""
        claims = [{self.asked: claim.says, "measured here": claim.measured, "verdict": f"**{claim.verdict.value}**"}
                  for claim in self.claims]
        pictures = [f"![{chart.y} against {chart.x}]({figure}/{name}.svg)" for name, chart in self.charts.items()]
        parts = [f"# {self.title}", _wrapped(self.opening), table(claims), "\n".join(pictures), "## What was run",
                 "\n".join(_item(sentence) for sentence in self.was_run)]
        for section in self.sections:
            parts += [f"## {section.heading}", *map(_wrapped, section.paragraphs), *([table(section.rows)] if section.rows else [])]
        parts += ["## How to repeat it", _wrapped(f"[{figure}/rows.csv]({figure}/rows.csv) has the raw rows. This command makes page, "
                                                  "pictures and rows; it goes on where it was stopped:"),
                  f"```text\n{self.command}\n```"]
        return "\n\n".join(parts) + "\n"


def table(rows: Rows) -> str:
    """A table of Markdown. Columns of numbers stand to the right."""
    names = list(rows[0])
    is_number = {name: all(isinstance(row[name], (int, float)) or row[name] is None for row in rows) for name in names}
    rule = "|".join("---:" if is_number[name] else "---" for name in names)
    cells = [f"| {' | '.join(line)} |" for line in (names, *([_cell(row[name]) for name in names] for row in rows))]
    return "\n".join([cells[0], f"|{rule}|", *cells[1:]])


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}" if isinstance(value, float) else str(value)


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, _COLUMNS, break_long_words=False, break_on_hyphens=False)


def _item(sentence: str) -> str:
    return textwrap.fill(sentence, _COLUMNS, initial_indent="- ", subsequent_indent="  ", break_long_words=False,
                         break_on_hyphens=False)


def _csv(rows: Rows) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
