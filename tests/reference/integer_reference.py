"""Writes what `tests/tests/integer.rs` compares with, computed by onnxruntime and by the executor of QONNX.

    python integer_reference.py OUT MODELS test_batch.bin

OUT/resnet20-qoperator-logits.csv  checksum (FNV-1a, 64 bits, of the little-endian float32 bytes) of the logits of every
                                   100 of the first 1,000 test images of CIFAR-10; onnxruntime gives the same logits with
                                   its optimizations off and on, which is checked
OUT/tfc-qonnx-outputs.csv          outputs for eight made-up images: pixel i of image k is ((7919 i + 104729 k) mod 256) / 255

Versions that the files here were made with: Python 3.11.7, numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0, qonnx 1.0.0.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import onnxruntime

IMAGES, PART = 1000, 100
MEAN, STD = (np.array(v, np.float32) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return f"{value:016x}"


def cifar(path):
    rows = np.fromfile(path, np.uint8)[: IMAGES * 3073].reshape(IMAGES, 3073)
    pixels = rows[:, 1:].reshape(IMAGES, 3, 32, 32).astype(np.float32) / np.float32(255)
    return (pixels - MEAN[:, None, None]) / STD[:, None, None]


def logits(path, images, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: images[i:i + PART]})[0] for i in range(0, len(images), PART)])


def resnet(out, models, batch):
    path, images = str(models / "resnet20-cifar10-int8-qoperator.onnx"), cifar(batch)
    levels = onnxruntime.GraphOptimizationLevel
    found = logits(path, images, levels.ORT_DISABLE_ALL)
    assert (found == logits(path, images, levels.ORT_ENABLE_ALL)).all()
    with open(out / "resnet20-qoperator-logits.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["first_image", "fnv1a"])
        writer.writerows([i, fnv1a(found[i:i + PART].astype("<f4").tobytes())] for i in range(0, IMAGES, PART))


def tfc(out, models):
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(str(models / "tfc-mnist-2w2a-qonnx.onnx")).transform(InferShapes())
    source, target = model.graph.input[0].name, model.graph.output[0].name
    shape = model.get_tensor_shape(source)
    with open(out / "tfc-qonnx-outputs.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([f"y{i}" for i in range(10)])
        for k in range(8):
            pixels = ((7919 * np.arange(np.prod(shape)) + 104729 * k) % 256).astype(np.float32) / np.float32(255)
            found = execute_onnx(model, {source: pixels.reshape(shape)})[target]
            writer.writerow([repr(float(y)) for y in np.asarray(found, np.float32).ravel()])


if __name__ == "__main__":
    out, models, batch = map(Path, sys.argv[1:])
    resnet(out, models, batch)
    tfc(out, models)
