"""Makes tests/reference/recurrent.json: LSTM, GRU and RNN of ONNX, an input, and what others make of it.

    python recurrent.py > ../reference/recurrent.json

The outputs of random operators (`lstm: …`, `gru: …`, `rnn: …`) are onnxruntime's: all of an operator, one after another. It
runs no operator whose sequences come before their steps; such a file has the outputs of the other order, turned. Those of
small networks that PyTorch exports (`torch: …`) are PyTorch's. Made with onnx 1.23.2, onnxruntime 1.32.0, torch 2.15.0 and
onnxscript 0.7.2. Files are hexadecimal.
"""

import warnings

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import nn

from recorded import case, exported, network, write

warnings.filterwarnings("ignore")
rng = np.random.default_rng(11)

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
FUNCTIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}
DIRECTIONS = ["forward", "reverse", "bidirectional"]


def normal(*shape):
    return rng.normal(0, 0.7, shape).astype("float32")


def turned(value, axes):
    return np.ascontiguousarray(value.transpose(axes))


class Operator:
    """A random operator. Options are words: `biases`, `states`, `peepholes`, `lengths`, `clip`, and names of attributes."""

    def __init__(self, op, direction, options):
        steps, self.sequences, features = rng.integers(1, 6), rng.integers(1, 4), rng.integers(1, 5)
        self.op, self.units = op, int(rng.integers(1, 6))
        self.count = 2 if direction == "bidirectional" else 1
        rows = GATES[op] * self.units
        self.x = normal(steps, self.sequences, features)
        self.constants = {"w": normal(self.count, rows, features), "r": normal(self.count, rows, self.units)}
        self.attributes = {"hidden_size": self.units, "direction": direction}
        states = (self.count, self.sequences, self.units)
        if "biases" in options:
            self.constants["b"] = normal(self.count, 2 * rows)
        if "lengths" in options:
            self.constants["lens"] = rng.integers(1, steps + 1, self.sequences).astype("int32")
        if "states" in options:
            self.constants["h"] = normal(*states)
            if op == "LSTM":
                self.constants["c"] = normal(*states)
        if "peepholes" in options:
            self.constants["p"] = normal(self.count, 3 * self.units)
        if "clip" in options:
            self.attributes["clip"] = 0.4
        if "functions" in options:
            names = rng.choice(["Sigmoid", "Tanh", "Relu"], self.count * FUNCTIONS[op])
            self.attributes["activations"] = names.tolist()
        for flag in {"input_forget", "linear_before_reset"} & set(options):
            self.attributes[flag] = 1

    def model(self, sequences_first, flat):
        """The network and its input. Its outputs are those of the operator, or `flat`: all of them, one after another."""
        x, constants, attributes = self.x, dict(self.constants), dict(self.attributes)
        if sequences_first:
            attributes["layout"] = 1
            x = turned(x, (1, 0, 2))
            constants |= {name: turned(constants[name], (1, 0, 2)) for name in "hc" if name in constants}
        inputs = ["x", *(name if name in constants else "" for name in ["w", "r", "b", "lens", "h", "c", "p"])]
        while not inputs[-1]:
            inputs.pop()
        outputs = ["all", "last", "cell"][: 3 if self.op == "LSTM" else 2]
        nodes = [helper.make_node(self.op, inputs, outputs, name="steps", **attributes)]
        if flat:
            constants["shape"] = np.array([-1])
            nodes += [helper.make_node("Reshape", [value, "shape"], [f"flat_{value}"]) for value in outputs]
            nodes.append(helper.make_node("Concat", [f"flat_{value}" for value in outputs], ["y"], axis=0))
        model = network(nodes, x, constants, opset=14)
        if not flat:
            del model.graph.output[:]
            model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs)
        return model, x

    def case(self, name, sequences_first):
        model, x = self.model(False, flat=False)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        outputs = session.run(None, {"x": x})
        if sequences_first:
            outputs = [turned(outputs[0], (2, 0, 1, 3)), *(turned(value, (1, 0, 2)) for value in outputs[1:])]
        return case(name, *self.model(sequences_first, flat=True), np.concatenate([value.ravel() for value in outputs]))


def operators(count):
    """So many of each kind. Every option comes alone and with others."""
    kinds = [
        ("LSTM", "biases states peepholes lengths clip functions input_forget".split()),
        ("GRU", "biases states linear_before_reset lengths clip functions".split()),
        ("RNN", "biases states lengths clip functions".split()),
    ]
    for op, known in kinds:
        for place in range(count):
            alone = [known[place]] if place < len(known) else []
            options = alone or sorted(rng.choice(known, rng.integers(0, len(known) + 1), replace=False).tolist())
            direction = DIRECTIONS[place % 3]
            sequences_first = place % 4 == 3
            words = [direction, *options, *(["sequences first"] if sequences_first else [])]
            yield Operator(op, direction, options).case(f"{op.lower()}: {', '.join(words)}", sequences_first)


class Classifier(nn.Module):
    """A recurrent module, and a layer on its last step or on its last states."""

    def __init__(self, kind, of_states, **options):
        super().__init__()
        self.of_states, self.first = of_states, options.get("batch_first", False)
        self.rnn = kind(6, 8, **options)
        self.fc = nn.Linear(16 if options.get("bidirectional") else 8, 10)

    def forward(self, x):
        y, last = self.rnn(x)
        if self.of_states:
            last = last[0] if isinstance(last, tuple) else last
            return self.fc(torch.cat([last[-2], last[-1]], 1) if self.rnn.bidirectional else last[-1])
        return self.fc(y[:, -1] if self.first else y[-1])


def torch_networks():
    """Sequences to ten classes, by both exporters of PyTorch."""
    torch.manual_seed(3)
    networks = [
        (Classifier(nn.LSTM, False, batch_first=True), (1, 7, 6)),
        (Classifier(nn.LSTM, True, num_layers=2, bidirectional=True), (7, 1, 6)),
        (Classifier(nn.GRU, False), (7, 1, 6)),
        (Classifier(nn.GRU, True, num_layers=2, bidirectional=True, batch_first=True), (1, 7, 6)),
        (Classifier(nn.RNN, True, nonlinearity="relu"), (7, 1, 6)),
    ]
    for place, (net, shape) in enumerate(networks):
        x = torch.randn(shape)
        for dynamo, model, y in exported(net, x):
            yield case(f"torch: network {place}, dynamo {dynamo}", model, x.numpy(), y)


if __name__ == "__main__":
    cases = [*operators(20), *torch_networks()]
    write(cases)
