"""The paper's networks for CIFAR-10 in PyTorch, named layer by layer as those of `esnsim new`.

```text
ResNet-8/14/20   3x3 convolution, three stages of 1, 2 or 3 blocks with 16, 32, 64 filters, average, classes;
                 a 1x1 shortcut convolution in the first block of each stage, which gives ResNet-20 its 800 filters
VGG7             3x3 convolutions of 128, 128, 256, 256, 512, 512 filters, pooling after each pair, classes
```

A width multiplies the filters of every convolution.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any, cast

import torch
from torch import nn

from .. import BadArgument, InvalidFile

#: Blocks of a stage, by name of the network.
RESNETS = {"resnet8": 1, "resnet14": 2, "resnet20": 3}
NAMES = (*RESNETS, "vgg7")
_FILE = re.compile(r"(?P<name>resnet8|resnet14|resnet20|vgg7)(-w(?P<width>\d{3}))?-seed(?P<seed>\d+)\.pth")


@dataclasses.dataclass(frozen=True, order=True)
class Kind:
    """A network that is trained: its architecture, its width and the seed of its first weights.

    >>> str(Kind("resnet20", 0.5, 1)), Kind("resnet20").label
    ('resnet20-w050-seed1', 'ResNet-20')
    """

    name: str
    width: float = 1.0
    seed: int = 0

    def __str__(self) -> str:
        width = "" if self.width == 1 else f"-w{round(100 * self.width):03}"
        return f"{self.name}{width}-seed{self.seed}"

    @property
    def label(self) -> str:
        """What figures call it, without its seed."""
        plain = self.name.replace("resnet", "ResNet-").replace("vgg", "VGG")
        return plain if self.width == 1 else f"{plain} × {self.width:g}"


class Block(nn.Module):
    """Two convolutions around which the input is added: `[N, inputs, H, W]` to `[N, filters, H / stride, W / stride]`."""

    def __init__(self, inputs: int, filters: int, stride: int, has_shortcut: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters)
        self.conv2, self.bn2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters)
        self.shortcut: nn.Module = nn.Sequential()
        if has_shortcut:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block."""
        y = self.bn2(self.conv2(nn.functional.relu(self.bn1(self.conv1(x)))))
        return nn.functional.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    """`[N, 3, 32, 32]` to logits `[N, classes]`."""

    def __init__(self, blocks: int, width: float, classes: int) -> None:
        super().__init__()
        first, *_ = filters = [max(1, round(width * count)) for count in (16, 32, 64)]
        self.conv1, self.bn1 = nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first)
        inputs = [first, *filters]
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(*(Block(inputs[stage] if block == 0 else filters[stage], filters[stage],
                                  2 if stage and block == 0 else 1, block == 0) for block in range(blocks)))
            for stage in range(3))
        self.linear = nn.Linear(filters[-1], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The network."""
        x = nn.functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return cast(torch.Tensor, self.linear(x.mean(dim=(2, 3))))


class Vgg7(nn.Module):
    """`[N, 3, 32, 32]` to logits `[N, classes]`."""

    def __init__(self, width: float, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for pair in (128, 256, 512):
            filters = max(1, round(width * pair))
            for _ in range(2):
                layers += [nn.Conv2d(inputs, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
                inputs = filters
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(inputs * 16, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The network."""
        return cast(torch.Tensor, self.classifier(self.features(x).flatten(1)))


def made(kind: Kind, classes: int = 10) -> nn.Module:
    """A network with first weights of its seed: those of He et al. for convolutions, PyTorch's for the classes."""
    torch.manual_seed(kind.seed)
    model: nn.Module = Vgg7(kind.width, classes) if kind.name == "vgg7" else ResNet(RESNETS[kind.name], kind.width, classes)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def found(start: pathlib.Path) -> dict[Kind, pathlib.Path]:
    """Trained networks of a folder: state dicts in files called as `resnet20-w050-seed0.pth`."""
    if not start.is_dir():
        raise BadArgument(f"{start} is no folder; expected one with files as resnet20-w050-seed0.pth")
    kinds: dict[Kind, pathlib.Path] = {}
    for path in sorted(start.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match:
            kinds[Kind(match["name"], int(match["width"] or 100) / 100, int(match["seed"]))] = path
    if not kinds:
        raise BadArgument(f"{start} has no trained network; expected files as resnet20-seed0.pth or resnet20-w050-seed0.pth")
    return kinds


def load(kind: Kind, path: pathlib.Path) -> nn.Module:
    """A trained network of its file."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        classes = next(reversed([value for name, value in state.items() if name.endswith("weight")])).shape[0]
        model = made(kind, classes)
        model.load_state_dict(state)
    except (RuntimeError, AttributeError, StopIteration, EOFError, ValueError) as error:
        raise InvalidFile(f"{path}: no weights of {kind.label}: {' '.join(str(error).split())[:200]}") from error
    return model
