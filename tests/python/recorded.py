"""What the scripts that record networks share: a case of a recorded file, a network, and onnxruntime."""

import numpy as np
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
