"""Classifies images with LiteRT and XNNPACK, and prints images a second: the peer of

    esnsim simulate NET.tflite --images BATCH.bin --limit N --hardware ideal-digital --no-float

Run as: python litert_images.py NET.tflite BATCH.bin IMAGES THREADS. The network takes 8-bit integers. A batch of CIFAR-10 is
classified where the input is an image of it; where it is another, the images are noise of a fixed seed, for only speed is asked.
Time is that of the calls of `invoke` alone, one image a call, wall clock and processor.
"""

import sys
import time

import numpy
from ai_edge_litert.interpreter import Interpreter


def main() -> None:
    path, images, count, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    interpreter = Interpreter(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    [entry], [exit] = interpreter.get_input_details(), interpreter.get_output_details()
    raw = numpy.fromfile(images, numpy.uint8).reshape(-1, 3073)[:count]
    if tuple(entry["shape"]) == (1, 32, 32, 3):
        pixels, labels = raw[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), raw[:, 0]
    else:
        shape = (count, *entry["shape"][1:])
        pixels, labels = numpy.random.default_rng(1).integers(0, 256, shape, numpy.uint8), None
    x = (pixels.astype(numpy.int16) - 128).astype(numpy.int8) if entry["dtype"] is numpy.int8 else pixels
    x = numpy.ascontiguousarray(x)
    wall, processor, right = 0.0, 0.0, 0
    for index in range(len(x)):
        interpreter.set_tensor(entry["index"], x[index:index + 1])
        begun = time.perf_counter(), time.process_time()
        interpreter.invoke()
        wall, processor = wall + time.perf_counter() - begun[0], processor + time.process_time() - begun[1]
        if labels is not None:
            right += int(interpreter.get_tensor(exit["index"]).argmax() == labels[index])
    print(f"{len(x)} images, {right} right: {len(x) / wall:.0f} a second, {1e3 * processor / len(x):.3f} ms of processor an image")


if __name__ == "__main__":
    main()
