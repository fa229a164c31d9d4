"""Rows and tables: plain Python, so that counts stay exact."""

from __future__ import annotations

import csv
import importlib
import io
from typing import Any, Iterable, Iterator, overload

from . import _esnsim


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
    """Columns of one length, by name. Counts are integers of any size; a value that a row does not have is `None`.

    >>> import esnsim
    >>> layers = esnsim.esn(bits=4).layers
    >>> layers["esn_d"][:3], layers[0].macs, len(layers[1:3]), [row.op for row in layers][-1]
    ([418, 4679, 4905], 9216, 2, 'Gemm')
    """

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

    @overload
    def __getitem__(self, key: str) -> list[Any]: ...

    @overload
    def __getitem__(self, key: int) -> Row: ...

    @overload
    def __getitem__(self, key: slice) -> Table: ...

    def __getitem__(self, key: str | int | slice) -> list[Any] | Row | Table:
        """A column by its name, a row by its place, a table of some rows by a slice."""
        if isinstance(key, str):
            if key not in self.columns:
                raise KeyError(f"there is no column {key!r}; there are {', '.join(self.columns)}")
            return self.columns[key]
        if isinstance(key, slice):
            return Table({name: values[key] for name, values in self.columns.items()})
        if not -len(self) <= key < len(self):
            raise IndexError(f"there is no row {key}; there are {len(self)}")
        return Row({name: values[key] for name, values in self.columns.items()})

    def __iter__(self) -> Iterator[Row]:
        return (Row(zip(self.columns, values)) for values in zip(*self.columns.values()))

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """The table as a stream of Arrow, which `polars.DataFrame(table)`, `pyarrow.table(table)` and others take.

        Columns of integers are `int64`, else `uint64`, else `decimal128(38, 0)`, else text: no digit is lost. What is no number
        and no text, as the entries of a ledger, is JSON. A consumer that asks for other types casts the stream itself.
        """
        return _esnsim.arrow_stream(list(self.columns), list(self.columns.values()))

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`. Columns of integers beyond 64 bits have the type `object`, so that no digit is lost."""
        return _library("pandas").DataFrame(self.columns)

    def to_polars(self) -> Any:
        """A `polars.DataFrame`, by way of Arrow."""
        return _library("polars").DataFrame(self)

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`."""
        return _library("pyarrow").table(self)

    def __repr__(self) -> str:
        head = f"<esnsim.Table of {len(self)} rows: {', '.join(self.columns)}>"
        if len(self.columns) > SHOWN or len(self) > SHOWN:
            return head
        cells = [list(self.columns), *([str(value) for value in row.values()] for row in self)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def _library(name: str) -> Any:
    """A library that tables go to, which the package does without."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"this needs {name}: pip install {name}", name=name) from error


# Columns of words. A layer may be called "1".
WORDS = {
    "configuration", "energy_unit", "error", "hardware", "ideal_by", "key", "layer", "layers", "lost_to", "method", "name",
    "network", "notes", "op", "over", "part", "proxy", "quantity", "status", "sweep", "target", "unit", "weights_of",
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
