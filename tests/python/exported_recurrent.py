"""Makes tests/reference/exported-recurrent.json: small archives of torch.export with LSTM, GRU and RNN, an input and
PyTorch's first output of each, and the matrices that PyTorch's exporter of ONNX makes of their weights.

    python exported_recurrent.py > ../reference/exported-recurrent.json

Made with torch 2.15.0 and onnx 1.23.2. Files are hexadecimal. Matrices are those of each operator, one after another: of the
input in both directions, then of the state.
"""

import io
import json
import sys

import onnx
import torch
from exported_programs import saved
from onnx import numpy_helper
from torch import nn

torch.manual_seed(9)


class Steps(nn.Module):
    """A recurrent module, and a layer for each of its steps."""

    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = kind(3, 4, **options)
        self.fc = nn.Linear(8 if options.get("bidirectional") else 4, 2)

    def forward(self, x):
        y, last = self.rnn(x)
        return self.fc(y), last[0] if isinstance(last, tuple) else last


def matrices(module, x):
    """Those of the ONNX file that PyTorch writes."""
    file = io.BytesIO()
    torch.onnx.export(module, (x,), file, dynamo=False, opset_version=17)
    model = onnx.load_from_string(file.getvalue())
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    recurrent = [node for node in model.graph.node if node.op_type in ("LSTM", "GRU", "RNN")]
    both = [stored[name] for node in recurrent for name in node.input[1:3]]
    return [matrix.ravel().tolist() for stack in both for matrix in stack]


def case(name, shape, kind, **options):
    module = Steps(kind, **options).eval()
    x = torch.randn(shape)
    program = torch.export.export(module, (x,))
    with torch.no_grad():
        y = module(x)[0]
    made = {"input": x.ravel().tolist(), "output": y.ravel().tolist()}
    return {"name": name, "file": saved(program), "matrices": matrices(module, x), **made}


if __name__ == "__main__":
    cases = [
        case("lstm", (5, 1, 3), nn.LSTM),
        case("lstm of two layers and directions", (2, 5, 3), nn.LSTM, num_layers=2, bidirectional=True, batch_first=True),
        case("gru without biases", (5, 2, 3), nn.GRU, num_layers=2, bias=False),
        case("rnn", (5, 1, 3), nn.RNN, nonlinearity="relu", bidirectional=True),
    ]
    json.dump(cases, sys.stdout, separators=(",", ":"))
