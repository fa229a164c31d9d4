"""Measures how the time of esnsim grows with MACs, weights, layers and images, and draws it:

    python3 benches/growth.py ESNSIM FOLDER           measures and writes FOLDER/growth.csv and FOLDER/growth.svg
    python3 benches/growth.py --draw FOLDER           draws FOLDER/growth.svg from FOLDER/growth.csv again

Needs numpy, onnx and matplotlib. Networks and images are made as they are needed, of random numbers of a fixed seed. Time is that
of the processor, user and system, of a whole process on one thread, the least of three runs.
"""

import csv
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

import matplotlib
import numpy

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

REPEATS = 3

#: What grows, the command, and the sizes.
SERIES = {
    "MACs": ("simulate NET --bits 4 --hardware ideal-digital --no-float --images IMAGES", [8, 16, 32, 64, 128, 256]),
    "weights": ("simulate NET --bits 4 --hardware ideal", [320, 1_000, 3_200, 10_000]),
    "layers": ("simulate NET --bits 4 --hardware ideal", [10, 100, 1_000, 10_000]),
    "images": ("simulate NET --bits 4 --hardware ideal-digital --no-float --images IMAGES", [100, 1_000, 10_000, 100_000]),
}
#: Images of a run where another thing grows.
IMAGES = 20


def network(shapes: list[tuple[int, int, int]], size: int, path: pathlib.Path) -> None:
    """Writes convolutions one behind another: channels, filters and kernel of each, on images of `size` pixels a side."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = numpy.random.default_rng(1)
    nodes, weights = [], []
    for index, (channels, filters, kernel) in enumerate(shapes):
        values = random.standard_normal((filters, channels, kernel, kernel), numpy.float32) / (channels * kernel**2) ** 0.5
        weights.append(numpy_helper.from_array(values, f"w{index}"))
        nodes.append(helper.make_node("Conv", [f"x{index}", f"w{index}"], [f"x{index + 1}"], pads=[kernel // 2] * 4))
    last = f"x{len(shapes)}"
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["y"]))
    entry = helper.make_tensor_value_info("x0", TensorProto.FLOAT, [1, shapes[0][0], size, size])
    exit = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, shapes[-1][1]])
    graph = helper.make_graph(nodes, "growth", [entry], [exit], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def prepare(what: str, size: int, folder: pathlib.Path) -> int:
    """Writes net.onnx and images.npy, and returns how much there is of what grows."""
    shapes, pixels, images = [(3, 32, 3), (32, 32, 3)], 8, IMAGES
    if what == "MACs":
        pixels = size
    elif what == "weights":
        shapes, pixels = [(size, size, 1)], 1
    elif what == "layers":
        shapes, pixels = [(16, 16, 1)] * size, 1
    else:
        images = size
    network(shapes, pixels, folder / "net.onnx")
    if what in ("MACs", "images"):
        values = numpy.random.default_rng(2).standard_normal((images, 3, pixels, pixels), numpy.float32)
        numpy.save(folder / "images.npy", values)
    weights = sum(channels * filters * kernel**2 for channels, filters, kernel in shapes)
    return {"MACs": weights * pixels**2 * IMAGES, "weights": weights, "layers": len(shapes), "images": images}[what]


def seconds(command: list[str], folder: pathlib.Path) -> float:
    """Processor time of the fastest of a few runs."""
    best = float("inf")
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return best


def measure(program: str, target: pathlib.Path) -> None:
    rows = []
    for what, (job, sizes) in SERIES.items():
        for size in sizes:
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                amount = prepare(what, size, folder)
                files = {"NET": "net.onnx", "IMAGES": "images.npy"}
                command = [program, *(files.get(word, word) for word in job.split()), "--threads", "1"]
                rows.append((what, amount, round(seconds(command, folder), 4)))
                print(*rows[-1], flush=True)
    with open(target / "growth.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("what", "amount", "cpu_s"))
        writer.writerows(rows)


def draw(folder: pathlib.Path) -> None:
    with open(folder / "growth.csv", newline="") as file:
        rows = [(row["what"], float(row["amount"]), float(row["cpu_s"])) for row in csv.DictReader(file)]
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "esnsim"})
    figure, panels = pyplot.subplots(1, len(SERIES), figsize=(11, 3.2), sharey=True)
    for axes, what in zip(panels, SERIES):
        amounts, times = zip(*((amount, time) for name, amount, time in rows if name == what))
        axes.plot(amounts, times, "o", color="C0")
        start, piece = straight(amounts, times)
        line = numpy.geomspace(amounts[0], amounts[-1], 50)
        axes.plot(line, start + piece * line, color="0.6", linewidth=1)
        axes.set(xscale="log", yscale="log", xlabel=what)
    panels[0].set_ylabel("processor time, s")
    panels[-1].plot([], [], "o", color="C0", label="a whole run")
    panels[-1].plot([], [], color="0.6", label="start + time a piece")
    panels[-1].legend(loc="lower right", frameon=False)
    figure.tight_layout()
    figure.savefig(folder / "growth.svg", metadata={"Date": None, "Creator": None})


def straight(amounts: tuple[float, ...], times: tuple[float, ...]) -> tuple[float, float]:
    """The straight line through the least and the last but one amount: what a run takes before it begins, and time a piece.

    The largest amount shows whether the line goes on.
    """
    piece = (times[-2] - times[0]) / (amounts[-2] - amounts[0])
    return times[0] - piece * amounts[0], piece


def main() -> None:
    first, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if first != "--draw":
        measure(os.path.abspath(first), folder)
    draw(folder)


if __name__ == "__main__":
    main()
