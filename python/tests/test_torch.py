"""Is what a tracker tells of training what equations (4) and (5) say?"""

import doctest
import importlib
import importlib.util
import json

import esnsim
import pytest

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")
tracking = pytest.importorskip("esnsim.torch")

CASES = ["plain", "pruned", "half"]


def network(case):
    torch.manual_seed(1)
    model = torch.nn.Sequential()
    model.add_module("conv", torch.nn.Conv2d(3, 8, 3, groups=1))
    model.add_module("back", torch.nn.ConvTranspose2d(8, 6, 2, groups=2))
    model.add_module("norm", torch.nn.BatchNorm2d(6))
    model.add_module("flat", torch.nn.Flatten())
    model.add_module("head", torch.nn.Linear(6 * 7 * 7, 4))
    if case == "pruned":
        prune = pytest.importorskip("torch.nn.utils.prune")
        prune.ln_structured(model.conv, "weight", 0.5, 2, 0)
    return model.bfloat16() if case == "half" else model


def trained(model, tracker, epochs, steps=4):
    """Trains, and returns the weights of the start and after every step, as float64, by epoch and layer."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    dtype = next(model.parameters()).dtype

    def weights():
        layers = {"conv": model.conv, "back": model.back, "head": model.head}
        of = {name: getattr(layer, "weight_orig", layer.weight) for name, layer in layers.items()}
        masks = {name: getattr(layer, "weight_mask", torch.ones(())) for name, layer in layers.items()}
        return {name: (of[name] * masks[name]).detach().double().numpy().copy() for name in of}

    seen = []
    for _ in range(epochs):
        seen.append([weights()])
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.randn(5, 3, 8, 8, dtype=dtype)).square().mean().backward()
            optimizer.step()
            tracker.step()
            seen[-1].append(weights())
        tracker.epoch_end()
    return seen


@pytest.mark.parametrize("case", CASES)
def test_the_tracker_gives_what_the_equations_say(case):
    model = network(case)
    tracker = tracking.EsnTracker(model)
    seen = trained(model, tracker, 2)
    for epoch, weights in zip(tracker.epochs, seen):
        for row in epoch.layers:
            start, steps = weights[0][row.name], [step[row.name] for step in weights[1:]]
            signal = numpy.mean([(w ** 2).sum() for w in steps])
            noise = numpy.mean([((w - start) ** 2).sum() for w in steps])
            nonzero = numpy.count_nonzero(steps[-1])
            # Differences of numbers of 16 bits are rounded to 16 bits.
            close = 1e-6 if case != "half" else 1e-2
            assert row.esn_a == pytest.approx(signal / noise * nonzero / 12, rel=close), row.name
            assert (row.nonzero, row.weights) == (nonzero, start.size)
    pruned = {row.name: row.pruned_filters for row in tracker.epochs[-1].layers}
    assert pruned == {"conv": 4 if case == "pruned" else 0, "back": 0, "head": 0}
    assert "epoch 1" in repr(tracker.epochs[1])


def test_a_tracker_is_resumed_in_the_middle_of_an_epoch():
    model, other = network("plain"), network("plain")
    tracker = tracking.EsnTracker(model)
    trained(model, tracker, 1)
    with torch.no_grad():
        model.conv.weight += 0.01
    tracker.step()
    resumed = tracking.EsnTracker(other)
    other.load_state_dict(model.state_dict())
    resumed.load_state_dict(tracker.state_dict())
    for each in (model, other):
        with torch.no_grad():
            each.head.weight *= 1.5
            each.back.weight -= 0.1
    tracker.step(), resumed.step()
    assert tracker.epoch_end().layers.columns == resumed.epoch_end().layers.columns
    assert resumed.epochs[0].layers.columns == tracker.epochs[0].layers.columns
    with pytest.raises(esnsim.BadArgument, match="the state is that of layers"):
        tracking.EsnTracker(torch.nn.Linear(2, 2)).load_state_dict(tracker.state_dict())


def test_a_trace_is_a_target_profile(tmp_path):
    model = torch.nn.Sequential()
    model.add_module("one", torch.nn.Conv2d(3, 16, 3))
    model.add_module("norm", torch.nn.BatchNorm2d(16))
    model.add_module("flat", torch.nn.Flatten())
    model.add_module("two", torch.nn.Linear(16, 10))
    tracker = tracking.EsnTracker(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(3):
        model(torch.randn(2, 3, 3, 3)).square().mean().backward()
        optimizer.step()
        tracker.step()
    epoch = tracker.epoch_end()
    tracker.save(tmp_path / "trace.json")
    assert json.loads((tmp_path / "trace.json").read_text())["pruned_below"] == tracking.PRUNED_BELOW
    torch.save(model.state_dict(), tmp_path / "model.pt")
    networks = [esnsim.read(tmp_path / "model.pt")]
    if importlib.util.find_spec("onnx"):
        # Its nodes have names of their own; its weights are called as in the module.
        networks.append(esnsim.from_torch(model, torch.zeros(1, 3, 3, 3)))
    for network in networks:
        quantized = network.compress(target_profile=tmp_path / "trace.json")
        found = [layer["target_esn_a"] for layer in quantized.report["quantize"][1]["layers"]]
        assert found == pytest.approx([row.esn_a for row in epoch.layers]), network.name


def test_wrong_use_is_told():
    with pytest.raises(esnsim.BadArgument, match="no convolution"):
        tracking.EsnTracker(torch.nn.ReLU())
    with pytest.raises(esnsim.BadArgument, match="without a step"):
        tracking.EsnTracker(torch.nn.Linear(2, 2)).epoch_end()
    broken = torch.nn.Linear(2, 2)
    tracker = tracking.EsnTracker(broken)
    broken.weight.data[0, 0] = float("nan")
    tracker.step()
    with pytest.raises(esnsim.BadArgument, match="not finite"):
        tracker.epoch_end()
    with pytest.raises(esnsim.BadArgument, match="no epoch"):
        tracker.save("trace.json")
    with pytest.raises(esnsim.BadArgument, match="a str is no module"):
        esnsim.esn("net.onnx", example=torch.zeros(1))
    assert esnsim.torch is tracking
    still = torch.nn.Linear(2, 2)
    tracker = tracking.EsnTracker(still)
    tracker.step()
    assert tracker.epoch_end().total.esn_a is None


def test_what_is_shown_runs():
    failed, tried = doctest.testmod(importlib.import_module("esnsim.torch.tracker"))
    assert failed == 0 and tried > 3
