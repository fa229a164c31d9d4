"""Classifies images of a CIFAR-10 batch with onnxruntime, and prints images a second: the peer of

    esnsim simulate NET.onnx --images BATCH.bin --limit N --hardware ideal-digital --no-float --preprocess imagenet

Run as: python onnxruntime_images.py NET.onnx BATCH.bin IMAGES THREADS [BATCH_SIZE]. Time is that of the calls of `run` alone, wall
clock and processor; pixels are prepared before.
"""

import sys
import time

import numpy
import onnxruntime

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def main() -> None:
    path, images, count, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    size = int(sys.argv[5]) if len(sys.argv) > 5 else 128
    raw = numpy.fromfile(images, numpy.uint8).reshape(-1, 3073)[:count]
    mean, std = (numpy.array(values, numpy.float32).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    x = (raw[:, 1:].reshape(-1, 3, 32, 32).astype(numpy.float32) / 255 - mean) / std
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, [batch, *_] = session.get_inputs()[0].name, session.get_inputs()[0].shape
    size = batch if isinstance(batch, int) else size
    session.run(None, {name: x[:size]})
    wall, processor = time.perf_counter(), time.process_time()
    right = 0
    for start in range(0, count - count % size, size):
        logits = session.run(None, {name: x[start:start + size]})[0]
        right += int((logits.argmax(1) == raw[start:start + size, 0]).sum())
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    done = count - count % size
    print(f"{done} images, {right} right: {done / wall:.0f} a second, {1e3 * processor / done:.3f} ms of processor an image")


if __name__ == "__main__":
    main()
