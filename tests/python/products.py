"""Makes tests/reference/products.json: ONNX networks of one product, an input, and what onnxruntime makes of it.

    python products.py > ../reference/products.json

Stacks of matrices on either side (`stack: …`), and Gemm whose C is more than one number a filter (`gemm: …`). Made with onnx
1.23.2 and onnxruntime 1.32.0. Files are hexadecimal.
"""

import numpy as np
from onnx import helper

from recorded import case, network, run, write

rng = np.random.default_rng(9)


def normal(*shape):
    return rng.normal(size=shape).astype("float32")


def stacks():
    # Input, weights: a matrix of its own for each input, the same input for all, and both beside axes of 1.
    right = [
        ((1, 2, 3, 5, 8), (2, 3, 8, 6)), ((1, 4, 5, 8), (4, 8, 6)), ((1, 1, 5, 8), (4, 8, 6)), ((1, 5, 8), (1, 8, 6)),
        ((1, 3, 2, 4, 5), (1, 2, 5, 3)), ((1, 1, 1, 4, 5), (2, 3, 5, 4)), ((3, 2, 4, 5), (2, 5, 3)), ((1, 4, 1, 8), (4, 8, 2)),
    ]
    for x, w in right:
        x, w = normal(*x), normal(*w)
        model = network([helper.make_node("MatMul", ["x", "w"], ["y"])], x, {"w": w})
        yield case(f"stack: {x.shape} · {w.shape}", model, x, run(model, x))
    left = [
        ((2, 3, 6, 8), (1, 2, 3, 8, 5)), ((4, 6, 8), (1, 4, 8, 5)), ((4, 6, 8), (1, 1, 8, 5)), ((1, 6, 8), (1, 8, 5)),
        ((2, 1, 3, 5), (1, 2, 1, 5, 4)), ((2, 6, 8), (3, 2, 8, 1)),
    ]
    for w, x in left:
        x, w = normal(*x), normal(*w)
        model = network([helper.make_node("MatMul", ["w", "x"], ["y"])], x, {"w": w})
        yield case(f"stack: {w.shape} · {x.shape} of the input", model, x, run(model, x))
    x, w = normal(1, 3, 4, 8), rng.integers(-127, 128, (3, 8, 5)).astype("int8")
    nodes = [helper.make_node("DequantizeLinear", ["w", "s"], ["d"]), helper.make_node("MatMul", ["x", "d"], ["y"])]
    model = network(nodes, x, {"w": w, "s": np.float32(0.02)})
    yield case("stack: integers", model, x, run(model, x))


def gemms():
    cases = [
        ("a matrix", (4, 6), {}), ("a matrix", (4, 6), {"alpha": 0.5, "beta": -2.0, "transB": 1}),
        ("a column", (4, 1), {"beta": 0.25}), ("a column", (4, 1), {"transA": 1}), ("unused", (4, 6), {"beta": 0.0}),
    ]
    for name, shape, attributes in cases:
        turned = lambda name, a: a.T.copy() if attributes.get(name) else a
        # An axis in front, so that rows are no images.
        x, w, c = normal(1, 4, 5), turned("transB", normal(5, 6)), normal(*shape)
        to = [5, 4] if attributes.get("transA") else [4, 5]
        nodes = [helper.make_node("Reshape", ["x", "to"], ["a"]),
                 helper.make_node("Gemm", ["a", "w", "c"], ["y"], **attributes)]
        model = network(nodes, x, {"to": np.array(to), "w": w, "c": c})
        yield case(f"gemm: C is {name} {attributes}", model, x, run(model, x))
    x, w = normal(1, 4, 5), normal(6, 4)
    nodes = [helper.make_node("Squeeze", ["x", "front"], ["a"]), helper.make_node("Relu", ["a"], ["r"]),
             helper.make_node("ReduceSum", ["r", "front"], ["c"], keepdims=1),
             helper.make_node("Gemm", ["w", "a", "c"], ["y"], beta=3.0)]
    model = network(nodes, x, {"front": np.array([0]), "w": w})
    yield case("gemm: C depends on the input, weights on the left", model, x, run(model, x))
    x, w = normal(1, 4, 5), normal(5, 6)
    nodes = [helper.make_node("Squeeze", ["x", "front"], ["a"]), helper.make_node("MatMul", ["a", "w"], ["b"]),
             helper.make_node("ReduceMax", ["b", "front"], ["c"], keepdims=0),
             helper.make_node("Gemm", ["a", "w", "c"], ["y"])]
    model = network(nodes, x, {"front": np.array([0]), "w": w})
    yield case("gemm: C is a vector that depends on the input", model, x, run(model, x))


def main():
    cases = [*stacks(), *gemms()]
    write(cases)


main()
