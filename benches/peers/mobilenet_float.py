"""MobileNet v1 of real weights, made of the quantized TFLite file: the networks of docs/proxies.md are made of it.

    esnsim convert mobilenet_v1_0.25_128_quant.tflite quantized.onnx
    python benches/peers/mobilenet_float.py quantized.onnx mobilenet.onnx

Each weight is its integer times its scale, and activations are real numbers within the range that their integers had, which is where
a TFLite file has its ReLU6. So `esnsim` can prune the network and give it any width. Needs onnx.
"""

import sys

import numpy
import onnx
from onnx import numpy_helper


def main(source: str, target: str) -> None:
    model = onnx.load(source)
    graph = model.graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made, renamed, kept = {}, {}, []
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            made[node.output[0]] = dequantized(node, values)
        elif node.op_type == "QuantizeLinear":
            least, most = bounds(node, values)
            names = [f"{node.output[0]}_least", f"{node.output[0]}_most"]
            made.update(zip(names, (least, most)))
            clipped = f"{node.output[0]}_clipped"
            kept.append(onnx.helper.make_node("Clip", [node.input[0], *names], [clipped]))
            renamed[node.output[0]] = clipped
        elif node.op_type == "DequantizeLinear":
            renamed[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    initializers += [numpy_helper.from_array(numpy.asarray(array), name) for name, array in made.items()]
    outputs = {node.output[0] for node in kept}
    for output in graph.output:
        if output.name not in outputs:
            last = renamed[output.name]
            kept[-1].output[0] = output.name if kept[-1].output[0] == last else kept[-1].output[0]
            output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for tensor in graph.input:
        tensor.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(initializers)
    del model.metadata_props[:]
    onnx.save(model, target)


def bounds(node: onnx.NodeProto, values: dict) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The least and the largest number that an activation has."""
    scale, zero = values[node.input[1]], values[node.input[2]]
    limits = numpy.iinfo(zero.dtype)
    return tuple(numpy.float32((int(limit) - int(zero)) * float(scale)) for limit in (limits.min, limits.max))


def dequantized(node: onnx.NodeProto, values: dict) -> numpy.ndarray:
    """The real numbers of integers; an axis of scales stands where the node says."""
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    integers, scale = values[node.input[0]], values[node.input[1]]
    zero = values[node.input[2]] if len(node.input) > 2 else numpy.zeros(scale.shape, integers.dtype)
    shape = [-1 if place == axis else 1 for place in range(integers.ndim)] if scale.size > 1 else []
    difference = integers.astype(numpy.int64) - zero.astype(numpy.int64).reshape(shape)
    return (difference * scale.reshape(shape)).astype(numpy.float32)


if __name__ == "__main__":
    main(*sys.argv[1:3])
