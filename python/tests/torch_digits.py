"""What the tests of `esnsim.torch` share: a small network for the digits in traces/, and its training on a part of them."""

import pathlib

import numpy
import torch
from torch import nn
from torch.nn import functional

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIGITS = ROOT / "traces" / "digits-test.npz"
TRAINED_ON = 350


class Block(nn.Module):
    """Two convolutions around which the input is added: [N, inputs, H, W] -> [N, outputs, H / stride, W / stride]."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + self.shortcut(x))


class Digits(nn.Module):
    """A residual network: [N, 1, 8, 8] -> logits [N, 10]."""

    def __init__(self, width=8):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.one, self.two = Block(width, width, 1), Block(width, 2 * width, 2)
        self.fc = nn.Linear(2 * width, 10)

    def forward(self, x):
        x = self.two(self.one(functional.relu(self.bn(self.conv(x)))))
        return self.fc(x.mean(dim=(2, 3)))


EXAMPLE = torch.zeros(1, 1, 8, 8)


def digits(dtype=torch.float32):
    """Images [n, 1, 8, 8] and labels [n], to train on and to test on."""
    stored = numpy.load(DIGITS)
    images = torch.from_numpy(stored["images"].astype(numpy.float32) / 16).to(dtype)
    labels = torch.from_numpy(stored["labels"])
    return (images[:TRAINED_ON], labels[:TRAINED_ON]), (images[TRAINED_ON:], labels[TRAINED_ON:])


def train(model, epochs, rate=0.05, penalty=None, at_epoch_end=None, batch=50):
    """Trains with SGD; `penalty()` is added to the loss of every step."""
    (images, labels), _ = digits(model.fc.weight.dtype)
    optimizer = torch.optim.SGD(model.parameters(), rate, 0.9, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(images))
        for part in order.split(batch):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images[part]), labels[part])
            (loss if penalty is None else loss + penalty()).backward()
            optimizer.step()
        schedule.step()
        if at_epoch_end is not None:
            at_epoch_end()
    return model.eval()


@torch.no_grad()
def accuracy(model):
    """Part of the test images that are told right."""
    _, (images, labels) = digits(model.fc.weight.dtype)
    model.eval()
    return float((model(images).argmax(dim=1) == labels).double().mean())


def seeded(width=8, epochs=0, dtype=torch.float32):
    """The network, trained for some epochs, the same in every run. On another processor sums are rounded in another order, and
    training goes apart, but for numbers of 64 bits hardly."""
    torch.manual_seed(3)
    torch.set_num_threads(1)
    model = Digits(width).to(dtype)
    return train(model, epochs) if epochs else model
