"""Makes tests/reference/tflite-recurrent.json: small TFLite files with an operator whose state goes from step to step, and
what the reference kernels of LiteRT make of them.

    python tflite_recurrent.py > ../reference/tflite-recurrent.json

Made with ai-edge-litert 2.3.0. Files are hexadecimal; inputs and outputs are in the order of the file.
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


def lstm(model, x, sequences=1, steps_first=False, coupled=False, projected=0, weights=real, peepholes=False, function=4):
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
    options = {"fusedActivationFunction": function, "timeMajor": steps_first}
    model.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], "UnidirectionalSequenceLSTMOptions", **options)
    return y


def integer_lstm(model, x):
    """The same on integers of 8 bits, with a cell of 16."""
    matrices = [integer(model, UNITS, FEATURES) for _ in range(4)] + [integer(model, UNITS, UNITS) for _ in range(4)]
    biases = [model.const(rng.integers(-90, 90, UNITS).astype("int32"), scale=0.0005) for _ in range(4)]
    states = [model.tensor((1, UNITS), "int8", 1 / 128), model.tensor((1, UNITS), "int16", 2**-11)]
    for tensor in states:
        model.tensors[tensor].isVariable = True
    none = [-1] * 4
    y = model.tensor((1, STEPS, UNITS), "int8", 1 / 128)
    inputs = [x, *matrices, *none[:3], *biases, *none[:2], *states, *none]
    options = {"fusedActivationFunction": 4}
    model.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], "UnidirectionalSequenceLSTMOptions", 3, **options)
    inner = [model.tensor((0,), "int16", 2**-12) for _ in range(4)]
    model.operators[-1].intermediates = [*inner, model.tensor((0,), "int8", 1 / 128)]
    return y


def rnn(model, x):
    inputs = [x, real(model, UNITS, FEATURES), real(model, UNITS, UNITS), real(model, UNITS), state(model, 1, UNITS)]
    y = model.tensor((1, STEPS, UNITS), "float32")
    model.op("UNIDIRECTIONAL_SEQUENCE_RNN", inputs, [y], "SequenceRNNOptions", fusedActivationFunction=4)
    return y


def svdf(model, x, filters=8, memory=6, rank=2):
    units = filters // rank
    inputs = [x, real(model, filters, FEATURES), real(model, filters, memory), real(model, units)]
    y = model.tensor((1, units), "float32")
    model.op("SVDF", [*inputs, state(model, 1, memory * filters)], [y], "SVDFOptions", rank=rank)
    return y


def lstm_and_dense(model, x):
    y = lstm(model, x)
    z = model.tensor((1, STEPS, 2), "float32")
    inputs = [y, real(model, 2, UNITS), real(model, 2)]
    model.op("FULLY_CONNECTED", inputs, [z], "FullyConnectedOptions", keepNumDims=True)
    return z


SEQUENCE = (1, STEPS, FEATURES)
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
]


def case(name, shape, build):
    model = Model()
    is_integer = build is integer_lstm
    x = model.tensor(shape, "int8", 0.05, -3) if is_integer else model.tensor(shape, "float32")
    y = build(model, x)
    file = model.build([x], [y])
    given = integers("int8", shape) if is_integer else rng.normal(size=shape).astype("float32")
    made = reference(file, given)
    flat = [np.ravel(values).tolist() for values in (given, made)]
    return {"name": name, "file": file.hex(), "input": flat[0], "shape": list(made.shape), "output": flat[1]}


if __name__ == "__main__":
    json.dump([case(*found) for found in CASES], sys.stdout, separators=(",", ":"))
