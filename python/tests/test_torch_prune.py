"""Do masks take the filters that the command prunes, and do they stay while training goes on?"""

import json
import os
import subprocess

import esnsim
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from esnsim import torch as training
from esnsim.torch.layers import filters_of, mac_layers, trained_weight
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch_digits import EXAMPLE, digits, seeded, train

COMMAND = os.environ.get("ESNSIM_COMMAND")


def zero_filters(model):
    """By layer, the filters without a weight."""
    return {name: [i for i, row in enumerate(filters_of(module, trained_weight(module))) if not row.any()]
            for name, module in mac_layers(model, "test").items()}


def decision(model, tmp_path, *options):
    """By layer, the filters that `esnsim compress` leaves without a weight, and its report."""
    network, report = tmp_path / "network.onnx", tmp_path / "report.json"
    esnsim.from_torch(model, EXAMPLE).save(network)
    if COMMAND is None:
        asked = {name[2:].replace("-", "_"): value for name, value in zip(options[::2], options[1::2])}
        asked = {name: float(value) if name == "prune_below" else value for name, value in asked.items()}
        found = esnsim.read(network).compress(**asked).report
    else:
        done = subprocess.run([COMMAND, "compress", str(network), *map(str, options), "-o", str(tmp_path / "small.onnx"),
                               "--json", str(report)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = json.loads(report.read_text())
    layers = found["prune"][1]["layers"]
    def name(layer):
        return ".".join(part for part in layer["layer"].split("/")[1:-1] if not part.endswith("shortcut"))
    return {name(layer): [dead["filter"] for dead in layer["dead_filters"]] for layer in layers}, found["prune"][1]["prunings"]


@pytest.mark.parametrize("asked, options", [
    ({"fraction": 0.1}, ["--prune", "filters=0.1"]),
    ({"fraction": 0.3}, ["--prune", "filters=0.3"]),
    ({"fraction": 0.6}, ["--prune", "filters=0.6"]),
    ({"fraction": 0.25, "scope": "layer"}, ["--prune", "filters=0.25", "--prune-scope", "layer"]),
    ({"width": 0.5}, ["--prune", "width=0.5"]),
    ({"count": 17}, ["--prune", f"filters={17 / 72!r}"]),
    ({"below": 0.8}, ["--prune-below", "0.8"]),
])
def test_filters_are_those_of_the_command(asked, options, tmp_path):
    model = seeded(epochs=2)
    expected, prunings = decision(model, tmp_path, *options)
    pruned = training.prune_filters(model, EXAMPLE, **asked)
    assert pruned.filters == expected
    assert zero_filters(model) == pruned.filters and sum(map(len, expected.values())) > 0
    if prunings:
        assert (pruned.of, pruned.asked, pruned.done) == tuple(prunings[0][key] for key in ("of", "asked", "done"))
    if "count" in asked:
        assert pruned.done == 17
    assert "filters are 0" in repr(pruned)


def outputs_of(model):
    """What every BatchNorm and convolution makes of the digits, by name."""
    seen, hooks = {}, []
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            hooks.append(module.register_forward_hook(lambda _, inputs, output, name=name: seen.update({name: output})))
    with torch.no_grad():
        model.eval()(digits()[1][0])
    for hook in hooks:
        hook.remove()
    return seen


def test_masks_stay_while_training_goes_on():
    model = seeded(epochs=2)
    pruned = training.prune_filters(model, EXAMPLE, fraction=0.3)
    gone = {name: parameter for name, parameter in model.named_buffers() if name.endswith("_mask")}
    assert len(pruned.filters["two.conv1"]) > 0 and "two.bn1.weight_mask" in gone and "two.bn1.bias_mask" in gone
    train(model, 3)
    assert zero_filters(model) == pruned.filters
    # The channel of a pruned filter is exactly 0 behind its BatchNorm.
    made = outputs_of(model)
    for name, norm in (("conv", "bn"), ("one.conv1", "one.bn1"), ("two.conv1", "two.bn1")):
        assert not made[norm][:, pruned.filters[name]].any(), norm
    # What was pruned before stays pruned.
    more = training.prune_filters(model, EXAMPLE, fraction=0.4)
    assert all(set(filters) <= set(more.filters[name]) for name, filters in pruned.filters.items()) and more.done > pruned.done


class Dense(nn.Module):
    """Channels that are put beside each other."""

    def __init__(self):
        super().__init__()
        self.a, self.norm_a, self.b = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Conv2d(6, 5, 3, padding=1, bias=False)
        self.norm_b, self.c, self.fc = nn.BatchNorm2d(11), nn.Conv2d(11, 8, 1), nn.Linear(8, 4)

    def forward(self, x):
        x = self.a(x)
        x = torch.cat([x, self.b(torch.relu(self.norm_a(x)))], 1)
        return self.fc(torch.relu(self.c(torch.relu(self.norm_b(x)))).mean((2, 3)))


class Gated(nn.Module):
    """A depthwise convolution and a gate of squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.a, self.norm_a, self.deep = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8)
        self.squeeze, self.excite, self.b = nn.Linear(8, 4), nn.Linear(4, 8), nn.Conv2d(8, 6, 1, bias=False)
        self.norm_b, self.fc = nn.BatchNorm2d(6), nn.Linear(6, 3)

    def forward(self, x):
        x = self.deep(nn.functional.relu6(self.norm_a(self.a(x))))
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))
        return self.fc(nn.functional.hardswish(self.norm_b(self.b(x * gate[:, :, None, None]))).mean((2, 3)))


NETWORKS = {
    "residual": seeded,
    "concatenated": Dense,
    "gated": Gated,
    "biases": lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.Sigmoid(), nn.Conv2d(8, 6, 3), nn.Flatten(), nn.Linear(96, 5)),
    "transposed": lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 6, 2, 2, groups=2),
                                        nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Flatten(), nn.Linear(400, 3)),
    "rows": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 5)),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("asked, prune", [({"fraction": 0.3}, "filters=0.3"), ({"width": 0.5}, "width=0.5")])
def test_a_masked_model_computes_what_the_pruned_file_does(name, asked, prune, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(9)
    model = NETWORKS[name]()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.weight.data.uniform_(0.5, 1.5), module.bias.data.normal_()
            module.running_mean.normal_(), module.running_var.uniform_(0.5, 2)
    esnsim.from_torch(model, EXAMPLE).compress(prune=prune).save(tmp_path / "pruned.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "pruned.onnx"), providers=["CPUExecutionProvider"])
    image, before = torch.rand(1, 1, 8, 8), model.eval()(EXAMPLE)
    training.prune_filters(model, EXAMPLE, **asked)
    (expected,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(model(image), torch.from_numpy(expected), rtol=1e-4, atol=1e-5)
        assert not torch.allclose(model(EXAMPLE), before, atol=1e-3)


def test_a_profile_prunes_each_layer_by_its_own_part():
    model = seeded(epochs=2)
    norms = filters_of(model.one.conv1, trained_weight(model.one.conv1)).double().square().sum(dim=1)
    pruned = training.prune_filters(model, EXAMPLE, profile={"one.conv1": 0.5, "two.conv1": 0.25})
    assert pruned.filters["one.conv1"] == sorted(norms.argsort()[:4].tolist())
    assert {name: len(filters) for name, filters in pruned.filters.items()} == {
        "conv": 0, "one.conv1": 4, "one.conv2": 0, "two.conv1": 4, "two.conv2": 0, "two.shortcut.0": 0, "fc": 0}
    # Nothing that reads a pruned channel is left.
    assert not trained_weight(model.one.conv2)[:, pruned.filters["one.conv1"]].any()
    assert (pruned.of, pruned.asked) == (None, None)


@pytest.mark.parametrize("scale", [1.0, 1e-30])
def test_a_profile_keeps_the_strongest_filter_of_a_layer_and_the_classes_and_says_so(scale):
    model = seeded(epochs=1)
    model.conv.weight.data.mul_(scale)
    strongest = int(filters_of(model.conv, model.conv.weight).double().square().sum(dim=1).argmax())
    pruned = training.prune_filters(model, EXAMPLE, profile={"conv": 0.95, "fc": 0.2})
    assert pruned.filters["conv"] == [filter for filter in range(8) if filter != strongest] and pruned.filters["fc"] == []
    assert len(pruned.notes) == 2
    assert "layer conv: 7 of 8 filters were pruned, not the 8 that were asked for" in pruned.notes[0]
    assert "layer fc: 0 of 10 filters were pruned, not the 2 that were asked for" in pruned.notes[1]
    assert training.prune_filters(seeded(epochs=1), EXAMPLE, profile={"one.conv1": 0.5}).notes == []


def test_a_threshold_says_which_classes_are_below_it():
    model = seeded()
    model.fc.weight.data[[1, 4]] *= 1e-4
    pruned = training.prune_filters(model, EXAMPLE, below=0.01)
    nothing, short = pruned.notes
    assert pruned.filters["fc"] == [] and nothing.startswith("nothing is pruned: ")
    assert "layer fc: 0 of 10 filters were pruned, not the 2 that were asked for" in short


def test_a_profile_masks_the_biases_of_small_layers_too():
    torch.manual_seed(5)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    model[0].weight.data.mul_(1e-30)
    pruned = training.prune_filters(model, EXAMPLE, profile={"0": 0.5})
    assert len(pruned.filters["0"]) == 2 and not model[0].bias[pruned.filters["0"]].any()


def twins(count, shared):
    """Linear layers of equal weights, which are one parameter or several."""
    torch.manual_seed(3)
    layers = [nn.Linear(6, 6) for _ in range(count)]
    for layer in layers[1:]:
        layer.weight = layers[0].weight if shared else nn.Parameter(layers[0].weight.detach().clone())
    return nn.Sequential(*[part for layer in layers for part in (layer, nn.ReLU())], nn.Linear(6, 3))


def test_equal_weights_are_pruned_as_one_only_if_they_are_one_parameter():
    example, weakest = torch.zeros(1, 6), int(twins(1, True)[0].weight.square().sum(dim=1).argmin())
    pruned = training.prune_filters(twins(4, True), example, count=1)
    assert (pruned.of, pruned.done) == (6, 1) and [pruned.filters[name] for name in "0246"] == [[weakest]] * 4
    model = twins(4, False)
    before = model[2].weight.detach().clone()
    pruned = training.prune_filters(model, example, count=1)
    assert (pruned.of, pruned.done) == (24, 1) and [len(pruned.filters[name]) for name in "0246"] == [1, 0, 0, 0]
    # What reads the pruned channel goes, and nothing else; no sign has changed.
    before[:, weakest] = 0
    assert pruned.filters["0"] == [weakest] and torch.equal(model[2].weight, before)
    pruned = training.prune_filters(twins(4, False), example, count=4)
    assert [pruned.filters[name] for name in "0246"] == [[weakest]] * 4


def test_numbers_may_be_of_numpy():
    numpy = pytest.importorskip("numpy")
    for asked in ({"count": 9}, {"fraction": 0.25}, {"width": 0.5}, {"profile": {"conv": 0.5}}):
        of_numpy = {name: {key: numpy.float32(part) for key, part in value.items()} if isinstance(value, dict) else
                    numpy.asarray(value)[()] for name, value in asked.items()}
        expected = training.prune_filters(seeded(), EXAMPLE, **asked).filters
        assert training.prune_filters(seeded(), EXAMPLE, **of_numpy).filters == expected and any(expected.values()), asked


def test_models_that_pytorch_pruned_work_in_every_call(tmp_path):
    model = seeded(epochs=2)
    for module in (model.conv, model.one.conv1, model.fc):
        prune.l1_unstructured(module, "weight", 0.4)
    prune.ln_structured(model.two.conv1, "weight", 0.5, 2, 0)
    model(EXAMPLE)
    nonzero = {name: int(trained_weight(module).count_nonzero()) for name, module in mac_layers(model, "test").items()}
    network = esnsim.from_torch(model, EXAMPLE)
    assert network.esn(bits=4).total.nonzero == sum(nonzero.values())
    assert esnsim.esn(model, example=EXAMPLE, bits=4).layers["nonzero"] == network.esn(bits=4).layers["nonzero"]
    tracker = training.EsnTracker(model)
    tracker.attach(optimizer := torch.optim.SGD(model.parameters(), 0.1))
    model(EXAMPLE).sum().backward()
    optimizer.step()
    assert {row.name: row.nonzero for row in tracker.epoch_end().layers} == nonzero
    penalty = training.EsnPenalty(model, "esn-a", example=EXAMPLE, bits=4)()
    assert penalty.item() == training.to_network(model, EXAMPLE, bits=4).esn().total.esn_a_macs
    assert training.to_network(model, EXAMPLE, bits=4).esn().total.nonzero == sum(nonzero.values())
    training.reestimate(model, [EXAMPLE + torch.rand(9, 1, 8, 8)])
    pruned = training.prune_filters(model, EXAMPLE, fraction=0.2)
    # Filters without a weight are the weakest.
    assert len(pruned.filters["two.conv1"]) >= 8 and not (trained_weight(model.conv)[model.conv.weight_mask == 0]).any()


def quantized():
    model = seeded()
    training.quantize(model)
    return model


class Standardized(nn.Conv2d):
    """A convolution that computes its weight by itself."""

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return nn.functional.conv2d(x, 0.01 * weight, self.bias)


class Auxiliary(nn.Module):
    """A layer that no output needs."""

    def __init__(self):
        super().__init__()
        self.main, self.unused = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, x):
        return self.main(x.flatten(1)[:, :8])


def standardized():
    return nn.Sequential(Standardized(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(64, 3))


def broken():
    model = seeded()
    model.conv.weight.data[0, 0, 0, 0] = float("inf")
    return model


@pytest.mark.parametrize("kind, say, text", [
    (esnsim.BadArgument, lambda: training.prune_filters("net", EXAMPLE, fraction=0.1), "'net' is no module of PyTorch"),
    (esnsim.BadArgument, lambda: training.prune_filters(seeded(), EXAMPLE), "exactly one of fraction, count"),
    (esnsim.BadArgument, lambda: training.prune_filters(seeded(), EXAMPLE, fraction=0.1, width=0.5), "not fraction and width"),
    (esnsim.BadArgument, lambda: training.prune_filters(seeded(), EXAMPLE, fraction=1.5), "expected a fraction from 0 to 1"),
    (esnsim.BadArgument, lambda: training.prune_filters(seeded(), EXAMPLE, count=73), "count is 73; 72 filters can be pruned"),
    (esnsim.BadArgument, lambda: training.prune_filters(seeded(), EXAMPLE, count=7, scope="layer"), "count is one of all filters"),
    (esnsim.BadArgument, lambda: training.prune_filters(seeded(), EXAMPLE, fraction=0.1, scope="net"), "expected global or layer"),
    (esnsim.BadArgument, lambda: training.prune_filters(seeded(), EXAMPLE, profile={"conv9": 0.1}), "there is no layer 'conv9'"),
    (esnsim.BadArgument, lambda: training.prune_filters(seeded(), EXAMPLE, profile={"conv": 1}), "profile of layer conv is 1"),
    (TypeError, lambda: training.prune_filters(seeded(), EXAMPLE, count=2.5), "count is 2.5; expected a whole number of at least 0"),
    (TypeError, lambda: training.prune_filters(seeded(), EXAMPLE, count=True), "count is True; expected a whole number"),
    (TypeError, lambda: training.prune_filters(seeded(), EXAMPLE, fraction="0.3"), "fraction is '0.3'; expected a number"),
    (TypeError, lambda: training.prune_filters(seeded(), EXAMPLE, width="half"), "width is 'half'; expected a number"),
    (TypeError, lambda: training.prune_filters(seeded(), EXAMPLE, below="1"), "below is '1'; expected a number"),
    (TypeError, lambda: training.prune_filters(seeded(), EXAMPLE, profile=0.5), "profile is 0.5; expected a part for each layer"),
    (TypeError, lambda: training.prune_filters(seeded(), EXAMPLE, profile={"conv": "a"}), "profile of layer conv is 'a'"),
    (esnsim.BadArgument, lambda: training.prune_filters(seeded(), EXAMPLE, fraction=float("nan")), "fraction is nan; expected a"),
    (esnsim.BadArgument, lambda: training.prune_filters(quantized(), EXAMPLE, fraction=0.1), "layer conv is quantized; prune"),
    (esnsim.Unsupported, lambda: training.prune_filters(standardized(), EXAMPLE, fraction=0.3), "compute their weights themselves"),
    (esnsim.Unsupported, lambda: training.prune_filters(standardized(), EXAMPLE, profile={"0": 0.5}), "layer 0 computes its weight"),
    (esnsim.Unsupported, lambda: training.prune_filters(standardized(), EXAMPLE, below=0.9), "layer 0 computes its weight itself"),
    (esnsim.BadArgument, lambda: training.prune_filters(Auxiliary(), EXAMPLE, profile={"unused": 0.5}), "no output of the model"),
    (esnsim.BadArgument, lambda: training.prune_filters(broken(), EXAMPLE, fraction=0.1), "layer conv: weight 0 is inf"),
])
def test_wrong_use_is_told_in_one_line(kind, say, text):
    with pytest.raises(kind) as caught:
        say()
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_weight_norm_and_plain_layers_are_masked():
    torch.manual_seed(2)
    model = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(1, 6, 3)), nn.ReLU(), nn.Flatten(), nn.Linear(216, 3))
    pruned = training.prune_filters(model, EXAMPLE, fraction=0.5)
    assert pruned.done == 3 and zero_filters(model) == pruned.filters
    assert not model[0].weight[pruned.filters["0"]].any() and not model[0].bias_mask[pruned.filters["0"]].any()
