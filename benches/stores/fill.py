"""Fills a store with points that nobody ran, to measure what is done with large stores.

    esnsim sweep benches/stores/plan.toml --store real.sqlite
    python3 benches/stores/fill.py real.sqlite filled.sqlite 1000000 --seed 1

Every made point begins as one that ran: it has its texts, hardware and lists by bits. Its key is random. Its costs are those
of the real point times one random factor, its accuracy is of 2,000 images and rises with the cost, and its pruning and
quantization are one of 1,000 made ones each, so that texts repeat as in the product of a plan. Nothing in such a store is a
result. Two stores of other seeds have no point in common; with --shared, the first points of both are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import pathlib
import random
import sqlite3
from typing import Any

IMAGES = 2000
TEXTS = 1000
#: Columns of `point_figures` that are costs, which all get one factor.
COSTS = ["nonzero", "live_filters", "weights_alive", "macs_alive", "effective_macs", "esn_a", "esn_d", "esn_a_macs", "esn_d_macs",
         "esn_d_filter", "model_bits", "bit_operations", "effective_bit_operations", "weight_bits_fetched", "activation_bits_moved",
         "outputs"]


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def rows_of(connection: sqlite3.Connection, table: str) -> dict[bytes, list[dict[str, Any]]]:
    names = columns(connection, table)
    found: dict[bytes, list[dict[str, Any]]] = {}
    for row in connection.execute(f"SELECT * FROM {table} ORDER BY key"):
        found.setdefault(row[0], []).append(dict(zip(names, row)))
    return found


def copy_empty(real: pathlib.Path, filled: pathlib.Path) -> sqlite3.Connection:
    """A store of the same layout with the texts of the real one, and no point."""
    filled.unlink(missing_ok=True)
    source, target = sqlite3.connect(real), sqlite3.connect(filled)
    source.backup(target)
    source.close()
    for table in ("point_figures", "point_details", "hardware_figures"):
        target.execute(f"DELETE FROM {table}")
    target.commit()
    target.execute("VACUUM")
    # The file is made new where the machine ends in the middle; it needs no log.
    target.execute("PRAGMA journal_mode = WAL")
    target.execute("PRAGMA synchronous = OFF")
    return target


def made_texts(target: sqlite3.Connection, texts: list[str]) -> list[int]:
    ids = []
    for text in texts:
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
        ids.append(target.execute("INSERT INTO texts (hash, text) VALUES (?, ?)", (number, text)).lastrowid)
    return ids


def bits(quantization: int) -> int:
    return 2 + quantization % 7


def method(is_pruned: bool, quantization: int) -> int:
    """0: quantize only, 1: prune only, from 8 bits on, 2: prune, then quantize."""
    return 0 if not is_pruned else 1 if bits(quantization) >= 8 else 2


def factor(size: float) -> float:
    """What the costs of a point are multiplied by: they spread over two decades."""
    return 10 ** (2 * size - 1.5)


def right(size: float, luck: float) -> int:
    """Images that a point names right: more with the cost, and ever fewer more."""
    accuracy = 0.95 * (1 - math.exp(-4 * size)) * (0.6 + 0.4 * math.sqrt(luck))
    return int(IMAGES * accuracy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=pathlib.Path)
    parser.add_argument("filled", type=pathlib.Path)
    parser.add_argument("points", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shared", type=int, default=0, help="so many points are the same whatever the seed")
    options = parser.parse_args()

    real = sqlite3.connect(options.real)
    figures, details, hardware = (rows_of(real, table) for table in ("point_figures", "point_details", "hardware_figures"))
    done = [key for key, rows in figures.items() if not rows[0]["failed"] and rows[0]["images"]]
    target = copy_empty(options.real, options.filled)
    prunings = made_texts(target, [f'{{"prunings":[{{"weights":{i / 1001:.6f}}}],"scope":"global","below":null,"compact":false,'
                                   '"bits":null}' for i in range(1, TEXTS + 1)])
    quantizations = made_texts(target, [
        f'{{"bits":{bits(i)},"mid-rise":true,"granularity":"layer","step":"max-abs","allocation":null,"bias-correction":false,'
        f'"first-bits":{1 + i // 7 % 16},"last-bits":{1 + i // 112}}}' for i in range(TEXTS)])

    same, own = random.Random(0), random.Random(options.seed)
    made = [(generator.randbytes(16), generator.random(), generator.random(), generator.random(), generator.randrange(len(done)),
             generator.randrange(TEXTS * TEXTS))
            for number in range(options.points) for generator in [same if number < options.shared else own]]
    made.sort()

    def figure_rows():
        for key, size, luck, _, place, pair in made:
            row = dict(figures[done[place]][0])
            for name in COSTS:
                row[name] = max(1, int(row[name] * factor(size)))
            is_pruned = details[done[place]][0]["prune"] is not None
            row.update(key=key, method=method(is_pruned, pair % TEXTS), images=IMAGES, labelled=IMAGES, top1=right(size, luck),
                       float_top1=1930, agreement=right(size, luck))
            yield tuple(row.values())

    def detail_rows():
        for key, _, _, _, place, pair in made:
            row = dict(details[done[place]][0])
            is_pruned = row["prune"] is not None
            row.update(key=key, prune=prunings[pair // TEXTS] if is_pruned else None, quantize=quantizations[pair % TEXTS],
                       layers="[]")
            yield tuple(row.values())

    def hardware_rows():
        for key, size, luck, more, place, _ in made:
            for row in hardware[done[place]]:
                changed = dict(row, key=key, cycles=max(1, int(row["cycles"] * factor(size))),
                               energy_count=max(1, int(row["energy_count"] * factor(size))),
                               **{name: row[name] * factor(size) for name in ("energy_j", "compute_j", "conversion_j", "memory_j")},
                               utilization=more if row["utilization"] != 1.0 else 1.0)
                if row["top1"] is not None:
                    changed.update(top1=right(size, luck), agreement=right(size, luck))
                yield tuple(changed.values())

    made_rows = {"point_figures": figure_rows(), "point_details": detail_rows(), "hardware_figures": hardware_rows()}
    for table, rows in made_rows.items():
        marks = ", ".join("?" * len(columns(target, table)))
        target.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    target.commit()
    target.close()


if __name__ == "__main__":
    main()
