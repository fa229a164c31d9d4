"""A search for the cheapest networks of each accuracy, over widths and steps by layer, and pruned filters."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from ._arguments import checked, wrong
from ._esnsim import BadArgument, OpenPlan, pareto
from ._images import EMBEDDED, Images
from ._methods import METHODS, OF_OPTUNA, Bench, Measured, Tell, contenders, optuna_module
from ._pages import framed
from ._plans import Question, open_plan
from ._space import Space, pruned, uniform_ways
from ._tables import Table, from_csv

if TYPE_CHECKING:
    from . import Compressed, Network


#: Accuracies of the engines on integers, which every point is run on.
ACCURACIES = ("top1", "top5", "agreement")


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
        return [row for row in self._by_cost() if row["frontier"]]

    @property
    def contenders(self) -> list[dict[str, Any]]:
        """The points that could be on the frontier, the cheapest first: no point that costs no more is more accurate by more than the
        standard error of the difference. On other images another of them may be the best for its cost.
        """
        rows = self._by_cost()
        accuracy = self._about.accuracy
        points = [Measured(self._cost(row), row[accuracy], row["standard_error"] ** 2) for row in rows]
        return [rows[place] for place in contenders(points)]

    def _by_cost(self) -> list[dict[str, Any]]:
        """The points that are done, the cheapest first."""
        return sorted((dict(row) for row in self.points if row["status"] == "done"), key=self._cost)

    def _cost(self, row: Mapping[str, Any]) -> float:
        return float(row["cost"])

    def compress(self, row: Mapping[str, Any]) -> Compressed:
        """The network of a point, a row of `points` or of `frontier`: `.save("small.onnx")` writes it."""
        from . import Network, read

        key = self._key(row)
        with open_plan(self._about, None) as plan:
            configuration = _configuration(plan, self.store, key)
        network = self._about.network
        whole = network if isinstance(network, Network) else read(network)
        prune = [f"filters={pruning['filters']['fraction']}" for pruning in (configuration["prune"] or {}).get("prunings", ())]
        quantize = configuration["quantize"]
        return whole.compress(
            prune=prune, bits=quantize["bits"], layer_options=quantize.get("layers"),
            grid="mid-rise" if quantize["mid-rise"] else "mid-tread", granularity=quantize["granularity"], clip=quantize["step"],
            reestimate_bn=None if configuration["reestimate"] is None else self._about.statistics,
        )

    def judge(self, images: Images | Any, store: str | os.PathLike[str], *, statistics: Images | Any = None,
              rows: Sequence[Mapping[str, Any]] | None = None, threads: int | None = None,
              progress: Tell | bool | None = None) -> Study:
        """Points on other images, which the search has not seen, in a store of their own: those of `rows`, else `contenders`, for
        that a point leads may be luck. Where some of them re-estimate statistics, `statistics` are the images for that.
        """
        from . import _progress as told

        given = checked(store=store, threads=threads)
        about = self._about._replace(statistics=statistics)
        chosen = [self._key(row) for row in (self.contenders if rows is None else rows)]
        if os.path.realpath(given["store"]) == os.path.realpath(self.store):
            raise BadArgument(f"store is {given['store']}, which holds the points on the images that the search has seen; "
                              "expected a store of its own, as \"judged.sqlite\"")
        with open_plan(about, images) as plan:
            entries = [_entry(_configuration(plan, self.store, key)) for key in chosen]
            if any(entry["reestimate"] for entry in entries) and statistics is None:
                raise BadArgument("points of the study re-estimate statistics; give statistics=")
            keys = [plan.add(json.dumps(entry)) for entry in entries]
            with told(progress) as tell:
                plan.run(keys, given["store"], retry_failed=False, threads=given["threads"], progress=tell)
        return Study(given["store"], set(keys), self.sensitivity, about)

    def _key(self, row: Any) -> str:
        """The key of a row of this study."""
        try:
            key: str = row["key"]
        except (KeyError, IndexError, TypeError):
            raise wrong("row", row, "a row of points or of frontier") from None
        if key not in self._keys:
            raise BadArgument(f"row is of another study than this one, whose store is {self.store}; a row goes to the study that it is "
                              "of: judged.compress(row) where judge made judged")
        return key

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
    looked at. A third of the points are *uniform*, the networks of a sweep: one width from 2 to 8 bits for all layers, steps by max-abs
    of a layer or of a filter, on both grids. From 160 points on all of them are run where no filter is pruned. A Lagrangian
    allocation then shares out budgets of any size. `method` says what follows: `"allocation"` nothing, `"local"` small steps from the
    points that could be on the frontier, `"nsga2"` and `"tpe"` those samplers of Optuna, which has to be installed. With one seed a
    search finds the same on any number of threads.
    """
    given = checked(cost=cost, accuracy=accuracy, store=store, seed=seed, memory=memory, threads=threads,
                    trials=trials, sensitivity_images=sensitivity_images, grid=grid)
    if accuracy not in ACCURACIES:
        raise BadArgument(f"accuracy is {accuracy!r}; expected one of {', '.join(ACCURACIES)}")
    if method not in METHODS:
        raise BadArgument(f"method is {method!r}; expected one of {', '.join(METHODS)}")
    fractions = _fractions(filters)
    if method in OF_OPTUNA:
        optuna_module()
    if images is None:
        raise wrong("images", images, "images that accuracy is measured on")
    is_foreign = network is not None and isinstance(images, str) and images == EMBEDDED
    if is_foreign:
        raise BadArgument('images "embedded" belong to the network that comes along; give images of this one')
    names = [os.fspath(name) for name in ([hardware] if isinstance(hardware, (str, os.PathLike)) else hardware)]
    from . import _progress as told

    about = Question(network, statistics, names, memory, cost, accuracy)
    with open_plan(about, images) as plan, told(progress) as tell:
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


def _space(plan: OpenPlan, fractions: Sequence[float], has_statistics: bool, given: dict[str, Any],
           progress: Tell | None) -> tuple[Space, list[dict[str, Any]]]:
    """Measures every layer, for each fraction of pruned filters, with new statistics where there are some and without."""
    reestimates = (True, False) if has_statistics else (False,)
    # Pruned filters without new statistics are worth no measurement of their own.
    kinds = [(index, reestimate) for index, fraction in enumerate(fractions) for reestimate in reestimates
             if fraction == 0 or reestimate or not has_statistics]
    space, measured = Space(fractions, reestimates, given["grid"] == "mid-rise"), []
    for index, reestimate in kinds:
        found = json.loads(plan.sensitivity(
            network=None, prune=json.dumps(pruned(fractions[index])), cost=given["cost"], choices=None, grid=given["grid"],
            images=given["sensitivity_images"], reestimate=reestimate, threads=given["threads"], progress=progress,
        ))
        space.learn(index, reestimate, found)
        measured.append({"filters": fractions[index], "reestimate": reestimate, **found["sensitivity"]})
    ways = [*uniform_ways(True), *uniform_ways(False)]
    space.learn_costs(ways, json.loads(plan.costs(
        prune=json.dumps(pruned(fractions[0])), cost=given["cost"], choices=json.dumps(ways), threads=given["threads"],
    )))
    space.settle(kinds)
    return space, measured
