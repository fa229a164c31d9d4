"""Rows of a page that was made before, in place of seeds that are not run again."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import json
import math
import pathlib
from typing import Any, Iterable, Mapping, Sequence, TypeVar

import torch

import esnsim

from .. import BadArgument
from ._job import Job
from ._points import Rowed
from ._training import precision

#: Columns of points that no file has: they are of this machine.
HIDDEN = ("file",)
#: The last column of a file: a digest of all rows of a seed, by which nothing of them is missing, doubled or changed.
DIGEST = "digest"

AnyRowed = TypeVar("AnyRowed", bound=Rowed)


def protocol(job: Job, *parts: Any) -> str:
    """A digest of how the points of a seed are made: `parts`, which are schedules, networks and plans, the data, the precision of
    training and the version of the package."""
    own = [esnsim.__version__, precision(torch.device(job.device)), job.digest]
    return hashlib.sha256(json.dumps([*own, *parts]).encode()).hexdigest()[:12]


def rows_of(points: Sequence[Rowed], without: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Points as the rows of a file, but for the columns `without`. Each has the digest of its seed."""
    left_out = {*HIDDEN, *without}
    rows = [{name: value for name, value in point.columns.items() if name not in left_out} for point in points]
    digests = {seed: _digest([map(str, row.values()) for row in rows if row["seed"] == seed]) for seed in {row["seed"] for row in rows}}
    return [{**row, DIGEST: digests[row["seed"]]} for row in rows]


def _digest(rows: Sequence[Iterable[str]]) -> str:
    return hashlib.sha256(json.dumps([list(row) for row in rows]).encode()).hexdigest()[:12]


def earlier(paths: Sequence[pathlib.Path], of: type[AnyRowed], protocols: Mapping[int, str],
            without: Mapping[str, Any] | None = None) -> list[AnyRowed]:
    """The points of files of rows, of which each seed is whole. `without` are columns that a page leaves out, with their values.

    Raises `BadArgument` for a file that is no table of such points or is named twice, a seed that is not asked for, comes in two
    files, or of which rows are missing or changed, and for seeds that were run by another protocol than this command runs them by.
    """
    found: list[AnyRowed] = []
    for place, path in enumerate(paths):
        if any(path.resolve() == other.resolve() for other in paths[:place]):
            raise BadArgument(f"--rows has {path} twice; name each file once")
        points = _read(path, of, without or {})
        for point in points:
            if point.seed not in protocols:
                raise BadArgument(f"{path}: seed {point.seed} is none of {_listed(protocols)}; --seeds N takes more of them")
            if point.protocol != protocols[point.seed]:
                raise BadArgument(f"{path}: seed {point.seed} was run by the protocol {point.protocol}, and this command runs it by "
                                  f"{protocols[point.seed]}: schedule, data, networks, precision or version are others; leave the file out")
        twice = {point.seed for point in points} & {point.seed for point in found}
        if twice:
            raise BadArgument(f"{path}: seed {min(twice)} is in another file of --rows, too")
        found += points
    return found


def _listed(seeds: Iterable[int]) -> str:
    return ", ".join(str(seed) for seed in sorted(seeds))


def _read(path: pathlib.Path, of: type[AnyRowed], without: Mapping[str, Any]) -> list[AnyRowed]:
    kinds = {field.name: str(field.type) for field in dataclasses.fields(of)}
    hidden: dict[str, Any] = {name: "" for name in kinds if name in HIDDEN}
    columns = [name for name in of.names() if name not in without and name not in HIDDEN]
    try:
        # Spreadsheets begin a file with a mark of its encoding.
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            if list(reader.fieldnames or []) != [*columns, DIGEST]:
                raise BadArgument(f"{path}: its columns are {', '.join(reader.fieldnames or ['none'])}; expected the rows of a page of "
                                  f"this figure: {', '.join([*columns, DIGEST])}")
            points: list[AnyRowed] = []
            seeds: dict[int, list[dict[str, str]]] = {}
            for row in reader:
                place = f"{path}: line {reader.line_num}"
                values = {name: _value(place, name, kinds[name], row[name]) for name in columns}
                if None in row or row[DIGEST] is None:
                    raise BadArgument(f"{place}: it has {'more' if None in row else 'fewer'} cells than columns")
                points.append(of(**hidden, **without, **values))
                seeds.setdefault(values["seed"], []).append(row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadArgument(f"{path}: it is no CSV: {error}") from error
    if not points:
        raise BadArgument(f"{path}: it has no rows")
    for seed, rows in seeds.items():
        digest = _digest([[row[name] for name in columns] for row in rows])
        if {row[DIGEST] for row in rows} != {digest}:
            raise BadArgument(f"{path}: rows of seed {seed} are missing, doubled or changed: their digest is {digest}, and the file says "
                              f"{rows[0][DIGEST]}")
    return points


def _value(place: str, name: str, kind: str, word: str | None) -> Any:
    """A cell as the type of its field."""
    if word is not None:
        if kind == "str":
            return word
        if kind == "bool" and word in ("True", "False"):
            return word == "True"
        # A number of too many digits is none.
        with contextlib.suppress(ValueError, OverflowError):
            # Costs are real numbers for means of seeds, and whole ones in rows.
            is_whole = kind in ("int", "float") and word.isascii() and word.isdecimal()
            number = int(word) if is_whole else float(word if kind == "float" else "nan")
            if math.isfinite(number) and number >= 0:
                return number
    raise BadArgument(f"{place}: {name} is {'missing' if word is None else repr(word[:40])}; expected "
                      f"{'True or False' if kind == 'bool' else 'a number of at least 0'}")
