"""Is what a tracker tells of training what equations (4) and (5) say?"""

import doctest
import importlib
import importlib.util
import json
import math
import pickle
import sys
import warnings

import esnsim
import pytest

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")
tracking = pytest.importorskip("esnsim.torch")

CASES = ["plain", "pruned", "half"]
PARTS = ["admm", "export", "layers", "lightning", "penalty", "prune", "quantize", "simulator", "statistics", "tracker"]


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
            assert row.signal == pytest.approx(signal, rel=1e-6) and row.noise == pytest.approx(noise, rel=1e-6), row.name
            assert row.esn_a == pytest.approx(signal / noise * nonzero / 12, rel=1e-6), row.name
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
    with pytest.raises(esnsim.BadArgument, match="the state is none of EsnTracker.state_dict.*: it has no layers"):
        resumed.load_state_dict(model.state_dict())


def test_a_state_is_what_it_was_and_fits_its_layers():
    layer = torch.nn.Linear(4, 2)
    tracker = tracking.EsnTracker(layer)
    with torch.no_grad():
        layer.weight += 0.5
    state = tracker.state_dict()
    tracker.step()
    tracker.epoch_end()
    assert state["steps"] == 0 and not state["signal"][0] and torch.equal(state["start"][0] + 0.5, layer.weight)
    # One row would be copied into all of them.
    other = tracking.EsnTracker(torch.nn.Linear(4, 1))
    with pytest.raises(esnsim.BadArgument, match=r"the state has '' of shape \[1, 4\]; the model has \[2, 4\]"):
        tracker.load_state_dict(other.state_dict())
    assert torch.equal(tracker.state_dict()["start"][0], layer.weight) and len(tracker.epochs) == 1


def test_all_filters_of_a_layer_that_is_0_are_pruned():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
    model[0].weight.data.zero_()
    tracker = tracking.EsnTracker(model)
    tracker.step()
    assert tracker.epoch_end().layers["pruned_filters"] == [3, 0] and tracker.epochs[0].total.pruned_filters == 3


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


def annealed(rates, resume_at=None):
    """What a tracker warns of in epochs of these learning rates, [epoch, text], and its last epochs."""
    torch.manual_seed(5)
    model = torch.nn.Linear(6, 3)
    tracker, optimizer = tracking.EsnTracker(model), torch.optim.SGD(model.parameters(), lr=0.1)
    tracker.attach(optimizer)
    said = []
    for epoch, rate in enumerate(rates):
        optimizer.param_groups[0]["lr"] = rate
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(8, 6)).square().sum().backward()
            optimizer.step()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tracker.epoch_end()
        said += [(epoch, str(warning.message)) for warning in caught if warning.category is tracking.AnnealedRate]
        if epoch == resume_at:
            state = tracker.state_dict()
            tracker.detach()
            tracker = tracking.EsnTracker(model)
            tracker.load_state_dict(state)
            tracker.attach(optimizer)
    return said, tracker.epochs


@pytest.mark.parametrize("resume_at", [None, 3, 36])
def test_a_tracker_warns_once_where_the_learning_rate_anneals_to_zero(resume_at):
    cosine = [0.01 * (1 + math.cos(math.pi * (epoch + 0.5) / 40)) / 2 for epoch in range(40)]
    said, epochs = annealed(cosine, resume_at)
    # 0.0188, 0.0096, 0.0035 and 0.0004 of the largest in the last four epochs.
    assert [epoch for epoch, _ in said] == [37]
    assert "read a policy from epoch 36 or one before" in said[0][1] and "its mean in epoch 37 is 9.61e-05" in said[0][1]
    assert epochs[39].total.esn_a > 10 * epochs[36].total.esn_a


@pytest.mark.parametrize("rates", [[0.01] * 6, [0.01] * 3 + [0.001] * 3 + [0.0001] * 3 + [0.00001] * 3, [0.0001, 0.001, 0.01, 0.005, 0.002]])
def test_steps_and_warm_up_are_no_annealing(rates):
    assert annealed(rates)[0] == []


def test_a_frozen_layer_has_a_target_of_16_bits_and_is_not_in_the_total(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.ReLU(), torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    model[0].requires_grad_(False)
    tracker = tracking.EsnTracker(model)
    tracker.attach(optimizer := torch.optim.SGD(model.parameters(), lr=0.1))
    for epoch in range(2):
        # The second layer moves in the first epoch alone.
        model[2].weight.requires_grad_(epoch == 0)
        for _ in range(2):
            optimizer.zero_grad()
            model(torch.randn(3, 8)).square().sum().backward()
            optimizer.step()
        tracker.epoch_end()
    first, second = tracker.epochs
    assert first.layers["esn_a"][0] is None and second.layers["esn_a"][:2] == [None, None]
    assert first.total.esn_a == first.layers[1].esn_a + first.layers[2].esn_a and second.total.esn_a == second.layers[2].esn_a
    assert "in 3 layers, without 2 that did not move;" in repr(second)
    tracker.save(tmp_path / "trace.json")
    rows = json.loads((tmp_path / "trace.json").read_text())["epochs"][1]["layers"]
    torch.save(model.state_dict(), tmp_path / "model.pt")
    network = esnsim.read(tmp_path / "model.pt")
    expected = [network.esn(bits=16).layers[0].esn_a, first.layers[1].esn_a, second.layers[2].esn_a]
    assert [row["esn_a"] for row in rows] == expected and [row["moved"] for row in rows] == [False, False, True]
    layers = network.compress(target_profile=tmp_path / "trace.json").report["quantize"][1]["layers"]
    assert [layer["target_esn_a"] for layer in layers] == expected
    # Its target is met with all the bits that there are.
    assert layers[0]["esn_a"] == pytest.approx(expected[0], rel=1e-6)


def test_sums_of_millions_of_weights_are_as_good():
    torch.manual_seed(1)
    layer = torch.nn.Linear(1023, 2311, bias=False)
    start, tracker = layer.weight.detach().double().clone(), tracking.EsnTracker(layer)
    with torch.no_grad():
        layer.weight += 0.01 * torch.randn(2311, 1023)
    tracker.step()
    row = next(iter(tracker.epoch_end().layers))
    weight = layer.weight.detach().double()
    assert row.signal == pytest.approx(float(weight.square().sum()), rel=1e-6)
    assert row.noise == pytest.approx(float((weight - start).square().sum()), rel=1e-6)


def test_squares_of_a_gpu_are_those_of_a_cpu():
    tensors = [torch.randn(3, 5), torch.randn(7), torch.zeros(2), torch.randn(4, 1100)]
    parts = importlib.import_module("esnsim.torch.tracker")
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        at_once = parts._squares_at_once([tensor.to(device) for tensor in tensors])
        for one, two, tensor in zip(at_once, parts._squares(tensors), tensors):
            assert one.dtype == two.dtype == torch.float64
            expected = pytest.approx(float(tensor.double().square().sum()), rel=1e-6)
            assert float(one) == expected and float(two) == expected


def test_one_copy_of_the_weights_is_kept():
    model = network("plain")
    tracker = tracking.EsnTracker(model)
    places = [tensor.data_ptr() for tensor in tracker._start]
    trained(model, tracker, 2)
    state = tracker.state_dict()
    assert [tensor.data_ptr() for tensor in tracker._start] == places
    assert sum(tensor.numel() for tensor in state["start"]) == sum(row.weights for row in tracker.epochs[0].layers)
    assert all(tensor.dtype == torch.float64 and tensor.dim() == 0 for tensor in state["signal"] + state["noise"])


def test_an_optimizer_calls_it_and_steps_that_are_left_out_do_not_count():
    model = network("plain")
    attached, called = tracking.EsnTracker(model), tracking.EsnTracker(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    attached.attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    for step in range(4):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(torch.randn(5, 3, 8, 8)).float().square().mean()
        # A loss that is infinite is a step that the scaler leaves out.
        scaler.scale(loss * (float("inf") if step == 2 else 1.0)).backward()
        before = attached.steps
        scaler.step(optimizer)
        scaler.update()
        assert attached.steps == before + (step != 2)
        if step != 2:
            called.step()
    assert attached.epoch_end().layers.columns == called.epoch_end().layers.columns
    attached.detach()
    optimizer.step()
    assert attached.steps == 0
    with pytest.raises(esnsim.BadArgument, match="is no optimizer of PyTorch"):
        attached.attach([optimizer])


def test_an_optimizer_of_another_model_is_refused():
    model, other = network("plain"), network("plain")
    tracker = tracking.EsnTracker(model)
    own, foreign = torch.optim.SGD(model.parameters(), 0.1), torch.optim.SGD(other.parameters(), 0.1)
    with pytest.raises(esnsim.BadArgument, match="the SGD holds no parameter of the layers that are tracked"):
        tracker.attach(own, foreign)
    own.step()
    assert tracker.steps == 0, "neither is attached"
    tracker.attach(own)
    own.step()
    assert tracker.steps == 1


def test_fake_quantization_is_not_what_is_followed():
    model = torch.nn.Sequential(torch.nn.Linear(8, 4))
    tracking.quantize(model, 2)
    original, tracker = model[0].parametrizations.weight.original, tracking.EsnTracker(model)
    start = original.detach().double().clone()
    tracker.attach(optimizer := torch.optim.SGD(model.parameters(), 0.1))
    model(torch.ones(2, 8)).square().sum().backward()
    optimizer.step()
    row = next(iter(tracker.epoch_end().layers))
    assert row.noise == pytest.approx(float((original.detach().double() - start).square().sum()), rel=1e-6)


def ddp_rank(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    model = torch.nn.parallel.DistributedDataParallel(network("plain"))
    tracker, optimizer = tracking.EsnTracker(model), torch.optim.SGD(model.parameters(), 0.05)
    tracker.attach(optimizer)
    torch.manual_seed(rank)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(5, 3, 8, 8)).square().mean().backward()
        optimizer.step()
    tracker.epoch_end()
    tracker.save(f"{folder}/trace{rank}.json")
    torch.distributed.destroy_process_group()


def test_all_ranks_have_the_same_trace(tmp_path):
    if not torch.distributed.is_available():
        pytest.skip("this PyTorch has no torch.distributed")
    torch.multiprocessing.spawn(ddp_rank, (str(tmp_path),), nprocs=2)
    traces = [(tmp_path / f"trace{rank}.json").read_text() for rank in range(2)]
    assert traces[0] == traces[1]
    assert [row["name"] for row in json.loads(traces[0])["epochs"][0]["layers"]] == ["conv", "back", "head"]


def test_a_compiled_model_has_the_names_of_its_layers():
    tracker = tracking.EsnTracker(torch.compile(network("plain")))
    tracker.step()
    assert tracker.epoch_end().layers["name"] == ["conv", "back", "head"]


@pytest.mark.parametrize("package", ["lightning", "pytorch_lightning"])
def test_lightning_calls_it(package, tmp_path):
    of = pytest.importorskip({"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}[package])

    class Module(of.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = network("plain")

        def training_step(self, batch, _):
            return self.net(batch[0]).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.05)

    def fit(epochs, **resume):
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(12, 3, 8, 8)), batch_size=3)
        callback = tracking.lightning_callback(tmp_path / "trace.json", package=package)
        assert isinstance(callback, of.Callback)
        trainer = of.Trainer(max_epochs=epochs, callbacks=[callback], logger=False, enable_checkpointing=False, accelerator="cpu",
                             enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path)
        torch.manual_seed(1)
        trainer.fit(Module(), loader, **resume)
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        return callback.tracker, trainer

    tracker, trainer = fit(2)
    assert [row["name"] for row in tracker.epochs[1].layers] == ["net.conv", "net.back", "net.head"] and len(tracker.epochs) == 2
    assert float(trainer.logged_metrics["esn_a"]) == pytest.approx(tracker.epochs[1].total.esn_a, rel=1e-6)
    assert len(json.loads((tmp_path / "trace.json").read_text())["epochs"]) == 2
    resumed, _ = fit(3, ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    assert len(resumed.epochs) == 3
    assert [epoch.total.esn_a for epoch in resumed.epochs[:2]] == [epoch.total.esn_a for epoch in tracker.epochs]
    with pytest.raises(esnsim.BadArgument, match="expected lightning or pytorch_lightning"):
        tracking.lightning_callback(package="ignite")
    with pytest.raises(TypeError, match="^path is 3; expected a path$"):
        tracking.lightning_callback(3, package=package)


@pytest.mark.parametrize("package", ["lightning", "pytorch_lightning"])
def test_a_callback_fits_twice_and_is_pickled(package, tmp_path):
    of = pytest.importorskip({"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}[package])

    class Module(of.LightningModule):
        def __init__(self, width):
            super().__init__()
            self.net = torch.nn.Linear(4, width)

        def training_step(self, batch, _):
            return self.net(batch[0]).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.05)

    def fit(model, callback):
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(6, 4)), batch_size=3)
        of.Trainer(max_epochs=1, callbacks=[callback], logger=False, enable_checkpointing=False, accelerator="cpu",
                   enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path).fit(model, data)

    callback = pickle.loads(pickle.dumps(tracking.lightning_callback(tmp_path / "trace.json", package=package)))
    assert isinstance(callback, of.Callback) and callback.path == str(tmp_path / "trace.json") and callback.tracker is None
    assert type(callback) is type(tracking.lightning_callback(package=package))
    torch.manual_seed(1)
    first, second = Module(3), Module(5)
    fit(first, callback)
    assert callback.tracker.epochs[0].layers["weights"] == [12]
    with torch.no_grad():
        # What happens between two fits is no step of training.
        first.net.weight.mul_(1000)
    start = first.net.weight.detach().double().clone()
    fit(first, callback)
    assert len(callback.tracker.epochs) == 2
    assert callback.tracker.epochs[1].layers[0].noise < 0.5 * float(start.square().sum())
    again = pickle.loads(pickle.dumps(callback)).tracker
    assert again.epochs[1].layers.columns == callback.tracker.epochs[1].layers.columns
    fit(second, callback)
    assert [epoch.layers["weights"] for epoch in callback.tracker.epochs] == [[20]]


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    with pytest.raises(esnsim.BadArgument, match="^lightning is not installed; pip install lightning$"):
        tracking.lightning_callback(package="lightning")
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    with pytest.raises(esnsim.BadArgument, match="^neither lightning nor pytorch_lightning is installed; pip install lightning$"):
        tracking.lightning_callback()


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
    with pytest.raises(esnsim.BadArgument, match="is no module of PyTorch"):
        esnsim.esn("net.onnx", example=torch.zeros(1))
    assert esnsim.torch is tracking
    still = torch.nn.Linear(2, 2)
    tracker = tracking.EsnTracker(still)
    tracker.step()
    assert tracker.epoch_end().total.esn_a is None


def test_what_is_shown_runs():
    # Some examples go by way of ONNX.
    by_onnx = set() if importlib.util.find_spec("onnx") else {"export", "prune"}
    parts = [importlib.import_module(f"esnsim.torch.{name}") for name in PARTS if name not in by_onnx]
    results = [doctest.testmod(part) for part in (tracking, *parts)]
    assert all(failed == 0 for failed, _ in results) and sum(tried for _, tried in results) > 20
