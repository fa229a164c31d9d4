"""Does the package give the figures of the command, and does wrong use end in a clear exception?"""

import csv
import doctest
import hashlib
import importlib
import inspect
import io
import json
import multiprocessing
import os
import pathlib
import pickle
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

import esnsim
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETWORK = ROOT / "traces/digits-resnet.onnx"
MODELS = ROOT.parent / "shared" / "models"
COMMAND = os.environ.get("ESNSIM_COMMAND")
NETWORKS = [None, *sorted(path for path in MODELS.glob("*") if path.suffix in (".onnx", ".tflite"))]


def command(*arguments):
    if COMMAND is None:
        pytest.skip("ESNSIM_COMMAND names no binary to compare with")
    return subprocess.run([COMMAND, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


def of_file(path):
    return [] if path is None else [path]


def bits(path):
    """A width for real weights alone."""
    network = esnsim.read(path)
    try:
        network.esn(bits=4)
        return 4
    except esnsim.Error:
        return None


@pytest.mark.parametrize("path", NETWORKS, ids=str)
def test_a_run_is_that_of_the_command(path, tmp_path):
    width, file = bits(path), tmp_path / "run.json"
    # The embedded network runs its own images there.
    option = [] if width is None else ["--bits", width]
    hardware = ["--hardware", "ideal", "--hardware", "cpu-serial"]
    network = [NETWORK] if path is None else [path]
    done = command("simulate", *network, *option, *hardware, "--json", file)
    if done.returncode == 2:
        with pytest.raises(esnsim.Error) as refused:
            esnsim.simulate(network[0], bits=width, hardware=["ideal", "cpu-serial"])
        assert done.stderr.strip() == f"error: {refused.value}"
        return
    assert done.returncode == 0, done.stderr
    expected = json.loads(file.read_text())
    run = esnsim.simulate(network[0], bits=width, hardware=["ideal", "cpu-serial"])
    for key in ("network", "quantization", "hardware", "layers", "total"):
        assert run.data[key] == expected[key], key
    assert run.check.passed and repr(run.check) == "PASS"
    assert len(run.layers) == 4 * len(expected["layers"])
    assert run.total["ideal-digital"].energy_count == expected["total"]["runs"][1]["energy_count"]


@pytest.mark.parametrize("path", NETWORKS, ids=str)
def test_layers_are_those_of_the_command(path, tmp_path):
    file = tmp_path / "layers.csv"
    assert command("inspect", *of_file(path), "--csv", file).returncode == 0
    layers = esnsim.inspect(path).layers
    header, *rows = file.read_text().splitlines()
    assert list(layers.columns) == header.split(",") and len(layers) == len(rows)
    assert sum(layers["weights"]) == sum(layer["weights"] for layer in esnsim.esn(path, bits=bits(path)).layers)


def test_the_metric_is_exact_and_read_from_bytes():
    file = (NETWORK).read_bytes()
    cost = esnsim.esn(file, bits=4)
    assert (cost.total.esn_d_macs, cost.total.esn_d_filter, cost.total.weights) == (1_535_714, 3_052_672, 77_072)
    assert isinstance(cost.total.esn_d_macs, int) and cost.layers["layer"][0] == "/conv1/Conv"
    assert "TOTAL" in repr(cost)


def test_images_run_on_the_engines():
    network = esnsim.read(NETWORK)
    folder = ROOT / "traces"
    images = next(folder.glob("*.npz"), None)
    if images is None:
        pytest.skip("there are no images of this form")
    run = network.simulate(bits=6, images=images, limit=20)
    assert run.data["inference"]["images"] == 20 and run.check


def test_arrays_run_as_their_file_does():
    numpy = pytest.importorskip("numpy")
    network = esnsim.read(NETWORK)
    file = numpy.load(ROOT / "traces/digits-test.npz")
    names = sorted(file.files)
    assert names == ["images", "labels"]
    of_file = network.simulate(bits=4, images=esnsim.Images(ROOT / "traces/digits-test.npz", limit=100))
    of_arrays = network.simulate(bits=4, images=esnsim.Images(file["images"], file["labels"]), limit=100)
    assert of_file.data["inference"] == of_arrays.data["inference"]
    accuracy = of_arrays.accuracy
    assert accuracy["hardware"] == ["float", "ideal-analog", "ideal-digital", "ideal-digital-filter"]
    assert accuracy["labelled"] == [100] * 4 and min(accuracy["top1"]) > 90
    assert network.simulate(bits=4, images=file["images"][:5]).accuracy["labelled"] == [0] * 4
    few = network.simulate(bits=4, images=esnsim.Images(file["images"], limit=9), limit=4).accuracy
    assert few["images"] == [4] * 4 and "ideal-analog" in repr(few)


def test_images_of_the_network_that_comes_along_run_as_in_the_command(tmp_path):
    file = tmp_path / "run.json"
    assert command("simulate", "--bits", 4, "--json", file).returncode == 0
    run = esnsim.simulate(bits=4, images="embedded")
    expected = json.loads(file.read_text())
    assert run.data["inference"] == expected["inference"] and run.data["run"]["images"] == expected["run"]["images"]
    small = esnsim.compress(prune="filters=0.1", bits=4).network
    assert small.simulate(images="embedded", limit=50).data["inference"]["images"] == 50
    with pytest.raises(esnsim.BadArgument, match="belong to the network that comes along"):
        esnsim.simulate(NETWORK, bits=4, images="embedded")
    with pytest.raises(esnsim.BadArgument, match="there to be tested on"):
        esnsim.compress(bits=4, reestimate_bn="embedded")


def test_an_evaluation_is_that_of_the_command(tmp_path):
    numpy = pytest.importorskip("numpy")
    images = ROOT / "traces/digits-test.npz"
    files = {name: tmp_path / name for name in ("run.json", "logits.npy", "predictions.csv")}
    done = command("simulate", NETWORK, "--bits", 3, "--images", images, "--limit", 70, "--hardware", "ideal", "--hardware",
                   "cpu-serial", "--json", files["run.json"], "--logits", files["logits.npy"], "--predictions",
                   files["predictions.csv"])
    assert done.returncode == 0, done.stderr
    found = esnsim.evaluate(NETWORK, images, bits=3, limit=70, hardware=["ideal", "cpu-serial"])
    expected = json.loads(files["run.json"].read_text())["inference"]
    assert found.data == expected and repr(found) in done.stdout
    logits, rows = numpy.load(files["logits.npy"]), list(csv.DictReader(files["predictions.csv"].open(newline="")))
    runs = [["float"], *(engine["hardware"] for engine in expected["engines"])]
    assert set(found.top1) == {name for names in runs for name in names} == set(found.logits)
    for place, names in enumerate(runs):
        for name in names:
            assert numpy.array_equal(found.logits[name], logits[:, place])
            assert found.predictions[name].tolist() == [int(row[name]) for row in rows]
            right = sum(row[name] == row["label"] for row in rows)
            assert found.top1[name] == (right, 70) and isinstance(found.top1[name].right, int)
    assert found.labels.tolist() == [int(row["label"]) for row in rows] and found.top5 == {}
    unlabelled = esnsim.evaluate(NETWORK, numpy.zeros((2, 1, 8, 8), numpy.float32), bits=4)
    assert unlabelled.labels.tolist() == [-1, -1] and unlabelled.top1["float"] == (0, 0)


def test_what_there_is_to_know_is_told_by_every_call(tmp_path):
    numpy = pytest.importorskip("numpy")
    net = esnsim.read(synthetic_weights=1)
    drawn = "no weights are drawn: the file has those of every layer"
    zeros = numpy.zeros((30, 1, 8, 8), numpy.float32)
    run = net.simulate(bits=4, images=(zeros, numpy.arange(30) % 10))
    for notes in (net.notes, net.inspect().notes, net.esn(bits=4).notes, run.notes, net.compress(bits=4).notes):
        assert drawn in notes
    assert any("no more images are right than a guess" in note and "preprocess=" in note for note in run.notes)
    assert not any(str(tmp_path.parent.parent) in note for note in run.notes)
    assert run.data["run"]["images"]["path"] == "images"


def test_progress_is_told_and_its_exception_stops_the_run():
    told = []
    run = esnsim.simulate(NETWORK, bits=4, images=ROOT / "traces/digits-test.npz",
                          progress=lambda *place: told.append(place))
    assert told[-1] == ("images", 500, 500) and [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert run.check

    def fail(stage, done, total):
        raise ZeroDivisionError(stage)

    with pytest.raises(ZeroDivisionError, match="images"):
        esnsim.simulate(NETWORK, bits=4, images=ROOT / "traces/digits-test.npz", progress=fail)


# Each would go on for a minute and more.
LONG = {
    "simulate": "images=numpy.zeros((200000, 1, 8, 8), numpy.float32); "
                "esnsim.simulate(bits=4, images=images, hardware=['cpu-serial', 'in-memory-class-b'], threads=1)",
    "evaluate": "esnsim.evaluate(images=numpy.zeros((200000, 1, 8, 8), numpy.float32), bits=4, threads=1)",
    "quantize": "esnsim.new('resnet50', width=4).compress(average_bits=3, clip='mse', threads=1)",
    "prune": "esnsim.new('resnet50', width=4).compress(prune='esn-d=1e9', bits=4, threads=1)",
    "statistics": "images = numpy.zeros((200000, 1, 8, 8), numpy.float32); "
                  "esnsim.compress(bits=4, reestimate_bn=images, limit=200000, threads=1)",
    "sweep": "esnsim.sweep('plan.toml', 'store.sqlite', threads=1)",
}


def test_the_status_of_a_sweep_is_told(tmp_path):
    plan, store = tmp_path / "plan.toml", tmp_path / "s.sqlite"
    plan.write_text('networks = ["embedded"]\n[[quantize]]\nbits = "2..5"\n[[point]]\nquantize = { bits = 1, mid-rise = false }\n')
    status = esnsim.sweep_status(plan, store)
    assert (status.points, status.done, status.failed, status.open, status.seconds) == (5, 0, 0, 5, None)
    esnsim.sweep(plan, store, shard=(1, 2))
    status = esnsim.sweep_status(plan, store)
    assert (status.done, status.failed, status.open) == (2, 1, 2) and 0 < status.seconds < 60
    assert re.fullmatch(r"<esnsim.SweepStatus .*s.sqlite: 5 points, 2 done, 1 failed, 2 open, about \d+ s to go>", repr(status))
    assert esnsim.sweep_status(plan, store, shard=(2, 2)).open == 2
    with pytest.raises(esnsim.BadArgument, match="expected \\(i, n\\) with i from 1 to n"):
        esnsim.sweep_status(plan, store, shard=(3, 2))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("work", LONG)
def test_an_interrupt_stops_a_long_call(work, tmp_path):
    """A call of minutes ends within seconds of Ctrl-C, in the exception that Python has for it."""
    pytest.importorskip("numpy")
    many = ", ".join(f"{{ filters = {{ fraction = {number / 100} }} }}" for number in range(1, 90))
    (tmp_path / "plan.toml").write_text(
        f'networks = ["embedded"]\n[images]\npath = "embedded"\n[[prune]]\neach = [{many}]\n[[quantize]]\nbits = [2, 3, 4, 5, 6]\n')
    process = subprocess.Popen([sys.executable, "-c", f"import esnsim, numpy; {LONG[work]}"], cwd=tmp_path,
                               stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(6)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in said.splitlines()[-1] and "panicked" not in said, said


def test_a_compression_is_that_of_the_command(tmp_path):
    mine, theirs, report = tmp_path / "mine.onnx", tmp_path / "theirs.onnx", tmp_path / "report.json"
    images = ROOT / "traces/digits-test.npz"
    done = command("compress", "--prune", "filters=0.2", "--compact", "--bits", 3, "--granularity", "filter", "--clip", "mse",
                   "--reestimate-bn", "--calibrate", images, "--calibrate-limit", 50, "-o", theirs, "--json", report)
    assert done.returncode == 0, done.stderr
    small = esnsim.compress(prune="filters=0.2", compact=True, bits=3, granularity="filter", clip="mse",
                            reestimate_bn=images, limit=50)
    assert small.report == json.loads(report.read_text())
    small.save(mine)
    assert mine.read_bytes() == theirs.read_bytes()
    assert (tmp_path / "mine.preprocess.toml").read_bytes() == (tmp_path / "theirs.preprocess.toml").read_bytes()
    again = esnsim.read(mine)
    assert again.esn().total == small.network.esn().total
    accuracies = [net.simulate(images=images, limit=100).accuracy["top1"] for net in (again, small.network)]
    assert accuracies[0] == accuracies[1]
    assert "ratio" in repr(small)


PLAN = """networks = ["embedded"]
[images]
path = "embedded"
limit = 50
[[prune]]
[[prune]]
each = [{ filters = { fraction = 0.2 } }]
[[quantize]]
bits = [2, 4]
"""


def test_a_sweep_and_its_frontier_are_those_of_the_command(tmp_path):
    plan, mine, theirs, file = (tmp_path / name for name in ("plan.toml", "mine.sqlite", "theirs.sqlite", "theirs.csv"))
    plan.write_text(PLAN)
    told = []
    done = esnsim.sweep(plan, mine, progress=lambda *place: told.append(place))
    assert (done.points, done.run, done.found, done.failed, done.differing) == (4, 4, 0, 0, 0)
    assert told[-1] == ("points", 4, 4)
    assert (tmp_path / "mine.sqlite.pace").read_text().startswith("4 points in ")
    assert esnsim.sweep(plan, mine, shard=(1, 2)).found == 2
    assert command("sweep", plan, "--store", theirs).returncode == 0
    assert command("pareto", theirs, "--csv", file).returncode == 0
    frontier = esnsim.pareto(mine)
    header, *rows = csv.reader(file.open(newline=""))
    assert list(frontier.points.columns) == header and len(frontier.points) == 4
    def column(name):
        return [row[header.index(name)] for row in rows]
    assert dict(zip(frontier.points["key"], map(str, frontier.points["esn_d_macs"]))) == dict(zip(column("key"), column("esn_d_macs")))
    assert [str(is_on).lower() for is_on in sorted(frontier.points["frontier"])] == sorted(column("frontier"))
    assert "ESN_d" in repr(frontier)


def test_a_parquet_file_is_the_table_of_the_csv(tmp_path):
    polars, pandas, duckdb = (pytest.importorskip(name) for name in ("polars", "pandas", "duckdb"))
    plan, store, table, file = (tmp_path / name for name in ("plan.toml", "s.sqlite", "points.csv", "points.parquet"))
    # One of the points cannot be, so that some values are not there.
    plan.write_text(PLAN + "[[point]]\nprune = { prunings = [{ filters = { budget = { macs = 1 } } }] }\n")
    assert command("sweep", plan, "--store", store).returncode == 1
    assert command("pareto", store, "--csv", table, "--parquet", file).returncode == 0
    expected = list(csv.DictReader(table.open(newline="")))
    assert len(expected) == 5
    read = polars.read_parquet(file)
    assert read.columns == list(expected[0])

    def text(value):
        return {None: "", True: "true", False: "false"}.get(value, value) if value is None or isinstance(value, bool) else value

    for row, written in zip(read.to_dicts(), expected):
        for name, value in row.items():
            same = float(written[name]) == value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
            assert same or text(value) == written[name], (name, value, written[name])
    frame = pandas.read_parquet(file)
    assert list(frame["key"]) == [row["key"] for row in expected] and frame["esn_d_macs"].sum() == read["esn_d_macs"].sum()
    best = duckdb.sql(f"SELECT max(top1), count(*) FILTER (frontier) FROM '{file}'").fetchall()[0]
    assert best == (read["top1"].max(), sum(row["frontier"] == "true" for row in expected))


def test_a_store_of_layout_1_is_upgraded(tmp_path):
    store = tmp_path / "old.sqlite"
    old = pathlib.Path(__file__).parents[2] / "tests" / "reference" / "store-layout-1"
    shutil.copy(old / "points.sqlite", store)
    before = esnsim.pareto(store).points
    with pytest.raises(esnsim.BadArgument, match="a store of layout 1.*; esnsim.upgrade makes it one of layout 3"):
        esnsim.sweep(old / "plan.toml", store)
    assert (esnsim.upgrade(store), esnsim.upgrade(store)) == (6, None)
    assert list(esnsim.pareto(store).points) == list(before)
    assert esnsim.sweep(old / "plan.toml", store).found == 6


def test_a_landscape_is_that_of_the_command(tmp_path):
    file = tmp_path / "landscape.csv"
    assert command("landscape", "--hardware", "gpu-8bit", "--csv", file).returncode == 0
    points = esnsim.landscape("gpu-8bit").points
    header, *rows = file.read_text().splitlines()
    assert list(points.columns) == header.split(",") and len(points) == len(rows)
    place = header.split(",").index("energy_j")
    assert points["energy_j"] == [float(row.split(",")[place]) if row.split(",")[place] else None for row in rows]


def test_a_comparison_is_that_of_the_command(tmp_path):
    pruned, gains, figure = (tmp_path / name for name in ["pruned.onnx", "gains.csv", "gains.svg"])
    net = esnsim.read(NETWORK)
    net.compress(prune="filters=0.3", bits=4).save(pruned)
    hardware = ["gpu-8bit", "in-memory-class-b", "ideal"]
    given = [word for name in hardware for word in ("--hardware", name)]
    done = command("simulate", NETWORK, pruned, *given, "--gains", gains, "--svg", figure)
    assert done.returncode == 0, done.stderr
    found = esnsim.compare(net, pruned, hardware=hardware)
    header, *rows = gains.read_text().splitlines()
    assert list(found.points.columns) == header.split(",") and len(found.points) == len(rows)
    cells = [row.split(",") for row in rows]
    for column, name in enumerate(header.split(",")):
        theirs = [row[column] or None for row in cells]
        mine = found.points[name]
        same = [a == b if isinstance(a, (str, type(None))) else a == type(a)(b) for a, b in zip(mine, theirs)]
        assert all(same), (name, mine, theirs)
    assert found._repr_html_() == figure.read_text()
    text = repr(found).replace("compress(compact=True)", "compress --compact")
    assert done.stdout.endswith(text) and "losses go to pruned filters that are still there" in text
    assert {row.ideal_by for row in found.points if row.hardware == "ideal-digital" and not row.part} == {"ESN_d"}


def test_networks_that_cannot_be_compared_are_refused(tmp_path):
    net = esnsim.read(NETWORK)
    net.save(tmp_path / "weights.safetensors")
    with pytest.raises(esnsim.BadArgument, match="weights.safetensors: cannot be compared with .*: it has no graph"):
        esnsim.compare(net, tmp_path / "weights.safetensors", hardware="ideal-digital")
    found = esnsim.compare(net, tmp_path / "weights.safetensors", NETWORK, hardware="ideal-digital")
    assert len(set(found.points["network"])) == 1 and "weights.safetensors (no graph): not compared" in repr(found)


def test_a_network_of_the_literature_is_that_of_the_command(tmp_path):
    mine, theirs = tmp_path / "mine.onnx", tmp_path / "theirs.onnx"
    assert command("new", "resnet8", "--seed", 3, "--classes", 7, "-o", theirs).returncode == 0
    esnsim.new("resnet8", seed=3, classes=7).save(mine)
    assert mine.read_bytes() == theirs.read_bytes()


def test_weights_are_converted(tmp_path):
    notes = esnsim.convert(NETWORK, tmp_path / "weights.safetensors")
    weights = esnsim.read(tmp_path / "weights.safetensors")
    assert weights.esn(bits=4).total.esn_d == esnsim.esn(bits=4).total.esn_d
    assert "the graph of 31 nodes" in notes[0]


def test_integers_beyond_64_bits_stay_whole(tmp_path):
    huge = 300_000_000
    (tmp_path / "t.csv").write_text(f"Layer,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,\n"
                                    f"a,{huge},{huge},1,1,64,64,1,\n")
    layers = esnsim.inspect(topology=tmp_path / "t.csv").layers
    assert layers["macs"] == [64 * 64 * huge * huge] and layers["macs"][0] > 2 ** 64
    table = pytest.importorskip("pandas") and layers.to_pandas()
    assert table["macs"][0] == 64 * 64 * huge * huge


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_tables_of_other_libraries_hold_the_same(library):
    pytest.importorskip("pyarrow" if library == "arrow" else library)
    layers = esnsim.esn(bits=4).layers
    table = getattr(layers, f"to_{library}")()
    columns = table.column_names if library == "arrow" else table.columns
    assert list(columns) == list(layers.columns)
    assert [int(value) for value in table["esn_d_macs"].to_numpy()] == layers["esn_d_macs"]


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_a_library_that_is_not_there_is_named_with_what_installs_it(library, monkeypatch):
    name = "pyarrow" if library == "arrow" else library
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=f"pip install {name}"):
        getattr(esnsim.esn(bits=4).layers, f"to_{library}")()


WIDE = {
    "small": ([1, None, -5], "int64"), "large": ([1 << 63, None, 7], "uint64"), "huge": ([1 << 64, None, -5], "decimal128(38, 0)"),
    "beyond": ([10 ** 38, None, 1], "large_string"), "real": ([0.5, None, 3], "double"), "truth": ([True, None, False], "bool"),
    "text": (["a", None, "é"], "large_string"), "none": ([None, None, None], "null"), "mixed": ([0.5, 1 << 60, None], "large_string"),
    "entries": ([{"a": [1]}, None, {}], "large_string"),
}


def test_columns_have_types_of_arrow_that_hold_them():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(esnsim.Table({name: values for name, (values, _) in WIDE.items()}))
    assert {field.name: str(field.type) for field in table.schema} == {name: kind for name, (_, kind) in WIDE.items()}
    for name, (values, kind) in WIDE.items():
        expected = values
        if kind == "large_string":
            expected = [value if isinstance(value, (str, type(None))) else json.dumps(value) for value in values]
        assert table[name].to_pylist() == expected, name
    assert pyarrow.table(esnsim.Table({})).num_rows == 0
    for _ in range(1000):
        # A stream that nobody takes is released with its capsule.
        esnsim.Table({"a": ["text"] * 100}).__arrow_c_stream__()
    with pytest.raises(esnsim.BadArgument, match="the table: "):
        pyarrow.table(esnsim.Table({"a": [1], "b": []}))
    with pytest.raises(esnsim.BadArgument, match="the table: "):
        pyarrow.table(esnsim.Table({"a\0b": [1]}))
    assert pyarrow.table(esnsim.Table({"a": []})).num_rows == 0


def test_polars_takes_a_table_where_pyarrow_is_not():
    pytest.importorskip("polars")
    alone = ("import sys; sys.modules['pyarrow'] = None; import esnsim, polars; run = esnsim.simulate(bits=4); "
             "frame = polars.DataFrame(run.layers); "
             "assert frame['energy_count'].to_list() == run.layers['energy_count'] and frame.height == 30")
    assert subprocess.run([sys.executable, "-c", alone]).returncode == 0


def test_rows_and_slices_of_a_table():
    layers = esnsim.esn(bits=4).layers
    assert layers[0] == next(iter(layers)) and layers[-1].layer == layers["layer"][-1]
    assert layers[2:4]["macs"] == layers["macs"][2:4] and len(layers[:0]) == 0
    with pytest.raises(IndexError, match="there is no row 10; there are 10"):
        layers[10]
    with pytest.raises(KeyError, match="there is no column 'mac'; there are layer, "):
        layers["mac"]


def small_total(network):
    """The metric in another process."""
    return network.esn(bits=4).total


def test_the_digests_of_a_cost_are_made_when_they_are_asked_for(tmp_path):
    copy = tmp_path / "copy.onnx"
    esnsim.convert(None, copy)
    network = esnsim.read(copy)
    cost, run = network.esn(bits=4), network.simulate(bits=4)
    assert "run" not in cost._data and cost.total.esn_d == 145973
    assert list(cost.data) == list(run.data)
    assert cost.data["run"]["network"] == run.data["run"]["network"]
    assert cost.data["run"]["network"]["sha256"] == hashlib.sha256(copy.read_bytes()).hexdigest()
    assert pickle.loads(pickle.dumps(network.esn(bits=4))).data == cost.data


def test_networks_and_results_go_to_other_processes(tmp_path):
    copy, weights = tmp_path / "copy.onnx", tmp_path / "weights.npz"
    esnsim.convert(None, copy), esnsim.convert(None, weights)
    networks = [esnsim.read(), esnsim.read(copy), esnsim.read(copy.read_bytes(), name="it"), esnsim.new("resnet8", seed=5),
                esnsim.read(weights), esnsim.compress(prune="filters=0.2").network]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(small_total, networks) == [small_total(network) for network in networks]
    moved = pickle.dumps(networks[1])
    expected = networks[1].simulate(bits=4, images=ROOT / "traces/digits-test.npz", limit=50).accuracy
    copy.unlink(), copy.with_suffix(".preprocess.toml").unlink()
    again = pickle.loads(pickle.dumps(pickle.loads(moved)))
    assert again.name == networks[1].name
    # How images become its input goes along.
    assert again.simulate(bits=4, images=ROOT / "traces/digits-test.npz", limit=50).accuracy.columns == expected.columns
    again.save(tmp_path / "again.onnx")
    assert (tmp_path / "again.preprocess.toml").exists()
    small = esnsim.compress(bits=3)
    back = pickle.loads(pickle.dumps(small))
    assert back.report == small.report
    runs = [net.evaluate("embedded", limit=60).data for net in (small.network, back.network)]
    assert runs[0] == runs[1]
    run = esnsim.simulate(bits=4)
    back = pickle.loads(pickle.dumps(run))
    assert back.data == run.data and back.html() == run.html() and repr(back) == repr(run)
    for result in (esnsim.esn(bits=4), esnsim.inspect(), esnsim.landscape("gpu-8bit")):
        assert repr(pickle.loads(pickle.dumps(result))) == repr(result)
    with pytest.raises(esnsim.BadArgument, match="bits"):
        raise pickle.loads(pickle.dumps(pytest.raises(esnsim.BadArgument, esnsim.esn, bits=99).value))


def test_a_notebook_shows_the_pages_of_the_command(tmp_path):
    page, plan = tmp_path / "run.html", tmp_path / "plan.toml"
    assert command("simulate", NETWORK, "--bits", 4, "--html", page).returncode == 0
    mine, theirs = esnsim.simulate(NETWORK, bits=4).html(), page.read_text()
    def data(text):
        found = json.loads(re.search(r'id="data">(.*?)</script>', text).group(1))
        # The command alone has a line of its own words.
        return {key: value for key, value in found.items() if key not in ("record", "lines")}
    assert data(mine) == data(theirs)
    shown = esnsim.simulate(bits=4)._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "ideal-digital-filter" in shown and "<script" not in shown
    plan.write_text(PLAN)
    esnsim.sweep(plan, tmp_path / "store.sqlite")
    assert "Accuracy against cost" in esnsim.pareto(tmp_path / "store.sqlite")._repr_html_()
    svg = tmp_path / "landscape.svg"
    assert command("landscape", "--hardware", "gpu-8bit", "--svg", svg).returncode == 0
    assert esnsim.landscape("gpu-8bit")._repr_html_() == svg.read_text()


def safetensors(values):
    data = struct.pack(f"<{len(values)}f", *values)
    header = json.dumps({"a.weight": {"dtype": "F32", "shape": [1, len(values)], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def closed():
    file = NETWORK.open("rb")
    file.close()
    return file


@pytest.mark.parametrize("kind, say, text", [
    (esnsim.ReadWrite, lambda: esnsim.read("/nowhere/net.onnx"), "/nowhere/net.onnx"),
    (esnsim.Unsupported, lambda: esnsim.read(b"no network", name="it"), "it: file"),
    (esnsim.InvalidFile, lambda: esnsim.esn(safetensors([1.0, float("nan")]), bits=4), "NaN"),
    (esnsim.BadArgument, lambda: esnsim.simulate(bits=99), "bits is 99; expected 1 to 16"),
    (esnsim.BadArgument, lambda: esnsim.simulate(bits=4, threads=0), "threads is 0"),
    (esnsim.BadArgument, lambda: esnsim.esn(NETWORK, grid="middle"), "grid is \"middle\"; expected mid-rise or mid-tread"),
    (esnsim.BadArgument, lambda: esnsim.simulate(hardware="chip"), "chip: neither a file nor one of"),
    (esnsim.BadArgument, lambda: esnsim.compress(), "nothing"),
    (esnsim.BadArgument, lambda: esnsim.compress(bits=4, clip="mse", target_snr=9.0), "clip and target_snr exclude each other"),
    (esnsim.BadArgument, lambda: esnsim.compress(prune="half"), "prune: expected filters=F"),
    (TypeError, lambda: esnsim.simulate(images=object()), "images is an object; expected a path, esnsim.Images, or an array"),
    (esnsim.BadArgument, lambda: esnsim.simulate(images=esnsim.Images("x", activation_bits=0)), "activation_bits is 0"),
    (esnsim.ReadWrite, lambda: esnsim.convert(None, "/nowhere/net.onnx"), "/nowhere/net.onnx"),
    (esnsim.BadArgument, lambda: esnsim.new("resnet9"), "resnet9"),
    (esnsim.BadArgument, lambda: esnsim.sweep("p", "s", shard=(3, 2)), "shard is (3, 2)"),
    (esnsim.ReadWrite, lambda: esnsim.sweep("/nowhere/plan.toml", "s"), "/nowhere/plan.toml"),
    (esnsim.BadArgument, lambda: esnsim.pareto("s", cost="joules"), "cost"),
    (esnsim.BadArgument, lambda: esnsim.landscape(pruned=100), "pruned is 100"),
    (esnsim.BadArgument, lambda: esnsim.compare(NETWORK), "there is no network to compare"),
    (esnsim.BadArgument, lambda: esnsim.compare(NETWORK, None, hardware="chip"), "chip: neither a file nor one of"),
    (TypeError, lambda: esnsim.esn(3), "source is 3; expected a path, bytes, an open file or a Network"),
    (esnsim.BadArgument, lambda: esnsim.esn(esnsim.read(), grid="mid-rise"), "the network was read before"),
    (esnsim.BadArgument, lambda: esnsim.read(architecture="resnet20"), "architecture is for a file"),
    (esnsim.BadArgument, lambda: esnsim.read(NETWORK, name="it"), "name is 'it'"),
    (esnsim.BadArgument, lambda: esnsim.read(synthetic_sparsity=0.5), "synthetic_weights=SEED"),
    (esnsim.Unsupported, lambda: esnsim.read(NETWORK, tflite_kernels="reference"), "it is no TFLite file"),
    (esnsim.Unsupported, lambda: esnsim.read(NETWORK, architecture="resnet20"), "it is no weight file"),
    (esnsim.BadArgument, lambda: esnsim.simulate(limit=3),
     "limit is 3, and there is no images= that it could limit; images=\"embedded\" takes those of the network that comes along"),
    (esnsim.BadArgument, lambda: esnsim.compress(bits=3, limit=3), "limit is 3, and there is no reestimate_bn="),
    (esnsim.BadArgument, lambda: esnsim.simulate(images=([[1], [2]], [1])), "labels has shape (1,); expected (2,)"),
    (esnsim.BadArgument, lambda: esnsim.simulate(images=[[1, 2], [3]]), "the parts of images have different shapes"),
    (esnsim.BadArgument, lambda: esnsim.simulate(bits=4, images=[[1.0, 2.0]]), "images: an array of shape [1, 2]"),
    (TypeError, lambda: esnsim.simulate(images=(1, 2, 3)), "expected images, or a pair of images and labels"),
    (TypeError, lambda: esnsim.evaluate(images=None), "images is None; expected"),
    (TypeError, lambda: esnsim.simulate(bits=True), "bits is True; expected a whole number from 1 to 16"),
    (TypeError, lambda: esnsim.compress(prune=3), "prune is 3; expected one pruning or several"),
    (TypeError, lambda: esnsim.read(NETWORK, input_shape=3), "input_shape is 3; expected shapes by name"),
    (TypeError, lambda: esnsim.simulate(progress=3), "progress is 3; expected True, False or a function"),
    (esnsim.BadArgument, lambda: esnsim.compress(granularity="filter"), "ask for bits=, a step rule"),
    (esnsim.Unsupported, lambda: esnsim.compress(prune="filters=0.99", strict=True), "without strict=True it is a note"),
    (esnsim.ReadWrite, lambda: esnsim.read(closed()), "source cannot be read: read of closed file"),
    (esnsim.BadArgument, lambda: esnsim.read(io.StringIO("x")), "open it in the mode \"rb\""),
    (TypeError, lambda: esnsim.read(None, layout="x"), "layout"),
    (TypeError, lambda: esnsim.simulate(stepped=True), "there is no argument 'stepped' here, nor of esnsim.read"),
    (TypeError, lambda: esnsim.simulate(images="embedded", preprocess="unit"), "esnsim.Images(…, preprocess=…) says it of images"),
    (TypeError, lambda: esnsim.compress(layer_options=[{1: 3}]), "a key of layer_options[0] is 1; expected a text"),
    (esnsim.BadArgument, lambda: esnsim.compress(layer_options=[{"layer": "x", "bit": 3}]), "layer_options[0]: unknown field `bit`"),
    (esnsim.BadArgument, lambda: esnsim.compress(bits=3, allocate_images=3), "allocate_images is 3, and there is no allocate="),
    (esnsim.BadArgument, lambda: esnsim.compress(bits=3, prune_scope="layer"), "there is no prune= whose filters or weights compete"),
    (esnsim.BadArgument, lambda: esnsim.compress(prune="filters=0.1", grid="mid-tread"), "a grid is given, and no quantization"),
    (esnsim.BadArgument, lambda: esnsim.merge("s.sqlite"), "there are no stores to merge"),
    (esnsim.ReadWrite, lambda: esnsim.convert(None, "/nowhere/net.onnx"), "/nowhere/net.onnx: there is no folder /nowhere"),
    (esnsim.InvalidFile, lambda: esnsim.simulate(images=([[1]], [-1])), "images: labels: that of image 0, counted from 0, is -1"),
])
def test_wrong_use_is_told_in_one_line(kind, say, text):
    with pytest.raises(kind) as caught:
        say()
    assert text in str(caught.value) and "\n" not in str(caught.value)
    assert kind is TypeError or isinstance(caught.value, esnsim.Error)


CALLS = [esnsim.read, esnsim.esn, esnsim.simulate, esnsim.evaluate, esnsim.Network.compress, esnsim.Network.save, esnsim.new,
         esnsim.sweep, esnsim.pareto, esnsim.upgrade, esnsim.landscape, esnsim.compare, esnsim.Images]
# What takes many kinds of values, and is tried elsewhere.
MANY_KINDS = {"self", "source", "before", "after", "images", "reestimate_bn", "labels", "example", "options", "progress"}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_every_argument_of_a_wrong_type_is_named(call):
    given = {"self": esnsim.read(), "source": None, "before": None, "images": "embedded", "plan": "p", "store": "s", "name": "resnet8",
             "path": "/nowhere/net.onnx"}
    if call is esnsim.Images:
        given["source"] = "images"
    parameters = inspect.signature(call).parameters
    needed = {name: given[name] for name, parameter in parameters.items() if parameter.default is parameter.empty and name in given}
    for name in parameters.keys() - MANY_KINDS:
        for value in (object(), 1j, [object()]):
            with pytest.raises((TypeError, esnsim.BadArgument)) as caught:
                call(**{**needed, name: value})
            assert str(caught.value).startswith(name) and "expected" in str(caught.value), (name, value, caught.value)
        for number in (-(10 ** 400), 10 ** 400, float("nan")):
            with pytest.raises((TypeError, esnsim.BadArgument)) as caught:
                call(**{**needed, name: number})
            assert str(caught.value).startswith(name) and "expected" in str(caught.value), (name, number, caught.value)


def test_the_package_lists_what_it_has():
    assert set(dir(esnsim)) == {*esnsim.__all__, "torch"}


def test_ten_threads_at_once():
    found = []
    work = lambda: found.append(esnsim.simulate(bits=4, threads=2).data["total"])
    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10 and all(total == found[0] for total in found)


def test_a_module_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(288, 10))
    cost = esnsim.esn(module, example=torch.zeros(1, 3, 8, 8), bits=4)
    assert (cost.total.weights, cost.total.macs) == (216 + 2880, 216 * 36 + 2880)
    assert module.training
    assert esnsim.from_torch(module, torch.zeros(1, 3, 8, 8), name="mine").name == "mine"
    assert esnsim.from_torch(torch.nn.DataParallel(module), torch.zeros(1, 3, 8, 8)).name == "Sequential"
    with pytest.raises(esnsim.BadArgument, match="example="):
        esnsim.esn(module)
    with pytest.raises(esnsim.BadArgument, match="^example is .1, 3, 8, 8.; expected an input of the model"):
        esnsim.esn(module, example=(1, 3, 8, 8))

    class Stubborn(torch.nn.Module):
        def forward(self, x):
            raise ValueError("not\ntoday")

    with pytest.raises(esnsim.Unsupported, match="^Stubborn: torch.onnx.export does not take it: not today; example= has the shape .1, 3, 8, 8.$"):
        esnsim.esn(Stubborn(), example=torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("fails", [False, True])
def test_every_part_of_a_module_keeps_its_mode(fails):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout())
    # As statistics are frozen for fine-tuning.
    module[1].eval()
    if fails:
        with pytest.raises(esnsim.Unsupported):
            esnsim.from_torch(module, torch.zeros(1, 2, 8, 8))
    else:
        esnsim.from_torch(module, torch.zeros(1, 3, 8, 8))
    assert [part.training for part in module.modules()] == [True, True, False, True]
    with pytest.raises(esnsim.Unsupported, match="^Sequential: torch.onnx.export does not take it: "):
        esnsim.esn(module, example=torch.zeros(1, 5, 8, 8))


def test_what_is_shown_runs(tmp_path, monkeypatch):
    """The blocks of Python in the README files, and the examples in docstrings."""
    for page in (ROOT / "README.md", ROOT / "python/README.md"):
        blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
        assert blocks, page
        for block in blocks:
            if "pandas" in block:
                pytest.importorskip("pandas")
            monkeypatch.chdir(tmp_path)
            exec(compile(block, str(page), "exec"), {})
    modules = [esnsim, *(importlib.import_module(f"esnsim.{name}") for name in ("_images", "_tables"))]
    for module in modules:
        failed, tried = doctest.testmod(module)
        assert failed == 0 and tried > 1, module


def test_the_import_is_light():
    heavy = "import sys, esnsim; assert not {'torch', 'pandas', 'numpy', 'polars', 'pyarrow'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", heavy]).returncode == 0
