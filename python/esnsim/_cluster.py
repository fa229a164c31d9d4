"""Points of a sweep spread over a Ray cluster.

The driver, the process that calls `esnsim.sweep`, alone writes the store. A worker is an actor: a process that opens the plan
once and then runs points into a store of its own, which it hands to the driver whole: one that takes long, or as many as take
about a second. So a worker that is killed leaves nothing half done, and its points are given to others, one at a time, so that it
is known which of them loses workers.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import logging
import os
import pathlib
import socket
import tempfile
import time
from typing import Any, Callable, Generator, NamedTuple

from . import _esnsim
from ._esnsim import BadArgument, Error, WorkerLost, __version__

# Results go to the driver in seconds; this is how soon it sees Ctrl-C where Ray does not.
POLL_SECONDS = 0.5
# A point whose workers were lost so often is given up: it may be what kills them.
ATTEMPTS = 3
# A worker gets as many points at a time as take so long. Handing over takes some milliseconds.
BATCH_SECONDS = 1.0
# How often the driver writes down how fast the sweep is.
PACE_SECONDS = 5.0

Counts = tuple[int, int, int, int, int, int]


class Ran(NamedTuple):
    """What points came to: the counts of a sweep of them, the store that holds them, and how long they took."""

    counts: Counts
    store: bytes
    seconds: float


log = logging.getLogger("esnsim")


class Worker:
    """What runs in a process of the cluster. Errors are handed back as results, so that the driver raises them as they are."""

    def __init__(self, path: str, text: str, memory: float, threads: int) -> None:
        self._path, self._text, self._memory, self._threads = path, text, memory, threads

    def open(self, version: str) -> tuple[str, str] | Error:
        """Opens the plan for a driver of this version: the name of this machine, and the digest of the points' keys."""
        host = socket.gethostname()
        # First, for another version may not even read the plan.
        if version != __version__:
            return BadArgument(f"node {host} has esnsim {__version__}, and this process {version}; expected one version")
        try:
            self._plan = _esnsim.OpenPlan(self._path, text=self._text, memory=self._memory)
        except Error as error:
            return type(error)(f"node {host}: {error}")
        return host, digest(self._plan.keys())

    def run(self, keys: list[str]) -> Ran | Error:
        """Runs points."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="esnsim-") as folder:
            store = os.path.join(folder, "points.sqlite")
            try:
                counts = self._plan.run(keys, store, retry_failed=False, threads=self._threads, progress=None)
            except Error as error:
                return type(error)(f"node {socket.gethostname()}: {error}")
            return Ran(counts, pathlib.Path(store).read_bytes(), time.monotonic() - started)


def digest(keys: list[str]) -> str:
    """What tells two plans apart: a million keys would be much to send."""
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


class Lost:
    """In place of the answer of a worker: it ended before it gave one."""

    def __init__(self, reason: BaseException) -> None:
        self.reason = " ".join(str(reason).split())


class Spread:
    """Workers, and the points that they run and that wait for them."""

    def __init__(self, ray: Any, path: str, opened: _esnsim.OpenPlan, to_do: list[str], places: int,
                 start: Callable[[], Any]) -> None:
        self._ray, self._path, self._opened, self._places, self._start = ray, path, opened, places, start
        self._digest = digest(opened.keys())
        self._waiting = collections.deque(to_do)
        self._workers: list[Any] = []
        # What runs, by its future: the worker and its points, none while the worker opens the plan.
        self._calls: dict[Any, tuple[Any, list[str]]] = {}
        # Points that ran, in all, and how long that took the workers.
        self._ran, self._seconds = 0, 0.0
        # Points that were lost together with others, each of which runs alone.
        self._alone: set[str] = set()
        self._losses: collections.Counter[str | None] = collections.Counter()
        self._given_up: list[str] = []

    def results(self) -> Generator[Ran, None, None]:
        """What the points come to, as they end. Points that are given up are told behind all others."""
        try:
            while self._waiting or self._running():
                self._start_workers()
                ready, _ = self._ray.wait(list(self._calls), timeout=POLL_SECONDS)
                for call in ready:
                    worker, keys = self._calls.pop(call)
                    answer = self._answer(call)
                    if isinstance(answer, Lost):
                        self._dismiss(worker)
                        self._lose(keys, answer)
                    elif not keys:
                        self._check(answer)
                        self._employ(worker)
                    else:
                        self._ran, self._seconds = self._ran + len(keys), self._seconds + answer.seconds
                        self._employ(worker)
                        yield answer
        finally:
            for worker in self._workers:
                self._ray.kill(worker)
        if self._given_up:
            raise WorkerLost("; ".join(self._given_up) + "; every other point is in the store")

    def _running(self) -> int:
        return sum(bool(keys) for _, keys in self._calls.values())

    def _start_workers(self) -> None:
        """As many as there is room and work for, also in place of those that were lost."""
        while len(self._calls) < min(self._places, len(self._waiting) + self._running()):
            worker = self._start()
            self._workers.append(worker)
            self._calls[worker.open.remote(__version__)] = (worker, [])

    def _employ(self, worker: Any) -> None:
        if keys := self._next():
            self._calls[worker.run.remote(keys)] = (worker, keys)
        else:
            self._dismiss(worker)

    def _next(self) -> list[str]:
        """Points for a worker, in the order of the plan: as many as take a second, but no worker gets so many that others wait."""
        of_a_second = int(BATCH_SECONDS * self._ran / self._seconds) if self._seconds else 1
        most = max(1, min(of_a_second, len(self._waiting) // (2 * self._places)))
        keys: list[str] = []
        while self._waiting and len(keys) < most and not (keys and self._waiting[0] in self._alone):
            keys.append(self._waiting.popleft())
            if keys[-1] in self._alone:
                break
        return keys

    def _dismiss(self, worker: Any) -> None:
        """Lets a worker go. One that was lost may live on where nobody hears of it, and hold what another needs."""
        self._workers.remove(worker)
        self._ray.kill(worker)

    def _answer(self, call: Any) -> Any:
        try:
            answer = self._ray.get(call)
        except self._ray.exceptions.RayTaskError:
            raise
        except self._ray.exceptions.RayError as error:
            return Lost(error)
        if isinstance(answer, Error):
            raise answer
        return answer

    def _check(self, answer: tuple[str, str]) -> None:
        """Refuses a worker that would run something else than what the driver asks for."""
        host, of_keys = answer
        self._losses[None] = 0
        if of_keys != self._digest:
            raise BadArgument(f"{self._path}: node {host} finds other files than this process: its points have other keys; "
                              "what the plan names must be the same on every node")

    def _lose(self, keys: list[str], lost: Lost) -> None:
        if len(keys) > 1:
            log.warning("%s: a worker of %d points was lost, which are run anew one by one: %s", self._path, len(keys), lost.reason)
            self._alone.update(keys)
            self._waiting.extendleft(reversed(keys))
            return
        key = keys[0] if keys else None
        self._losses[key] += 1
        times = self._losses[key]
        if key is None:
            log.warning("%s: a worker was lost before it had a point: %s", self._path, lost.reason)
            if times >= ATTEMPTS:
                raise WorkerLost(f"{self._path}: {times} workers one after another were lost before they had a point, the last "
                                 f"one so: {lost.reason}")
            return
        point = f"{self._path}: point {key} ({self._opened.label(key)})"
        log.warning("%s: its worker was lost: %s", point, lost.reason)
        if times >= ATTEMPTS:
            self._given_up.append(f"{point}: its worker was lost {times} times, at last so: {lost.reason}")
        else:
            self._waiting.appendleft(key)


def sweep(plan: str, store: str, *, cluster: str, shard: tuple[int, int] | None, retry_failed: bool, memory: float,
          threads: int | None, progress: Callable[[str, int, int], object] | None) -> Counts:
    """`esnsim.sweep` on a cluster: the counts that `_esnsim.sweep` gives of one machine."""
    if cluster != "ray":
        raise BadArgument(f"cluster is {cluster!r}; expected 'ray'")
    threads = 1 if threads is None else threads
    ray, path = _ray(), os.path.abspath(plan)
    opened = _esnsim.OpenPlan(path, text=None, memory=memory)
    keys = _share(opened.keys(), shard)
    # Makes the store where there is none, and keeps the plan in it.
    opened.run([], store, retry_failed=False, threads=1, progress=None)
    with contextlib.closing(_esnsim.LockedStore(store, shared=shard is not None)) as target:
        if retry_failed:
            target.remove_failed(keys)
        known = target.statuses()
        to_do = [key for key in keys if key not in known]
        failed = sum(known.get(key) == "failed" for key in keys)
        if not to_do:
            return len(keys), len(keys), 0, failed, 0, 0
        text = pathlib.Path(path).read_text(encoding="utf-8")
        with _connected(ray):
            places = _places(ray, threads, memory)
            actor = ray.remote(num_cpus=threads, memory=int(memory * 2**30), max_restarts=0)(Worker)
            spread = Spread(ray, path, opened, to_do, places, lambda: actor.remote(path, text, memory, threads))
            run_failed, short, differing = _collect(spread, len(to_do), store, target, progress)
    return len(keys), len(keys) - len(to_do), len(to_do), failed + run_failed, short, differing


def _collect(spread: Spread, to_do: int, store: str, target: _esnsim.LockedStore,
             progress: Callable[[str, int, int], object] | None) -> tuple[int, int, int]:
    """Puts results into the store as they come: how many of the points failed, came to less, and differ."""
    totals, done = (0, 0, 0), 0
    started = kept = time.monotonic()
    with contextlib.closing(spread.results()) as results, tempfile.TemporaryDirectory(prefix="esnsim-") as folder:
        if progress is not None:
            progress("points", 0, to_do)
        file = pathlib.Path(folder, "points.sqlite")
        for counts, points, _ in results:
            file.write_bytes(points)
            target.merge(str(file))
            file.unlink()
            done += counts[0]
            totals = (totals[0] + counts[3], totals[1] + counts[4], totals[2] + counts[5])
            if (now := time.monotonic()) - kept > PACE_SECONDS or done == to_do:
                kept = now
                _esnsim.keep_pace(store, done, now - started)
            if progress is not None:
                progress("points", done, to_do)
    return totals


def _share(keys: list[str], shard: tuple[int, int] | None) -> list[str]:
    if shard is None:
        return keys
    index, of = shard
    if not 1 <= index <= of:
        raise BadArgument(f"shard is ({index}, {of}); expected (i, n) with i from 1 to n")
    return keys[index - 1::of]


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise BadArgument("cluster='ray' needs Ray; pip install ray") from error
    return ray


@contextlib.contextmanager
def _connected(ray: Any) -> Generator[None, None, None]:
    """A connection to the cluster that there is, or to one of this machine that goes when the sweep is over."""
    if ray.is_initialized():
        yield
        return
    ray.init(log_to_driver=False, logging_level=logging.WARNING)
    try:
        yield
    finally:
        ray.shutdown()


def _places(ray: Any, threads: int, memory: float) -> int:
    """How many workers the cluster has room for."""
    def room(node: dict[str, Any]) -> int:
        cores, free = (node["Resources"].get(name, 0.0) for name in ("CPU", "memory"))
        return min(int(cores // threads), int(free // int(memory * 2**30)))

    places = sum(room(node) for node in ray.nodes() if node["Alive"])
    if places == 0:
        raise BadArgument(f"no node of the cluster has {threads} CPUs and {memory} GiB for a worker; expected threads and memory "
                          "of one worker, not of all")
    return places
