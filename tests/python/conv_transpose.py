"""Makes tests/reference/conv-transpose.json: ONNX networks of one ConvTranspose, an input, and what others make of it.

    python conv_transpose.py > ../reference/conv-transpose.json

The expected outputs of the node tests of ONNX (`node: …`) are those that the package onnx has for its backends; the
weights, inputs there, are constants here. Those of random layers (`random: …`) and of integers between QuantizeLinear and
DequantizeLinear (`qdq: …`) are onnxruntime's, those of small networks that PyTorch exports (`torch: …`) PyTorch's. Made with
onnx 1.23.2, onnxruntime 1.32.0, torch 2.15.0 and onnxscript 0.7.2. Files are hexadecimal.
"""

import numpy as np
import torch
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from recorded import case, exported, network, run, write

rng = np.random.default_rng(11)


def node_tests():
    for test in collect_testcases("ConvTranspose"):
        graph = test.model.graph
        if not any(node.op_type == "ConvTranspose" for node in graph.node) or len(graph.node) != 1:
            continue
        (inputs, outputs), = test.data_sets
        names = [value.name for value in graph.input]
        for name, array in list(zip(names, inputs))[1:]:
            graph.initializer.append(numpy_helper.from_array(array, name))
        del graph.input[1:]
        yield case(f"node: {test.name}", test.model, inputs[0], outputs[0])


def geometry(rank):
    """Attributes of a random transposed convolution, and the shapes of input and weights."""
    groups, per_group, outs = rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 4)
    size, kernel = rng.integers(1, 7, rank), rng.integers(1, 5, rank)
    stride, dilation = rng.integers(1, 4, rank), rng.integers(1, 4, rank)
    span = (kernel - 1) * dilation + 1
    extra = rng.integers(0, stride)
    full = (size - 1) * stride + span + extra
    attributes = {"group": groups, "strides": stride, "dilations": dilation}
    way = rng.choice(["pads", "SAME_UPPER", "SAME_LOWER", "VALID", "output_shape", "output_shape UPPER"])
    if way == "pads":
        pads = np.array([rng.integers(0, 1 + (f - 1) // 2, 2) for f in full])
        attributes |= {"pads": pads.T.ravel(), "output_padding": extra}
    elif way.startswith("output_shape"):
        attributes |= {"output_shape": np.maximum(1, full - rng.integers(0, 4, rank)), "output_padding": extra}
        if way.endswith("UPPER"):
            attributes["auto_pad"] = "SAME_UPPER"
    else:
        attributes["auto_pad"] = str(way)
    plain = {k: v if isinstance(v, str) else np.asarray(v).tolist() for k, v in attributes.items()}
    return plain, (1, groups * per_group, *size), (groups * per_group, outs, *kernel), groups * outs


def random_networks(count):
    for number in range(count):
        rank = 1 if number % 4 == 3 else 2
        attributes, of_input, of_weights, channels = geometry(rank)
        constants = {"w": rng.normal(size=of_weights).astype("float32")}
        if rng.random() < 0.5:
            constants["b"] = rng.normal(size=channels).astype("float32")
        x = rng.normal(size=of_input).astype("float32")
        node = helper.make_node("ConvTranspose", ["x", *constants], ["y"], **attributes)
        model = network([node], x, constants, opset=13)
        yield case(f"random: {number} {attributes}", model, x, run(model, x))


def integer_networks():
    """Weights `[4, 2, 3, 2]` in two groups, quantized as a whole, along axis 1, and depthwise along axis 0."""
    for axis, shape in [(None, (4, 2, 3, 2)), (1, (4, 2, 3, 2)), (0, (2, 3, 3, 2))]:
        channels = 2 * shape[1]
        scale = np.float32(0.02) if axis is None else rng.uniform(0.01, 0.03, shape[axis]).astype("float32")
        points = np.zeros(scale.shape, "int8")
        constants = {
            "w": rng.integers(-127, 128, shape).astype("int8"), "ws": scale, "wz": points,
            "xs": np.float32(0.04), "xz": np.uint8(117), "ys": np.float32(0.3), "yz": np.uint8(120),
            "b": rng.normal(size=channels).astype("float32"),
        }
        x = rng.normal(scale=2, size=(1, shape[0], 4, 5)).astype("float32")
        by_axis = {} if axis is None else {"axis": axis}
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
            helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], **by_axis),
            helper.make_node("ConvTranspose", ["xd", "wd", "b"], ["t"], group=2, strides=[2, 1], pads=[1, 0, 0, 1]),
            helper.make_node("QuantizeLinear", ["t", "ys", "yz"], ["tq"]),
            helper.make_node("DequantizeLinear", ["tq", "ys", "yz"], ["y"]),
        ]
        model = network(nodes, x, constants, opset=13)
        yield case(f"qdq: axis {axis}", model, x, run(model, x))


def torch_networks():
    """Four images to ten classes, by both exporters of PyTorch."""
    from torch import nn

    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 3, stride=2, padding=1, output_padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        nn.ConvTranspose2d(6, 6, 4, stride=2, padding=1, groups=3), nn.ReLU(),
        nn.ConvTranspose2d(6, 6, (3, 2), dilation=(1, 2), groups=6), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10),
    )
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 2)
    x = torch.randn(4, 3, 8, 8)
    for dynamo, model, y in exported(network, x):
        yield case(f"torch: dynamo {dynamo}", model, x.numpy(), y)


def main():
    cases = [*node_tests(), *random_networks(40), *integer_networks(), *torch_networks()]
    write(cases)


main()
