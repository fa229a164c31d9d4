"""Are re-estimated statistics of BatchNorm those of the command?"""

import os
import subprocess

import esnsim
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from esnsim import torch as training
from esnsim.torch.simulator import tensors
from torch import nn
from torch_digits import DIGITS, EXAMPLE, digits, seeded

COMMAND = os.environ.get("ESNSIM_COMMAND")


def statistics(model):
    return {name: (module.running_mean.clone(), module.running_var.clone()) for name, module in model.named_modules()
            if isinstance(module, nn.BatchNorm2d)}


@pytest.mark.parametrize("case", ["real", "pruned and quantized"])
def test_statistics_are_those_of_the_command(case, tmp_path):
    model = seeded(epochs=2)
    if case != "real":
        training.prune_filters(model, EXAMPLE, fraction=0.2)
        training.quantize(model, 3, granularity="filter")
    training.export(model, tmp_path / "model.onnx", EXAMPLE)
    images = torch.cat([digits()[0][0], digits()[1][0]])
    path = tmp_path / "small.safetensors"
    if COMMAND is None:
        asked = esnsim.Images(DIGITS, preprocess=write_scale(tmp_path))
        esnsim.read(tmp_path / "model.onnx").compress(reestimate_bn=asked).save(path)
    else:
        write_scale(tmp_path)
        done = subprocess.run([COMMAND, "compress", str(tmp_path / "model.onnx"), "--reestimate-bn", "--calibrate", str(DIGITS),
                               "--preprocess", str(tmp_path / "unit.toml"), "-o", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    expected = tensors(esnsim.read(path))
    model.train()
    assert training.reestimate(model, [(part, None) for part in images.split(64)]) == 6
    assert model.training and model.bn.training
    for name, (mean, variance) in statistics(model).items():
        torch.testing.assert_close(mean, expected[f"{name}.running_mean"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(variance, expected[f"{name}.running_var"], rtol=1e-4, atol=1e-6)


def write_scale(folder):
    path = folder / "unit.toml"
    path.write_text("scale = 16.0\n")
    return path


def test_statistics_are_those_of_the_whole_whatever_the_batches():
    model, images = seeded(), torch.cat([digits()[0][0], digits()[1][0]])
    first = nn.functional.conv2d(images, model.conv.weight, padding=1).transpose(0, 1).flatten(1).double()
    found = []
    for size in (500, 64, 7):
        training.reestimate(model, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, images), batch_size=size))
        found.append(statistics(model))
        torch.testing.assert_close(model.bn.running_mean, first.mean(dim=1).float())
        torch.testing.assert_close(model.bn.running_var, first.var(dim=1, correction=0).float())
    for other in found[1:]:
        for name, pair in other.items():
            torch.testing.assert_close(pair, found[0][name], rtol=1e-4, atol=1e-6)
    training.reestimate(model, iter(images.split(50)), batches=2)
    torch.testing.assert_close(model.bn.running_mean, first.view(8, 500, 64)[:, :100].mean(dim=(1, 2)).float())


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)

    def forward(self, x):
        return self.bn(self.conv(self.bn(self.conv(x))))


def unkept():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False))


@pytest.mark.parametrize("kind, say, text", [
    (esnsim.BadArgument, lambda: training.reestimate(nn.Linear(2, 2), []), "a Linear has no BatchNorm"),
    (esnsim.BadArgument, lambda: training.reestimate(seeded(), []), "the loader gave no batch"),
    (esnsim.BadArgument, lambda: training.reestimate(seeded(), iter([EXAMPLE])), "the loader is an iterator"),
    (esnsim.BadArgument, lambda: training.reestimate(seeded(), [EXAMPLE], batches=0), "batches is 0"),
    (TypeError, lambda: training.reestimate(seeded(), [EXAMPLE], batches=1.5), "batches is 1.5; expected a whole number"),
    (esnsim.BadArgument, lambda: training.reestimate(seeded(), ["image"]), "a batch is a str"),
    (TypeError, lambda: training.reestimate(seeded(), EXAMPLE), "loader is a Tensor; expected batches: a DataLoader, or a list"),
    (TypeError, lambda: training.reestimate(seeded(), 3), "loader is 3; expected batches"),
    (esnsim.BadArgument, lambda: training.reestimate(seeded(), [EXAMPLE * float("nan")]), "BatchNorm bn: its input is not finite"),
    (esnsim.Unsupported, lambda: training.reestimate(unkept(), [EXAMPLE]), "BatchNorm 1 keeps no statistics"),
    (esnsim.Unsupported, lambda: training.reestimate(Twice(), [EXAMPLE]), "BatchNorm bn runs 2 times"),
])
def test_wrong_use_is_told_in_one_line(kind, say, text):
    with pytest.raises(kind) as caught:
        say()
    assert text in str(caught.value) and "\n" not in str(caught.value)
