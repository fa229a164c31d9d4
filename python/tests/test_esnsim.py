"""Does the package give the figures of the command, and does wrong use end in a clear exception?"""

import csv
import doctest
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import threading
import time

import esnsim
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
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
    network = [ROOT / "traces/digits-resnet.onnx"] if path is None else [path]
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
    file = (ROOT / "traces/digits-resnet.onnx").read_bytes()
    cost = esnsim.esn(file, bits=4)
    assert (cost.total.esn_d_macs, cost.total.esn_d_filter, cost.total.weights) == (1_535_714, 3_052_672, 77_072)
    assert isinstance(cost.total.esn_d_macs, int) and cost.layers["layer"][0] == "/conv1/Conv"
    assert "TOTAL" in repr(cost)


def test_images_run_on_the_engines():
    network = esnsim.read(ROOT / "traces/digits-resnet.onnx")
    folder = ROOT / "traces"
    images = next(folder.glob("*.npz"), None)
    if images is None:
        pytest.skip("there are no images of this form")
    run = network.simulate(bits=6, images=images, limit=20)
    assert run.data["inference"]["images"] == 20 and run.check


def test_arrays_run_as_their_file_does():
    numpy = pytest.importorskip("numpy")
    network = esnsim.read(ROOT / "traces/digits-resnet.onnx")
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


def test_progress_is_told_and_its_exception_stops_the_run():
    told = []
    run = esnsim.simulate(ROOT / "traces/digits-resnet.onnx", bits=4, images=ROOT / "traces/digits-test.npz",
                          progress=lambda *place: told.append(place))
    assert told[-1] == ("images", 500, 500) and [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert run.check

    def fail(stage, done, total):
        raise ZeroDivisionError(stage)

    with pytest.raises(ZeroDivisionError, match="images"):
        esnsim.simulate(ROOT / "traces/digits-resnet.onnx", bits=4, images=ROOT / "traces/digits-test.npz", progress=fail)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_interrupt_stops_a_long_run():
    """A run of minutes ends within seconds of Ctrl-C, in the exception that Python has for it."""
    images = "numpy.zeros((200000, 1, 8, 8), numpy.float32)"
    long = f"import esnsim, numpy; esnsim.simulate(bits=4, images={images}, hardware=['cpu-serial', 'in-memory-class-b'], threads=1)"
    pytest.importorskip("numpy")
    process = subprocess.Popen([sys.executable, "-c", long], stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(4)
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


def test_a_landscape_is_that_of_the_command(tmp_path):
    file = tmp_path / "landscape.csv"
    assert command("landscape", "--hardware", "gpu-8bit", "--csv", file).returncode == 0
    points = esnsim.landscape("gpu-8bit").points
    header, *rows = file.read_text().splitlines()
    assert list(points.columns) == header.split(",") and len(points) == len(rows)
    place = header.split(",").index("energy_j")
    assert points["energy_j"] == [float(row.split(",")[place]) if row.split(",")[place] else None for row in rows]


def test_a_network_of_the_literature_is_that_of_the_command(tmp_path):
    mine, theirs = tmp_path / "mine.onnx", tmp_path / "theirs.onnx"
    assert command("new", "resnet8", "--seed", 3, "--classes", 7, "-o", theirs).returncode == 0
    esnsim.new("resnet8", seed=3, classes=7).save(mine)
    assert mine.read_bytes() == theirs.read_bytes()


def test_weights_are_converted(tmp_path):
    notes = esnsim.convert(ROOT / "traces/digits-resnet.onnx", tmp_path / "weights.safetensors")
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


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_of_other_libraries_hold_the_same(library):
    pytest.importorskip(library)
    layers = esnsim.esn(bits=4).layers
    table = getattr(layers, f"to_{library}")()
    columns = table.column_names if library == "pyarrow" else table.columns
    assert list(columns) == list(layers.columns)
    assert [int(value) for value in table["esn_d_macs"].to_numpy()] == layers["esn_d_macs"]


def safetensors(values):
    data = struct.pack(f"<{len(values)}f", *values)
    header = json.dumps({"a.weight": {"dtype": "F32", "shape": [1, len(values)], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize("kind, say, text", [
    (esnsim.ReadWrite, lambda: esnsim.read("/nowhere/net.onnx"), "/nowhere/net.onnx"),
    (esnsim.Unsupported, lambda: esnsim.read(b"no network", name="it"), "it: file"),
    (esnsim.InvalidFile, lambda: esnsim.esn(safetensors([1.0, float("nan")]), bits=4), "NaN"),
    (esnsim.BadArgument, lambda: esnsim.simulate(bits=99), "a bit width is 1 to 16, not 99"),
    (esnsim.BadArgument, lambda: esnsim.simulate(bits=4, threads=0), "threads is 0"),
    (esnsim.BadArgument, lambda: esnsim.esn(grid="middle"), "grid is \"middle\"; expected mid-rise or mid-tread"),
    (esnsim.BadArgument, lambda: esnsim.simulate(hardware="chip"), "chip: neither a file nor one of"),
    (esnsim.BadArgument, lambda: esnsim.compress(), "nothing"),
    (esnsim.BadArgument, lambda: esnsim.compress(bits=4, clip="mse", target_snr=9.0), "clip and target_snr exclude each other"),
    (esnsim.BadArgument, lambda: esnsim.compress(prune="half"), "prune: expected filters=F"),
    (esnsim.BadArgument, lambda: esnsim.simulate(images=object()), "is no path, no esnsim.Images and no array"),
    (esnsim.BadArgument, lambda: esnsim.simulate(images=esnsim.Images("x", activation_bits=0)), "activation_bits is 0"),
    (esnsim.ReadWrite, lambda: esnsim.convert(None, "/nowhere/net.onnx"), "/nowhere/net.onnx"),
    (esnsim.BadArgument, lambda: esnsim.new("resnet9"), "resnet9"),
    (esnsim.BadArgument, lambda: esnsim.sweep("p", "s", shard=(3, 2)), "shard is (3, 2)"),
    (esnsim.ReadWrite, lambda: esnsim.sweep("/nowhere/plan.toml", "s"), "/nowhere/plan.toml"),
    (esnsim.BadArgument, lambda: esnsim.pareto("s", cost="joules"), "cost"),
    (esnsim.BadArgument, lambda: esnsim.landscape(pruned=100), "pruned is 100"),
    (esnsim.BadArgument, lambda: esnsim.esn(3), "is no path, no bytes and no Network"),
    (esnsim.BadArgument, lambda: esnsim.esn(esnsim.read(), grid="mid-rise"), "the network was read before"),
    (TypeError, lambda: esnsim.read(None, layout="x"), "layout"),
])
def test_wrong_use_is_told_in_one_line(kind, say, text):
    with pytest.raises(kind) as caught:
        say()
    assert text in str(caught.value) and "\n" not in str(caught.value)
    assert kind is TypeError or isinstance(caught.value, esnsim.Error)


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
    with pytest.raises(esnsim.BadArgument, match="example="):
        esnsim.esn(module)


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
    failed, tried = doctest.testmod(esnsim)
    assert failed == 0 and tried > 3


def test_the_import_is_light():
    heavy = "import sys, esnsim; assert not {'torch', 'pandas', 'numpy', 'polars', 'pyarrow'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", heavy]).returncode == 0
