"""Compares operators on integers with onnxruntime, and those of QONNX with its executor. See README.md beside this file.

Usage: integer_check.py OUTPUTS [--rounds 20] [--keep FOLDER] [--file NET.onnx INPUT.npy]
OUTPUTS is the program of crates/runner/examples/outputs.rs.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MS, F = "com.microsoft", np.float32
KINDS = {np.uint8: (0, 255), np.int8: (-128, 127)}


class Net:
    """A network under construction; `x` is its input."""

    def __init__(self, random):
        self.random, self.nodes, self.tensors, self.count = random, [], [], 0

    def tensor(self, array):
        self.count += 1
        self.tensors.append(numpy_helper.from_array(np.asarray(array), f"t{self.count}"))
        return f"t{self.count}"

    def node(self, op, inputs, outputs=1, domain="", **attributes):
        names = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, kind, low=0.005, high=0.05):
        """Names of a scale and a zero point."""
        lo, hi = KINDS[kind]
        scale = F(self.random.uniform(low, high))
        return [self.tensor(scale), self.tensor(kind(self.random.integers(lo // 2, hi // 2 + 1)))]

    def model(self, shape, output, opset=17):
        value = helper.make_tensor_value_info
        nodes = self.nodes + [helper.make_node("Identity", [output], ["y"])]
        graph = helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, shape)], [value("y", TensorProto.FLOAT, None)], self.tensors)
        domains = [("", opset), (MS, 1), ("qonnx.custom_op.general", 1)]
        return helper.make_model(graph, opset_imports=[helper.make_opsetid(*d) for d in domains], ir_version=8)


def weights(net, kind, shape, axis, by_channel):
    lo, hi = KINDS[kind]
    channels = shape[axis] if by_channel else 1
    scale = net.random.uniform(0.002, 0.02, channels).astype(F)
    zero = net.random.integers(lo // 4 if kind is np.int8 else 100, hi // 4 if kind is np.int8 else 150, channels)
    zero = zero * 0 if by_channel and kind is np.int8 else zero
    pick = (lambda a: a) if by_channel else (lambda a: a[0])
    return [net.tensor(net.random.integers(lo, hi + 1, shape).astype(kind)), net.tensor(pick(scale)), net.tensor(pick(zero.astype(kind)))]


def linear_net(random, what):
    """QuantizeLinear, a convolution or product, one operator, DequantizeLinear."""
    net, kind = Net(random), (np.uint8, np.int8)[random.integers(2)]
    # Not every pair of types has a kernel in onnxruntime.
    wkind = np.int8 if kind is np.int8 else (np.uint8, np.int8)[random.integers(2)]
    by_channel = bool(random.integers(2)) and wkind is np.int8
    x, y = net.linear(kind), net.linear(kind, 0.05, 0.5)
    q = net.node("QuantizeLinear", ["x", *x])
    if what in ("QLinearMatMul", "QGemm"):
        shape = (3, 24)
        if what == "QGemm":
            turned = bool(random.integers(2))
            w = weights(net, wkind, (7, 24) if turned else (24, 7), 0 if turned else 1, by_channel)
            bias = net.tensor(random.integers(-3000, 3000, 7).astype(np.int32))
            out = [] if random.integers(3) == 0 else y
            attributes = dict(alpha=float(random.choice([1.0, 0.7])), transB=int(turned))
            r = net.node("QGemm", [q, *x, *w, bias, *out], domain=MS, **attributes)
            if not out:
                return net.model(shape, r), shape
        else:
            r = net.node("QLinearMatMul", [q, *x, *weights(net, wkind, (24, 7), 1, False), *y])
        return net.model(shape, net.node("DequantizeLinear", [r, *y])), shape
    shape = (1, 4, 9, 9)
    group = int(random.choice([1, 4]))
    w = weights(net, wkind, (8, 4 // group, 3, 3), 0, by_channel)
    bias = [net.tensor(random.integers(-3000, 3000, 8).astype(np.int32))] if random.integers(2) else []
    r = net.node("QLinearConv", [q, *x, *w, *y, *bias], pads=[1, 1, 1, 1], strides=[int(random.integers(1, 3))] * 2, group=group)
    z = net.linear(kind, 0.05, 0.5)
    if what in ("QLinearAdd", "QLinearMul"):
        lo, hi = KINDS[kind]
        b = [net.tensor(random.integers(lo, hi + 1, (1, 8, 1, 1)).astype(kind)), *net.linear(kind, 0.05, 0.5)]
        r = net.node(what, [r, *y, *(b if random.integers(2) else [r, *y]), *z], domain=MS)
    elif what == "QLinearConcat":
        r = net.node(what, [*z, r, *y, r, *z], domain=MS, axis=1)
    elif what == "QLinearAveragePool":
        r = net.node(what, [r, *y, *z], domain=MS, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2], count_include_pad=int(random.integers(2)))
    elif what == "QLinearGlobalAveragePool":
        r = net.node(what, [r, *y, *z], domain=MS, channels_last=0)
    elif what == "QLinearLeakyRelu":
        r = net.node(what, [r, *y, *z], domain=MS, alpha=0.1)
    elif what == "QLinearSigmoid":
        z = [net.tensor(F(1 / 200)), z[1]]
        r = net.node(what, [r, *y, *z], domain=MS)
    elif what == "QLinearSoftmax":
        z = [net.tensor(F(1 / 256)), net.tensor(kind(KINDS[kind][0]))]
        r = net.node(what, [r, *y, *z], domain=MS, axis=1, opset=13)
    else:
        z = y
    return net.model(shape, net.node("DequantizeLinear", [r, *z])), shape


def dynamic_net(random, what):
    net = Net(random)
    q, scale, zero = net.node("DynamicQuantizeLinear", ["x"], 3)
    kind = (np.uint8, np.int8)[random.integers(2)]
    if what == "ConvInteger":
        shape, (w, ws, wz) = (1, 3, 8, 8), weights(net, kind, (5, 3, 3, 3), 0, False)
        r = net.node("ConvInteger", [q, w, zero, wz], pads=[1, 1, 1, 1])
    else:
        shape, (w, ws, wz) = (2, 30), weights(net, kind, (30, 6), 1, kind is np.int8 and bool(random.integers(2)))
        r = net.node("MatMulInteger", [q, w, zero, wz])
    r = net.node("Cast", [r], to=TensorProto.FLOAT)
    r = net.node("Mul", [r, net.node("Mul", [scale, ws])])
    bias = random.standard_normal((5, 1, 1) if what == "ConvInteger" else (6,)).astype(F)
    return net.model(shape, net.node("Add", [r, net.tensor(bias)])), shape


def quant(net, x, shape, bits, **attributes):
    scale = net.random.uniform(0.1, 0.6, shape).astype(F)
    return net.node("Quant", [x, net.tensor(scale), net.tensor(F(0)), net.tensor(F(bits))], domain="qonnx.custom_op.general", **attributes)


def qonnx_net(random, what):
    net, shape = Net(random), (1, 3, 8, 8)
    bits, narrow, signed = int(random.integers(1, 9)), int(random.integers(2)), int(random.integers(2))
    if bits == 1 and narrow:
        narrow = 0
    modes = ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN"]
    mode = modes[random.integers(len(modes))] if what == "modes" else "ROUND"
    x = quant(net, "x", (), int(random.integers(2, 9)), signed=int(random.integers(2)), narrow=0, rounding_mode=mode)
    if what == "Trunc":
        scale, zero = net.tensor(F(0.25)), net.tensor(F(0))
        x = quant(net, "x", (), 8, signed=1, narrow=0, rounding_mode="ROUND")
        x = net.node("Trunc", [x, scale, zero, net.tensor(F(8)), net.tensor(F(4))], domain="qonnx.custom_op.general", rounding_mode="FLOOR")
    w = net.tensor((random.standard_normal((6, 3, 3, 3))).astype(F))
    if what == "BipolarQuant":
        w = net.node("BipolarQuant", [w, net.tensor(random.uniform(0.1, 0.4, (6, 1, 1, 1)).astype(F))], domain="qonnx.custom_op.general")
    else:
        w = quant(net, w, (6, 1, 1, 1) if random.integers(2) else (), bits, signed=signed, narrow=narrow, rounding_mode=mode)
    bias = quant(net, net.tensor(random.standard_normal(6).astype(F)), (), 8, signed=1, narrow=0, rounding_mode="ROUND")
    r = net.node("Conv", [x, w, bias], pads=[1, 1, 1, 1])
    # Sums that are 0 but for the order of adding make other modes jump.
    r = quant(net, r, (1, 6, 1, 1), 4, signed=0, narrow=0, rounding_mode="ROUND")
    r = quant(net, r, (), 6, signed=1, narrow=1, rounding_mode="ROUND")
    r = net.node("Flatten", [r])
    v = quant(net, net.tensor((random.standard_normal((5, 6 * 64))).astype(F)), (5, 1), max(bits, 2), signed=1, narrow=1, rounding_mode="ROUND")
    return net.model(shape, net.node("MatMul", [r, net.node("Transpose", [v], perm=[1, 0])]), opset=13), shape


def expected(path, model, x):
    """What the reference makes of every image: onnxruntime without and with optimizations, or the executor of QONNX."""
    if any("qonnx" in n.domain or "brevitas" in n.domain for n in model.graph.node):
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.infer_shapes import InferShapes

        wrapper = ModelWrapper(model)
        wrapper = wrapper.transform(InferShapes())
        name, out = wrapper.graph.input[0].name, wrapper.graph.output[0].name
        return [np.concatenate([execute_onnx(wrapper, {name: image[None] if image.ndim < len(wrapper.get_tensor_shape(name)) else image})[out].ravel() for image in x])]
    import onnxruntime

    found = []
    levels = onnxruntime.GraphOptimizationLevel
    for level in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.graph_optimization_level = 3, level
        running = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = running.get_inputs()[0].name
        found.append(np.concatenate([running.run(None, {name: image})[0].ravel() for image in x]))
    return found


def ours(program, path, x, executor, folder):
    source, target = os.path.join(folder, "in"), os.path.join(folder, "out")
    x.astype("<f4").tofile(source)
    done = subprocess.run([program, path, executor, source, target], capture_output=True, text=True)
    return np.fromfile(target, "<f4") if done.returncode == 0 else done.stderr.strip()


def compare(program, path, model, x, exact, folder):
    """Lines that say how far both executors are from the reference."""
    references, lines = expected(path, model, x), []
    for executor in ("integer", "float"):
        found = ours(program, path, x, executor, folder)
        for which, reference in zip(("as it stands", "optimized"), references):
            if isinstance(found, str):
                lines.append((False, f"{executor}: {found}"))
                break
            reference = reference.astype(F)
            if found.shape != reference.shape:
                lines.append((False, f"{executor}: {found.shape} numbers, not {reference.shape}"))
                continue
            unequal, far = int((found != reference).sum()), float(np.abs(found - reference).max())
            largest = float(np.abs(reference).max())
            # An output that stays real is scaled in one step more or less.
            last_bit = 1e-6 * largest if model.graph.node[-2].op_type == "QGemm" else 0.0
            good = far <= last_bit if exact and executor == "integer" else far <= 1e-4 * max(largest, 1.0) or exact
            lines.append((good, f"{executor}, {which}: {unequal} of {found.size} unequal, at most {far:.3g} of {largest:.3g}"))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only")
    parser.add_argument("--file", nargs=2, metavar=("NET", "INPUT"))
    arguments = parser.parse_args()
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        if arguments.file:
            path, x = arguments.file
            for good, line in compare(arguments.program, path, onnx.load(path), np.load(x)[:, None], False, folder):
                print(line)
            return
        linear = ["QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearAveragePool"]
        linear += ["QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax"]
        kinds = [(linear_net, what, True) for what in linear]
        kinds += [(dynamic_net, what, False) for what in ("ConvInteger", "MatMulInteger")]
        kinds += [(qonnx_net, what, False) for what in ("Quant", "modes", "BipolarQuant", "Trunc")]
        for make, what, exact in kinds:
            if arguments.only not in (None, what):
                continue
            worst = []
            for seed in range(arguments.rounds):
                random = np.random.default_rng(seed)
                model, shape = make(random, what)
                path = os.path.join(folder, "net.onnx")
                onnx.save(model, path)
                x = random.standard_normal((4, *shape)).astype(F)
                worst += [(seed, line) for good, line in compare(arguments.program, path, model, x, exact, folder) if not good]
            print(f"{what}: {'equal' if not worst else worst[:3]}")
            passed &= not worst
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
