from typing import Any, Callable

__version__: str

class Error(Exception): ...
class InvalidFile(Error): ...
class Unsupported(Error): ...
class BadArgument(Error): ...
class ReadWrite(Error): ...
class OutOfLimits(Error): ...
class OwnBug(Error): ...
class WorkerLost(Error): ...

class Run:
    json: str
    text: str
    passes: bool
    notes: list[str]
    def html(self) -> str: ...

class Evaluation:
    json: str
    text: str
    notes: list[str]
    runs: list[list[str]]
    numbers: int
    def labels(self) -> bytes: ...
    def classes(self) -> bytes: ...
    def logits(self) -> bytes: ...

class Network:
    @property
    def name(self) -> str: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def path(self) -> str: ...
    def kept(self) -> tuple[bytes, bool, list[tuple[str, str]]]: ...
    def inspect(self) -> tuple[str, str]: ...
    def record(self) -> str: ...
    def simulate(
        self,
        *,
        hardware: list[str],
        bits: int | None,
        bit_convention: str,
        images: dict[str, Any] | None,
        threads: int | None,
        metric_only: bool,
        progress: Callable[[str, int, int], object] | None,
    ) -> Run: ...
    def subject(
        self,
        name: str,
        *,
        hardware: list[str],
        bits: int | None,
        beside: bool,
        images: dict[str, Any] | None,
        threads: int | None,
        progress: Callable[[str, int, int], object] | None,
    ) -> Subject: ...
    def evaluate(
        self,
        *,
        hardware: list[str],
        bits: int | None,
        images: dict[str, Any],
        threads: int | None,
        progress: Callable[[str, int, int], object] | None,
    ) -> Evaluation: ...
    def compress(
        self, asked: dict[str, Any], *, images: dict[str, Any] | None, reestimates: bool, threads: int | None
    ) -> Compressed: ...
    def save(self, path: str, strict: bool) -> list[str]: ...

class Compressed:
    json: str
    text: str
    notes: list[str]
    @property
    def network(self) -> Network: ...

class OpenPlan:
    def __init__(self, path: str, *, text: str | None, memory: float) -> None: ...
    def keys(self) -> list[str]: ...
    def add(self, point: str) -> str: ...
    def label(self, key: str) -> str: ...
    def run(
        self,
        keys: list[str],
        store: str,
        *,
        retry_failed: bool,
        threads: int | None,
        progress: Callable[[str, int, int], object] | None,
    ) -> tuple[int, int, int, int, int, int]: ...
    def rows(self, store: str, keys: list[str]) -> list[str | None]: ...
    def sensitivity(
        self,
        *,
        network: str | None,
        prune: str,
        cost: str,
        choices: str | None,
        grid: str,
        images: int,
        reestimate: bool,
        threads: int | None,
        progress: Callable[[str, int, int], object] | None,
    ) -> str: ...
    def costs(self, *, prune: str, cost: str, choices: str, threads: int | None) -> str: ...

class Subject: ...

class LockedStore:
    def __init__(self, path: str, *, shared: bool) -> None: ...
    def statuses(self) -> dict[str, str]: ...
    def remove_failed(self, keys: list[str]) -> int: ...
    def merge(self, source: str) -> tuple[int, int]: ...
    def close(self) -> None: ...

def open(source: str | bytes | None, name: str, opening: dict[str, Any]) -> Network: ...
def restore(file: bytes, name: str, of_embedded: bool, provenance: list[tuple[str, str]]) -> Network: ...
def arrow_stream(names: list[str], columns: list[list[Any]]) -> object: ...
def new(
    name: str,
    *,
    width: float,
    classes: int | None,
    input: int | None,
    shortcut: str | None,
    depth: int | None,
    growth: int | None,
    seed: int,
    fan: str,
) -> Network: ...
def sweep(
    plan: str,
    store: str,
    *,
    shard: tuple[int, int] | None,
    retry_failed: bool,
    memory: float,
    threads: int | None,
    progress: Callable[[str, int, int], object] | None,
) -> tuple[int, int, int, int, int, int]: ...
def slurm_shard() -> tuple[int, int]: ...
def upgrade(store: str) -> int | None: ...
def costs_of(store: str, keys: list[str], cost: str) -> list[float | None]: ...
def shared_file_system(store: str) -> str | None: ...
def merge(store: str, sources: list[str]) -> list[tuple[int, int]]: ...
def pareto(store: str, cost: str, accuracy: str, keys: set[str] | None = None) -> tuple[str, str, str]: ...
def compare(
    networks: list[Network],
    *,
    hardware: list[str],
    bits: int | None,
    bit_convention: str,
    threads: int | None,
    progress: Callable[[str, int, int], object] | None,
) -> tuple[str, str, str]: ...
def proxies(
    *,
    store: str | None,
    networks: list[str],
    subjects: list[Subject],
    hardware: list[str],
    fit: str | None,
    terms: list[str],
    resamples: int,
    threads: int | None,
) -> tuple[str, str, str, str, str]: ...
def landscape(
    *, hardware: list[str], bits: int, pruned: int, seed: int, threads: int | None
) -> tuple[str, str, str]: ...
def hardware() -> list[tuple[str, str]]: ...
