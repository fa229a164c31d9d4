"""How a search goes on from the points that it begins with."""

from __future__ import annotations

import json
import math
import random
import sys
from typing import Any, Callable, NamedTuple, Sequence

from ._esnsim import BadArgument, OpenPlan, costs_of
from ._space import Genome, Seed, Space

Tell = Callable[[str, int, int], object]

#: Points that are chosen before any of them is run. It does not depend on threads, so that results do not either.
BATCH = 16
#: A generation of NSGA-II.
POPULATION = 32
#: The parts of all points that uniform networks and the allocation by sensitivity get where a search goes on from there.
UNIFORM, ALLOTTED = 0.35, 0.25


class Measured(NamedTuple):
    """What a point came to: its cost, and its accuracy with the variance that so many images leave."""

    cost: float
    accuracy: float
    variance: float


def contenders(points: Sequence[Measured]) -> list[int]:
    """Places of the points that could be on the frontier, the cheapest first: of those that cost no more, none is more accurate by
    more than the standard error of the difference. The two errors are added as if the images were not the same, which is careful.
    """
    best, found = Measured(0.0, -math.inf, 0.0), []
    for place in sorted(range(len(points)), key=lambda place: (points[place].cost, -points[place].accuracy)):
        point = points[place]
        if point.accuracy > best.accuracy:
            best = point
        if best.accuracy - point.accuracy <= math.sqrt(best.variance + point.variance):
            found.append(place)
    return found


class Bench:
    """Runs points, each once."""

    def __init__(self, plan: OpenPlan, space: Space, given: dict[str, Any], progress: Tell | None) -> None:
        self._plan, self._space, self._given, self._progress = plan, space, given, progress
        #: By genome: its cost and the part of images that it names wrong; infinite where the point failed.
        self.known: dict[Genome, tuple[float, float]] = {}
        #: Images that accuracy is measured on.
        self._images = 1
        #: Of the points in the store.
        self.keys: set[str] = set()

    def run(self, genomes: Sequence[Genome]) -> list[tuple[float, float]]:
        """Costs and errors of points, those that were not run before run now."""
        new = [genome for genome in dict.fromkeys(genomes) if genome not in self.known]
        for start in range(0, len(new), BATCH):
            self._run(new[start:start + BATCH])
        return [self.known[genome] for genome in genomes]

    def _run(self, genomes: Sequence[Genome]) -> None:
        keys = [self._plan.add(json.dumps(self._space.entry(genome))) for genome in genomes]
        self.keys.update(keys)
        store = self._given["store"]
        self._plan.run(keys, store, retry_failed=False, threads=self._given["threads"], progress=None)
        costs = costs_of(store, keys, self._given["cost"])
        for genome, row, cost in zip(genomes, self._plan.rows(store, keys), costs):
            self.known[genome] = self._values(json.loads(row or "{}"), cost)
        if self._progress is not None:
            self._progress("points", len(self.known), self._given["trials"])

    def _values(self, row: dict[str, Any], cost: float | None) -> tuple[float, float]:
        right = row.get(self._given["accuracy"])
        if cost is None or right is None:
            return float("inf"), float("inf")
        of = row["images"] if self._given["accuracy"] == "agreement" else row["labelled"]
        if of == 0:
            raise BadArgument("images have no labels; accuracy=\"agreement\" with the network in float needs none")
        self._images = of
        return cost, 1.0 - right / of

    def contenders(self) -> list[tuple[Genome, float]]:
        """Points that could be on the frontier, with their costs, the cheapest first."""
        done = [(genome, cost, error) for genome, (cost, error) in self.known.items() if cost < math.inf]
        points = [Measured(cost, 1.0 - error, error * (1.0 - error) / self._images) for _, cost, error in done]
        return [done[place][:2] for place in contenders(points)]


def _evenly(seeds: Sequence[Seed], count: int) -> list[Genome]:
    """So many of some points, spread evenly over the logarithm of their costs, the cheapest first."""
    left = sorted(seeds, key=lambda seed: seed.cost)
    if count >= len(left):
        return [seed.genome for seed in left]
    least, most = (math.log(max(1, seed.cost)) for seed in (left[0], left[-1]))
    taken = []
    for index in range(count):
        aim = least + (most - least) * (index + 0.5) / count
        nearest = min(left, key=lambda seed: abs(math.log(max(1, seed.cost)) - aim))
        left.remove(nearest)
        taken.append(nearest)
    return [seed.genome for seed in sorted(taken, key=lambda seed: seed.cost)]


def _begin(bench: Bench, space: Space, uniform: int, allotted: int) -> list[Genome]:
    """Runs so many networks with one way for all layers, and so many allotments of each measurement in turn. Returns the allotments,
    the cheapest of each measurement first.
    """
    kinds = list(dict.fromkeys((seed.genome.fraction, seed.genome.reestimate) for seed in space.allotments))
    each = max(1, allotted // len(kinds))
    own = ([seed for seed in space.allotments if (seed.genome.fraction, seed.genome.reestimate) == kind] for kind in kinds)
    allotments = [genome for seeds in own for genome in _evenly(seeds, each)][:allotted]
    bench.run(_evenly(space.uniform, uniform))
    bench.run(allotments)
    return allotments


def _allocation(bench: Bench, space: Space, trials: int, _: int) -> None:
    uniform = int(UNIFORM * trials)
    _begin(bench, space, uniform, trials - uniform)


def _local(bench: Bench, space: Space, trials: int, seed: int) -> None:
    """Small steps from points that could be on the frontier: a way that is a little cheaper for one layer, and a little dearer for
    another. They are spread evenly over the logarithm of the cost, from the cheapest allotment on.
    """
    allotments = _begin(bench, space, int(UNIFORM * trials), max(1, int(ALLOTTED * trials)))
    least = min(bench.known[genome][0] for genome in allotments)
    chance = random.Random(seed)
    while len(bench.known) < trials:
        parents = [(genome, cost) for genome, cost in bench.contenders() if cost >= least]
        if not parents:
            return
        batch: list[Genome] = []
        attempts = 0
        while len(batch) < min(BATCH, trials - len(bench.known)) and attempts < 100 * BATCH:
            attempts += 1
            child = _step(_parent(parents, chance), space, chance)
            if child not in bench.known and child not in batch:
                batch.append(child)
        if not batch:
            return
        bench.run(batch)


def _parent(parents: Sequence[tuple[Genome, float]], chance: random.Random) -> Genome:
    """One of these points, each as likely as its part of the logarithm of the cost is large."""
    places = [math.log(max(cost, sys.float_info.min)) for _, cost in parents]
    aim = chance.uniform(places[0], places[-1])
    return parents[min(range(len(parents)), key=lambda index: abs(places[index] - aim))][0]


def _step(genome: Genome, space: Space, chance: random.Random) -> Genome:
    layers = range(len(genome.choices))
    for layer in chance.sample(layers, min(len(layers), chance.choice((1, 2, 2, 3)))):
        genome = space.stepped(genome, layer, chance.choice((-2, -1, -1, 1, 1, 2)))
    return genome


def _optuna(bench: Bench, space: Space, trials: int, seed: int, make: Callable[[Any, int], Any], generation: int) -> None:
    """Asks a sampler of Optuna for points, so many at a time, and begins with the allotments. Uniform networks are run first, and it
    is not told of them: some are on another grid.
    """
    optuna = optuna_module()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rungs = space.rungs(space.mid_rise)
    distributions: dict[str, Any] = {
        f"layer{index}": optuna.distributions.IntDistribution(0, len(known) - 1) for index, known in enumerate(rungs)
    }
    distributions["fraction"] = optuna.distributions.IntDistribution(0, len(space.fractions) - 1)
    distributions["reestimate"] = optuna.distributions.CategoricalDistribution(list(space.reestimates))
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=make(optuna.samplers, seed))
    for genome in _begin(bench, space, int(UNIFORM * trials), max(1, int(ALLOTTED * trials))):
        parameters = {f"layer{index}": rungs[index].index(choice) for index, choice in enumerate(genome.choices)}
        study.enqueue_trial({**parameters, "fraction": genome.fraction, "reestimate": genome.reestimate})
    asked_for = 0
    # Whoever repeats itself asks for points that cost nothing; there is an end to that.
    while len(bench.known) < trials and asked_for < 10 * trials:
        batch = [study.ask(distributions) for _ in range(min(generation, trials - len(bench.known)))]
        genomes = [
            Genome(trial.params["fraction"], trial.params["reestimate"], space.mid_rise,
                   tuple(known[trial.params[f"layer{index}"]] for index, known in enumerate(rungs)))
            for trial in batch
        ]
        asked_for += len(batch)
        for trial, values in zip(batch, bench.run(genomes)):
            state = optuna.trial.TrialState.FAIL if values[0] == float("inf") else None
            study.tell(trial, None if state else values, state=state)


def optuna_module() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise BadArgument("this method needs Optuna; pip install optuna") from error
    return optuna


def _nsga2(bench: Bench, space: Space, trials: int, seed: int) -> None:
    def make(samplers: Any, seed: int) -> Any:
        return samplers.NSGAIISampler(population_size=POPULATION, seed=seed)

    _optuna(bench, space, trials, seed, make, POPULATION)


def _tpe(bench: Bench, space: Space, trials: int, seed: int) -> None:
    def make(samplers: Any, seed: int) -> Any:
        return samplers.TPESampler(seed=seed, n_startup_trials=BATCH)

    _optuna(bench, space, trials, seed, make, BATCH)


#: Methods that ask Optuna.
OF_OPTUNA = ("nsga2", "tpe")

METHODS: dict[str, Callable[[Bench, Space, int, int], None]] = {
    "allocation": _allocation, "local": _local, "nsga2": _nsga2, "tpe": _tpe,
}
