"""What a search chooses among: ways to quantize each layer, and the points to begin with."""

from __future__ import annotations

import bisect
import json
from typing import Any, Mapping, NamedTuple, Sequence

#: A way to quantize a layer, with the keys of a plan.
Way = Mapping[str, Any]

#: Widths of uniform networks.
WIDTHS = range(2, 9)


class Genome(NamedTuple):
    """A point: how many filters are pruned, whether statistics are re-estimated, the grid, and the way to quantize each layer."""

    fraction: int
    reestimate: bool
    mid_rise: bool
    choices: tuple[int, ...]


class Seed(NamedTuple):
    """A point to begin with, and what its layers cost, in units that are whole. Of a uniform network it is the cost before filters
    are pruned.
    """

    genome: Genome
    cost: int


def uniform_ways(mid_rise: bool) -> list[Way]:
    """Ways that are tried for all layers alike: those of `esnsim compress --bits N`, by layer and by filter."""
    return [{"bits": bits, "mid-rise": mid_rise, "granularity": granularity, "step": "max-abs"}
            for bits in WIDTHS for granularity in ("layer", "filter")]


def pruned(fraction: float) -> dict[str, Any]:
    """So many filters pruned, as the `prune` of a point."""
    return {"prunings": [{"filters": {"fraction": fraction}}]} if fraction > 0 else {}


class _Layer:
    """The ways to quantize one layer on one grid."""

    def __init__(self) -> None:
        self.costs: dict[str, int] = {}
        #: Ways of which none was both cheaper and better than another.
        self.measured: set[str] = set()
        #: All of them, the cheapest first, once they are settled.
        self.ways: list[Way] = []
        self.places: dict[str, int] = {}
        #: Places in `ways` that a small step leads to.
        self.rungs: list[int] = []

    def settle(self) -> None:
        ordered = sorted(self.costs, key=lambda key: (self.costs[key], key))
        self.ways = [json.loads(key) for key in ordered]
        self.places = {key: index for index, key in enumerate(ordered)}
        self.rungs = [index for index, key in enumerate(ordered) if not self.measured or key in self.measured]


class Space:
    """What a point can be. All its layers have one grid, for a file has no more than one."""

    def __init__(self, fractions: Sequence[float], reestimates: Sequence[bool], mid_rise: bool) -> None:
        self.fractions, self.reestimates = tuple(fractions), tuple(reestimates)
        #: The grid that layers are measured on.
        self.mid_rise = mid_rise
        #: Names, in the order of the choices of a genome.
        self.layers: list[str] = []
        #: Allotments of every measurement, and networks with one way for all layers.
        self.allotments: list[Seed] = []
        self.uniform: list[Seed] = []
        self._known: dict[bool, list[_Layer]] = {}
        self._found: list[tuple[int, bool, dict[str, Any]]] = []

    def learn(self, fraction: int, reestimate: bool, found: dict[str, Any]) -> None:
        """Takes in what was measured of the network with one fraction of its filters pruned. Pruned filters make every way
        cheaper: the costs of the first measurement count.
        """
        measured = found["sensitivity"]["layers"]
        if not self.layers:
            self.layers = [layer["layer"] for layer in measured]
            self._known = {mid_rise: [_Layer() for _ in measured] for mid_rise in (True, False)}
        for known, layer in zip(self._known[self.mid_rise], measured):
            for choice in layer["choices"]:
                key = _key(choice)
                known.measured.add(key)
                known.costs.setdefault(key, choice["cost"])
        self._found.extend((fraction, reestimate, allotment) for allotment in found["frontier"])

    def learn_costs(self, ways: Sequence[Way], costs: Sequence[Sequence[int]]) -> None:
        """Takes in what each layer costs in each of some ways, in the order of the layers."""
        for way, of_layers in zip(ways, costs):
            for known, cost in zip(self._known[way["mid-rise"]], of_layers):
                known.costs.setdefault(_key(way), cost)

    def settle(self, kinds: Sequence[tuple[int, bool]]) -> None:
        """Puts the ways that are known now in order, and finds the points to begin with among them. `kinds` are the fractions of
        pruned filters, each with new statistics and without, that are worth a uniform network.
        """
        for known in self._known.values():
            for layer in known:
                layer.settle()
        # From an error of 1 on, outputs are moved as far as if all images gave the same.
        useful = [found for found in self._found if found[2]["error"] < 1.0]
        for fraction, reestimate, allotment in useful or self._found:
            genome = self._seed(fraction, reestimate, allotment["layers"]).genome
            self.allotments.append(Seed(genome, allotment["cost"]))
        for fraction, reestimate in kinds:
            for way in (*uniform_ways(True), *uniform_ways(False)):
                self.uniform.append(self._seed(fraction, reestimate, [way] * len(self.layers)))

    def _seed(self, fraction: int, reestimate: bool, ways: Sequence[Way]) -> Seed:
        mid_rise = bool(ways[0]["mid-rise"])
        keys = [_key(way) for way in ways]
        known = self._known[mid_rise]
        choices = tuple(layer.places[key] for layer, key in zip(known, keys))
        return Seed(Genome(fraction, reestimate, mid_rise, choices), sum(layer.costs[key] for layer, key in zip(known, keys)))

    def rungs(self, mid_rise: bool) -> list[list[int]]:
        """By layer, the choices that a small step leads to, the cheapest first."""
        return [layer.rungs for layer in self._known[mid_rise]]

    def stepped(self, genome: Genome, layer: int, rungs: int) -> Genome:
        """The point with another choice for one layer, so many rungs up, to dearer ones, or down."""
        ladder, now = self._known[genome.mid_rise][layer].rungs, genome.choices[layer]
        # A choice that is no rung lies between two.
        rung = bisect.bisect_right(ladder, now) - 1 + rungs if rungs > 0 else bisect.bisect_left(ladder, now) + rungs
        choices = list(genome.choices)
        choices[layer] = ladder[min(max(rung, 0), len(ladder) - 1)]
        return genome._replace(choices=tuple(choices))

    def entry(self, genome: Genome) -> dict[str, Any]:
        """A point as a `[[point]]` of a plan. One width and rule for all layers is said as a plan says it that knows of no layers, so
        that it is the same point as that of a sweep.
        """
        fraction = self.fractions[genome.fraction]
        ways = [known.ways[index] for known, index in zip(self._known[genome.mid_rise], genome.choices)]
        quantize: dict[str, Any] = dict(ways[0])
        # A rule with a number, as of a signal-to-noise ratio, is one of layers here: their steps are chosen one by one.
        if any(way != ways[0] for way in ways) or not isinstance(ways[0]["step"], str):
            quantize = {"bits": max(way["bits"] for way in ways),
                        "layers": [{"layer": layer, **way} for layer, way in zip(self.layers, ways)]}
        entry: dict[str, Any] = {"reestimate": genome.reestimate, "quantize": quantize}
        if fraction > 0:
            entry["prune"] = pruned(fraction)
        return entry


def _key(way: Way) -> str:
    """The way to quantize a layer that a document says among other things, as a text."""
    return json.dumps({name: way[name] for name in ("bits", "mid-rise", "granularity", "step")})
