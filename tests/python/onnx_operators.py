"""Makes tests/reference/onnx-operators.json: small ONNX files, one operator each behind a layer that changes nothing, and
what comes out of them.

    python onnx_operators.py > ../reference/onnx-operators.json

Kinds of cases: ONNX's own tests of nodes (`onnx.backend.test`), whose outputs are those that ONNX records; nodes that
onnxruntime runs; operators of QONNX; and forms of opsets before 7, which nothing runs any more, by NumPy. Made with onnx
1.23.2, onnxruntime 1.32.0, qonnx 1.0.0 and numpy 2.4.6. Files are hexadecimal.
"""

import json
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from qonnx.custom_op.general.floatquant import float_quant
from qonnx.custom_op.general.multithreshold import multithreshold

warnings.filterwarnings("ignore")

# Names of ONNX's own tests, as they begin.
NODE_TESTS = """
test_batchnorm_example test_batchnorm_epsilon test_dropout_default test_einsum_batch_matmul test_einsum_inner_prod
test_gather_elements test_group_normalization test_hardmax test_instancenorm test_layer_normalization_4d_axis1
test_layer_normalization_default_axis test_l1normalization test_l2normalization test_lpnormalization test_lppool
test_mean_ test_resize test_rms_normalization test_shrink test_swish test_upsample
""".split()
# Those that nothing here runs: training, functions written out, and kinds of Resize that are refused by name.
LEFT_OUT = "training expanded bfloat16 antialias crop_and_resize mask _old not_larger not_smaller 3d_default".split()
# ONNX and onnxruntime do not agree on these.
LEFT_OUT += ["resize_downsample_scales_linear_align_corners", "resize_downsample_scales_cubic_align_corners"]
# The most elements of an input.
MOST = 400

rng = np.random.default_rng(11)
cases = []


def normal(*shape):
    return rng.normal(size=shape).astype(np.float32)


def flat(array):
    return [float(str(np.float32(value))) for value in np.asarray(array).ravel()]


def record(name, nodes, x, constants, expected, opset, domains=()):
    """A case: `x` goes through a product with the identity, and its result is called `x` in the nodes."""
    size = x.shape[-1] if x.ndim else 1
    identity = np.eye(size, dtype=np.float32)
    layer = [helper.make_node("MatMul", ["given", "identity"], ["x"], name="layer")]
    stored = [numpy_helper.from_array(identity, "identity")]
    if x.ndim == 1:
        # The first axis counts images.
        layer[0].output[0] = "row"
        layer.append(helper.make_node("Squeeze", ["row"], ["x"]))
    stored += [c if isinstance(c, TensorProto) else numpy_helper.from_array(c, n) for n, c in constants.items()]
    given = helper.make_tensor_value_info("given", TensorProto.FLOAT, x.shape if x.ndim > 1 else (1, size))
    result = onnx.ValueInfoProto(name="y")
    graph = helper.make_graph([*layer, *nodes], "g", [given], [result], stored)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    expected = np.asarray(expected)
    cases.append({
        "name": name,
        "file": model.SerializeToString().hex(),
        "input": flat(x),
        "shape": list(expected.shape),
        "output": flat(expected.astype(np.float32)),
    })
    return model


def node_tests():
    for test in collect_testcases():
        if not any(test.name.startswith(begin) for begin in NODE_TESTS) or any(word in test.name for word in LEFT_OUT):
            continue
        (node,), (inputs, outputs) = test.model.graph.node, test.data_sets[0]
        names = [info.name for info in test.model.graph.input]
        x = inputs[0]
        if x.dtype != np.float32 or x.ndim == 0 or x.size > MOST:
            continue
        renamed = {names[0]: "x", node.output[0]: "y"}
        for names_of in (node.input, node.output):
            names_of[:] = [renamed.get(name, name) for name in names_of]
        constants = {}
        for name, value in zip(names[1:], inputs[1:]):
            constants[name] = value
            if isinstance(value, TensorProto):
                value.name = name
        opset = next(o.version for o in test.model.opset_import if o.domain == "")
        record(test.name.removeprefix("test_"), [node], x, constants, outputs[0], opset)


def runtime(name, nodes, x, opset=17, domains=(), **constants):
    """Nodes that onnxruntime runs."""
    nodes = nodes if isinstance(nodes, list) else [nodes]
    model = record(name, nodes, x, constants, np.zeros(0), opset, domains)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"given": x if x.ndim > 1 else x[None]})
    cases[-1]["shape"], cases[-1]["output"] = list(found.shape), flat(found)


def runtime_cases():
    node = helper.make_node
    plane = normal(1, 2, 7, 6)
    pools = {
        "kernel": {},
        "strides": {"strides": [2, 1]},
        "pads": {"pads": [1, 0, 1, 1]},
        "same": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        "dilated": {"dilations": [2, 2]},
    }
    for what, attributes in pools.items():
        for p in (1, 2, 3):
            pool = node("LpPool", ["x"], ["y"], kernel_shape=[3, 2], p=p, **attributes)
            runtime(f"LpPool of {what}, p = {p}", pool, plane, opset=18)
    for p in (1, 2, 3):
        runtime(f"GlobalLpPool, p = {p}", node("GlobalLpPool", ["x"], ["y"], p=p), plane)
    for axis in (-1, 1):
        runtime(f"Hardmax of old, axis {axis}", node("Hardmax", ["x"], ["y"], axis=axis), normal(3, 2, 4), opset=11)
    ties = np.array([[1, 3, 3, 0], [2, 2, 2, 2]], np.float32)
    runtime("Hardmax of ties", node("Hardmax", ["x"], ["y"]), ties)
    runtime("Shrink", node("Shrink", ["x"], ["y"], lambd=0.75, bias=0.25), normal(3, 5))
    runtime("Mean of two shapes", node("Mean", ["x", "b"], ["y"]), normal(2, 5), b=normal(5))
    equations = [
        ("bchw,oc->bohw", (1, 3, 4, 2), (5, 3)),
        ("btd,dhk->bthk", (1, 4, 6), (6, 2, 3)),
        ("bthk,hkd->btd", (1, 4, 2, 3), (2, 3, 6)),
        ("bij,bjk->bik", (1, 3, 4), (1, 4, 2)),
        ("bchw,c->bchw", (1, 3, 4, 2), (3,)),
        ("ij,kj", (2, 3), (4, 3)),
        ("bi,j->bij", (1, 3), (4,)),
        ("bcd,ecd->eb", (2, 3, 4), (5, 3, 4)),
        ("i,i->", (5,), (5,)),
    ]
    for equation, a, b in equations:
        runtime(f"Einsum {equation}", node("Einsum", ["x", "b"], ["y"], equation=equation), normal(*a), b=normal(*b))
    both = node("Einsum", ["x", "x"], ["y"], equation="bhqd,bhkd->bhqk")
    runtime("Einsum of activations", both, normal(1, 2, 3, 4))
    left = node("Einsum", ["b", "x"], ["y"], equation="oc,bchw->bohw")
    runtime("Einsum with weights on the left", left, normal(1, 3, 4, 2), b=normal(5, 3))
    for mode in ("nearest", "linear", "cubic"):
        for where in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"):
            for scale in (0.6, 1.3, 2.0):
                if where == "align_corners" and scale != 2.0:
                    continue  # runtimes do not agree
                attributes = {"mode": mode, "coordinate_transformation_mode": where}
                scales = np.array([1, 1, scale, scale], np.float32)
                resize = node("Resize", ["x", "", "s"], ["y"], **attributes)
                runtime(f"Resize {mode} {where} {scale}", resize, plane, s=scales)
    outside = node("Resize", ["x", "", "s"], ["y"], mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
    runtime("Resize cubic, outside left out", outside, plane, s=np.array([1, 1, 1.5, 0.7], np.float32))
    for scale in (1.4, 2.5):
        scales = np.array([1, 1, scale, scale], np.float32)
        for mode in ("nearest", "linear"):
            runtime(f"Upsample {mode} {scale}", node("Upsample", ["x", "s"], ["y"], mode=mode), plane, 9, s=scales)
    indices = rng.integers(-3, 3, (2, 3, 2))
    gather = node("GatherElements", ["x", "i"], ["y"], axis=1)
    runtime("GatherElements", gather, normal(2, 3, 4), i=indices)
    for version, channels in ((18, 2), (21, 6)):
        group = node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=2, epsilon=0.01)
        runtime(f"GroupNormalization {version}", group, normal(2, 6, 3, 2), version, s=normal(channels), b=normal(channels))


def older(name, op_type, x, expected, opset, outputs=("y",), inputs=(), constants=None, **attributes):
    node = helper.make_node(op_type, ["x", *inputs], list(outputs), name="old", **attributes)
    record(f"{name} of opset {opset}", [node], x, constants or {}, expected, opset)


def older_cases():
    x = normal(2, 3, 4, 5)
    b = normal(3)
    by_channel = b[:, None, None]
    plane = normal(3, 4)
    for op_type, function in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.divide)):
        name = f"{op_type} with an axis"
        older(name, op_type, x, function(x, by_channel), 6, inputs=["b"], constants={"b": b}, broadcast=1, axis=1)
    older("Add of a plane", "Add", x, x + plane[..., None], 1, inputs=["b"], constants={"b": plane}, broadcast=1, axis=1)
    older("Add of the last axis", "Add", x, x + x[0, 0, 0], 6, inputs=["b"], constants={"b": x[0, 0, 0]}, broadcast=1)
    older("Pow with an axis", "Pow", abs(x), abs(x) ** by_channel, 1, inputs=["b"], constants={"b": b}, broadcast=1, axis=1)
    older("Add without broadcasting", "Add", x, x + x, 6, inputs=["b"], constants={"b": x})
    older("Reshape by an attribute", "Reshape", x, x.reshape(2, 3, 20), 4, shape=[0, 3, -1])
    older("Pad", "Pad", x, np.pad(x, [(0, 0), (0, 0), (1, 0), (2, 1)]), 1, paddings=[0, 0, 1, 2, 0, 0, 0, 1], mode="constant")
    older("Pad", "Pad", x, np.pad(x, [(0, 0), (0, 0), (1, 0), (2, 1)]), 2, pads=[0, 0, 1, 2, 0, 0, 0, 1], mode="constant")
    older("Tile", "Tile", x, np.tile(x, (1, 1, 3, 1)), 1, inputs=["n", "a"], constants={"n": np.array(3), "a": np.array(2)})
    older("Upsample", "Upsample", x, x.repeat(2, 2).repeat(3, 3), 1, height_scale=2.0, width_scale=3.0)
    older("Slice", "Slice", x, x[:, 1:, :-1], 1, starts=[1, 0], ends=[9, -1], axes=[1, 2])
    older("Squeeze", "Squeeze", x[:1, :1], x[0, 0], 1, axes=[0, 1])
    older("Unsqueeze", "Unsqueeze", x, x[:, None], 1, axes=[1])
    older("Split", "Split", x, x[:, :1], 1, outputs=["y", "z"], inputs=["n"], constants={"n": np.array([1, 2])}, axis=1)
    older("Split", "Split", x, x[:, :1], 2, outputs=["y", "z"], split=[1, 2], axis=1)
    older("Concat without an axis", "Concat", x, np.concatenate([x, x], 1), 3, inputs=["b"], constants={"b": x})
    older("Clip", "Clip", x, np.clip(x, -0.5, 0.75), 6, min=-0.5, max=0.75)
    selu = np.where(x > 0, 1.0507 * x, 1.0507 * (1.6732 * np.exp(x) - 1.6732))
    older("Selu", "Selu", x, selu, 1)
    older("PRelu by channel", "PRelu", x, np.where(x < 0, x * by_channel, x), 6, inputs=["b"], constants={"b": b})
    flattened = np.exp(x.reshape(2, -1) - x.reshape(2, -1).max(1, keepdims=True))
    older("Softmax", "Softmax", x, (flattened / flattened.sum(1, keepdims=True)).reshape(x.shape), 1)
    older("ReduceSum", "ReduceSum", x, x.sum((2, 3)), 1, axes=[2, 3], keepdims=0)
    older("Dropout", "Dropout", x, x, 6, is_test=1, ratio=0.5)
    statistics = {"s": normal(3), "b": normal(3), "m": normal(3), "v": abs(normal(3)) + 0.5}
    s, b, m, v = (value[:, None, None] for value in statistics.values())
    normalized = (x - m) / np.sqrt(v + 1e-5) * s + b
    for opset in (1, 6):
        attributes = {"is_test": 1, "spatial": 1, "consumed_inputs": [0, 0, 0, 1, 1]}
        older("BatchNormalization", "BatchNormalization", x, normalized, opset, inputs=[*"sbmv"], constants=statistics, **attributes)
    rows, weights, bias = normal(4, 5), normal(3, 5), normal(3)
    older("Gemm", "Gemm", rows, rows @ weights.T + bias, 6, inputs=["w", "c"], constants={"w": weights, "c": bias},
          transB=1, broadcast=1)
    cast = helper.make_node("Cast", ["x"], ["y"], to="INT32")
    record("Cast by a word of opset 1", [cast], 9 * normal(3, 4), {}, 0, 1)
    cases[-1]["shape"], cases[-1]["output"] = [3, 4], [float(int(value)) for value in cases[-1]["input"]]


def tensor(name, data_type, shape, values):
    return helper.make_tensor(name, data_type, shape, values)


def few_bits():
    """Weights of few bits, with a scale for each block or channel, or as floating-point numbers."""
    node, x = helper.make_node, normal(3, 10)
    product = node("MatMul", ["x", "w"], ["y"])
    numbers = {TensorProto.INT4: (-8, 8), TensorProto.UINT4: (0, 16), TensorProto.INT8: (-128, 128)}
    for data_type, (low, high) in numbers.items():
        kind = TensorProto.DataType.Name(data_type)
        q = tensor("q", data_type, (10, 5), rng.integers(low, high, 50).tolist())
        for axis, scales in ((0, (3, 5)), (1, (10, 2))):
            block = 4 if axis == 0 else 3
            s = abs(normal(*scales)) + 0.1
            points = tensor("z", data_type, scales, rng.integers(low // 2, high // 2, s.size).tolist())
            real = node("DequantizeLinear", ["q", "s"], ["w"], axis=axis, block_size=block)
            runtime(f"{kind} in blocks of axis {axis}", [real, product], x, 21, q=q, s=s)
            real = node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=axis, block_size=block)
            runtime(f"{kind} in blocks of axis {axis}, zero points", [real, product], x, 21, q=q, s=s, z=points)
    for data_type, (low, high) in ((TensorProto.INT2, (-2, 2)), (TensorProto.UINT2, (0, 4))):
        values = rng.integers(low, high, 50)
        q, s = tensor("q", data_type, (10, 5), values.tolist()), np.float32(0.3) + abs(normal(5))
        kind = TensorProto.DataType.Name(data_type)
        real = node("DequantizeLinear", ["q", "s"], ["w"], axis=1)
        record(f"{kind} by channel", [real, product], x, {"q": q, "s": s}, x @ (values.reshape(10, 5) * s), 25)
    for name in ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT4E2M1"):
        data_type = getattr(TensorProto, name)
        q, s = tensor("q", data_type, (10, 5), normal(50).tolist()), abs(normal(5)) + 0.1
        values = numpy_helper.to_array(q).astype(np.float32)
        real = node("DequantizeLinear", ["q", "s"], ["w"], axis=1)
        record(f"{name} by channel", [real, product], x, {"q": q, "s": s}, x @ (values * s), 23)
    for bits in (2, 4, 8):
        for block, depth in ((16, 32), (16, 40)):
            blocks, filters = -(-depth // block), 6
            packed = rng.integers(0, 256, (filters, blocks, block * bits // 8)).astype(np.uint8)
            s = abs(normal(filters * blocks)) + 0.1
            zeros = rng.integers(0, 256, filters * -(-blocks * bits // 8)).astype(np.uint8)
            shape = {"K": depth, "N": filters, "bits": bits, "block_size": block}
            for points in ((), ("z",)):
                matmul = node("MatMulNBits", ["x", "q", "s", *points], ["y"], domain="com.microsoft", **shape)
                constants = {"q": packed, "s": s, **({"z": zeros} if points else {})}
                name = f"MatMulNBits, {bits} bits, K {depth}, {len(points)} zero points"
                runtime(name, matmul, normal(2, depth), 17, ["com.microsoft"], **constants)


def qonnx_cases():
    """By functions of qonnx; operators with channels on the last axis by those of ONNX between transpositions."""
    node, general, last = helper.make_node, "qonnx.custom_op.general", "qonnx.custom_op.channels_last"
    x = normal(2, 3, 4, 5)
    for count, rows in ((7, 3), (3, 1)):
        t = np.sort(normal(rows, count))
        for layout, data in (("NCHW", x), ("NHWC", x.transpose(0, 2, 3, 1)), ("NCHW", x[:, :, 0, 0])):
            attributes = {"out_dtype": "UINT4", "out_scale": 0.5, "out_bias": -1.0, "data_layout": layout}
            threshold = node("MultiThreshold", ["x", "t"], ["y"], domain=general, **attributes)
            expected = multithreshold(x if data.ndim == 4 else data, t, 0.5, -1.0)
            expected = expected.transpose(0, 2, 3, 1) if layout == "NHWC" else expected
            name = f"MultiThreshold {layout}, {data.ndim} axes, {rows} rows"
            record(name, [threshold], np.ascontiguousarray(data), {"t": t}, expected, 17, [general])
    numbers = {"e": 4.0, "m": 3.0, "b": 7.0, "largest": 448.0}
    for name, changed in (("E4M3", {}), ("E2M1", {"e": 2.0, "m": 1.0, "b": 1.0, "largest": 6.0})):
        values = {key: np.float32(value) for key, value in {**numbers, **changed}.items()}
        for rounding in ("ROUND", "FLOOR"):
            for size in (0.01, 1.0, 300.0):
                wide, s = size * normal(4, 6), np.float32(0.5)
                quant = node("FloatQuant", ["x", "s", "e", "m", "b", "largest"], ["y"], domain=general, has_inf=0,
                             has_nan=0, has_subnormal=1, saturation=1, rounding_mode=rounding)
                e, m, b, largest = values.values()
                expected = float_quant(wide.copy(), s, e, m, b, max_val=largest, rounding_mode=rounding)
                record(f"FloatQuant {name} {rounding} {size}", [quant], wide, {"s": s, **values}, expected, 17, [general])
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    weights = normal(6, 3, 3, 2)
    windows = {"kernel_shape": [3, 2], "strides": [1, 2], "pads": [1, 0, 1, 1]}
    several = {"w": weights, "b": normal(6)}
    session = lambda node, feeds: onnx.reference.ReferenceEvaluator(helper.make_model(helper.make_graph(
        [node], "g", [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in feeds],
        [onnx.ValueInfoProto(name="y")]), opset_imports=[helper.make_opsetid("", 17)])).run(None, feeds)[0]
    expected = session(node("Conv", ["x", "w", "b"], ["y"], **windows), {"x": x, **several}).transpose(0, 2, 3, 1)
    moved = {**several, "w": np.ascontiguousarray(weights.transpose(0, 2, 3, 1))}
    conv = node("Conv", ["x", "w", "b"], ["y"], domain=last, **windows)
    record("Conv, channels last", [conv], channels_last, moved, expected, 17, [last])
    expected = session(node("MaxPool", ["x"], ["y"], **windows), {"x": x}).transpose(0, 2, 3, 1)
    pool = node("MaxPool", ["x"], ["y"], domain=last, **windows)
    record("MaxPool, channels last", [pool], channels_last, {}, expected, 17, [last])
    pool = node("MaxPoolNHWC", ["x"], ["y"], domain=general, **windows)
    record("MaxPoolNHWC", [pool], channels_last, {}, expected, 17, [general])
    statistics = {"s": normal(3), "b": normal(3), "m": normal(3), "v": abs(normal(3)) + 0.5}
    s, b, m, v = statistics.values()
    batch_norm = node("BatchNormalization", ["x", *"sbmv"], ["y"], domain=last, epsilon=0.01)
    expected = (channels_last - m) / np.sqrt(v + 0.01) * s + b
    record("BatchNormalization, channels last", [batch_norm], channels_last, statistics, expected, 17, [last])


node_tests()
runtime_cases()
few_bits()
qonnx_cases()
older_cases()
# One case a line.
print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")
print(len(cases), "cases", file=sys.stderr)
