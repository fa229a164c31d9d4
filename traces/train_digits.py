"""Makes the network and the images embedded in esnsim: `digits-resnet.onnx` and its companions.

A ResNet-8 (He et al. basic blocks, one a stage, a 1x1 projection where a stage changes shape) learns the 8x8
handwritten digits of UCI, and is exported with its BatchNormalization nodes kept, so that statistics can be
re-estimated after quantization. Written beside this script:

    digits-resnet.onnx              image [N, 1, 8, 8] float32 -> logits [N, 10]
    digits-resnet.preprocess.toml   how a stored pixel becomes a value of `image`
    digits-test.npz                 images uint8 [500, 1, 8, 8], values 0..16, and labels int64 [500]: the test split

    pip install -r requirements.txt
    python train_digits.py

Made with Python 3.11.7, torch 2.15.0, scikit-learn 1.9.1, numpy 2.4.6, onnx 1.23.2 and onnxruntime 1.32.0, the pins of
requirements.txt. One thread, one seed and deterministic kernels: on one machine every run gives the same bytes. Another
CPU or version may add floats in another order and end at slightly different weights; README.md has the checksums.
"""

import hashlib
import time
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
MODEL = HERE / "digits-resnet.onnx"
PREPROCESS = HERE / "digits-resnet.preprocess.toml"
TEST_SET = HERE / "digits-test.npz"

SEED = 20
TEST_IMAGES = 500
PIXEL_MAX = 16.0  # a pixel counts the set points of a 4x4 cell of the original 32x32 bitmap

STAGE_CHANNELS = (16, 32, 64)
EPOCHS = 60
BATCH = 64
PEAK_LEARNING_RATE = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 1e-3
LABEL_SMOOTHING = 0.1


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around which the input is added: [N, inputs, H, W] -> [N, outputs, H/stride, W/stride]."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = functional.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))
        return functional.relu(residual + self.shortcut(x))


class DigitsResNet(nn.Module):
    """ResNet-8 for 8x8 digits: [N, 1, 8, 8] -> logits [N, 10]; stages of 8x8, 4x4 and 2x2 positions."""

    def __init__(self):
        super().__init__()
        narrow, middle, wide = STAGE_CHANNELS
        self.conv1 = nn.Conv2d(1, narrow, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(narrow)
        self.layer1 = BasicBlock(narrow, narrow, stride=1)
        self.layer2 = BasicBlock(narrow, middle, stride=2)
        self.layer3 = BasicBlock(middle, wide, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(wide, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(self.pool(x), 1))


def main() -> None:
    make_deterministic()
    train_images, test_images, train_labels, test_labels = split_digits()
    started = time.perf_counter()
    model = train(preprocess(train_images), torch.from_numpy(train_labels))
    print(f"trained in {time.perf_counter() - started:.0f} s")

    export(model)
    write_test_set(test_images, test_labels)
    PREPROCESS.write_text(PREPROCESS_TEXT)

    print(f"float test accuracy (onnxruntime): {onnx_accuracy():.4f}")
    for path in (MODEL, PREPROCESS, TEST_SET):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), f"{path.stat().st_size:>7}", path.name)


def make_deterministic() -> None:
    """One thread, because the order of a parallel float sum is not fixed; one seed for all that torch draws."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)


def split_digits() -> list[np.ndarray]:
    """Training and test images, uint8 [n, 1, 8, 8], then their labels, int64 [n]; stratified by class."""
    digits = load_digits()
    images = digits.images.astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    return train_test_split(images, labels, test_size=TEST_IMAGES, stratify=labels, random_state=SEED)


def preprocess(images: np.ndarray) -> torch.Tensor:
    """What `digits-resnet.preprocess.toml` says: y = x / 16."""
    return torch.from_numpy(images.astype(np.float32) / np.float32(PIXEL_MAX))


PREPROCESS_TEXT = """\
# From a pixel x of digits-test.npz, an integer 0..16, to an input of digits-resnet.onnx: y = (x / scale - mean) / std.
# Absent, mean is 0 and std is 1 for every channel.
scale = 16.0
"""


def train(images: torch.Tensor, labels: torch.Tensor) -> DigitsResNet:
    """Trains on images [n, 1, 8, 8] for a fixed number of epochs; the test images play no part in it."""
    model = DigitsResNet().train()
    optimizer = torch.optim.SGD(
        model.parameters(), PEAK_LEARNING_RATE, MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True
    )
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(images))
        for step in range(len(images) // BATCH):
            batch = order[step * BATCH : (step + 1) * BATCH]
            logits = model(shift_at_random(images[batch]))
            loss = functional.cross_entropy(logits, labels[batch], label_smoothing=LABEL_SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def shift_at_random(images: torch.Tensor) -> torch.Tensor:
    """Moves each of the images [n, 1, 8, 8] by at most one pixel a direction, zeros moving in."""
    padded = functional.pad(images, (1, 1, 1, 1))
    offsets = torch.randint(0, 3, (len(images), 2)).tolist()
    return torch.stack([image[:, dy : dy + 8, dx : dx + 8] for image, (dy, dx) in zip(padded, offsets)])


def export(model: DigitsResNet) -> None:
    """Writes the model in eval mode, its BatchNormalization kept: only EVAL export folds them into convolutions."""
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, 8, 8),),
        str(MODEL),
        dynamo=False,
        opset_version=17,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
    )
    exported = onnx.load(MODEL)
    restore_equal_parameters(exported.graph)
    for node in exported.graph.node:
        node.ClearField("doc_string")  # may hold source paths of the machine that exported
    onnx.checker.check_model(exported, full_check=True)
    onnx.save(exported, MODEL)


def restore_equal_parameters(graph: onnx.GraphProto) -> None:
    """Gives every parameter its own initializer again.

    The two BatchNormalization biases that meet in an addition get the same gradient and stay equal; the exporter stores
    one and makes the other an Identity of it.
    """
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Identity" and n.input[0] in stored]:
        graph.initializer.add().CopyFrom(stored[node.input[0]])
        graph.initializer[-1].name = node.output[0]
        graph.node.remove(node)


def write_test_set(images: np.ndarray, labels: np.ndarray) -> None:
    """Writes the .npz member by member with a fixed date; `np.savez` would stamp the hour into the archive."""
    with zipfile.ZipFile(TEST_SET, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (("images", images), ("labels", labels)):
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1998, 7, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def onnx_accuracy() -> float:
    """Top-1 of the written files, read back, so that what ships is what is measured."""
    stored = np.load(TEST_SET)
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": preprocess(stored["images"]).numpy()})
    return float((logits.argmax(axis=1) == stored["labels"]).mean())


if __name__ == "__main__":
    main()
