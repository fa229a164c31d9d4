"""How much each layer of ResNet-20 bears, measured in several ways, and how good the networks are that follow from each.

    python benches/peers/sensitivity.py resnet20-cifar10-bn.onnx resnet20-cifar10.th test-2000-to-3999.bin train FOLDER

The first two files are one network, `train` is a folder of training images with one folder a class, and stores of the points
are kept in FOLDER. Ways to quantize a layer, their costs, the allocation of a budget, and the training images that are looked at
are the same for all. What differs is the error that a way is given:

- output: how far the output of the network moves, as `esnsim` measures it, with new statistics and with those of the file.
- Hessian: the mean eigenvalue of the layer's block of the Hessian, times |dW|^2. HAWQ-V2 (Dong et al. 2020); the trace is
  estimated by Hutchinson's method.
- gradient of outputs: the sum of (gradient * dY)^2 over all numbers that the layer puts out, dY being how far they move. That is
  the score of AutoQuantize in NVIDIA Model Optimizer.
- gradient of weights: the sum over images of (gradient . dW)^2, the empirical Fisher matrix of the layer.

The last three are derivatives of the cross-entropy, which needs labels, of the float network with the statistics of its file. The
table has the accuracy at each budget in M bits of ESN_d, with new statistics.

    pip install ./python torch numpy pillow
"""

import json
import pathlib
import sys
import tempfile
import time

import esnsim
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STATISTICS, LOOKED_AT = 1000, 128
BUDGETS = [round(12e6 * (100 / 12) ** (step / 11)) for step in range(12)]
PROBES = 30


class Block(nn.Module):
    """A basic block (He et al. 2016) whose shortcut, where the shape changes, drops every other pixel and adds channels of 0."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, (outputs - inputs) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        shortcut = functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.added, self.added))
        return functional.relu(y + shortcut)


class ResNet20(nn.Module):
    """[N, 3, 32, 32] -> logits [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[Block(16, 16, 1) for _ in range(3)])
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def read_module(checkpoint: str) -> tuple[nn.Module, dict[str, nn.Module]]:
    """The network, and its layers by the names of their weights, in their order."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    module = ResNet20()
    module.load_state_dict({name.removeprefix("module."): values for name, values in state.items()})
    layers = {f"{name}.weight": part for name, part in module.named_modules() if isinstance(part, (nn.Conv2d, nn.Linear))}
    return module.eval(), layers


def as_input(pixels: np.ndarray) -> torch.Tensor:
    """Bytes [N, 3, 32, 32] as the network takes them."""
    mean, deviation = (np.array(values, np.float32).reshape(3, 1, 1) for values in (MEAN, DEVIATION))
    return torch.from_numpy((pixels.astype(np.float32) / 255 - mean) / deviation)


def looked_at(train: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Those images, and their labels, that `esnsim` looks at: of the first of each class, so many evenly spread."""
    folders = sorted(folder for folder in pathlib.Path(train).iterdir() if folder.is_dir())
    each = STATISTICS // len(folders)
    files = [(file, label) for label, folder in enumerate(folders) for file in sorted(folder.iterdir())[:each]]
    chosen = [files[index * len(files) // LOOKED_AT] for index in range(LOOKED_AT)]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1) for file, _ in chosen])
    return as_input(pixels), torch.tensor([label for _, label in chosen])


def assert_same_network(network: esnsim.Network, module: nn.Module, test: str) -> None:
    count = 64
    records = np.fromfile(test, np.uint8, count * 3073).reshape(count, 3073)
    expected = network.evaluate(esnsim.Images(test, preprocess="imagenet", limit=count), threads=1).logits["float"]
    with torch.no_grad():
        found = module(as_input(records[:, 1:].reshape(count, 3, 32, 32))).numpy()
    assert np.abs(found - expected).max() < 1e-3, "the two files are not one network"


def usual_ways() -> list[dict]:
    """The ways that `esnsim` tries: 2 to 8 bits, and steps of a chosen signal-to-noise ratio, which clip nothing."""
    widths = [{"bits": bits, "mid-rise": False, "granularity": granularity, "step": step}
              for bits in range(2, 9) for step in ("max-abs", "mse") for granularity in ("layer", "filter")]
    half_powers = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20)
    unclipped = [{"bits": 16, "mid-rise": False, "granularity": "layer", "step": {"snr": 2 ** (power / 2)}}
                 for power in half_powers]
    return widths + unclipped


class Way:
    """A layer quantized in one way: what it costs, its noise |dW|^2 / |W|^2, and dW."""

    def __init__(self, choice: dict, cost: int, noise: float, change: np.ndarray) -> None:
        self.choice, self.cost, self.noise, self.change = choice, cost, noise, torch.from_numpy(change)


Layers, Ways, Errors = dict[str, nn.Module], list[list[Way]], list[list[float]]


def weights(network: esnsim.Network) -> dict[str, np.ndarray]:
    """The weights of each layer as real numbers."""
    with tempfile.TemporaryDirectory() as folder:
        network.save(f"{folder}/weights.npz")
        arrays = dict(np.load(f"{folder}/weights.npz"))
    scaled = {}
    for name, values in arrays.items():
        if name.endswith(".weight") and values.ndim > 1:
            scale = arrays.get(f"{name}_scale", np.float32(1))
            scaled[name] = values.astype(np.float32) * scale.reshape(-1, *[1] * (values.ndim - 1))
    return scaled


def ways_of_layers(network: esnsim.Network, names: list[str]) -> list[list[Way]]:
    """By layer, the ways of which none has both less noise and less cost than another, the cheapest first."""
    layers, real = [layer.layer for layer in network.esn(threads=1).layers], weights(network)
    found: list[list[Way]] = [[] for _ in layers]
    for choice in usual_ways():
        options = [{"layer": layer, **choice} for layer in layers]
        quantized = network.compress(bits=choice["bits"], grid="mid-tread", layer_options=options, threads=1).network
        changed = weights(quantized)
        for ways, name, row in zip(found, names, quantized.esn(threads=1).layers):
            change = changed[name] - real[name]
            assert np.count_nonzero(changed[name]) == row.nonzero, f"{name} is not the layer {row.layer}"
            noise = float((change.astype(np.float64) ** 2).sum() / (real[name].astype(np.float64) ** 2).sum())
            ways.append(Way(choice, row.esn_d_macs, noise, change))
    return [undominated(ways, lambda way: (way.cost, way.noise)) for ways in found]


def undominated(all_of_them: list, of) -> list:
    best, kept = float("inf"), []
    for one in sorted(all_of_them, key=of):
        if of(one)[1] < best:
            best = of(one)[1]
            kept.append(one)
    return kept


def by_hessian(module: nn.Module, layers: Layers, x: torch.Tensor, y: torch.Tensor, ways: Ways) -> Errors:
    """One layer at a time: probes of all layers at once would add the noise of all other blocks to each trace."""
    loss = functional.cross_entropy(module(x), y)
    torch.manual_seed(0)
    errors, worst = [], 0.0
    for layer, own in zip(layers.values(), ways):
        gradient, = torch.autograd.grad(loss, [layer.weight], create_graph=True)
        samples = []
        for _ in range(PROBES):
            probe = 2.0 * torch.randint(0, 2, layer.weight.shape) - 1
            product, = torch.autograd.grad(gradient, [layer.weight], probe, retain_graph=True)
            samples.append(float((probe * product).sum()))
        trace = float(np.mean(samples))
        assert trace > 0, "the loss bends down; HAWQ-V2 needs a network at a minimum"
        worst = max(worst, float(np.std(samples, ddof=1)) / PROBES**0.5 / trace)
        errors.append([trace / layer.weight.numel() * float((way.change.double() ** 2).sum()) for way in own])
    print(f"largest relative standard error of a trace: {worst:.3f}", file=sys.stderr)
    return errors


def by_outputs_gradient(module: nn.Module, layers: Layers, x: torch.Tensor, y: torch.Tensor, ways: Ways) -> Errors:
    inputs, outputs = {}, {}

    def keep(layer: nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        inputs[layer], outputs[layer] = given[0].detach(), made

    hooks = [layer.register_forward_hook(keep) for layer in layers.values()]
    # The sum, so that the gradient of an image is that of its own loss.
    loss = functional.cross_entropy(module(x), y, reduction="sum")
    gradients = torch.autograd.grad(loss, [outputs[layer] for layer in layers.values()])
    for hook in hooks:
        hook.remove()

    def moved(layer: nn.Module, change: torch.Tensor) -> torch.Tensor:
        if isinstance(layer, nn.Linear):
            return functional.linear(inputs[layer], change)
        return functional.conv2d(inputs[layer], change, None, layer.stride, layer.padding)

    with torch.no_grad():
        return [[float(((gradient * moved(layer, way.change)) ** 2).sum()) for way in own]
                for layer, gradient, own in zip(layers.values(), gradients, ways)]


def by_weights_gradient(module: nn.Module, layers: Layers, x: torch.Tensor, y: torch.Tensor, ways: Ways) -> Errors:
    parameters = [layer.weight for layer in layers.values()]
    errors = [torch.zeros(len(own)) for own in ways]
    changes = [torch.stack([way.change.flatten() for way in own]) for own in ways]
    for image, label in zip(x.split(1), y.split(1)):
        gradients = torch.autograd.grad(functional.cross_entropy(module(image), label), parameters)
        for error, change, gradient in zip(errors, changes, gradients):
            error += (change @ gradient.flatten()) ** 2
    return [error.tolist() for error in errors]


def allocate(layers: list[list[tuple[dict, int, float]]], budget: int) -> list[tuple[dict, int, float]]:
    """Of ways as (choice, cost, error), one for each layer: those that crates/compress/src/sensitivity/allocate.rs takes."""
    layers = [undominated(ways, lambda way: way[1:]) for ways in layers]

    def gain(before: tuple, behind: tuple) -> float:
        return (before[2] - behind[2]) / (behind[1] - before[1])

    raises = []
    for layer, ways in enumerate(layers):
        corners: list[int] = []
        for place, way in enumerate(ways):
            while len(corners) > 1 and gain(ways[corners[-2]], ways[corners[-1]]) <= gain(ways[corners[-1]], way):
                corners.pop()
            corners.append(place)
        raises += [(-gain(ways[a], ways[b]), layer, b) for a, b in zip(corners, corners[1:])]
    taken = [0] * len(layers)
    left = budget - sum(ways[0][1] for ways in layers)
    assert left >= 0, f"a budget of {budget} is below the cheapest ways"
    for _, layer, place in sorted(raises):
        more = layers[layer][place][1] - layers[layer][taken[layer]][1]
        if more <= left:
            taken[layer], left = place, left - more
    while True:
        changes = [(ways[now][2] - ways[place][2], -layer, -place) for layer, (ways, now) in enumerate(zip(layers, taken))
                   for place in range(now + 1, len(ways)) if ways[place][1] - ways[now][1] <= left]
        saved, layer, place = max(changes, default=(0.0, 0, 0))
        if saved <= 0:
            return [ways[now] for ways, now in zip(layers, taken)]
        left -= layers[-layer][-place][1] - layers[-layer][taken[-layer]][1]
        taken[-layer] = -place


def in_toml(step: str | dict) -> str:
    return f"{{ snr = {step['snr']!r} }}" if isinstance(step, dict) else json.dumps(step)


def run(name: str, network: str, test: str, train: str, folder: str, names: list[str],
        allotments: list[list[tuple]]) -> list[float]:
    """The accuracy of each allotment, with new statistics."""
    text = json.dumps
    plan = [f"networks = [{text(network)}]", "[images]", f"path = {text(test)}", 'preprocess = "imagenet"',
            "[statistics]", f"path = {text(train)}", f"limit = {STATISTICS}", 'preprocess = "imagenet"']
    for allotment in allotments:
        own = ", ".join(
            f'{{ layer = {text(layer)}, bits = {way["bits"]}, mid-rise = false, granularity = {text(way["granularity"])}, '
            f'step = {in_toml(way["step"])} }}'
            for layer, (way, _, _) in zip(names, allotment))
        widest = max(way["bits"] for way, _, _ in allotment)
        plan += ["[[point]]", "reestimate = true", f"quantize = {{ bits = {widest}, layers = [{own}] }}"]
    file, store = pathlib.Path(folder, f"{name}.toml"), pathlib.Path(folder, f"{name}.sqlite")
    file.write_text("\n".join(plan) + "\n", encoding="utf-8")
    esnsim.sweep(file, store, threads=1)
    accuracies = {row.esn_d_macs: row.top1 for row in esnsim.pareto(store).points}
    return [accuracies[sum(cost for _, cost, _ in allotment)] for allotment in allotments]


def timed(measure, *given) -> tuple[list[list[tuple]], float]:
    start = time.process_time()
    return measure(*given), time.process_time() - start


def by_esnsim(network: esnsim.Network, options: dict) -> list[list[tuple]]:
    """The errors that `esnsim` measures. What it chooses for a budget is what `allocate` chooses."""
    budget = BUDGETS[5]
    found = network.compress(allocate=f"esn-d={budget}", allocate_images=LOOKED_AT, grid="mid-tread", limit=STATISTICS, threads=1,
                             **options).report["allocate"]
    keys = ("bits", "mid-rise", "granularity", "step")
    given = [[({key: way[key] for key in keys}, way["cost"], way["error"]) for way in layer["choices"]]
             for layer in found["layers"]]
    assert sum(cost for _, cost, _ in allocate(given, budget)) == found["chosen"]["cost"]
    return given


def by_derivatives(measure, module: nn.Module, layers: Layers, images: tuple[torch.Tensor, torch.Tensor],
                   ways: Ways) -> list[list[tuple]]:
    errors = measure(module, layers, *images, ways)
    return [[(way.choice, way.cost, error) for way, error in zip(own, values)] for own, values in zip(ways, errors)]


def main() -> None:
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    file, checkpoint, test, train, folder = (str(pathlib.Path(name).resolve()) for name in sys.argv[1:])
    pathlib.Path(folder).mkdir(exist_ok=True)
    torch.set_num_threads(1)
    network, (module, layers) = esnsim.read(file), read_module(checkpoint)
    assert_same_network(network, module, test)
    ways, images = ways_of_layers(network, list(layers)), looked_at(train)
    print(sum(map(len, ways)), "ways to quantize a layer", file=sys.stderr)
    statistics = esnsim.Images(train, limit=STATISTICS, preprocess="imagenet")
    measures = {
        "output, new statistics": (by_esnsim, network, {"reestimate_bn": statistics}),
        "output": (by_esnsim, network, {"images": statistics}),
        "Hessian": (by_derivatives, by_hessian, module, layers, images, ways),
        "gradient of outputs": (by_derivatives, by_outputs_gradient, module, layers, images, ways),
        "gradient of weights": (by_derivatives, by_weights_gradient, module, layers, images, ways),
    }
    names = [layer.layer for layer in network.esn(threads=1).layers]
    print("| error of a way | CPU s | " + " | ".join(f"{budget / 1e6:.1f}" for budget in BUDGETS) + " | mean |")
    print("|---|" + "---:|" * (len(BUDGETS) + 2))
    for name, measure in measures.items():
        given, seconds = timed(*measure)
        allotments = [allocate(given, budget) for budget in BUDGETS]
        accuracies = run(name.replace(", ", "-").replace(" ", "-"), file, test, train, folder, names, allotments)
        cells = [name, f"{seconds:.0f}", *(f"{accuracy:.4f}" for accuracy in accuracies), f"{np.mean(accuracies):.4f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
