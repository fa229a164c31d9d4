"""Does a plan that is opened once run the points it is asked for, with the rows of a sweep?"""

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import esnsim
import pytest
from esnsim._esnsim import OpenPlan

PLAN = """networks = ["embedded"]
[images]
path = "embedded"
limit = 30
[[prune]]
[[prune]]
each = [{ filters = { fraction = 0.2 } }]
[[quantize]]
bits = [2, 4]
"""


def opened(text=PLAN, path="plan.toml"):
    return OpenPlan(path, text=text, memory=1.0)


def run(plan, keys, store, threads=None, progress=None):
    return plan.run(list(keys), str(store), retry_failed=False, threads=threads, progress=progress)


def stored(store):
    """Every row of every table, but for the plans."""
    with sqlite3.connect(store) as connection:
        return [connection.execute(f"SELECT * FROM {table} ORDER BY key").fetchall() for table in ("points", "hardware")]


def test_points_that_are_asked_for_are_those_of_a_sweep(tmp_path):
    file, swept, asked = tmp_path / "plan.toml", tmp_path / "swept", tmp_path / "asked"
    file.write_text(PLAN)
    assert esnsim.sweep(file, swept).run == 4
    plan = OpenPlan(str(file), text=None, memory=1.0)
    assert plan.keys() == opened().keys() and len(plan.keys()) == 4
    told = []
    for key in reversed(plan.keys()):
        assert run(plan, [key], asked, progress=lambda *place: told.append(place)) == (1, 0, 1, 0, 0, 0)
    assert told.count(("points", 1, 1)) == 4
    assert stored(asked) == stored(swept)


def test_ranges_widths_of_layers_and_samples_pass_through(tmp_path):
    text = """networks = ["embedded"]
sample = 12
seed = 3
method = "latin-hypercube"
[[prune]]
each = { filters = { fraction = "0.0..0.3 step 0.1" } }
[[quantize]]
bits = "2..4"
bits-of-layers = { "*" = [4, 5] }
"""
    plan, store, file = opened(text), tmp_path / "store", tmp_path / "plan.toml"
    file.write_text(text)
    assert len(plan.keys()) == 12 and plan.keys() == opened(text).keys()
    assert esnsim.sweep(file, store).run == 12
    rows = [json.loads(row) for row in plan.rows(str(store), plan.keys())]
    widths = [layer["bits"] for row in rows for layer in row["configuration"]["quantize"]["layers"]]
    assert sorted(set(widths)) == [4, 5] and abs(widths.count(4) - widths.count(5)) <= 20
    with pytest.raises(esnsim.InvalidFile, match="expected a range from its lower end"):
        opened('networks = ["embedded"]\n[[quantize]]\nbits = "8..2"')


def test_a_point_that_is_added_runs_once_and_has_a_row(tmp_path):
    plan, store = opened(), tmp_path / "store"
    point = {"prune": {"prunings": [{"weights": 0.5}]}, "quantize": {"bits": 3, "granularity": "filter"}}
    key = plan.add(json.dumps(point))
    assert plan.add(json.dumps(point)) == key and plan.keys()[4:] == [key]
    assert plan.add(json.dumps({"quantize": {"bits": 4}})) == plan.keys()[1]
    assert run(plan, [key, key], store) == (1, 0, 1, 0, 0, 0)
    assert run(plan, [key], store) == (1, 1, 0, 0, 0, 0)
    [text, none] = plan.rows(str(store), [key, plan.keys()[0]])
    row = json.loads(text)
    assert none is None and (row["key"], row["status"], row["error"], row["network"]) == (key, "done", None, "embedded")
    assert row["configuration"]["quantize"]["bits"] == 3
    assert (row["images"], row["labelled"], row["top5"]) == (30, 30, None) and 0 < row["top1"] <= 30
    small = esnsim.compress(prune="weights=0.5", bits=3, granularity="filter").network.esn().total
    costs = row["costs"]
    for name in ("weights", "macs", "esn_a", "esn_d", "esn_a_macs", "esn_d_macs", "esn_d_filter", "effective_macs"):
        assert costs[name] == small[name] and type(costs[name]) is type(small[name]), name
    assert [hardware["name"] for hardware in costs["hardware"]] == ["ideal-analog", "ideal-digital", "ideal-digital-filter"]
    assert costs["hardware"][1]["energy_count"] == small.esn_d_macs


def test_every_column_of_a_row_is_that_of_the_store(tmp_path):
    plan, store = opened(), tmp_path / "store"
    run(plan, plan.keys(), store)
    with sqlite3.connect(store) as connection:
        connection.row_factory = sqlite3.Row
        points = {row["key"]: dict(row) for row in connection.execute("SELECT * FROM points")}
    for key, text in zip(plan.keys(), plan.rows(str(store), plan.keys())):
        row = json.loads(text)
        flat = {**row, **row["costs"]}
        for name, value in points[key].items():
            if isinstance(flat[name], (dict, list)):
                value = json.loads(value)
            if name in ("filter_bits", "weight_bits"):
                # The store leaves out zeros at the end.
                value += [0] * (len(flat[name]) - len(value))
            assert flat[name] == (type(flat[name])(value) if isinstance(flat[name], (int, float)) else value), name


def test_a_point_that_fails_is_stored_with_its_reason(tmp_path):
    plan, store = opened(), tmp_path / "store"
    key = plan.add('{"quantize": {"bits": 1, "mid-rise": false}}')
    assert run(plan, [key], store) == (1, 0, 1, 1, 0, 0)
    row = json.loads(plan.rows(str(store), [key])[0])
    assert row["status"] == "failed" and "bits" in row["error"]
    assert row["costs"] is None and row["top1"] is None


@pytest.mark.parametrize("kind, say, text", [
    (esnsim.InvalidFile, lambda plan: opened("networks = []"), "plan.toml: networks is empty"),
    (esnsim.InvalidFile, lambda plan: opened('networks = ["no.onnx"]', "/nowhere/plan.toml"), "/nowhere/no.onnx"),
    (esnsim.ReadWrite, lambda plan: OpenPlan("/nowhere/plan.toml", text=None, memory=1.0), "/nowhere/plan.toml"),
    (esnsim.BadArgument, lambda plan: OpenPlan("plan.toml", text=PLAN, memory=0.1), "memory is 0.1 GiB"),
    (esnsim.BadArgument, lambda plan: plan.add("{"), "point {: "),
    (esnsim.BadArgument, lambda plan: plan.add('{"bits": 4}'), "unknown field `bits`"),
    (esnsim.BadArgument, lambda plan: plan.add('{"quantize": {"bits": 99}}'), "quantize.bits"),
    (esnsim.BadArgument, lambda plan: plan.add('{"reestimate": true}'), "[statistics]"),
    (esnsim.BadArgument, lambda plan: run(plan, ["00"], "store"), "no point has the key \"00\""),
    (esnsim.BadArgument, lambda plan: run(plan, [], "store", threads=0), "threads is 0"),
    (esnsim.ReadWrite, lambda plan: plan.rows("/nowhere/store", []), "/nowhere/store"),
])
def test_wrong_use_is_told_in_one_line(kind, say, text):
    with pytest.raises(kind) as caught:
        say(opened())
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_threads_share_a_plan(tmp_path):
    plan, store = opened(), tmp_path / "store"
    threads = [threading.Thread(target=run, args=(plan, [key], store, 1)) for key in plan.keys()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run(plan, plan.keys(), store) == (4, 4, 0, 0, 0, 0)


def test_an_exception_of_progress_stops_the_run(tmp_path):
    plan, store = opened(), tmp_path / "store"

    def fail(stage, done, total):
        raise ZeroDivisionError(stage)

    with pytest.raises(ZeroDivisionError, match="points"):
        run(plan, plan.keys(), store, progress=fail)
    assert run(plan, plan.keys(), store)[0] == 4


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_interrupt_stops_within_a_point(tmp_path):
    """A point of minutes ends within seconds of Ctrl-C, in the exception that Python has for it."""
    numpy = pytest.importorskip("numpy")
    numpy.savez(tmp_path / "images.npz", images=numpy.zeros((100000, 1, 8, 8), numpy.float32))
    (tmp_path / "plan.toml").write_text('networks = ["embedded"]\n[images]\npath = "images.npz"\npreprocess = "none"\n')
    code = ("from esnsim._esnsim import OpenPlan\n"
            "plan = OpenPlan('plan.toml', text=None, memory=1.0)\n"
            "print('open', flush=True)\n"
            "plan.run(plan.keys(), 'store', retry_failed=False, threads=1, progress=None)\n")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    try:
        assert process.stdout.readline() == "open\n"
        time.sleep(2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert said.splitlines()[-1] == "KeyboardInterrupt" and "panicked" not in said, said


def test_a_task_of_slurm_is_a_shard(tmp_path, monkeypatch):
    plan, whole = tmp_path / "plan.toml", tmp_path / "whole"
    plan.write_text(PLAN)
    esnsim.sweep(plan, whole)
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    with pytest.raises(esnsim.BadArgument, match="SLURM_ARRAY_TASK_ID is not set"):
        esnsim.sweep(plan, tmp_path / "none", shard="slurm")
    for name, value in {"MIN": 10, "MAX": 30, "COUNT": 3, "STEP": 10}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    stores = []
    for task, points in [(10, 2), (20, 1), (30, 1)]:
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        stores.append(tmp_path / f"runs-{task}")
        assert esnsim.sweep(plan, stores[-1], shard="slurm").points == points
    esnsim.merge(tmp_path / "all", *stores)
    assert stored(tmp_path / "all") == stored(whole)
    with pytest.raises(esnsim.BadArgument, match="cannot be merged into itself"):
        esnsim.merge(whole, whole)
