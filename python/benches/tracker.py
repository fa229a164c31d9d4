"""What tracking ESN_a costs in a step of training: ResNet-20 on 32 × 32 images, batch 128, steps with and without in turn.

    python python/benches/tracker.py [threads]
"""

import statistics
import sys
import time

import torch
from esnsim.torch import EsnTracker
from torch import nn
from torch.nn import functional

WARM, STEPS = 3, 40


class Block(nn.Module):
    """A basic block (He et al. 2016) with a 1 × 1 shortcut where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + self.shortcut(x))


def resnet20() -> nn.Module:
    """[N, 3, 32, 32] -> logits [N, 10]."""
    stages = [Block(inputs, outputs, 1 + (inputs < outputs)) for inputs, outputs in
              [(16, 16)] * 3 + [(16, 32)] + [(32, 32)] * 2 + [(32, 64)] + [(64, 64)] * 2]
    stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    model = resnet20().to(device)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4)
    tracker = EsnTracker(model)
    images, labels = torch.randn(128, 3, 32, 32, device=device), torch.randint(10, (128,), device=device)

    def wait() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def step(track: bool) -> tuple[float, float]:
        start = wait()
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        trained = wait()
        if track:
            tracker.step()
        return trained - start, wait() - start

    for _ in range(WARM):
        step(True)
    pairs = [(step(False)[1], *step(True)) for _ in range(STEPS)]
    without = statistics.median(plain for plain, _, _ in pairs)
    tracked = statistics.median(whole for _, _, whole in pairs)
    own = statistics.median(whole - trained for _, trained, whole in pairs)
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}: a step {without * 1e3:.1f} ms without, "
          f"{tracked * 1e3:.1f} ms with (medians of {STEPS}); the tracker itself {own * 1e3:.2f} ms, {own / without:.2%}")


main()
