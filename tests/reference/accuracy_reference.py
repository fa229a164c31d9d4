"""Writes the accuracies that `tests/tests/accuracy.rs` compares with, measured by onnxruntime.

    python accuracy_reference.py OUT TRACES MODELS test_batch.bin

OUT/accuracy.csv         right answers of each network, weights as they are or quantized to 1 to 8 bits
OUT/resnet20-qdq-argmax.txt  the class that onnxruntime names for each of the first 2,000 test images of CIFAR-10

Versions that the files here were made with: Python 3.11.7, numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0.

A quantized network is the same graph with every Conv and Gemm weight replaced by `step · W_int`, mid-rise, one step a
layer, rounded to float32; biases and BatchNormalization are left alone.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from esn_reference import quantize

IMAGES = 2000
# Two logits closer than this may change places where sums are added in another order.
TIE = 1e-4


def logits(model, images):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: images[i:i + 100]})[0] for i in range(0, len(images), 100)])


def quantized(path, bits):
    model = onnx.load(path)
    weights = {node.input[1] for node in model.graph.node if node.op_type in ("Conv", "Gemm")}
    for tensor in model.graph.initializer:
        if bits and tensor.name in weights:
            codes, step = quantize(numpy_helper.to_array(tensor), bits)
            tensor.CopyFrom(numpy_helper.from_array((codes / 2.0 * step).astype(np.float32), tensor.name))
    return model


def row(network, bits, found, labels):
    first, second = np.sort(found, axis=1)[:, :-3:-1].T
    return {
        "network": network, "bits": bits or "", "images": len(labels), "top1": int((found.argmax(1) == labels).sum()),
        "ties": int((first - second < TIE * np.abs(found).max(1)).sum()),
    }


def digits(folder):
    archive = np.load(folder / "digits-test.npz")
    images, labels = archive["images"].astype(np.float32) / np.float32(16), archive["labels"]
    path = folder / "digits-resnet.onnx"
    return [row(path.stem, bits, logits(quantized(path, bits), images), labels) for bits in range(9)]


def cifar(folder, batch, out):
    records = np.fromfile(batch, np.uint8).reshape(-1, 3073)[:IMAGES]
    labels, pixels = records[:, 0], records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / np.float32(255)
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    images = (pixels - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1)
    path, qdq = folder / "resnet20-cifar10-bn.onnx", folder / "resnet20-cifar10-int8-qdq-perchannel.onnx"
    rows = [row(path.stem, bits, logits(quantized(path, bits), images), labels) for bits in (0, 4)]
    found = logits(onnx.load(qdq), images)
    (out / "resnet20-qdq-argmax.txt").write_text("".join(map(str, found.argmax(1))) + "\n")
    return [*rows, row(qdq.stem, 0, found, labels)]


def main(out, traces, models, batch):
    out = Path(out)
    rows = digits(Path(traces)) + cifar(Path(models), batch, out)
    with open(out / "accuracy.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
