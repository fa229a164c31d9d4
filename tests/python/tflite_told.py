"""Makes tests/reference/tflite-told.json: small TFLite files with something that the reader does not understand, or that only
some converters write.

    python tflite_told.py > ../reference/tflite-told.json

Made with the schema of ai-edge-litert 2.3.0. Nothing is run: LiteRT refuses some of the files. Files are hexadecimal.
"""

import json
import sys

import flatbuffers
import numpy as np
from tflite_operators import Model, schema

REAL = "float32"


def convolution(model, x, out, bias=None):
    """A layer of four channels, 1x1."""
    w = model.const(np.ones((4, 1, 1, 4), REAL))
    bias = model.const(np.zeros(4, REAL)) if bias is None else bias
    y = model.tensor(out, REAL)
    model.op("CONV_2D", [x, w, bias], [y], "Conv2DOptions", padding=1, strideH=1, strideW=1)
    return y


def open_extents(model, tensor, signature):
    model.tensors[tensor].shapeSignature = signature
    return tensor


def between(kind, extra=(), custom=None, out=(1, 2, 3, 4), signature=None):
    """A layer, an operator, and another layer."""
    model = Model()
    x = model.tensor((1, 2, 3, 4), REAL)
    made = model.tensor(out, REAL)
    if signature:
        open_extents(model, made, signature)
    model.op(kind, [convolution(model, x, (1, 2, 3, 4)), *(model.const(array) for array in extra)], [made])
    y = convolution(model, made, out)
    return with_names(model, [x], [y], custom)


def behind(kind, out, signature=None):
    """A layer, an operator that is not understood, an operator, and another layer."""
    model = Model()
    x = model.tensor((1, 2, 3, 4), REAL)
    made, then = (open_extents(model, model.tensor(shape, REAL), signature) for shape in (out, (1, 1, 1, 4)))
    model.op("REVERSE_V2", [convolution(model, x, (1, 2, 3, 4))], [made])
    model.op(kind, [made], [then])
    return model.build([x], [convolution(model, then, (1, 1, 1, 4))])


def with_names(model, inputs, outputs, custom):
    file = model.build(inputs, outputs)
    if not custom:
        return file
    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file, 0))
    for code in read.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.CUSTOM:
            code.customCode = custom.encode()
    builder = flatbuffers.Builder(1024)
    builder.Finish(read.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def torn_batch():
    """Three images become two rows."""
    model = Model()
    x, rows, y = model.tensor((3, 4), REAL), model.tensor((2, 6), REAL), model.tensor((2, 5), REAL)
    model.op("RESHAPE", [x, model.const(np.array([2, 6], "int32"))], [rows], "ReshapeOptions")
    model.op("FULLY_CONNECTED", [rows, model.const(np.ones((5, 6), REAL)), -1], [y], "FullyConnectedOptions")
    return model.build([x], [y])


def open_image():
    """Height and width are open, and 1 stands in their places."""
    model = Model()
    x = open_extents(model, model.tensor((1, 1, 1, 4), REAL), [-1, -1, -1, 4])
    return model.build([x], [convolution(model, x, (1, 1, 1, 4))])


def bias_of_axis_3():
    """Scales of a bias along the axis that those of its weights have, as old converters write depthwise layers."""
    model = Model()
    x = model.tensor((1, 2, 3, 4), "int8", 0.1, 0)
    scales = np.array([0.1, 0.2, 0.3, 0.4], REAL)
    w = model.const(np.ones((1, 1, 1, 4), "int8"), scale=scales, axis=3)
    bias = model.const(np.zeros(4, "int32"), scale=scales * np.float32(0.1), axis=3)
    y = model.tensor((1, 2, 3, 4), "int8", 0.1, 0)
    model.op("DEPTHWISE_CONV_2D", [x, w, bias], [y], "DepthwiseConv2DOptions", 3, padding=1, strideH=1, strideW=1, depthMultiplier=1)
    return model.build([x], [y])


def main():
    matrix = np.ones((4, 4), REAL)
    files = {
        "own operator with weights": between("CUSTOM", [matrix], "AcmeConvolution"),
        "own operator without weights": between("CUSTOM", [np.ones(4, REAL)], "AcmeScale"),
        "compiled part": between("CUSTOM", [], "edgetpu-custom-op"),
        "graph in an operator": between("WHILE"),
        "gather of a table": between("GATHER", [matrix]),
        "layer behind an open shape": between("REVERSE_V2", out=(1, 1, 1, 4), signature=[-1, -1, -1, 4]),
        "graph behind an open shape": behind("WHILE", (1, 1, 1, 4), [-1, -1, -1, 4]),
        "layer behind no shape": behind("RELU", ()),
        "torn batch": torn_batch(),
        "open image": open_image(),
        "bias of axis 3": bias_of_axis_3(),
    }
    nothing = {"input": [], "shape": [], "output": []}
    json.dump([{"name": name, "file": file.hex(), **nothing} for name, file in files.items()], sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
