"""Makes tests/reference/tflite-wide.json: small TFLite files with activations of 16 bits, and what LiteRT makes of them.

    python tflite_wide.py > ../reference/tflite-wide.json

Layers with integer weights of 8 bits, sums of 64 bits or, where the file says so, of 32; and what stands between such layers.
Each output is that of the reference kernels. Those that LiteRT runs unless told otherwise gave the same, or have an output of
their own. Made with ai-edge-litert 2.3.0. Files are hexadecimal.
"""

import json
import sys

import numpy as np
from ai_edge_litert.interpreter import OpResolverType

from tflite_operators import Model, SHAPE, integers, reference

rng = np.random.default_rng(13)
X, Y = 0.0005, 0.0031
INT32 = 2
cases = []


def add(name, model, x, y, dtype="int16", shape=SHAPE, differs=False):
    data = model.build([x], [y])
    values = rng.normal(size=shape).astype(dtype) * 8 if dtype == "float32" else integers(dtype, shape)
    try:
        result = reference(data, values)
    except (RuntimeError, ValueError) as error:
        print(f"{name}: {str(error).strip()[:200]}", file=sys.stderr)
        return
    other = reference(data, values, OpResolverType.AUTO)
    if np.array_equal(result, other) == differs:
        print(f"{name}: {(result != other).sum()} of {result.size} differ between kernels", file=sys.stderr)
        return
    numbers = lambda a: [float(v) if a.dtype.kind == "f" else int(v) for v in a.ravel()]
    shape = list(result.shape)
    case = {"name": name, "file": data.hex(), "input": numbers(values), "shape": shape, "output": numbers(result)}
    cases.append(case | ({"default": numbers(other)} if differs else {}))


def weights(model, shape, by_channel, axis=0):
    scales = rng.uniform(0.004, 0.02, shape[axis]).astype("float32") if by_channel else np.float32(0.011)
    return model.const(np.maximum(integers("int8", shape), -127), scale=scales, axis=axis), scales


def bias(model, kind, scales, count, reach=None):
    """Numbers that need more than 32 bits where there are 64."""
    reach = reach or (16_000 if kind == "int32" else 1 << 32)
    return model.const((rng.normal(size=count) * reach).astype(kind), scale=np.atleast_1d(scales) * X)


def output_scale(kind):
    """Wide enough for the biases."""
    return 2.9 if kind == "int64" else Y * 3


def layers():
    for kind in ["int64", "int32", None]:
        sums = {"quantizedBiasType": INT32} if kind == "int32" else {}
        # CONV_2D of LiteRT asks for a bias.
        for fused, stride, dilation in [(0, 1, 1), (1, 2, 1), (3, 1, 2)] if kind else []:
            model = Model()
            x = model.tensor(SHAPE, "int16", X)
            w, scales = weights(model, (3, 3, 2, 4), True)
            inputs = [x, w] + ([bias(model, kind, scales, 3)] if kind else [])
            y = model.tensor((1, -(-5 // stride), -(-6 // stride), 3), "int16", output_scale(kind))
            fields = {"padding": 0, "strideH": stride, "strideW": stride, "fusedActivationFunction": fused}
            fields |= {"dilationHFactor": dilation, "dilationWFactor": dilation}
            model.op("CONV_2D", inputs, [y], "Conv2DOptions", 8, **fields, **sums)
            add(f"conv_2d {kind} {fused} {stride} {dilation}", model, x, y)
        if kind != "int32":
            model = Model()
            x = model.tensor(SHAPE, "int16", X)
            w, scales = weights(model, (1, 3, 2, 8), True, 3)
            inputs = [x, w] + ([bias(model, kind, scales, 8)] if kind else [])
            y = model.tensor((1, 5, 6, 8), "int16", output_scale(kind))
            fields = {"padding": 0, "strideH": 1, "strideW": 1, "depthMultiplier": 2}
            model.op("DEPTHWISE_CONV_2D", inputs, [y], "DepthwiseConv2DOptions", 5, **fields)
            add(f"depthwise_conv_2d {kind}", model, x, y)
        for by_channel in [False, True]:
            model = Model()
            x = model.tensor((1, 120), "int16", X)
            w, scales = weights(model, (9, 120), by_channel)
            inputs = [x, w, bias(model, kind, scales, 9) if kind else -1]
            y = model.tensor((1, 9), "int16", output_scale(kind))
            model.op("FULLY_CONNECTED", inputs, [y], "FullyConnectedOptions", 9, **sums)
            add(f"fully_connected {kind} by channel {by_channel}", model, x, y, shape=(1, 120))
        model = Model()
        x = model.tensor(SHAPE, "int16", X)
        w, scales = weights(model, (3, 3, 2, 4), True)
        size = model.const(np.array((1, 10, 12, 3), "int32"))
        inputs = [size, w, x] + ([bias(model, kind, scales, 3)] if kind else [])
        y = model.tensor((1, 10, 12, 3), "int16", output_scale(kind))
        fields = {"padding": 0, "strideH": 2, "strideW": 2}
        model.op("TRANSPOSE_CONV", inputs, [y], "TransposeConvOptions", 5, **fields, **sums)
        add(f"transpose_conv {kind}", model, x, y)


def behind(name, build, y_scale=Y, differs=False):
    """`build(model, y)` adds operators behind a convolution."""
    model = Model()
    x = model.tensor(SHAPE, "int16", X)
    w, scales = weights(model, (4, 1, 1, 4), True)
    y = model.tensor(SHAPE, "int16", y_scale)
    model.op("CONV_2D", [x, w, bias(model, "int64", scales, 4, 16_000)], [y], "Conv2DOptions", 8, strideH=1, strideW=1)
    add(name, model, x, build(model, y), differs=differs)


def one(kind, shape=SHAPE, scale=Y, extra=(), options=None, version=4, dtype="int16", zero=0, **fields):
    def build(model, y):
        levels = () if dtype == "float32" else (scale, zero)
        output = model.tensor(shape, dtype, *levels)
        constants = [model.const(np.asarray(e, "int32")) for e in extra]
        model.op(kind, [y, *constants], [output], options, version, **fields)
        return output

    return build


def two(kind, options, shape, scales, other, fused=0, version=5, swap=False):
    def build(model, y):
        constant = model.const(integers("int16", shape), scale=other)
        output = model.tensor(SHAPE, "int16", scales)
        inputs = [constant, y] if swap else [y, constant]
        fields = {"fusedActivationFunction": fused} if options else {}
        model.op(kind, inputs, [output], options, version, **fields)
        return output

    return build


def between():
    behind("quantize to int8", one("QUANTIZE", scale=0.4, dtype="int8", zero=5, version=3))
    behind("quantize to int16", one("QUANTIZE", scale=0.0043, version=3))
    behind("dequantize", one("DEQUANTIZE", dtype="float32", version=4))
    behind("reshape", one("RESHAPE", (1, 10, 12), extra=[[1, 10, 12]], options="ReshapeOptions", version=1))
    behind("transpose", one("TRANSPOSE", (1, 6, 5, 4), extra=[[0, 2, 1, 3]]))
    behind("strided_slice", one("STRIDED_SLICE", (1, 2, 3, 4), extra=[[0, 1, 0, 0], [1, 5, 6, 4], [1, 2, 2, 1]],
                                options="StridedSliceOptions"))
    behind("pad", one("PAD", (1, 7, 7, 4), extra=[[[0, 0], [1, 1], [0, 1], [0, 0]]]))
    behind("max_pool_2d", one("MAX_POOL_2D", (1, 2, 3, 4), options="Pool2DOptions", version=3, padding=1, strideH=2,
                              strideW=2, filterHeight=2, filterWidth=2))
    behind("average_pool_2d", one("AVERAGE_POOL_2D", (1, 3, 3, 4), options="Pool2DOptions", version=3, padding=0, strideH=2,
                                  strideW=2, filterHeight=2, filterWidth=2))
    behind("relu", one("RELU", version=3, scale=0.0017))
    behind("relu6", one("RELU6", version=3, scale=0.0017))
    behind("leaky_relu", one("LEAKY_RELU", options="LeakyReluOptions", version=2, alpha=0.13, scale=0.0029))
    behind("logistic", one("LOGISTIC", scale=1 / 32768, version=3), y_scale=0.0004)
    behind("tanh", one("TANH", scale=1 / 32768, version=3), y_scale=0.0004)
    behind("softmax", one("SOFTMAX", scale=1 / 32768, options="SoftmaxOptions", version=3, beta=1.0))
    for kind, options in [("ADD", "AddOptions"), ("SUB", "SubOptions"), ("MUL", "MulOptions")]:
        scale = 90.0 if kind == "MUL" else 0.004
        behind(kind.lower(), two(kind, options, SHAPE, scale, 0.0019))
        behind(f"{kind.lower()} channel", two(kind, options, (4,), scale, 0.0011, 1, swap=True))
    behind("maximum", two("MAXIMUM", None, (1, 1, 1, 4), Y, Y, version=4))
    for axes in [[1, 2], [2]]:
        shape = [n for axis, n in enumerate(SHAPE) if axis not in axes]
        for scale in [Y, 0.002]:
            behind(f"mean {axes} {scale}", one("MEAN", shape, scale, [axes], "ReducerOptions", 2))

    def concatenation(model, y):
        other = model.const(integers("int16", (1, 5, 6, 2)), scale=Y)
        output = model.tensor((1, 5, 6, 6), "int16", Y)
        model.op("CONCATENATION", [y, other], [output], "ConcatenationOptions", 3, axis=-1)
        return output

    behind("concatenation", concatenation)
    for dtype, levels in [("int8", (0.06, -9)), ("float32", ())]:
        model = Model()
        x = model.tensor(SHAPE, dtype, *levels)
        wide = model.tensor(SHAPE, "int16", X)
        model.op("QUANTIZE", [x], [wide], version=3)
        w, scales = weights(model, (4, 1, 1, 4), True)
        y = model.tensor(SHAPE, "int16", Y)
        b = bias(model, "int64", scales, 4, 16_000)
        model.op("CONV_2D", [wide, w, b], [y], "Conv2DOptions", 8, strideH=1, strideW=1)
        add(f"quantize from {dtype}", model, x, y, dtype)


def tables():
    """LOGISTIC, TANH and SOFTMAX on more scales. Kernels differ on the scales that are powers of two."""
    for kind, name in [("LOGISTIC", "logistic"), ("TANH", "tanh")]:
        for scale, differs in [(2**-12, True), (2**-11, kind == "TANH"), (2**-13, False), (0.02, False), (3e-5, False)]:
            build = one(kind, scale=1 / 32768, version=3)
            behind(f"{name} of scale {scale}", build, y_scale=scale, differs=differs)
    for beta, scale in [(0.5, 0.001), (3.0, 0.0001), (1.0, 0.5)]:
        build = one("SOFTMAX", scale=1 / 32768, options="SoftmaxOptions", version=3, beta=beta)
        behind(f"softmax of scale {scale} and beta {beta}", build, y_scale=scale)
    behind("quantize to int32", one("QUANTIZE", scale=0.0001, dtype="int32", version=3))
    model = Model()
    x = model.tensor((40, 12), "int8", 0.05, 3)
    w = model.const(np.maximum(integers("int8", (20, 12)), -127), scale=0.011)
    b = model.const(rng.integers(-2000, 2000, 20).astype("int32"), scale=0.05 * 0.011)
    y = model.tensor((40, 20), "int8", 0.1, 3)
    model.op("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions", 4)
    z = model.tensor((40, 20), "int16", 1 / 65536, -32768)
    model.op("SOFTMAX", [y], [z], "SoftmaxOptions", 3, beta=0.5)
    add("softmax from int8", model, x, z, "int8", (40, 12), differs=True)
    # Scales that LiteRT takes for powers of two although they are none, as those of calibrated ranges, and one that it does not.
    for kind, name in [("LOGISTIC", "logistic"), ("TANH", "tanh")]:
        for scale, differs in [(8 / 32767, True), (2**-12 * 1.0006, True), (16 / 32767, kind == "TANH"), (2**-12 * 1.0008, False)]:
            behind(f"{name} of scale {scale}", one(kind, scale=1 / 32768, version=3), y_scale=scale, differs=differs)
        behind(f"{name} to a range of 1", one(kind, scale=1 / 32767, version=3), y_scale=0.0004)


layers()
between()
tables()
json.dump(cases, sys.stdout, separators=(",", ":"))
print(f"{len(cases)} cases", file=sys.stderr)
