"""Makes tests/reference/tflite-recurrent.json: small TFLite files with an operator whose state goes from step to step, and
what the reference kernels of LiteRT make of them.

    python tflite_recurrent.py > ../reference/tflite-recurrent.json

Made with ai-edge-litert 2.3.0, which has no SVDF that keeps 8 bits; that case was made with tflite-micro
0.dev20261023182759. Files are hexadecimal; inputs and outputs are in the order of the file.
"""

import json
import sys

import numpy as np
from tflite_operators import Model, integers, reference

FEATURES, UNITS, STEPS = 3, 4, 5
rng = np.random.default_rng(11)


def real(model, *shape):
    return model.const(rng.normal(size=shape).astype("float32"))


def integer(model, *shape):
    values = np.maximum(integers("int8", shape), -127)
    return model.const(values, scale=0.01)


def state(model, *shape):
    tensor = model.tensor(shape, "float32")
    model.tensors[tensor].isVariable = True
    return tensor


def lstm(
    model, x, sequences=1, steps_first=False, coupled=False, projected=0, weights=real, peepholes=False, function=4, clip=0.0
):
    """UNIDIRECTIONAL_SEQUENCE_LSTM. A coupled one has no matrices of the input gate."""
    outputs = projected or UNITS
    none = -1
    of_input = [weights(model, UNITS, FEATURES) for _ in range(4)]
    of_state = [weights(model, UNITS, outputs) for _ in range(4)]
    biases = [real(model, UNITS) for _ in range(4)]
    if coupled:
        of_input[0] = of_state[0] = biases[0] = none
    projection = [weights(model, projected, UNITS), none] if projected else [none, none]
    states = [state(model, sequences, outputs), state(model, sequences, UNITS)]
    seen = [real(model, UNITS) if peepholes else none for _ in range(3)]
    inputs = [x, *of_input, *of_state, *seen, *biases, *projection, *states, none, none, none, none]
    axes = (STEPS, sequences) if steps_first else (sequences, STEPS)
    y = model.tensor((*axes, outputs), "float32")
    options = {"fusedActivationFunction": function, "timeMajor": steps_first, "cellClip": clip}
    model.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], "UnidirectionalSequenceLSTMOptions", **options)
    return y


def variable(model, shape, dtype, scale, zero=0):
    tensor = model.tensor(shape, dtype, scale, zero)
    model.tensors[tensor].isVariable = True
    return tensor


def integer_lstm(model, x, sequences=1, bias=90, clip=0.0, cell=2**-11, hidden=(1 / 128, 0), peepholes=False):
    """The same on integers of 8 bits, with a cell of 16."""
    matrices = [integer(model, UNITS, FEATURES) for _ in range(4)] + [integer(model, UNITS, UNITS) for _ in range(4)]
    biases = [model.const(rng.integers(-bias, bias, UNITS).astype("int32"), scale=0.0005) for _ in range(4)]
    states = [variable(model, (sequences, UNITS), "int8", *hidden), variable(model, (sequences, UNITS), "int16", cell)]
    none = [-1] * 4
    seen = [model.const(integers("int16", UNITS), scale=2**-15) for _ in range(3)] if peepholes else none[:3]
    y = model.tensor((sequences, STEPS, UNITS), "int8", *hidden)
    inputs = [x, *matrices, *seen, *biases, *none[:2], *states, *none]
    options = {"fusedActivationFunction": 4, "cellClip": clip}
    model.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], "UnidirectionalSequenceLSTMOptions", 3, **options)
    inner = [model.tensor((0,), "int16", 2**-12) for _ in range(4)]
    model.operators[-1].intermediates = [*inner, model.tensor((0,), "int8", *hidden)]
    return y


def integer_svdf(model, x, filters=8, memory=6, rank=2, kept="int16", zero=0):
    """SVDF on integers of 8 bits, which keeps this type."""
    units = filters // rank
    kept_scale, time_scale = (0.0005, 0.0001) if kept == "int16" else (0.05, 0.01)
    of_input = integer(model, filters, FEATURES)
    of_time = model.const(integers(kept, (filters, memory)) // 2, scale=time_scale)
    limit = 10**7 if kept == "int16" else 10**4
    bias = model.const(rng.integers(-limit, limit, units).astype("int32"), scale=kept_scale * time_scale)
    state = variable(model, (1, memory * filters), kept, kept_scale, zero)
    y = model.tensor((1, units), "int8", 0.03, -128)
    inputs = [x, of_input, of_time, bias, state]
    model.op("SVDF", inputs, [y], "SVDFOptions", 3, rank=rank, fusedActivationFunction=1)
    return y


def rnn(model, x):
    inputs = [x, real(model, UNITS, FEATURES), real(model, UNITS, UNITS), real(model, UNITS), state(model, 1, UNITS)]
    y = model.tensor((1, STEPS, UNITS), "float32")
    model.op("UNIDIRECTIONAL_SEQUENCE_RNN", inputs, [y], "SequenceRNNOptions", fusedActivationFunction=4)
    return y


def svdf(model, x, filters=8, memory=6, rank=2, weights=real, function=0):
    units = filters // rank
    inputs = [x, weights(model, filters, FEATURES), weights(model, filters, memory), real(model, units)]
    y = model.tensor((1, units), "float32")
    options = {"rank": rank, "fusedActivationFunction": function}
    model.op("SVDF", [*inputs, state(model, 1, memory * filters)], [y], "SVDFOptions", **options)
    return y


def lstm_and_dense(model, x):
    y = lstm(model, x)
    z = model.tensor((1, STEPS, 2), "float32")
    inputs = [y, real(model, 2, UNITS), real(model, 2)]
    model.op("FULLY_CONNECTED", inputs, [z], "FullyConnectedOptions", keepNumDims=True)
    return z


def micro(file, x):
    """What LiteRT for microcontrollers makes."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(file)
    interpreter.set_input(x, 0)
    interpreter.invoke()
    return interpreter.get_output(0)


SEQUENCE = (1, STEPS, FEATURES)
LARGE = {"bias": 9000, "hidden": (0.006, 5)}
CASES = [
    ("lstm", SEQUENCE, lstm),
    ("lstm of integers", SEQUENCE, lambda model, x: lstm(model, x, weights=integer)),
    ("lstm on integers", SEQUENCE, integer_lstm),
    ("lstm of coupled gates", SEQUENCE, lambda model, x: lstm(model, x, coupled=True)),
    ("lstm with a projection", SEQUENCE, lambda model, x: lstm(model, x, projected=2)),
    ("lstm of two sequences", (2, STEPS, FEATURES), lambda model, x: lstm(model, x, 2)),
    ("lstm of two sequences, steps first", (STEPS, 2, FEATURES), lambda model, x: lstm(model, x, 2, True)),
    ("lstm and dense", SEQUENCE, lstm_and_dense),
    ("rnn", SEQUENCE, rnn),
    ("svdf", (1, FEATURES), svdf),
    ("lstm with peepholes", SEQUENCE, lambda model, x: lstm(model, x, peepholes=True)),
    ("lstm with relu", SEQUENCE, lambda model, x: lstm(model, x, function=1)),
    ("lstm with clipped cells", SEQUENCE, lambda model, x: lstm(model, x, clip=0.25)),
    ("svdf with relu", (1, FEATURES), lambda model, x: svdf(model, x, rank=1, function=1)),
    ("svdf of integers", (1, FEATURES), lambda model, x: svdf(model, x, weights=integer)),
    ("lstm on integers, large", SEQUENCE, lambda model, x: integer_lstm(model, x, **LARGE)),
    ("lstm on integers, clipped", SEQUENCE, lambda model, x: integer_lstm(model, x, clip=0.25, **LARGE)),
    ("lstm on integers, wide cells", SEQUENCE, lambda model, x: integer_lstm(model, x, cell=2**-9, clip=10.0, **LARGE)),
    ("lstm on integers, narrow cells", SEQUENCE, lambda model, x: integer_lstm(model, x, cell=2**-15, **LARGE)),
    ("lstm on integers, two sequences", (2, *SEQUENCE[1:]), lambda model, x: integer_lstm(model, x, 2, **LARGE)),
    ("lstm on integers with peepholes", SEQUENCE, lambda model, x: integer_lstm(model, x, peepholes=True)),
    ("svdf on integers", (1, FEATURES), integer_svdf),
    ("svdf on integers of rank 1", (1, FEATURES), lambda model, x: integer_svdf(model, x, rank=1)),
    ("svdf on integers of 8 bits", (1, FEATURES), lambda model, x: integer_svdf(model, x, kept="int8", zero=-3)),
]


def case(name, shape, build):
    model = Model()
    is_integer = " on integers" in name
    x = model.tensor(shape, "int8", 0.05, -3) if is_integer else model.tensor(shape, "float32")
    y = build(model, x)
    file = model.build([x], [y])
    given = integers("int8", shape) if is_integer else rng.normal(size=shape).astype("float32")
    made = (micro if "8 bits" in name else reference)(file, given)
    flat = [np.ravel(values).tolist() for values in (given, made)]
    return {"name": name, "file": file.hex(), "input": flat[0], "shape": list(made.shape), "output": flat[1]}


if __name__ == "__main__":
    json.dump([case(*found) for found in CASES], sys.stdout, separators=(",", ":"))
