"""The table of `esnsim proxies` computed again, with SciPy and pair by pair: is it equal?

    esnsim proxies runs.sqlite --points points.csv --csv proxies.csv
    python benches/peers/proxies.py points.csv proxies.csv

A file that ends in .xz is unpacked. It reads what each network comes to, computes Kendall's tau-b by `scipy.stats.kendalltau`, the regret network by network, and
some intervals by the same samples of the bootstrap, and compares each with the table: 1e-12 apart at the most. Needs SciPy and
NumPy.
"""

from __future__ import annotations

import csv
import lzma
import math
import sys
from fractions import Fraction
from typing import Iterator

import numpy
from scipy.stats import kendalltau

TOLERANCE = 1e-12
RESAMPLES = 1000
#: Intervals take a second each with SciPy, so that every so many-th is computed.
EVERY = 23
MASK = (1 << 64) - 1
#: Columns of what a network comes to on a hardware.
COLUMNS = {"energy": "energy_j:", "energy-without-memory": "array_j:", "latency": "cycles:"}


def read(path: str) -> list[dict[str, str]]:
    opened = lzma.open if path.endswith(".xz") else open
    with opened(path, "rt", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(seed: int) -> Iterator[int]:
    """SplitMix64."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def interval(x: list[int], y: list[int]) -> tuple[float, float] | None:
    seeds, taus = numbers(1), []
    for _ in range(RESAMPLES):
        drawn = numbers(next(seeds))
        places = [next(drawn) * len(x) >> 64 for _ in x]
        tau = kendalltau([x[i] for i in places], [y[i] for i in places]).statistic
        if not math.isnan(tau):
            taus.append(tau)
    if 2 * len(taus) < RESAMPLES:
        return None
    low, high = numpy.quantile(taus, [0.025, 0.975])
    return float(low), float(high)


def ranks(values: list[Fraction]) -> list[int]:
    """The rank of each value: equal ones have the same."""
    place = {value: rank for rank, value in enumerate(sorted(set(values)))}
    return [place[value] for value in values]


def regret(rows: list[dict[str, str]], proxy: str, energy: str) -> tuple[float, float, int] | None:
    found = [(int(row["right"]) / int(row["labelled"]), Fraction(row[proxy]), float(row[energy])) for row in rows if row["right"]]
    best = max((accuracy for accuracy, _, _ in found), default=0.0)
    found = [network for network in found if 2 * network[0] >= best - 1e-12]
    means, worst = [], 0.0
    for accuracy, _, _ in found:
        window = [(number, joules) for other, number, joules in found if abs(other - accuracy) <= 0.005 + 1e-12]
        if len(window) < 2:
            continue
        least = min(number for number, _ in window)
        cheapest = min(joules for _, joules in window)
        picked = [joules for number, joules in window if number == least]
        means.append(max(0.0, sum(picked) / len(picked) / cheapest - 1))
        worst = max(worst, max(picked) / cheapest - 1)
    return (sum(means) / len(means), worst, len(means)) if means else None


def differs(table: str, own: float | None) -> bool:
    if own is None or math.isnan(own):
        return table != ""
    return table == "" or abs(float(table) - own) > TOLERANCE * max(1.0, abs(own))


def main(points: str, table: str) -> int:
    networks, wrong, intervals = read(points), [], 0
    rows = read(table)
    for place, row in enumerate(rows):
        cost = COLUMNS[row["target"]] + row["hardware"]
        both = [network for network in networks if network[cost] and network[row["proxy"]]]
        x = ranks([Fraction(network[row["proxy"]]) for network in both])
        y = ranks([Fraction(network[cost]) for network in both])
        name = f"{row['hardware']}, {row['target']}, {row['proxy']}"
        if int(row["networks"]) != len(both) or differs(row["tau"], float(kendalltau(x, y).statistic)):
            wrong.append(f"{name}: tau is {row['tau']}, SciPy says {kendalltau(x, y).statistic}")
        if row["low"] and place % EVERY == 0:
            intervals += 1
            low, high = interval(x, y) or (math.nan, math.nan)
            if differs(row["low"], low) or differs(row["high"], high):
                wrong.append(f"{name}: {row['low']} to {row['high']}, and again {low} to {high}")
        if row["target"] == "energy":
            own = regret(both, row["proxy"], cost) or (None, None, 0)
            if differs(row["regret_mean"], own[0]) or differs(row["regret_worst"], own[1]):
                wrong.append(f"{name}: regret {row['regret_mean']}, {row['regret_worst']}, and again {own}")
    print("\n".join(wrong) or f"{len(rows)} rows of {len(networks)} networks equal, {intervals} intervals among them")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
