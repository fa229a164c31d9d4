"""Does a sweep on a Ray cluster end with the rows of one on this machine, whatever happens to its workers?"""

import logging
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import types

import esnsim
import pytest
from esnsim import _cluster

# Ray tells nobody outside what runs here.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

PLAN = """networks = ["embedded"]
images = { path = "embedded", limit = LIMIT }
analog-accuracy = true
[[prune]]
[[prune]]
each = [{ filters = { fraction = 0.2 } }]
[[quantize]]
bits = [2, 4]
"""


@pytest.fixture(scope="module")
def ray():
    """A cluster of two processors on this machine, and nobody else's."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: nothing of the cluster is tested")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, address="local")
    yield ray
    ray.shutdown()


@pytest.fixture
def plan(tmp_path):
    """Four points of so many images that each takes a while."""
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.replace("LIMIT", "500"))
    return file


def stored(store):
    """Every column of every row of every table."""
    tables = {"points": "key", "hardware": "key, position", "plans": "digest"}
    with sqlite3.connect(store) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall() for table, order in tables.items()}


def is_at_work(process):
    """Whether a process runs a point: Ray names a process by the method that it is in."""
    try:
        return pathlib.Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::Worker.run")
    except OSError:
        return False


def workers_at_work():
    return [int(folder.name) for folder in pathlib.Path("/proc").glob("[0-9]*") if is_at_work(folder.name)]


def kill_within_a_point(process):
    """Kills a worker if it is in the middle of a point, which is certain of a process that stands still."""
    os.kill(process, signal.SIGSTOP)
    while pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.001)
    is_within = is_at_work(process)
    os.kill(process, signal.SIGKILL if is_within else signal.SIGCONT)
    return is_within


class Killer(threading.Thread):
    """Kills workers in the middle of a point, `most` of them."""

    def __init__(self, most):
        super().__init__(daemon=True)
        self.most, self.killed, self.over = most, [], threading.Event()

    def run(self):
        while len(self.killed) < self.most and not self.over.wait(0.005):
            for process in workers_at_work()[:1]:
                if process not in self.killed and kill_within_a_point(process):
                    self.killed.append(process)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def test_a_worker_that_is_killed_in_the_middle_of_a_point_loses_nothing(ray, plan, tmp_path, caplog):
    local, spread, told = tmp_path / "local", tmp_path / "spread", []
    assert esnsim.sweep(plan, local).run == 4
    with Killer(1) as killer, caplog.at_level(logging.WARNING, "esnsim"):
        done = esnsim.sweep(plan, spread, cluster="ray", memory=1.0, progress=lambda *place: told.append(place))
    assert len(killer.killed) == 1
    lost = [record.getMessage() for record in caplog.records if "its worker was lost" in record.getMessage()]
    assert len(lost) == 1 and "bits): its worker was lost" in lost[0]
    assert told == [("points", done, 4) for done in range(5)]
    assert (done.points, done.found, done.run, done.failed, done.differing) == (4, 0, 4, 0, 0)
    rows = stored(local)
    assert [len(rows[table]) for table in ("points", "hardware", "plans")] == [4, 12, 1]
    assert stored(spread) == rows
    assert workers_at_work() == []


def test_a_sweep_on_a_cluster_goes_on_where_another_stopped(ray, plan, tmp_path):
    local, spread = tmp_path / "local", tmp_path / "spread"
    plan.write_text(PLAN.replace("LIMIT", "20") + '[[point]]\nquantize = { bits = 1, mid-rise = false }\n')
    assert esnsim.sweep(plan, local).failed == 1
    first = esnsim.sweep(plan, spread, shard=(2, 2), cluster="ray", memory=1.0)
    assert (first.points, first.found, first.run) == (2, 0, 2)
    rest = esnsim.sweep(plan, spread, cluster="ray", memory=1.0)
    assert (rest.points, rest.found, rest.run, rest.failed) == (5, 2, 3, 1)
    assert stored(spread) == stored(local)
    again = esnsim.sweep(plan, spread, cluster="ray", memory=1.0, retry_failed=True)
    assert (again.found, again.run, again.failed) == (4, 1, 1)
    assert esnsim.sweep(plan, spread, cluster="ray", memory=1.0).run == 0
    assert stored(spread) == stored(local)


def test_a_point_that_always_kills_its_worker_is_given_up_by_name(ray, plan, tmp_path):
    plan.write_text(PLAN.replace("LIMIT", "500").replace("bits = [2, 4]", "bits = 3"))
    store = tmp_path / "store"
    assert esnsim.sweep(plan, store, shard=(1, 2)).run == 1
    with Killer(99) as killer, pytest.raises(esnsim.WorkerLost) as caught:
        esnsim.sweep(plan, store, cluster="ray", memory=1.0)
    assert len(killer.killed) == 3
    text = str(caught.value)
    assert "(filters −20 %, 3 bits): its worker was lost 3 times" in text and "\n" not in text, text
    assert isinstance(caught.value, esnsim.Error) and len(stored(store)["points"]) == 1
    done = esnsim.sweep(plan, store, cluster="ray", memory=1.0)
    assert (done.found, done.run, done.failed) == (1, 1, 0)


def test_an_exception_of_progress_ends_the_workers(ray, plan, tmp_path):
    store = tmp_path / "store"

    def stop(stage, done, total):
        if done == 1:
            raise ZeroDivisionError(stage)

    with pytest.raises(ZeroDivisionError, match="points"):
        esnsim.sweep(plan, store, cluster="ray", memory=1.0, progress=stop)
    assert len(stored(store)["points"]) == 1
    deadline = time.monotonic() + 20
    while workers_at_work() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers_at_work() == []
    assert esnsim.sweep(plan, store).found == 1


def test_workers_say_what_is_wrong_on_their_node(ray, plan, tmp_path):
    with pytest.raises(esnsim.BadArgument, match="no node of the cluster has 64 CPUs and 1.0 GiB"):
        esnsim.sweep(plan, tmp_path / "store", cluster="ray", memory=1.0, threads=64)
    worker = ray.remote(_cluster.Worker).remote(str(plan), 'networks = ["no.onnx"]', 1.0, 1)
    other = ray.get(worker.open.remote("0.0.0"))
    assert isinstance(other, esnsim.BadArgument) and "and this process 0.0.0; expected one version" in str(other)
    answer = ray.get(worker.open.remote(esnsim.__version__))
    assert isinstance(answer, esnsim.InvalidFile) and str(answer).startswith("node ") and "no.onnx" in str(answer)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_interrupt_ends_a_sweep_and_its_cluster(plan, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: nothing of the cluster is tested")
    code = ("import esnsim, ray\n"
            "ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, address='local')\n"
            "tell = lambda stage, done, total: print(done, flush=True)\n"
            "esnsim.sweep('plan.toml', 'store', cluster='ray', memory=1.0, progress=tell)\n")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["0\n", "1\n"]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in said, said
    found = len(stored(tmp_path / "store")["points"])
    assert 1 <= found < 4
    assert esnsim.sweep(plan, tmp_path / "store").found == found


class Fake:
    """As much of Ray as points are spread by. Workers answer at once, and die of points that begin with `x`."""

    class exceptions:
        RayError, RayTaskError = OSError, KeyError

    def __init__(self, keys):
        self.handed_out = []
        self.plan = types.SimpleNamespace(keys=lambda: keys, label=lambda key: f"label of {key}")

    def start(self):
        return types.SimpleNamespace(open=self.method(self.open), run=self.method(self.run))

    def method(self, function):
        return types.SimpleNamespace(remote=lambda argument: (function, tuple(argument), object()))

    def open(self, _):
        return "host", _cluster.digest(self.plan.keys())

    def run(self, keys):
        self.handed_out.append(list(keys))
        if any(key.startswith("x") for key in keys):
            raise OSError("the worker died")
        return _cluster.Ran((len(keys), 0, len(keys), 0, 0, 0), "".join(keys).encode(), 0.125 * len(keys))

    def wait(self, calls, timeout):
        return calls, []

    def get(self, call):
        function, argument, _ = call
        return function(argument)

    def kill(self, worker):
        pass


def test_short_points_are_handed_out_together_and_a_lost_batch_one_by_one(caplog):
    keys = [f"p{place:03}" for place in range(60)]
    keys[40] = "x040"
    fake = Fake(keys)
    spread = _cluster.Spread(fake, "plan.toml", fake.plan, keys, 2, fake.start)
    found = []
    with caplog.at_level(logging.WARNING, "esnsim"), pytest.raises(esnsim.WorkerLost, match=r"label of x040.*lost 3 times"):
        for counts, points, _ in spread.results():
            assert len(points) == 4 * counts[0]
            found += [points[place:place + 4].decode() for place in range(0, len(points), 4)]
    assert sorted(found) == sorted(set(keys) - {"x040"}), "every other point, and each once"
    sizes = [len(batch) for batch in fake.handed_out]
    # The first two workers know nothing yet. Then an eighth of a second a point is eight a second, or a quarter of what is left.
    assert sizes[:3] == [1, 1, 8] and max(sizes) == 8
    lost = [batch for batch in fake.handed_out if "x040" in batch]
    assert len(lost[0]) > 1 and lost[1:] == 3 * [["x040"]]
    assert sum(f"a worker of {len(lost[0])} points was lost" in record.getMessage() for record in caplog.records) == 1
    for key in lost[0]:
        assert [key] in fake.handed_out


def test_many_short_points_have_the_rows_of_a_sweep_of_this_machine(ray, tmp_path):
    plan, local, spread, told = tmp_path / "plan.toml", tmp_path / "local", tmp_path / "spread", []
    plan.write_text('networks = ["embedded"]\nsample = 300\nseed = 1\n'
                    '[[prune]]\neach = [{ filters = { fraction = "0.0..0.5 step 0.1" } }]\n'
                    '[[quantize]]\nbits = "2..8"\nbits-of-layers = { "/conv1/Conv" = "2..8", "/fc/Gemm" = "2..8" }\n')
    assert esnsim.sweep_status(plan, spread).open == 300
    esnsim.sweep(plan, local)
    done = esnsim.sweep(plan, spread, cluster="ray", memory=1.0, progress=lambda *place: told.append(place[1]))
    assert (done.points, done.run) == (300, 300) and done.failed == esnsim.sweep_status(plan, local).failed
    assert told[0] == 0 and told[-1] == 300 and told == sorted(set(told))
    # How many depends on how busy the machine is.
    assert len(told) < 300, "some points came with others"
    assert stored(spread) == stored(local)
    status = esnsim.sweep_status(plan, spread)
    assert (status.points, status.open, status.seconds) == (300, 0, 0.0)


def test_wrong_use_is_told_in_one_line(plan, tmp_path, monkeypatch):
    store = tmp_path / "store"
    cases = [
        ({"cluster": "dask"}, "cluster is 'dask'; expected 'ray'"),
        ({"cluster": "ray", "threads": 0}, "threads is 0"),
        ({"cluster": "ray", "shard": (3, 2)}, "shard is (3, 2); expected (i, n) with i from 1 to n"),
    ]
    for options, text in cases:
        with pytest.raises(esnsim.BadArgument) as caught:
            esnsim.sweep(plan, store, **options)
        assert text in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(TypeError, match=r"shard is 'first'; expected two whole numbers, as \(1, 4\), or 'slurm'"):
        esnsim.sweep(plan, store, shard="first")
    # As if it were not installed.
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(esnsim.BadArgument, match=r"pip install ray"):
        esnsim.sweep(plan, store, cluster="ray")
    assert not store.exists()
