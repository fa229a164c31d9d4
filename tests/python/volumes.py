"""Makes tests/reference/volumes.json: ONNX networks over depth, height and width, an input, and what others make of it.

    python volumes.py > ../reference/volumes.json

The expected outputs of the node tests of ONNX (`node: …`) are those that the package onnx has for its backends. Those of
random convolutions (`conv: …`), transposed ones (`transposed: …`) and pools (`pool: …`), and of integers between
QuantizeLinear and DequantizeLinear (`qdq: …`), are onnxruntime's, those of a small network that PyTorch exports
(`torch: …`) PyTorch's. Made with onnx 1.23.2, onnxruntime 1.32.0, torch 2.15.0 and onnxscript 0.7.2. Files are hexadecimal.
"""

import warnings

import numpy as np
import torch
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from recorded import case, exported, network, run, write

warnings.filterwarnings("ignore")
rng = np.random.default_rng(5)


def node_tests():
    """A product with the identity stands in front, for a network has a layer."""
    for kind in ["MaxPool", "AveragePool"]:
        for test in collect_testcases(kind):
            graph = test.model.graph
            (inputs, outputs), = test.data_sets
            if f"test_{kind.lower()}_3d" not in test.name or len(graph.node) != 1 or inputs[0].size > 2_000:
                continue
            identity = np.eye(inputs[0].shape[-1], dtype="float32")
            node = graph.node[0]
            node.input[0] = "through"
            del node.output[1:]
            product = helper.make_node("MatMul", [graph.input[0].name, "identity"], ["through"])
            graph.initializer.append(numpy_helper.from_array(identity, "identity"))
            graph.node.insert(0, product)
            del graph.output[1:]
            yield case(f"node: {test.name}", test.model, inputs[0], outputs[0])


def window(size, kernel):
    """Attributes of a random window over an input of this size, in which it has a place."""
    stride, dilation = rng.integers(1, 4, 3), rng.integers(1, 3, 3)
    span = (kernel - 1) * dilation + 1
    attributes = {"strides": stride.tolist(), "dilations": dilation.tolist()}
    way = rng.choice(["pads", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if way == "pads" or (span > size).any():
        missing = np.maximum(span - size, 0)
        before = rng.integers(0, kernel)
        attributes["pads"] = [*before.tolist(), *np.maximum(missing - before, rng.integers(0, kernel)).tolist()]
    else:
        # onnxruntime knows neither dilations nor gaps between windows beside them.
        attributes |= {"auto_pad": str(way), "dilations": [1, 1, 1], "strides": np.minimum(stride, kernel).tolist()}
    return attributes


def convolutions(count):
    for number in range(count):
        groups, per_group, outs = rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 4)
        size, kernel = rng.integers(1, 6, 3), rng.integers(1, 4, 3)
        attributes = {"group": int(groups), **window(size, kernel)}
        constants = {"w": rng.normal(size=(groups * outs, per_group, *kernel)).astype("float32")}
        if rng.random() < 0.5:
            constants["b"] = rng.normal(size=groups * outs).astype("float32")
        x = rng.normal(size=(2, groups * per_group, *size)).astype("float32")
        model = network([helper.make_node("Conv", ["x", *constants], ["y"], **attributes)], x, constants)
        yield case(f"conv: {number} {attributes}", model, x, run(model, x))


def transposed(count):
    for number in range(count):
        groups, per_group, outs = rng.integers(1, 3), rng.integers(1, 4), rng.integers(1, 4)
        size, kernel = rng.integers(1, 5, 3), rng.integers(1, 4, 3)
        stride = rng.integers(1, 4, 3)
        pads = np.minimum(rng.integers(0, 2, 3), (kernel - 1) // 2)
        attributes = {"group": int(groups), "strides": stride.tolist(), "pads": [*pads.tolist(), *pads.tolist()],
                      "output_padding": rng.integers(0, stride).tolist()}
        constants = {"w": rng.normal(size=(groups * per_group, outs, *kernel)).astype("float32")}
        x = rng.normal(size=(1, groups * per_group, *size)).astype("float32")
        model = network([helper.make_node("ConvTranspose", ["x", "w"], ["y"], **attributes)], x, constants)
        yield case(f"transposed: {number} {attributes}", model, x, run(model, x))


def pools(count):
    for number in range(count):
        size, kernel = rng.integers(3, 7, 3), rng.integers(1, 4, 3)
        attributes = {"kernel_shape": kernel.tolist(), **window(size, kernel)}
        is_max = number % 2 == 0
        if not is_max:
            attributes["count_include_pad"] = int(rng.integers(0, 2))
        constants = {"w": rng.normal(size=(3, 2, 1, 1, 1)).astype("float32")}
        x = rng.normal(size=(1, 2, *size)).astype("float32")
        nodes = [helper.make_node("Conv", ["x", "w"], ["t"]),
                 helper.make_node("MaxPool" if is_max else "AveragePool", ["t"], ["y"], **attributes)]
        model = network(nodes, x, constants)
        yield case(f"pool: {number} {attributes}", model, x, run(model, x))


def integer_networks():
    for axis in [None, 0]:
        scale = np.float32(0.02) if axis is None else rng.uniform(0.01, 0.03, 6).astype("float32")
        constants = {
            "w": rng.integers(-127, 128, (6, 2, 3, 2, 3)).astype("int8"), "ws": scale,
            "wz": np.zeros(scale.shape, "int8"), "xs": np.float32(0.04), "xz": np.uint8(117),
            "ys": np.float32(0.3), "yz": np.uint8(120), "b": rng.normal(size=6).astype("float32"),
        }
        x = rng.normal(scale=2, size=(1, 4, 5, 4, 5)).astype("float32")
        by_axis = {} if axis is None else {"axis": axis}
        window = {"group": 2, "strides": [2, 1, 2], "pads": [1, 0, 2, 0, 1, 0], "dilations": [1, 2, 1]}
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
            helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], **by_axis),
            helper.make_node("Conv", ["xd", "wd", "b"], ["t"], **window),
            helper.make_node("QuantizeLinear", ["t", "ys", "yz"], ["tq"]),
            helper.make_node("DequantizeLinear", ["tq", "ys", "yz"], ["y"]),
        ]
        model = network(nodes, x, constants)
        yield case(f"qdq: axis {axis}", model, x, run(model, x))


def torch_networks():
    """Two clips to ten classes, by both exporters of PyTorch."""
    from torch import nn

    torch.manual_seed(3)
    net = nn.Sequential(
        nn.Conv3d(3, 8, 3, stride=(1, 2, 2), padding=1, bias=False), nn.BatchNorm3d(8), nn.ReLU(),
        nn.MaxPool3d(2), nn.Conv3d(8, 8, (3, 1, 1), padding=(2, 0, 0), dilation=(2, 1, 1), groups=4), nn.ReLU(),
        nn.ConvTranspose3d(8, 6, 2, stride=2), nn.ReLU(), nn.AvgPool3d((1, 2, 2)),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(6, 10),
    )
    net[1].running_mean.normal_(0, 0.2)
    net[1].running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 4, 8, 8)
    for dynamo, model, y in exported(net, x):
        yield case(f"torch: dynamo {dynamo}", model, x.numpy(), y)


def main():
    cases = [*node_tests(), *convolutions(30), *transposed(10), *pools(16), *integer_networks(), *torch_networks()]
    write(cases)


main()
