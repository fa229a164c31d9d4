"""Is the penalty the metric of the exported model to the last digit, and does training with it lower the metric?"""

import copy
import math

import esnsim
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from esnsim import torch as training
from esnsim.torch.layers import mac_layers
from torch import nn
from torch.nn.utils import prune
from torch_digits import EXAMPLE, accuracy, seeded, train

METRICS = [("esn-a", "esn_a"), ("esn-d", "esn_d")]


def several_uses():
    """A layer that runs twice, two layers of one parameter, a product of several rows, a layer that no output needs."""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.back = nn.Conv2d(1, 6, 3, padding=1), nn.ConvTranspose2d(6, 1, 2, stride=2, groups=1)
            self.rows, self.same, self.head = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(256, 3)
            self.same.weight = self.rows.weight
            self.unused = nn.Linear(5, 5)

        def forward(self, x):
            y = self.back(torch.relu(self.conv(x)))
            y = self.back(torch.relu(self.conv(y[:, :, ::2, ::2])))
            return self.head(self.same(self.rows(y)).flatten(1))

    torch.manual_seed(4)
    return Net()


@pytest.mark.parametrize("metric, column", METRICS)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8, "mixed"])
@pytest.mark.parametrize("granularity", ["layer", "filter"])
def test_the_value_is_that_of_the_exported_model(metric, column, bits, granularity, tmp_path):
    model = seeded(epochs=1)
    prune.l1_unstructured(model.one.conv1, "weight", 0.3)
    training.prune_filters(model, EXAMPLE, fraction=0.2)
    mixed = dict(zip(mac_layers(model, "test"), [8, 1, 2, 3, 4, 5, 6]))
    training.quantize(model, mixed if bits == "mixed" else bits, granularity=granularity)
    training.export(model, tmp_path / "model.onnx", EXAMPLE)
    total = esnsim.esn(tmp_path / "model.onnx").total
    value = training.EsnPenalty(model, metric, example=EXAMPLE)()
    assert value.dtype == torch.float64 and value.item() == total[f"{column}_macs"]
    assert training.EsnPenalty(model, metric)().item() == total[column]


@pytest.mark.parametrize("metric, column", METRICS)
def test_layers_count_as_often_as_they_are_used(metric, column):
    model = several_uses()
    total = training.to_network(model, EXAMPLE, bits=3).esn().total
    assert training.EsnPenalty(model, metric, example=EXAMPLE, bits=3)().item() == total[f"{column}_macs"]


@pytest.mark.parametrize("metric, column", METRICS)
def test_real_layers_and_the_other_grid(metric, column):
    model = seeded()
    training.quantize(model, 3, grid="mid-tread", granularity="filter", rule="mse")
    total = training.to_network(model, EXAMPLE).esn().total
    assert training.EsnPenalty(model, metric, example=EXAMPLE)().item() == total[f"{column}_macs"]
    model = seeded()
    widths = dict.fromkeys(mac_layers(model, "test"), 4) | {"conv": 8}
    training.quantize(model, 5, skip=[name for name in widths if name != "fc"])
    total = training.to_network(model, EXAMPLE, bits=widths).esn().total
    assert training.EsnPenalty(model, metric, example=EXAMPLE, bits=widths)().item() == total[f"{column}_macs"]


def gradient(metric, weight, bits, hold):
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False).double()
    layer.weight.data = weight.clone()
    training.quantize(layer, bits, hold=hold)
    training.EsnPenalty(layer, metric)().backward()
    parametrized = layer.parametrizations.weight
    return parametrized.original.grad, training.codes(layer)[""].double(), parametrized[0].step.double()


def test_the_gradient_is_what_is_written():
    torch.manual_seed(6)
    weight = torch.randn(5, 7, dtype=torch.float64).float().double()
    weight[1] = 0
    found, codes, step = gradient("esn-a", weight, 4, True)
    torch.testing.assert_close(found, codes / step)
    found, codes, step = gradient("esn-d", weight, 4, True)
    expected = torch.where(codes.abs() > 1, 2 * codes.sign() / ((1 + codes.abs()) * math.log(2) * step), 0.0)
    torch.testing.assert_close(found, expected)
    for metric, _ in METRICS:
        # A step that follows the weights makes the metric independent of their scale.
        found, *_ = gradient(metric, weight, 4, False)
        held, *_ = gradient(metric, weight, 4, True)
        along, largest = (held * weight).sum(), weight.abs() == weight.abs().max()
        assert int(largest.sum()) == 1 and along > 0 and abs((found * weight).sum()) < 1e-9 * along
        # `Δ` is a part of the largest weight, `dΔ/Δ = dw/w`: that weight alone has a part more, and is raised where others are
        # lowered.
        torch.testing.assert_close(found, torch.where(largest, held - along / weight, held))
        assert bool((found * weight)[largest] < 0) and bool(((found * weight)[~largest] >= 0).all())
        scaled = nn.Linear(7, 5, bias=False).double()
        scaled.weight.data = 4 * weight
        same = nn.Linear(7, 5, bias=False).double()
        same.weight.data = weight.clone()
        assert training.EsnPenalty(scaled, metric, bits=4)().item() == training.EsnPenalty(same, metric, bits=4)().item()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("metric, column", METRICS)
def test_weights_of_16_bits_have_the_value_and_the_gradient_of_the_same_in_float32(metric, column, dtype):
    torch.manual_seed(0)
    layer = nn.Linear(256, 256, bias=False).to(dtype)
    found, values = [], []
    # The second step is below the least number of float16.
    for scale in (1.0, 1e-5):
        with torch.no_grad():
            layer.weight.mul_(scale)
        for same in (layer, copy.deepcopy(layer).float()):
            penalty = training.EsnPenalty(same, metric, bits=8)
            values.append(penalty().item())
            same.weight.grad = None
            (penalty() * 1e-12).backward()
            found.append(same.weight.grad.clone())
    assert values[0] == values[1] > 0 and values[2] == values[3] > 0
    for half, single in (found[:2], found[2:]):
        assert torch.equal(half, single.to(dtype)) and bool(single.any()) and bool(half.isfinite().all())


@pytest.mark.parametrize("metric, column", METRICS)
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_weight_that_is_lost_in_training_makes_no_number(metric, column, value):
    layer = nn.Linear(3, 2)
    penalty = training.EsnPenalty(layer, metric, bits=4)
    layer.weight.data[1, 1] = float(value)
    assert math.isnan(penalty().item())


@pytest.mark.parametrize("metric, column, strength", [("esn-a", "esn_a_macs", 0.1), ("esn-d", "esn_d_macs", 0.3)])
def test_training_with_it_lowers_the_metric(metric, column, strength):
    # In numbers of 64 bits, so that no image goes the other way on another processor. One order of the images says little: a network
    # tells 8 of 150 more or fewer right.
    base, lost, orders = seeded(epochs=15, dtype=torch.float64), 0.0, 6
    for order in range(orders):
        found = []
        for weight in (0.0, strength):
            torch.manual_seed(order + 1)
            model = copy.deepcopy(base)
            training.quantize(model, 4)
            penalty = training.EsnPenalty(model, metric, example=EXAMPLE)
            scale = weight / penalty().item()
            train(model, 8, rate=0.02, penalty=lambda: scale * penalty())
            cost = training.to_network(model, EXAMPLE).esn().total[column]
            assert cost == penalty().item()
            found.append((cost, accuracy(model)))
        (plain, plain_accuracy), (lower, lower_accuracy) = found
        assert lower < (0.5 if metric == "esn-a" else 0.8) * plain
        lost += plain_accuracy - lower_accuracy
    assert lost / orders < 0.03


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(8, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.rnn(x[:, 0])[0][:, -1])


class Blurred(nn.Module):
    """A filter of ones between two layers, which is no parameter."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 2, 3), nn.Linear(32, 3)
        self.register_buffer("ones", torch.ones(2, 1, 3, 3))

    def forward(self, x):
        return self.head(nn.functional.conv2d(self.conv(x), self.ones, groups=2).flatten(1))


def broken():
    model = nn.Linear(2, 2)
    model.weight.data[0, 0] = float("nan")
    return model


@pytest.mark.parametrize("kind, say, text", [
    (esnsim.BadArgument, lambda: training.EsnPenalty(3), "3 is no module of PyTorch"),
    (esnsim.BadArgument, lambda: training.EsnPenalty(nn.ReLU(), bits=4), "no convolution and no linear layer"),
    (esnsim.BadArgument, lambda: training.EsnPenalty(nn.Linear(2, 2), "esn", bits=4), "expected esn-a or esn-d"),
    (esnsim.BadArgument, lambda: training.EsnPenalty(nn.Linear(2, 2)), "is not quantized, and bits gives it no width"),
    (esnsim.BadArgument, lambda: training.EsnPenalty(nn.Linear(2, 2), bits=17), "bits on mid-rise is 17; expected 1 to 16"),
    (esnsim.BadArgument, lambda: training.EsnPenalty(nn.Linear(2, 2), bits={"fc": 4}), "there is no layer 'fc'"),
    (TypeError, lambda: training.EsnPenalty(nn.Linear(2, 2), 3, bits=4), "metric is 3; expected a text"),
    (TypeError, lambda: training.EsnPenalty(nn.Linear(2, 2), bits="4"), "bits on mid-rise is '4'; expected a whole number from 1"),
    (esnsim.BadArgument, lambda: training.EsnPenalty(broken(), bits=4), "weight 0 is nan"),
    (esnsim.Unsupported, lambda: training.EsnPenalty(Recurrent(), bits=4, example=EXAMPLE), "no linear layer of the model"),
    (esnsim.Unsupported, lambda: training.EsnPenalty(Blurred(), bits=4, example=EXAMPLE), "no linear layer of the model"),
])
def test_wrong_use_is_told_in_one_line(kind, say, text):
    with pytest.raises(kind) as caught:
        say()
    assert text in str(caught.value) and "\n" not in str(caught.value)
