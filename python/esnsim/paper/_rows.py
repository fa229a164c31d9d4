"""Rows of a page that was made before, in place of seeds that are not run again."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
import pathlib
from typing import Any, Iterable, Mapping, NamedTuple, Sequence, TypeVar

from .. import BadArgument
from ._points import Rowed

#: Columns of points that no file has: they are of this machine.
HIDDEN = ("file",)

AnyRowed = TypeVar("AnyRowed", bound=Rowed)


class Expected(NamedTuple):
    """What rows of a seed have to be: the protocol that this command runs the seed by, and how many points no search found."""

    protocol: str
    points: int


def protocol(*parts: Any) -> str:
    """A digest of all that the points of a seed depend on: schedules, networks, data and plans."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def rows_of(points: Iterable[Rowed]) -> list[dict[str, Any]]:
    """Points as the rows of a file."""
    return [{name: value for name, value in point.columns.items() if name not in HIDDEN} for point in points]


def earlier(paths: Sequence[pathlib.Path], of: type[AnyRowed], expected: Mapping[int, Expected],
            without: Mapping[str, Any] | None = None) -> list[AnyRowed]:
    """The points of files of rows. `without` are columns that a page leaves out, with their values.

    Raises `BadArgument` for a file that is no whole table of such points, a seed that is not asked for or comes in two files, and for
    seeds that were run by another protocol than this command runs them by.
    """
    found: list[AnyRowed] = []
    for path in paths:
        points = _read(path, of, without or {})
        for point in points:
            if point.seed not in expected:
                raise BadArgument(f"{path}: seed {point.seed} is none of {_listed(expected)}; --seeds N takes more of them")
            if point.protocol != expected[point.seed].protocol:
                raise BadArgument(f"{path}: seed {point.seed} was run by the protocol {point.protocol}, and this command runs it by "
                                  f"{expected[point.seed].protocol}: schedule, data or networks are others; leave the file out")
        seeds = {point.seed for point in points}
        twice = seeds & {point.seed for point in found}
        if twice:
            raise BadArgument(f"{path}: seed {min(twice)} is in another file of --rows, too")
        for seed in sorted(seeds):
            count = sum(point.seed == seed and not point.is_searched for point in points)
            if count != expected[seed].points:
                raise BadArgument(f"{path}: seed {seed} has {count} points that no search found; expected {expected[seed].points}: a "
                                  "part of the file is missing, or comes twice")
        found += points
    return found


def _listed(seeds: Iterable[int]) -> str:
    return ", ".join(str(seed) for seed in sorted(seeds))


def _read(path: pathlib.Path, of: type[AnyRowed], without: Mapping[str, Any]) -> list[AnyRowed]:
    kinds = {field.name: str(field.type) for field in dataclasses.fields(of)}
    hidden: dict[str, Any] = {name: "" for name in kinds if name in HIDDEN}
    columns = [name for name in of.names() if name not in without and name not in HIDDEN]
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            if sorted(reader.fieldnames or []) != sorted(columns):
                raise BadArgument(f"{path}: its columns are {', '.join(reader.fieldnames or ['none'])}; expected the rows of a page of "
                                  f"this figure: {', '.join(columns)}")
            points = []
            for row in reader:
                place = f"{path}: line {reader.line_num}"
                values = {name: _value(place, name, kinds[name], row[name]) for name in columns}
                if None in row:
                    raise BadArgument(f"{place}: it has more cells than columns")
                points.append(of(**hidden, **without, **values))
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadArgument(f"{path}: it is no CSV: {error}") from error
    if not points:
        raise BadArgument(f"{path}: it has no rows")
    return points


def _value(place: str, name: str, kind: str, word: str | None) -> Any:
    """A cell as the type of its field."""
    if word is not None:
        if kind == "str":
            return word
        if kind == "bool" and word in ("True", "False"):
            return word == "True"
        # Costs are real numbers for means of seeds, and whole ones in rows.
        if kind in ("int", "float") and word.isascii() and word.isdecimal():
            return int(word)
        try:
            number = float(word) if kind == "float" else math.nan
        except ValueError:
            number = math.nan
        if math.isfinite(number) and number >= 0:
            return number
    raise BadArgument(f"{place}: {name} is {'missing' if word is None else repr(word)}; expected "
                      f"{'True or False' if kind == 'bool' else 'a number of at least 0'}")
