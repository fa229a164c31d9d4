"""Rows and tables: plain Python, so that counts stay exact."""

from __future__ import annotations

import csv
import io
from typing import Any, Iterable, Iterator


class Row(dict[str, Any]):
    """A row of a table: `row["macs"]` is `row.macs`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r}; there are {', '.join(self)}") from None

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self]


# A table of at most so many rows and columns is shown whole.
SHOWN = 12


class Table:
    """Columns of one length, by name. Counts are integers of any size; a value that a row does not have is `None`."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.columns = columns

    @classmethod
    def from_rows(cls, rows: Iterable[dict[str, Any]]) -> Table:
        """A table of these rows; its columns are all of their names, in the order in which they come."""
        rows = list(rows)
        names = list(dict.fromkeys(name for row in rows for name in row))
        return cls({name: [row.get(name) for row in rows] for name in names})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def __getitem__(self, name: str) -> list[Any]:
        return self.columns[name]

    def __iter__(self) -> Iterator[Row]:
        return (Row(zip(self.columns, values)) for values in zip(*self.columns.values()))

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`. Columns of integers beyond 64 bits have the type `object`, so that no digit is lost."""
        import pandas

        return pandas.DataFrame(self.columns)

    def to_polars(self) -> Any:
        """A `polars.DataFrame`. What has no type of polars, as integers beyond 64 bits, becomes a text."""
        import polars

        return polars.DataFrame({name: _plain(values) for name, values in self.columns.items()}, strict=False)

    def to_pyarrow(self) -> Any:
        """A `pyarrow.Table`. What has no type of Arrow, as integers beyond 64 bits, becomes a text."""
        import pyarrow

        return pyarrow.table({name: _plain(values) for name, values in self.columns.items()})

    def __repr__(self) -> str:
        head = f"<esnsim.Table of {len(self)} rows: {', '.join(self.columns)}>"
        if len(self.columns) > SHOWN or len(self) > SHOWN:
            return head
        cells = [list(self.columns), *([str(value) for value in row.values()] for row in self)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def _plain(values: list[Any]) -> list[Any]:
    def has_type(value: Any) -> bool:
        if isinstance(value, int):
            return -(1 << 63) <= value < 1 << 63
        return value is None or isinstance(value, (str, float))

    return values if all(map(has_type, values)) else [None if value is None else str(value) for value in values]


# Columns of words. A layer may be called "1".
WORDS = {
    "configuration", "energy_unit", "error", "hardware", "key", "layer", "method", "network", "notes", "op", "status", "sweep",
    "weights_of",
}


def from_csv(text: str) -> Table:
    """A table of a CSV of the command. Cells of `WORDS` are texts, `true` and `false` are truths, all others numbers; what is
    written as an integer is one. An empty cell is `None`.
    """
    names, *rows = csv.reader(io.StringIO(text))
    return Table({name: [_value(name, row[place]) for row in rows] for place, name in enumerate(names)})


def _value(name: str, cell: str) -> Any:
    if cell == "" or name in WORDS:
        return cell or None
    if cell in ("true", "false"):
        return cell == "true"
    return float(cell) if any(mark in cell for mark in ".einfN") else int(cell)
