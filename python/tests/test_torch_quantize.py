"""Does fake quantization take the codes of the command, and do they arrive in the file that is exported?"""

import copy
import os
import subprocess

import esnsim
import pytest

numpy = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from esnsim import torch as training
from esnsim.torch.layers import mac_layers, trained_weight
from esnsim.torch.simulator import tensors
from torch import nn
from torch.nn.utils import parametrizations, prune

COMMAND = os.environ.get("ESNSIM_COMMAND")


class Mixed(nn.Module):
    """Every kind of layer: [1, 3, 8, 8] -> [1, 30], [1, 4, 62]."""

    def __init__(self, groups=1):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, groups=8, padding=1, bias=False)
        self.back = nn.ConvTranspose2d(8, 6, 2, stride=2, groups=groups)
        self.line, self.volume = nn.Conv1d(3, 4, 3), nn.Conv3d(1, 2, 3)
        self.tokens, self.head = nn.Linear(12, 7), nn.Linear(84, 5)

    def forward(self, x):
        y = self.back(self.deep(torch.relu(self.bn(self.conv(x)))))
        z = self.volume(x[:, None]).flatten(2)
        return self.head(self.tokens(y).flatten(2)).flatten(1), self.line(x.flatten(2)), z


EXAMPLE = torch.zeros(1, 3, 8, 8)
NAMES = ["conv", "deep", "back", "line", "volume", "tokens", "head"]


def mixed(pruned=False, **options):
    torch.manual_seed(7)
    model = Mixed(**options)
    if pruned:
        prune.ln_structured(model.conv, "weight", 0.5, 2, 0)
        prune.random_unstructured(model.tokens, "weight", 0.4)
        prune.l1_unstructured(model.back, "weight", 0.3)
    return model


def codes_of_file(path, grid="mid-rise"):
    """The integers `2 · W_int` of every layer of a file, by name, without axes."""
    if path.suffix == ".onnx":
        graph = onnx.load(path).graph
        stored = {tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
        quantized = {node.input[0]: node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
        # MatMul has its matrix the other way round.
        read = {node.input[1] for node in graph.node if node.op_type == "MatMul"}
        stored.update({name: stored[name].T for name, real in quantized.items() if real in read})
    else:
        stored = tensors(esnsim.read(path, grid=grid if path.suffix == ".npz" else None))
        quantized = {name for name in stored if f"{name}_scale" in stored}
    steps = 1 if grid == "mid-rise" else 2
    return {name.removesuffix(".weight"): stored[name].int().flatten() * steps for name in sorted(quantized)}


def compressed(model, tmp_path, *options, grid="mid-rise"):
    """The codes that `esnsim compress` makes of the real weights of a model; with the package where no command is named."""
    weights, path = tmp_path / "weights.pt", tmp_path / "compressed.safetensors"
    torch.save({f"{name}.weight": trained_weight(module).detach().clone() for name, module in mac_layers(model, "test").items()},
               weights)
    options += ("--grid", grid)
    if COMMAND is None:
        names = {"--bits": int, "--granularity": str, "--clip": str, "--grid": str}
        asked = {name[2:]: names[name](value) for name, value in zip(options[::2], options[1::2])}
        esnsim.read(weights).compress(**asked).save(path)
    else:
        command = [COMMAND, "compress", str(weights), *map(str, options), "-o", str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return codes_of_file(path, grid)


@pytest.mark.parametrize("granularity", ["layer", "filter"])
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("pruned", [False, True])
def test_codes_are_those_of_the_command(bits, granularity, pruned, tmp_path):
    model = mixed(pruned)
    # A file of weights does not say that a tensor is that of a transposed convolution: its first axis would be filters.
    skip = ["back"] if granularity == "filter" else []
    expected = compressed(model, tmp_path, "--bits", bits, "--granularity", granularity)
    real = {name: trained_weight(module).detach() for name, module in mac_layers(model, "test").items()}
    training.quantize(model, bits, granularity=granularity, skip=skip)
    found = training.codes(model)
    assert list(found) == [name for name in NAMES if name not in skip]
    for name, codes in found.items():
        assert torch.equal(codes.flatten(), expected[name]), name
        assert torch.equal(codes == 0, real[name] == 0), name
        assert pruned is False or name != "conv" or int((codes == 0).sum()) == 108
        assert int(codes.abs().max()) == 2 ** bits - 1 or name == "deep"


@pytest.mark.parametrize("rule", ["mse", "laplace", "gauss"])
@pytest.mark.parametrize("grid", ["mid-rise", "mid-tread"])
@pytest.mark.parametrize("granularity", ["layer", "filter"])
def test_steps_of_other_rules_are_those_of_the_command(rule, grid, granularity, tmp_path):
    model = mixed(True)
    expected = compressed(model, tmp_path, "--bits", 3, "--clip", rule, "--granularity", granularity, grid=grid)
    training.quantize(model, 3, rule=rule, grid=grid, granularity=granularity, skip=["back"])
    for name, codes in training.codes(model).items():
        assert torch.equal(codes.flatten(), expected[name]), name


def test_transposed_filters_have_steps_of_their_own(tmp_path):
    for groups in (1, 2):
        model = mixed(groups=groups)
        expected = esnsim.from_torch(model, EXAMPLE).compress(bits=4, granularity="filter")
        training.quantize(model, 4, granularity="filter")
        squares = training.codes(model)["back"].long().square()
        (layer,) = [row for row in expected.network.esn().layers if "back" in row.layer]
        assert layer.esn_a == int(squares.sum()) / 4 and model.back.parametrizations.weight[0].step.shape == (6,), groups


def widths():
    return dict(zip(NAMES, [3, 8, 2, 5, 1, 4, 6]))


@pytest.mark.parametrize("suffix", ["onnx", "safetensors", "npz"])
@pytest.mark.parametrize("granularity, grid", [("layer", "mid-rise"), ("filter", "mid-rise"), ("filter", "mid-tread")])
def test_a_file_has_the_codes_of_the_fake_quantization(suffix, granularity, grid, tmp_path):
    model = mixed(True)
    bits = {name: max(width, 2) for name, width in widths().items()} if grid == "mid-tread" else widths()
    # A file of weights alone has no steps by filter of a transposed convolution.
    skip = ["back"] if granularity == "filter" and suffix != "onnx" else []
    training.quantize(model, bits, granularity=granularity, grid=grid, skip=skip)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        sum(output.square().mean() for output in model(torch.randn(4, 3, 8, 8))).backward()
        optimizer.step()
    path = tmp_path / f"model.{suffix}"
    training.export(model, path, EXAMPLE)
    codes = training.codes(model)
    found = codes_of_file(path, grid)
    assert sorted(found) == sorted(codes) and len(codes) == 7 - len(skip)
    assert all(torch.equal(found[name], value.flatten()) for name, value in codes.items())
    layers = {row.layer.split("/")[-2] if "/" in row.layer else row.layer: row for row in
              esnsim.esn(path, grid=grid if suffix == "npz" else None, bits=8 if skip else None).layers}
    for name, value in codes.items():
        assert (layers[name].weights, layers[name].nonzero) == (value.numel(), int((value != 0).sum())), name
        assert layers[name].esn_a == int(value.long().square().sum()) / 4, name


def test_a_file_computes_what_the_model_does(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = mixed(True)
    training.quantize(model, 3, granularity="filter")
    training.export(model, tmp_path / "model.onnx", EXAMPLE)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    images = torch.randn(1, 3, 8, 8)
    found = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.no_grad():
        for expected, output in zip(model.eval()(images), found):
            torch.testing.assert_close(torch.from_numpy(output), expected, rtol=1e-4, atol=1e-5)


class Encoder(nn.Module):
    """Attention and an encoder layer, which PyTorch has an operator of its own for where a model is evaluated."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.attention, self.head = nn.MultiheadAttention(16, 2, batch_first=True), nn.Linear(16, 5)

    def forward(self, x):
        y = self.encoder(x)
        return self.head(self.attention(y, y, y, need_weights=False)[0].mean(1))


def test_attention_is_exported_by_operators_of_its_own():
    model, tokens = Encoder().eval(), torch.randn(3, 6, 16)
    network = training.to_network(model, tokens[:1])
    # Four projections of 16 by 16 and two products by 32 for each of six tokens, four more projections, and the classes.
    assert sum(network.inspect().layers["macs"]) == 6 * (4 * 16 * 16 + 2 * 16 * 32) + 6 * 4 * 16 * 16 + 5 * 16
    assert torch.backends.mha.get_fastpath_enabled()
    found = esnsim.evaluate(network, images=tokens.numpy(), hardware=["ideal-analog"], bits=14).logits["ideal-analog"]
    with torch.no_grad():
        expected = torch.cat([model(token[None]) for token in tokens])
    torch.testing.assert_close(torch.tensor(numpy.asarray(found)), expected, rtol=1e-3, atol=1e-3, check_dtype=False)


class Roots(nn.Module):
    """RMSNorm, which the exporter of ONNX does not take: [1, 5, 8] -> [1, 2]."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(8, 8), nn.RMSNorm(8), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(self.norm(self.first(x)).mean(1))


@pytest.mark.skipif(not hasattr(nn, "RMSNorm"), reason="PyTorch before 2.4")
@pytest.mark.parametrize("read", [training.to_network, lambda model, example: esnsim.from_torch(model, example)])
def test_what_onnx_lacks_is_read_by_way_of_an_archive(read):
    model, tokens = Roots().eval(), torch.randn(2, 5, 8)
    network = read(model, tokens[:1])
    assert sum(network.inspect().layers["macs"]) == 5 * 64 + 16 and not network.inspect().notes
    found = esnsim.evaluate(network, images=tokens.numpy(), hardware=["ideal-analog"], bits=14).logits["ideal-analog"]
    with torch.no_grad():
        torch.testing.assert_close(torch.tensor(numpy.asarray(found)), model(tokens), rtol=1e-3, atol=1e-3, check_dtype=False)
    # Integers are put into a file of ONNX.
    with pytest.raises(esnsim.Unsupported, match="torch.onnx.export does not take it"):
        training.to_network(model, tokens[:1], bits=4)


class Functions(nn.Module):
    """Weights of functions alone: [1, 3, 8, 8] -> [1, 5]."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kernel", torch.randn(8, 3, 3, 3))
        self.matrix = nn.Parameter(torch.randn(8, 5))

    def forward(self, x):
        return nn.functional.conv2d(x, self.kernel).mean((2, 3)) @ self.matrix


def test_weights_of_functions_are_exported_as_they_are():
    layers = training.to_network(Functions(), EXAMPLE).inspect().layers
    assert list(layers["macs"]) == [8 * 3 * 9 * 36, 8 * 5]
    with pytest.raises(esnsim.BadArgument, match="a Functions has no convolution and no linear layer to quantize"):
        training.to_network(Functions(), EXAMPLE, bits=4)


def test_layers_may_stay_real_or_be_quantized_on_export(tmp_path):
    model = mixed()
    training.quantize(model, 3, skip=["conv", "head"])
    path = tmp_path / "model.onnx"
    training.export(model, path, EXAMPLE)
    assert sorted(codes_of_file(path)) == sorted(set(NAMES) - {"conv", "head"})
    training.export(model, path, EXAMPLE, bits={"conv": 5, "head": 7})
    found = codes_of_file(path)
    for name, bits in (("conv", 5), ("head", 7), ("deep", 3)):
        module = dict(model.named_modules())[name]
        assert torch.equal(found[name], training.FakeQuantize(bits).codes(trained_weight(module)).flatten()), name
    assert isinstance(model.conv.weight, nn.Parameter)
    with pytest.raises(esnsim.Unsupported, match="layer conv is float64"):
        training.to_network(model.double(), EXAMPLE)


@pytest.mark.parametrize("bits", [1, 3, 8])
@pytest.mark.parametrize("granularity", ["layer", "filter"])
def test_a_module_that_is_read_has_its_codes(bits, granularity):
    model = mixed(True)
    training.quantize(model, bits, granularity=granularity)
    assert training.is_quantized(model) and not training.is_quantized(mixed()) and not training.is_quantized(nn.ReLU())
    # At 1 bit, pruned weights between two levels look like the middle one of three.
    layers = esnsim.esn(model, example=EXAMPLE).layers
    expected = [int(codes.long().square().sum()) / 4 for codes in training.codes(model).values()]
    assert sorted(layers["esn_a"]) == sorted(expected)
    assert esnsim.from_torch(model, EXAMPLE, input_shape={"input.1": [1, 3, 8, 8]}).name == "Mixed"


def test_a_width_may_be_a_number_of_numpy():
    numpy = pytest.importorskip("numpy")
    model = mixed()
    found = training.quantize(model, numpy.int64(3))
    assert type(found["conv"].bits) is int and torch.equal(training.codes(model)["conv"], training.FakeQuantize(3).codes(
        trained_weight(model.conv)))


def test_the_gradient_goes_straight_through():
    layer = nn.Linear(3, 2, bias=False)
    before = layer.weight
    training.quantize(layer, 2)
    assert layer.parametrizations.weight.original is before
    coefficients = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    (layer.weight * coefficients).sum().backward()
    assert torch.equal(before.grad, coefficients)
    step = layer.parametrizations.weight[0].step_for(before)
    assert torch.equal(layer.weight, training.codes(layer)[""] * (step / 2))


def test_pruned_weights_stay_zero_in_training_and_come_back_as_masks():
    model = mixed(True)
    plain = copy.deepcopy({name: value.detach().clone() for name, value in model.state_dict().items()})
    original = model.conv.weight_orig
    training.quantize(model, 4)
    optimizer = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        sum(output.square().mean() for output in model(torch.randn(4, 3, 8, 8))).backward()
        optimizer.step()
    assert torch.equal(training.codes(model)["conv"] == 0, plain["conv.weight_mask"] == 0)
    training.unquantize(model)
    assert model.conv.weight_orig is original and torch.equal(model.conv.weight_mask, plain["conv.weight_mask"])
    assert torch.equal(model.conv.weight == 0, plain["conv.weight_mask"] == 0)
    assert type(model.conv) is nn.Conv2d and isinstance(model.head.weight, nn.Parameter)


def test_a_state_is_loaded_and_held_steps_stay():
    model, other = mixed(), mixed()
    training.quantize(model, 4, granularity="filter", rule="mse")
    steps = model.conv.parametrizations.weight[0].step.clone()
    with torch.no_grad():
        model.conv.parametrizations.weight.original.mul_(1.3)
    assert torch.equal(model.conv.parametrizations.weight[0].step_for(model.conv.weight), steps)
    training.quantize(other, 4, granularity="filter", hold=True)
    other.load_state_dict(model.state_dict())
    assert all(torch.equal(one, two) for one, two in zip(training.codes(model).values(), training.codes(other).values()))
    training.refresh(model)
    torch.testing.assert_close(model.conv.parametrizations.weight[0].step, steps * 1.3)


@pytest.mark.parametrize("granularity", ["layer", "filter"])
@pytest.mark.parametrize("options", [{"rule": "mse"}, {"hold": True}])
def test_a_held_step_that_is_not_chosen_quantizes_nothing(options, granularity):
    weight, quantizer = torch.randn(4, 5), training.FakeQuantize(4, granularity=granularity, **options)
    for say in (quantizer, quantizer.codes, quantizer.step_for, quantizer.differentiable_step):
        with pytest.raises(esnsim.BadArgument, match="has not been chosen yet; refresh"):
            say(weight)
    # Nor does the state of one that was not chosen count as chosen.
    other = training.FakeQuantize(4, granularity=granularity, **options)
    other.refresh(weight)
    other.load_state_dict(quantizer.state_dict())
    with pytest.raises(esnsim.BadArgument, match="has not been chosen yet; refresh"):
        other(weight)
    quantizer.refresh(weight)
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(other(weight), quantizer(weight)) and int(quantizer.codes(weight).abs().max()) > 7


@pytest.mark.parametrize("to", [nn.Module.half, nn.Module.bfloat16, nn.Module.double])
@pytest.mark.parametrize("granularity", ["layer", "filter"])
def test_a_step_stays_float32_where_a_model_is_moved(to, granularity):
    model = mixed()
    with torch.no_grad():
        # In float16 such a step would be one of the least numbers that there are.
        model.conv.weight.mul_(1e-6)
    training.quantize(model, 4, granularity=granularity, hold=True)
    before = {name: module.parametrizations.weight[0].step.clone() for name, module in mac_layers(model, "test").items()}
    to(model)
    for name, module in mac_layers(model, "test").items():
        quantizer = module.parametrizations.weight[0]
        assert quantizer.step.dtype == torch.float32 and torch.equal(quantizer.step, before[name]), name
        assert quantizer.largest_code.item() == 15


def test_a_state_of_another_grid_is_refused():
    def layer(bits=4, **options):
        model = nn.Sequential(nn.Linear(3, 2))
        training.quantize(model, bits, **options)
        return model

    state = layer().state_dict()
    for other, found in ((layer(2), "4 bits on mid-rise; this is bits=2"), (layer(grid="mid-tread"), "4 bits on mid-rise"),
                         (layer(granularity="filter"), r"steps of shape \[\]")):
        step = other[0].parametrizations.weight[0].step.clone()
        with pytest.raises(RuntimeError, match=found):
            other.load_state_dict(state, strict=False)
        assert torch.equal(other[0].parametrizations.weight[0].step, step)
    with pytest.raises(RuntimeError, match="that of 3 bits on mid-tread"):
        layer(3).load_state_dict(layer(3, grid="mid-tread").state_dict())


def test_copies_are_independent_of_their_original():
    model = mixed(True)
    training.quantize(model, 4)
    twin = copy.deepcopy(model)
    training.unquantize(twin)
    assert len(training.codes(model)) == len(NAMES) and training.codes(twin) == {}
    training.to_network(model, EXAMPLE)
    assert len(training.codes(model)) == len(NAMES)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_weights_of_other_types_are_quantized(dtype, tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5)).to(dtype)
    training.quantize(model, 4)
    assert model[0].weight.dtype == dtype
    training.export(model, tmp_path / "model.safetensors", EXAMPLE)
    found = codes_of_file(tmp_path / "model.safetensors")
    assert all(torch.equal(found[name], codes.flatten()) for name, codes in training.codes(model).items())


def test_layers_of_one_parameter_are_written_once(tmp_path):
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[2].weight = model[0].weight
    training.quantize(model, 3)
    network = training.to_network(model, torch.zeros(1, 6))
    assert network.esn().total.weights == 36 and network.esn().total.macs == 72
    other = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    other[2].weight = other[0].weight
    training.quantize(other, {"0": 3, "2": 4})
    with pytest.raises(esnsim.BadArgument, match="0 and 2 have one parameter"):
        training.to_network(other, torch.zeros(1, 6))


def test_equal_weights_of_different_bits_stay_apart(tmp_path):
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    with torch.no_grad():
        model[2].weight.copy_(model[0].weight)
    training.quantize(model, {"0": 3, "2": 4})
    training.export(model, tmp_path / "model.onnx", torch.zeros(1, 6))
    found = codes_of_file(tmp_path / "model.onnx")
    assert all(torch.equal(found[name], codes.flatten()) for name, codes in training.codes(model).items())


class Summed(nn.Module):
    """A product with a matrix of a number, which is no parameter."""

    def __init__(self, number):
        super().__init__()
        self.first = nn.Linear(4, 4, bias=False)
        self.register_buffer("constant", torch.full((4, 4), float(number)))

    def forward(self, x):
        return nn.functional.linear(torch.relu(self.first(x)), self.constant)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_constant_is_not_taken_for_a_layer(number, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(1)
    model, image = Summed(number), torch.rand(1, 4)
    training.quantize(model, 3)
    training.to_network(model, image).save(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), model(image).detach(), rtol=1e-5, atol=1e-6)


def test_other_parametrizations_are_worked_in(tmp_path):
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(6, 4)))
    training.quantize(model, 3)
    training.export(model, tmp_path / "model.onnx", torch.zeros(1, 6))
    assert torch.equal(codes_of_file(tmp_path / "model.onnx")["0"], training.codes(model)["0"].flatten())
    with pytest.raises(esnsim.BadArgument, match="parametrizations of others"):
        training.unquantize(model)


class Standardized(nn.Conv2d):
    """A convolution that computes its weight by itself."""

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return nn.functional.conv2d(x, weight, self.bias)


def standardized():
    model = nn.Sequential(Standardized(1, 4, 3))
    training.quantize(model)
    return model


def broken():
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].weight.data[1, 0] = float("nan")
    return model


def quantized():
    model = nn.Sequential(nn.Linear(2, 2))
    training.quantize(model)
    return model


def of_two_grids():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    training.quantize(model, skip=["0"])
    training.quantize(model, grid="mid-tread", skip=["1"])
    return model


def grouped():
    model = nn.Sequential(nn.ConvTranspose2d(4, 4, 2, groups=2))
    training.quantize(model, granularity="filter")
    return model


@pytest.mark.parametrize("kind, say, text", [
    (esnsim.BadArgument, lambda: training.quantize("net.pt"), "'net.pt' is no module of PyTorch"),
    (esnsim.BadArgument, lambda: training.quantize(nn.ReLU()), "no convolution and no linear layer"),
    (esnsim.BadArgument, lambda: training.quantize(nn.Linear(2, 2), 0), "bits on mid-rise is 0; expected 1 to 16"),
    (esnsim.BadArgument, lambda: training.quantize(nn.Linear(2, 2), 1, grid="mid-tread"), "bits on mid-tread is 1; expected 2 to 16"),
    (TypeError, lambda: training.quantize(nn.Linear(2, 2), 2.5), "bits on mid-rise is 2.5; expected a whole number from 1 to 16"),
    (TypeError, lambda: training.quantize(nn.Linear(2, 2), True), "bits on mid-rise is True; expected a whole number"),
    (TypeError, lambda: training.quantize(nn.Linear(2, 2), None), "bits on mid-rise is None; expected a whole number"),
    (TypeError, lambda: training.quantize(nn.Linear(2, 2), rule="mse", hold="no"), "hold is 'no'; expected True or False"),
    (TypeError, lambda: training.quantize(nn.Linear(2, 2), grid=2), "grid is 2; expected a text"),
    (TypeError, lambda: training.quantize(nn.Linear(2, 2), skip=None), "skip is None; expected names of layers in a list"),
    (esnsim.BadArgument, lambda: training.quantize(nn.Sequential(nn.Linear(2, 2)), {"0": 17}), "bits of layer 0 is 17; expected 1 to 16"),
    (TypeError, lambda: training.quantize(nn.Linear(2, 2), {3: 4}), "bits[0] is 3; expected a text"),
    (esnsim.BadArgument, lambda: training.to_network(mixed(), EXAMPLE, bits=4, skip=["cnov"]), "skip: there is no layer 'cnov'"),
    (esnsim.BadArgument, lambda: training.quantize(nn.Linear(2, 2), granularity="tensor"), "expected layer or filter"),
    (esnsim.BadArgument, lambda: training.quantize(nn.Linear(2, 2), rule="least"), "expected max-abs or mse"),
    (esnsim.BadArgument, lambda: training.quantize(mixed(), {"conv": 4}), "no width for deep, back"),
    (esnsim.BadArgument, lambda: training.quantize(mixed(), {"cnov": 4}), "there is no layer 'cnov'"),
    (TypeError, lambda: training.quantize(mixed(), skip="conv"), "skip is 'conv'; expected names of layers in a list"),
    (esnsim.BadArgument, lambda: training.quantize(broken()), "layer 0: weight 2 is nan"),
    (esnsim.BadArgument, lambda: training.quantize(quantized()), "layer 0 is quantized already"),
    (esnsim.BadArgument, lambda: training.to_network(broken(), torch.zeros(1, 2)), "layer 0: weight 2 is nan"),
    (esnsim.BadArgument, lambda: training.to_network(quantized(), [1.0]), "example is [1.0]; expected an input of the model"),
    (esnsim.BadArgument, lambda: training.to_network(of_two_grids(), torch.zeros(1, 2)), "a file has one grid"),
    (esnsim.Unsupported, lambda: training.to_network(grouped(), torch.zeros(1, 4, 3, 3)), "no axis of filters"),
    (esnsim.Unsupported, lambda: training.to_network(standardized(), torch.zeros(1, 1, 4, 4)), "layer 0: the model computes its"),
    (esnsim.Unsupported, lambda: training.to_network(nn.Linear(2, 2), torch.zeros(1, 2), bits=16), "at most 15 bits"),
    (esnsim.Unsupported, lambda: training.to_network(nn.Linear(2, 2), torch.zeros(1, 3)), "example= has the shape [1, 3]"),
    (esnsim.ReadWrite, lambda: training.export(quantized(), "/nowhere/net.onnx", torch.zeros(1, 2)), "/nowhere/net.onnx"),
])
def test_wrong_use_is_told_in_one_line(kind, say, text):
    with pytest.raises(kind) as caught:
        say()
    assert text in str(caught.value) and "\n" not in str(caught.value)
