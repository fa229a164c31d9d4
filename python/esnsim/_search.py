"""A search for the cheapest networks of each accuracy, over widths and steps by layer, and pruned filters."""

from __future__ import annotations

import contextlib
import json
import os
import random
from typing import TYPE_CHECKING, Any, Callable, Generator, Mapping, NamedTuple, Sequence

from ._arguments import checked, wrong
from ._esnsim import BadArgument, OpenPlan, pareto
from ._images import EMBEDDED, Images, asked
from ._pages import framed
from ._tables import Table, from_csv

if TYPE_CHECKING:
    from . import Compressed, Network

Tell = Callable[[str, int, int], object]

#: Points that are chosen before any of them is run. It does not depend on threads, so that results do not either.
BATCH = 16
#: A generation of NSGA-II.
POPULATION = 32
#: The part of all points that the allocation by sensitivity gets where a search goes on from there.
SEEDED = 0.4


class Genome(NamedTuple):
    """A point: how many filters are pruned, whether statistics are re-estimated, and the way to quantize each layer."""

    fraction: int
    reestimate: bool
    choices: tuple[int, ...]


class Space:
    """What a point can be."""

    def __init__(self, fractions: Sequence[float], reestimates: Sequence[bool]) -> None:
        self.fractions, self.reestimates = tuple(fractions), tuple(reestimates)
        self.layers: list[str] = []
        #: By layer, ways to quantize it, the cheapest first.
        self.choices: list[list[dict[str, Any]]] = []
        #: By layer, what each of its ways costs. Pruned filters make all of them cheaper: the first measurement counts.
        self._costs: list[dict[str, int]] = []
        self.seeds: list[Genome] = []
        self._allotments: list[tuple[int, bool, dict[str, Any]]] = []

    def learn(self, fraction: int, reestimate: bool, found: dict[str, Any]) -> None:
        """Takes in what was measured of the network with one fraction of its filters pruned."""
        sensitivity = found["sensitivity"]["layers"]
        if not self.layers:
            self.layers = [layer["layer"] for layer in sensitivity]
            self._costs = [{} for _ in sensitivity]
        for costs, layer in zip(self._costs, sensitivity):
            for choice in layer["choices"]:
                costs.setdefault(_key(choice), choice["cost"])
        self._allotments.extend((fraction, reestimate, allotment) for allotment in found["frontier"])

    def settle(self) -> None:
        """Puts the ways that are known now in order, and finds the allotments among them."""
        ordered = [sorted(costs, key=lambda key: (costs[key], key)) for costs in self._costs]
        self.choices = [[json.loads(key) for key in keys] for keys in ordered]
        places = [{key: index for index, key in enumerate(keys)} for keys in ordered]
        for fraction, reestimate, allotment in self._allotments:
            choices = tuple(place[_key(layer)] for place, layer in zip(places, allotment["layers"]))
            self.seeds.append(Genome(fraction, reestimate, choices))

    def entry(self, genome: Genome) -> dict[str, Any]:
        """A point as a `[[point]]` of a plan."""
        fraction = self.fractions[genome.fraction]
        ways = [known[index] for known, index in zip(self.choices, genome.choices)]
        entry: dict[str, Any] = {
            "reestimate": genome.reestimate,
            "quantize": {"bits": max(way["bits"] for way in ways),
                         "layers": [{"layer": layer, **way} for layer, way in zip(self.layers, ways)]},
        }
        if fraction > 0:
            entry["prune"] = {"prunings": [{"filters": {"fraction": fraction}}]}
        return entry


def _key(choice: dict[str, Any]) -> str:
    """The way to quantize a layer that a document says among other things, as a text."""
    return json.dumps({name: choice[name] for name in ("bits", "mid-rise", "granularity", "step")})


class Question(NamedTuple):
    """What a search was asked about."""

    network: Any
    statistics: Any
    hardware: Sequence[str]
    memory: float
    cost: str
    accuracy: str


class Study:
    """What a search found. `points` has a row for each point that it ran, with the columns of the command's CSV, and the column
    `frontier` says which of them no other beats; `store` is the file that holds them, perhaps beside points of other searches, and
    `sensitivity` what was measured of each layer. A notebook shows the figure.
    """

    def __init__(self, store: str, keys: set[str], sensitivity: list[dict[str, Any]], about: Question) -> None:
        self.store, self.sensitivity, self._about, self._keys = store, sensitivity, about, keys
        csv, self._text, self._page = pareto(store, about.cost, about.accuracy, keys)
        self.points: Table = from_csv(csv)

    @property
    def frontier(self) -> list[dict[str, Any]]:
        """The points that no other beats in cost and accuracy, the cheapest first."""
        of = _COSTS.get(self._about.cost, self._about.cost.replace("energy:", "energy_j:"))
        return sorted((dict(row) for row in self.points if row["frontier"]), key=lambda row: float(row[of]))

    def compress(self, row: Mapping[str, Any]) -> Compressed:
        """The network of a point, a row of `points` or of `frontier`: `.save("small.onnx")` writes it."""
        from . import Network, read

        try:
            key = row["key"]
        except (KeyError, IndexError, TypeError):
            raise wrong("row", row, "a row of points or of frontier") from None
        if key not in self._keys:
            raise BadArgument(f"row is of another study than this one, whose store is {self.store}; a row goes to the study that it is "
                              "of: judged.compress(row) where judge made judged")
        with _plan(self._about, None) as plan:
            configuration = _configuration(plan, self.store, key)
        network = self._about.network
        whole = network if isinstance(network, Network) else read(network)
        prune = [f"filters={pruning['filters']['fraction']}" for pruning in (configuration["prune"] or {}).get("prunings", ())]
        quantize = configuration["quantize"]
        return whole.compress(
            prune=prune, bits=quantize["bits"], layer_options=quantize["layers"],
            grid="mid-rise" if quantize["mid-rise"] else "mid-tread",
            reestimate_bn=None if configuration["reestimate"] is None else self._about.statistics,
        )

    def judge(self, images: Images | Any, store: str | os.PathLike[str], *, statistics: Images | Any = None,
              threads: int | None = None, progress: Tell | bool | None = None) -> Study:
        """The points of the frontier on other images, which the search has not seen, in a store of their own. Where some of them
        re-estimate statistics, `statistics` are the images for that.
        """
        from . import _progress as told

        given = checked(store=store, threads=threads)
        about = self._about._replace(statistics=statistics)
        with _plan(about, images) as plan:
            entries = [_entry(_configuration(plan, self.store, row["key"])) for row in self.frontier]
            if any(entry["reestimate"] for entry in entries) and statistics is None:
                raise BadArgument("points of the frontier re-estimate statistics; give statistics=")
            keys = [plan.add(json.dumps(entry)) for entry in entries]
            with told(progress) as tell:
                plan.run(keys, given["store"], retry_failed=False, threads=given["threads"], progress=tell)
        return Study(given["store"], set(keys), self.sensitivity, about)

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return framed(self._page)


def _configuration(plan: OpenPlan, store: str, key: str) -> dict[str, Any]:
    """What a point of a store depends on."""
    row = plan.rows(store, [key])[0]
    if row is None:
        raise BadArgument(f"{store} has no point of the key {key}")
    configuration: dict[str, Any] = json.loads(row)["configuration"]
    return configuration


def _entry(configuration: dict[str, Any]) -> dict[str, Any]:
    """A point of a store as a `[[point]]` of a plan."""
    entry = {"quantize": configuration["quantize"], "reestimate": configuration["reestimate"] is not None}
    return entry if configuration["prune"] is None else {**entry, "prune": configuration["prune"]}


def search(network: str | os.PathLike[str] | Network | None = None, images: Images | Any = EMBEDDED, *,
           statistics: Images | Any = None, cost: str = "esn-d", accuracy: str = "top1", trials: int = 200,
           method: str = "local", grid: str = "mid-tread", filters: Sequence[float] = (0.0,),
           hardware: Sequence[str | os.PathLike[str]] = ("ideal",),
           sensitivity_images: int = 128, store: str | os.PathLike[str] = "search.sqlite", seed: int = 0, memory: float = 4.0,
           threads: int | None = None, progress: Tell | bool | None = None) -> Study:
    """Searches for the networks that no other beats in cost and accuracy.

    A point prunes one of the fractions `filters` of the network's filters, quantizes each layer in a way of its own on `grid`
    (width, step, by layer or by filter), and re-estimates statistics where `statistics` are images to do that on. Accuracy is that of the
    exact engine on integers, on `images`: `"top1"`, `"top5"`, or `"agreement"` with the network in float, which needs no labels.
    `cost` is one of `esnsim.pareto` that quantization changes; a cost on a hardware, as `"cycles:my-array"`, takes its description
    in `hardware`. At most `trials` points are run, with and without new statistics where there are some; take 100 or more. The store
    keeps them: the same call goes on where it was stopped, and other searches and sweeps can share the store.

    First, sensitivity is measured on `sensitivity_images` images: each layer is quantized by itself in each way, and the output
    looked at. A Lagrangian allocation then shares out budgets of any size. `method` says what follows: `"allocation"` nothing,
    `"local"` small steps around the best points, `"nsga2"` and `"tpe"` those samplers of Optuna, which has to be installed. With
    one seed a search finds the same on any number of threads.
    """
    given = checked(cost=cost, accuracy=accuracy, store=store, seed=seed, memory=memory, threads=threads,
                    trials=trials, sensitivity_images=sensitivity_images, grid=grid)
    if accuracy not in ACCURACIES:
        raise BadArgument(f"accuracy is {accuracy!r}; expected one of {', '.join(ACCURACIES)}")
    if method not in METHODS:
        raise BadArgument(f"method is {method!r}; expected one of {', '.join(METHODS)}")
    fractions = _fractions(filters)
    if method in _OF_OPTUNA:
        _optuna_module()
    if images is None:
        raise wrong("images", images, "images that accuracy is measured on")
    is_foreign = network is not None and isinstance(images, str) and images == EMBEDDED
    if is_foreign:
        raise BadArgument('images "embedded" belong to the network that comes along; give images of this one')
    names = [os.fspath(name) for name in ([hardware] if isinstance(hardware, (str, os.PathLike)) else hardware)]
    from . import _progress as told

    about = Question(network, statistics, names, memory, cost, accuracy)
    with _plan(about, images) as plan, told(progress) as tell:
        space, measured = _space(plan, fractions, statistics is not None, given, tell)
        bench = Bench(plan, space, given, tell)
        METHODS[method](bench, space, trials, seed)
    return Study(given["store"], bench.keys, measured, about)


def _fractions(filters: Sequence[float]) -> tuple[float, ...]:
    if isinstance(filters, (int, float)):
        filters = (filters,)
    for fraction in filters:
        if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 <= fraction < 1:
            raise BadArgument(f"filters has {fraction!r}; expected fractions from 0 up to 1, as (0, 0.1, 0.2)")
    if not filters:
        raise BadArgument("filters is empty; expected fractions, as (0, 0.1, 0.2)")
    return tuple(dict.fromkeys(float(fraction) for fraction in filters))


@contextlib.contextmanager
def _plan(about: Question, images: Any) -> Generator[OpenPlan, None, None]:
    """A plan without points, opened, with images or without."""
    import tempfile

    with contextlib.ExitStack() as stack:
        name, comes_with = _network(about.network, stack, tempfile)
        scored = stack.enter_context(asked(images, None, comes_with, "images"))
        renewed = stack.enter_context(asked(about.statistics, None, comes_with, "statistics"))
        hardware = ", ".join(_text(_located(each)) for each in about.hardware)
        lines = [f"networks = [{_text(name)}]", f"hardware = [{hardware}]"]
        if scored is not None:
            lines += [f"{key.replace('_', '-')} = {scored.request[key]}" for key in ("activation_bits", "calibration_images")]
            lines += _table("images", scored.request)
        if renewed is not None:
            lines += _table("statistics", {**renewed.request, "output": None, "threshold": None})
        # One point, which is not run, keeps the plan from having any other.
        lines += ["[[point]]"]
        yield OpenPlan("search", text="\n".join(lines) + "\n", memory=about.memory)


def _network(network: Any, stack: contextlib.ExitStack, tempfile: Any) -> tuple[str, str | None]:
    """The file of a network, and the preprocessing that the network came with."""
    if network is None:
        return EMBEDDED, None
    if isinstance(network, (str, os.PathLike)):
        path: str = checked(path=network)["path"]
        return os.path.abspath(path), None
    if not hasattr(network, "save"):
        raise wrong("network", network, "a path, an esnsim.Network, or nothing for the network that comes along")
    path = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), "network.onnx")
    network.save(path)
    return path, network._comes_with


def _located(hardware: str) -> str:
    return os.path.abspath(hardware) if hardware.endswith(".toml") else hardware


def _table(name: str, request: dict[str, Any]) -> list[str]:
    """Images as a table of a plan."""
    if request["label_offset"] is not None:
        raise BadArgument(f"label_offset of {name} is no matter of a search; give labels that are classes")
    path = EMBEDDED if request["path"] is None else os.path.abspath(request["path"])
    lines = [f"[{name}]", f"path = {_text(path)}"]
    preprocess = request["preprocess"]
    if preprocess is not None:
        preprocess = os.path.abspath(preprocess) if os.path.exists(preprocess) else preprocess
        lines.append(f"preprocess = {_text(preprocess)}")
    lines += [f"{key} = {_text(request[key])}" for key in ("layout", "output") if request[key] is not None]
    return lines + [f"{key} = {request[key]}" for key in ("limit", "threshold") if request[key] is not None]


def _text(words: str) -> str:
    """A text in TOML, which has the escapes of JSON."""
    return json.dumps(words, ensure_ascii=False)


def _space(plan: OpenPlan, fractions: Sequence[float], has_statistics: bool, given: dict[str, Any],
           progress: Tell | None) -> tuple[Space, list[dict[str, Any]]]:
    """Measures every layer, for each fraction of pruned filters, with new statistics where there are some and without."""
    reestimates = (True, False) if has_statistics else (False,)
    space, measured = Space(fractions, reestimates), []
    for index, fraction in enumerate(fractions):
        for reestimate in reestimates:
            # Pruned filters without new statistics are worth no measurement of their own.
            if fraction > 0 and has_statistics and not reestimate:
                continue
            prune = {"prunings": [{"filters": {"fraction": fraction}}]} if fraction > 0 else {}
            found = json.loads(plan.sensitivity(
                network=None, prune=json.dumps(prune), cost=given["cost"], choices=None, grid=given["grid"], images=given["sensitivity_images"],
                reestimate=reestimate, threads=given["threads"], progress=progress,
            ))
            space.learn(index, reestimate, found)
            measured.append({"filters": fraction, "reestimate": reestimate, **found["sensitivity"]})
    space.settle()
    return space, measured


class Bench:
    """Runs points, each once."""

    def __init__(self, plan: OpenPlan, space: Space, given: dict[str, Any], progress: Tell | None) -> None:
        self._plan, self._space, self._given, self._progress = plan, space, given, progress
        #: By genome: its cost and the part of images that it names wrong; infinite where the point failed.
        self.known: dict[Genome, tuple[float, float]] = {}
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
        for genome, row in zip(genomes, self._plan.rows(store, keys)):
            self.known[genome] = self._values(json.loads(row or "{}"))
        if self._progress is not None:
            self._progress("points", len(self.known), self._given["trials"])

    def _values(self, row: dict[str, Any]) -> tuple[float, float]:
        cost, right = row.get("costs"), row.get(self._given["accuracy"])
        if cost is None or right is None:
            return float("inf"), float("inf")
        of = row["images"] if self._given["accuracy"] == "agreement" else row["labelled"]
        if of == 0:
            raise BadArgument("images have no labels; accuracy=\"agreement\" with the network in float needs none")
        return float(_cost(cost, self._given["cost"])), 1.0 - right / of

    def frontier(self) -> list[Genome]:
        """Points that no other beats, the cheapest first."""
        best, found = float("inf"), []
        for genome, (cost, error) in sorted(self.known.items(), key=lambda point: point[1]):
            if error < best and cost < float("inf"):
                best = error
                found.append(genome)
        return found


#: Accuracies of the engines on integers, which every point is run on.
ACCURACIES = ("top1", "top5", "agreement")

#: Costs of a point under the names of `pareto`.
_COSTS = {"esn-a": "esn_a_macs", "esn-d": "esn_d_macs", "esn-d-filter": "esn_d_filter", "esn-a-weights": "esn_a",
          "esn-d-weights": "esn_d", "effective-macs": "effective_macs", "effective-weights": "nonzero"}


def _cost(costs: dict[str, Any], cost: str) -> float:
    if cost in _COSTS:
        return float(costs[_COSTS[cost]])
    what, _, name = cost.partition(":")
    of_hardware = next(hardware for hardware in costs["hardware"] if hardware["name"] == name)
    return float(of_hardware["cycles" if what == "cycles" else "energy_j"])


def _spread(genomes: Sequence[Genome], count: int) -> list[Genome]:
    """So many of some points, evenly spread."""
    if count >= len(genomes):
        return list(genomes)
    return [genomes[index * len(genomes) // count] for index in range(count)]


def _seeds(space: Space, count: int) -> list[Genome]:
    """Allotments of every measurement, each from cheap to dear."""
    kinds = list(dict.fromkeys((genome.fraction, genome.reestimate) for genome in space.seeds))
    each = max(1, count // len(kinds))
    own = ([genome for genome in space.seeds if (genome.fraction, genome.reestimate) == kind] for kind in kinds)
    return [genome for genomes in own for genome in _spread(genomes, each)][:count]


def _allocation(bench: Bench, space: Space, trials: int, _: int) -> None:
    bench.run(_seeds(space, trials))


def _local(bench: Bench, space: Space, trials: int, seed: int) -> None:
    """Small steps around the points that no other beats: a way that is a little cheaper for one layer, and a little dearer for
    another."""
    bench.run(_seeds(space, max(1, int(SEEDED * trials))))
    chance = random.Random(seed)
    while len(bench.known) < trials:
        parents = bench.frontier()
        if not parents:
            return
        batch: list[Genome] = []
        attempts = 0
        while len(batch) < min(BATCH, trials - len(bench.known)) and attempts < 100 * BATCH:
            attempts += 1
            child = _step(chance.choice(parents), space, chance)
            if child not in bench.known and child not in batch:
                batch.append(child)
        if not batch:
            return
        bench.run(batch)


def _step(genome: Genome, space: Space, chance: random.Random) -> Genome:
    choices = list(genome.choices)
    for layer in chance.sample(range(len(choices)), min(len(choices), chance.choice((1, 2, 2, 3)))):
        moved = choices[layer] + chance.choice((-2, -1, -1, 1, 1, 2))
        choices[layer] = min(max(moved, 0), len(space.choices[layer]) - 1)
    return genome._replace(choices=tuple(choices))


def _optuna(bench: Bench, space: Space, trials: int, seed: int, make: Callable[[Any, int], Any], generation: int) -> None:
    """Asks a sampler of Optuna for points, so many at a time, and begins with the allotments."""
    optuna = _optuna_module()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions: dict[str, Any] = {
        f"layer{index}": optuna.distributions.IntDistribution(0, len(known) - 1) for index, known in enumerate(space.choices)
    }
    distributions["fraction"] = optuna.distributions.IntDistribution(0, len(space.fractions) - 1)
    distributions["reestimate"] = optuna.distributions.CategoricalDistribution(list(space.reestimates))
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=make(optuna.samplers, seed))
    for genome in _seeds(space, max(1, int(SEEDED * trials))):
        parameters = {f"layer{index}": choice for index, choice in enumerate(genome.choices)}
        study.enqueue_trial({**parameters, "fraction": genome.fraction, "reestimate": genome.reestimate})
    asked_for = 0
    # Whoever repeats itself asks for points that cost nothing; there is an end to that.
    while len(bench.known) < trials and asked_for < 10 * trials:
        batch = [study.ask(distributions) for _ in range(min(generation, trials - len(bench.known)))]
        genomes = [
            Genome(trial.params["fraction"], trial.params["reestimate"],
                   tuple(trial.params[f"layer{index}"] for index in range(len(space.choices))))
            for trial in batch
        ]
        asked_for += len(batch)
        for trial, values in zip(batch, bench.run(genomes)):
            state = optuna.trial.TrialState.FAIL if values[0] == float("inf") else None
            study.tell(trial, None if state else values, state=state)


def _optuna_module() -> Any:
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
_OF_OPTUNA = ("nsga2", "tpe")

METHODS: dict[str, Callable[[Bench, Space, int, int], None]] = {
    "allocation": _allocation, "local": _local, "nsga2": _nsga2, "tpe": _tpe,
}
