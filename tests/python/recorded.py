"""What the scripts that record networks share: a case of a recorded file, a network, onnxruntime, and the exporters of PyTorch."""

import io
import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def case(name, model, x, y):
    numbers = lambda a: [float(v) for v in a.ravel()]
    file = model.SerializeToString().hex()
    return {"name": name, "file": file, "input": numbers(x), "shape": list(y.shape), "output": numbers(y)}


def network(nodes, x, constants, opset=19):
    """A network from `x` to `y`."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    constants = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model, x):
    options = onnxruntime.SessionOptions()
    # Without optimizations, so that integers do not take another way.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def exported(net, x):
    """A module of PyTorch as both of its exporters write it: whether it is the newer one, the network, and what PyTorch makes of
    `x`.
    """
    import torch

    net.eval()
    with torch.no_grad():
        y = net(x).numpy()
    for dynamo in [False, True]:
        if dynamo:
            model = torch.onnx.export(net, (x,), dynamo=True, verbose=False).model_proto
        else:
            file = io.BytesIO()
            torch.onnx.export(net, (x,), file, dynamo=False)
            model = onnx.load_from_string(file.getvalue())
        # What they say of the code that the nodes come from.
        for node in model.graph.node:
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
        yield dynamo, model, y


def write(cases):
    json.dump(cases, sys.stdout, separators=(",", ":"))
    print(f"{len(cases)} cases", file=sys.stderr)
