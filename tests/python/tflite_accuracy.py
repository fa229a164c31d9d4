"""Classes that LiteRT names, for tests/tests/tflite.rs.

    python tflite_accuracy.py MODELS DATA ../reference

Writes resnet8-int8-KERNELS.txt (first 2,000 CIFAR-10 test images, one digit each) and mobilenet-KERNELS.txt (200 ImageNet
photographs in the order of the manifest; short side to 146 pixels by a triangle filter, centre of 128 x 128), for the
reference kernels and the optimized ones, which LiteRT runs unless told otherwise. They round differently, and name
another class for one image in twenty-five. Prints how many are right.
"""

import csv
import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from PIL import Image


def classes(path, images, resolver):
    interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    x, y = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    for image in images:
        interpreter.set_tensor(x, image[None])
        interpreter.invoke()
        yield int(interpreter.get_tensor(y)[0].argmax())


def photograph(path):
    image = Image.open(path).convert("RGB")
    factor = 146 / min(image.size)
    width, height = (round(side * factor) for side in image.size)
    left, top = (width - 128) // 2, (height - 128) // 2
    return np.asarray(image.resize((width, height), Image.BILINEAR).crop((left, top, left + 128, top + 128)))


def main():
    models, data, out = map(pathlib.Path, sys.argv[1:])
    records = np.fromfile(data / "cifar10/test_batch.bin", np.uint8).reshape(-1, 3073)[:2000]
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    images = (images.astype(np.int16) - 128).astype(np.int8)
    labels = records[:, 0]
    sample = data / "imagenet-sample"
    rows = list(csv.DictReader((sample / "manifest.csv").open()))
    files = [next(p for p in (sample / r["file"], sample / "images" / r["file"]) if p.exists()) for r in rows]
    photographs = [photograph(file) for file in files]
    kernels = {"reference": OpResolverType.BUILTIN_REF, "optimized": OpResolverType.AUTO}
    for name, resolver in kernels.items():
        found = list(classes(models / "resnet8-cifar10-int8.tflite", images, resolver))
        (out / f"resnet8-int8-{name}.txt").write_text("".join(map(str, found)) + "\n")
        print(name, "resnet8", sum(int(a == b) for a, b in zip(found, labels)))
        found = list(classes(models / "mobilenet_v1_0.25_128_quant.tflite", photographs, resolver))
        (out / f"mobilenet-{name}.txt").write_text(" ".join(map(str, found)) + "\n")
        print(name, "mobilenet", sum(int(a == int(r["label"]) + 1) for a, r in zip(found, rows)))


main()
