"""Runs ONNX files that esnsim writes with onnxruntime. See README.md beside this file."""

import argparse
import sys

import numpy as np
import onnxruntime

BATCHES = (1, 3)
TYPES = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
}


def session(path, optimize=True):
    """A session of `path`. Without optimization nodes run as they stand, so that two files can be compared node by node."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def has_open_batch(running):
    return not isinstance(running.get_inputs()[0].shape[0], int)


def made_up(running, batch):
    """Inputs of a fixed seed by name; an open batch becomes `batch`."""
    random = np.random.default_rng(0)
    feeds = {}
    for value in running.get_inputs():
        shape = [extent if isinstance(extent, int) else batch for extent in value.shape]
        dtype = TYPES[value.type]
        if np.issubdtype(dtype, np.floating):
            feeds[value.name] = random.standard_normal(shape).astype(dtype)
        else:
            feeds[value.name] = random.integers(0, 100, shape).astype(dtype)
    return feeds


def relative(expected, found):
    """Largest difference over the largest magnitude."""
    if expected.shape != found.shape:
        return np.inf
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    return np.abs(expected - found).max() / max(np.abs(expected).max(), 1e-30)


def same(arguments):
    """Whether two files give the same outputs, node by node and as onnxruntime fuses them."""
    passed = True
    for optimize in (False, True):
        original, written = session(arguments.original, optimize), session(arguments.written, optimize)
        if has_open_batch(original) != has_open_batch(written):
            print("note: one of the files has a fixed batch")
        both_open = has_open_batch(original) and has_open_batch(written)
        for batch in BATCHES if both_open else BATCHES[:1]:
            feeds = made_up(written, batch)
            pairs = zip(original.run(None, feeds), written.run(None, feeds))
            difference = max(relative(a, b) for a, b in pairs)
            print(f"optimized {optimize}, batch {batch}: relative difference {difference:.2g}")
            passed &= bool(difference <= arguments.tolerance)
    return passed


def runs(arguments):
    """Whether a file runs, with as many outputs as images, all finite."""
    passed = True
    running = session(arguments.network)
    for batch in BATCHES if has_open_batch(running) else BATCHES[:1]:
        feeds = made_up(running, batch)
        images = next(iter(feeds.values())).shape[0]
        for value, output in zip(running.get_outputs(), running.run(None, feeds)):
            finite = bool(np.isfinite(output).all())
            print(f"batch {batch}: {value.name} {list(output.shape)}, finite: {finite}")
            passed &= finite and output.shape[0] == images
    return passed


def accuracy(arguments):
    """Top-1 on images in the binary format of CIFAR-10."""
    records = np.fromfile(arguments.images, np.uint8).reshape(-1, 3073)[: arguments.limit]
    channels = [np.array(list(map(float, text.split(","))), np.float32).reshape(1, -1, 1, 1)
                for text in (arguments.mean, arguments.std)]
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / np.float32(255)
    images = (pixels - channels[0]) / channels[1]
    running = session(arguments.network)
    step = 100 if has_open_batch(running) else running.get_inputs()[0].shape[0]
    name = running.get_inputs()[0].name
    count = len(images) // step * step if not has_open_batch(running) else len(images)
    parts = [running.run(None, {name: images[i : i + step]})[0] for i in range(0, count, step)]
    top1 = float((np.concatenate(parts).argmax(1) == records[:count, 0]).mean())
    print(f"top-1 {top1:.4f} on {count} images")
    return arguments.expect is None or abs(top1 - arguments.expect) <= arguments.tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("same", help=same.__doc__)
    command.add_argument("original")
    command.add_argument("written")
    command.add_argument("--tolerance", type=float, default=1e-5)
    command.set_defaults(run=same)
    command = commands.add_parser("runs", help=runs.__doc__)
    command.add_argument("network")
    command.set_defaults(run=runs)
    command = commands.add_parser("accuracy", help=accuracy.__doc__)
    command.add_argument("network")
    command.add_argument("images")
    command.add_argument("--limit", type=int, default=None)
    command.add_argument("--mean", default="0")
    command.add_argument("--std", default="1")
    command.add_argument("--expect", type=float, default=None)
    command.add_argument("--tolerance", type=float, default=0.0005)
    command.set_defaults(run=accuracy)
    arguments = parser.parse_args()
    return 0 if arguments.run(arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
