"""Makes tests/reference/onnx-node-tests.json: ONNX's own tests of nodes, one small file each, and the output they expect.

    python onnx_node_tests.py > ../reference/onnx-node-tests.json

The package onnx makes these tests for every operator; the outputs are those that it records for its backends. Left out are
operators of training, of text, of sequences and maps, functions written out, and inputs of more than a few hundred elements.
A product with the identity stands in front of each node, for a network has a layer; behind it the input has the type that
the node wants. Only the first output that is made is compared. Made with onnx 1.23.2. Files are hexadecimal.
"""

import json
import sys
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

warnings.filterwarnings("ignore")

# Types that a 32-bit float can stand for; the numbers of a test are small.
TYPES = ["float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]
# The most elements of an input or output.
MOST = 400


def flat(array):
    return [float(str(np.float32(value))) for value in np.asarray(array).ravel()]


# Operators that are computed on constants alone: their tests are tried in that way, too.
ON_CONSTANTS = "Constant ConstantOfShape CumSum Mod NonZero Range Shape Size".split()


def in_front(x, wanted, opset):
    """Nodes and constants between the input of the file and `x`, and the shape of that input."""
    columns = x.shape[-1] if x.ndim else 1
    shape = x.shape if x.ndim > 1 else (1, columns)
    nodes = [helper.make_node("MatMul", ["given", "identity"], ["row"], name="layer")]
    stored = [numpy_helper.from_array(np.eye(columns, dtype=np.float32), "identity")]
    last = "row"
    if x.ndim < 2:
        stored.append(numpy_helper.from_array(np.array(x.shape, np.int64), "shape"))
        nodes.append(helper.make_node("Reshape", [last, "shape"], ["reshaped"]))
        last = "reshaped"
    if wanted != TensorProto.FLOAT:
        # Once types were named.
        to = wanted if opset >= 6 else TensorProto.DataType.Name(wanted)
        nodes.append(helper.make_node("Cast", [last], ["cast"], to=to))
    nodes[-1].output[0] = "x"
    return nodes, stored, shape


def plain(value):
    return isinstance(value, np.ndarray) and value.dtype.name in TYPES and value.size <= MOST


def first_made(node):
    """The name of its first output; those before it may be left out."""
    return next(name for name in node.output if name)


def case(test):
    """The case, or nothing where it is none of these."""
    graph = test.model.graph
    if len(graph.node) != 1 or [opset.domain for opset in test.model.opset_import] != [""] or not test.data_sets:
        return None
    (node,), (inputs, outputs) = graph.node, test.data_sets[0]
    if not inputs or not all(plain(value) for value in [*inputs, outputs[0]]):
        return None
    x, y = inputs[0], outputs[0]
    if 0 in x.shape or not np.isfinite(x.astype(np.float64)).all() or np.abs(x.astype(np.float64)).max() >= 2 ** 24:
        return None
    names = [info.name for info in graph.input]
    renamed = {name: f"in{place}" for place, name in enumerate(names)} | {names[0]: "x", first_made(node): "y"}
    for names_of in (node.input, node.output):
        names_of[:] = [renamed.get(name, name) for name in names_of]
    node.ClearField("doc_string")
    if node.op_type in ON_CONSTANTS:
        return on_constants(test, node, renamed, names, inputs, y)
    opset = test.model.opset_import[0].version
    nodes, stored, shape = in_front(x, helper.np_dtype_to_tensor_dtype(x.dtype), opset)
    stored += [numpy_helper.from_array(value, renamed[name]) for name, value in zip(names[1:], inputs[1:])]
    return record(test, node.op_type, [*nodes, node], shape, stored, x, y)


def on_constants(test, node, renamed, names, inputs, y):
    """What the node makes of constants, added to 0 times the input."""
    make = helper.make_node
    stored = [numpy_helper.from_array(value, renamed[name]) for name, value in zip(names, inputs)]
    stored += [numpy_helper.from_array(np.zeros((1, 1), np.float32), "zero"), numpy_helper.from_array(np.array(0), "index")]
    node.output[list(node.output).index("y")] = "made"
    nodes = [node, make("Cast", ["made"], ["real"], to=TensorProto.FLOAT), make("MatMul", ["given", "zero"], ["row"]),
             make("Gather", ["row", "index"], ["one"], axis=0), make("Gather", ["one", "index"], ["number"], axis=0),
             make("Add", ["real", "number"], ["y"])]
    return record(test, node.op_type, nodes, (1, 1), stored, np.ones((1, 1), np.float32), y)


def record(test, operator, nodes, shape, stored, x, y):
    given = helper.make_tensor_value_info("given", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [given], [onnx.ValueInfoProto(name="y")], stored)
    model = helper.make_model(graph, opset_imports=test.model.opset_import, ir_version=10)
    return {
        "name": test.name.removeprefix("test_"),
        "operator": operator,
        "file": model.SerializeToString().hex(),
        "input": flat(x.astype(np.float32)),
        "shape": list(y.shape),
        "output": flat(y.astype(np.float32)),
    }


def main():
    skipped = "_expanded training _momentum adagrad adam string sequence optional".split()
    tests = [test for test in collect_testcases() if not any(word in test.name for word in skipped)]
    cases = [found for found in map(case, tests) if found]
    cases.sort(key=lambda case: (case["operator"], case["name"]))
    json.dump(cases, sys.stdout, separators=(",", ":"))
    print(f"{len(cases)} of {len(tests)} tests", file=sys.stderr)


main()
