"""Makes tests/reference/exported-programs.json: small archives of torch.export, an input, and what PyTorch computes.

    python exported_programs.py > ../reference/exported-programs.json

Made with torch 2.15.0. Files are hexadecimal; traces of the Python stack are taken out of them, which makes them smaller.
"""

import io
import json
import sys
import zipfile

import torch
import torch.ao.quantization.fx._decomposed
from torch import nn
from torch.nn import functional as F

torch.manual_seed(5)
Q = torch.ops.quantized_decomposed


class Layers(nn.Module):
    """Convolutions of every kind, statistics of BatchNorm, a residual addition."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding="same", groups=8)
        self.dilated = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.fc = nn.Linear(8, 5)
        for statistics in [self.norm.running_mean, self.norm.running_var]:
            statistics.data = torch.rand(8) + 0.5
        self.dilated.weight.data = self.dilated.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        x = x + 0.5 * F.relu6(self.depthwise(x))
        x = F.max_pool2d(self.dilated(x), 2)
        return self.fc(F.dropout(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1), 0.2, self.training))


class Movement(nn.Module):
    """What moves and joins channels, and functions of one number."""

    def __init__(self):
        super().__init__()
        self.slope = nn.PReLU(4)
        self.mix = nn.Conv2d(4, 8, 1)
        self.last = nn.Conv2d(6, 3, (1, 3), padding=(0, 1))

    def forward(self, x):
        a, b = torch.chunk(self.mix(F.pad(self.slope(x), (1, 0, 0, 1), value=0.25)), 2, 1)
        x = torch.cat([F.silu(a), F.hardswish(b), F.leaky_relu(a, 0.2)], 1)[:, 1:9:2]
        x = torch.cat([x, F.gelu(x[:, :1]), torch.clamp(x, min=-0.3)[:, 2:3]], 1)
        x = F.interpolate(F.avg_pool2d(x, 3, stride=1, padding=1), scale_factor=2)
        x = self.last(x).permute(0, 2, 3, 1).transpose(1, 3)
        return torch.sub(x.mean([2, 3]), x.amax(-1).select(2, 0), alpha=0.5).softmax(-1)


class Tokens(nn.Module):
    """Products with an input of three axes, and a signal."""

    def __init__(self):
        super().__init__()
        self.signal = nn.Conv1d(2, 6, 5, stride=2)
        self.norm = nn.LayerNorm(6)
        self.up = nn.Linear(6, 10)
        self.down = nn.Linear(10, 4, bias=False)

    def forward(self, x):
        x = self.norm(self.signal(x).transpose(1, 2))
        return self.down(torch.tanh(self.up(x))).mean(1).unsqueeze(1).squeeze(1)


class Quantized(nn.Module):
    """Integers as PyTorch 2's quantization exports them: 4 bits a filter, and stored ones of 8 bits."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 3, 3, 3) * 0.3)
        self.bias = nn.Parameter(torch.randn(6))
        self.register_buffer("scales", torch.rand(6) * 0.1 + 0.05)
        self.register_buffer("zeros", torch.zeros(6, dtype=torch.int64))
        self.register_buffer("stored", torch.randint(-127, 128, (4, 6), dtype=torch.int8))

    def forward(self, x):
        levels = (0.03, 5, -128, 127, torch.int8)
        x = Q.dequantize_per_tensor(Q.quantize_per_tensor(x, *levels), *levels)
        filters = (self.scales, self.zeros, 0, -7, 7, torch.int8)
        weight = Q.dequantize_per_channel(Q.quantize_per_channel(self.weight, *filters), *filters)
        x = F.relu(F.conv2d(x, weight, self.bias, padding=1)).mean([2, 3])
        return F.linear(x, Q.dequantize_per_tensor(self.stored, 0.05, 0, -127, 127, torch.int8))


class Upsampling(nn.Module):
    """Transposed convolutions along one and two axes, in groups, dilated."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.mix = nn.ConvTranspose2d(6, 3, (2, 3), dilation=(2, 1), bias=False)
        self.line = nn.ConvTranspose1d(3, 2, 4, stride=3, padding=2)

    def forward(self, x):
        x = self.mix(torch.relu(self.up(x)))
        return self.line(torch.relu(x).mean(2)).mean(2)


class Resizing(nn.Module):
    """Resizing by factors that do not give whole extents, and to extents."""

    def __init__(self):
        super().__init__()
        self.mixes = nn.ModuleList(nn.Conv2d(3, 2, 3, padding=1) for _ in range(3))

    def forward(self, x):
        near = F.interpolate(x, scale_factor=1.5, mode="nearest")
        smooth = F.interpolate(x, scale_factor=(1.5, 1.4), mode="bilinear")
        corners = F.interpolate(x, size=(7, 8), mode="bilinear", align_corners=True)
        small = F.interpolate(x, size=(3, 4), mode="nearest")
        again = F.interpolate(small, size=(7, 9), mode="bilinear")
        made = [near, torch.cat([smooth, corners], 3), again]
        return torch.cat([mix(x).flatten(1) for mix, x in zip(self.mixes, made)], 1)


class Types(nn.Module):
    """Operands of several types, statistics without parameters, axes that nobody names."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(4, affine=False)
        self.mix = nn.Conv2d(4, 6, (3, 2), bias=False)
        self.register_buffer("levels", torch.tensor([3, -1, 2, 0, 1, 5]))
        self.register_buffer("shares", torch.tensor([0, 1, 2, 3, 4, 5], dtype=torch.int8))
        for statistics in [self.norm.running_mean, self.norm.running_var]:
            statistics.data = torch.rand(4) + 0.5

    def forward(self, x):
        x = self.mix(self.norm(x)).squeeze()
        x = x * self.levels + self.shares / 4 - torch.clamp(self.levels, max=2.5)
        x = torch.where(self.levels > 1.5, x, 0.5 * self.shares.mean(0, dtype=torch.float32))
        x = torch.where(x >= self.shares.to(torch.float32), x, -torch.sqrt(self.shares))
        x = torch.cat([x, self.levels]) + self.levels.sum(0, dtype=torch.float32)
        return torch.clamp(x, max=float("inf"), min=-20).softmax(0, dtype=torch.float32).unsqueeze(0)


class Reaching(nn.Module):
    """A factor that gives a longer extent in 32 bits than in 64, and factors beside the ratio of the extents."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        near = F.interpolate(x, scale_factor=(1.4, 2.3), mode="nearest")
        return self.mix(F.interpolate(near, scale_factor=(1.2, 1.1), mode="bilinear")).mean(2)


class Volume(nn.Module):
    """Convolution, its transpose and pools over depth, height and width."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv3d(2, 4, (2, 3, 1), stride=(1, 2, 1), padding=(1, 0, 0), groups=2)
        self.up = nn.ConvTranspose3d(4, 3, 2, stride=2, bias=False)

    def forward(self, x):
        x = self.up(F.max_pool3d(torch.relu(self.mix(x)), 2))
        return F.avg_pool3d(x, (1, 2, 2)).mean([2, 3, 4])


class Roots(nn.Module):
    """Divided by the root of the mean square, over one axis and over two."""

    def __init__(self):
        super().__init__()
        self.one = nn.RMSNorm(6)
        self.two = nn.RMSNorm((5, 6), eps=1e-3)
        self.mix = nn.Linear(6, 4)
        for norm in [self.one, self.two]:
            norm.weight.data = torch.rand(norm.weight.shape) + 0.5

    def forward(self, x):
        return self.mix(self.two(self.one(x * 1e-3))).mean(1)


def saved(program):
    """The file, without traces of the stack."""
    file, small = io.BytesIO(), io.BytesIO()
    torch.export.save(program, file)
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(small, "w") as archive:
        for name in whole.namelist():
            data = whole.read(name)
            if name.endswith("models/model.json"):
                program = json.loads(data)
                for node in program["graph_module"]["graph"]["nodes"]:
                    node["metadata"] = {k: v for k, v in node["metadata"].items() if k == "nn_module_stack"}
                data = json.dumps(program, separators=(",", ":")).encode()
            if "sample_inputs" not in name:
                archive.writestr(zipfile.ZipInfo(name), data)
    return small.getvalue().hex()


def case(name, module, shape, open_batch=False, decomposed=False):
    module = module.eval()
    x = torch.randn(shape)
    shapes = ({0: torch.export.Dim("n")},) if open_batch else None
    example = torch.randn(2, *shape[1:]) if open_batch else x
    program = torch.export.export(module, (example,), dynamic_shapes=shapes)
    if decomposed:
        program = program.run_decompositions()
    numbers = lambda t: [float(v) for v in t.ravel()]
    return {"name": name, "file": saved(program), "input": numbers(x), "output": numbers(module(x).detach())}


def main():
    cases = [
        case("layers", Layers(), (1, 3, 12, 16)),
        case("layers, open batch", Layers(), (1, 3, 12, 16), open_batch=True),
        case("layers, decomposed", Layers(), (1, 3, 12, 16), decomposed=True),
        case("movement", Movement(), (1, 4, 5, 7)),
        case("movement, decomposed", Movement(), (1, 4, 5, 7), decomposed=True),
        case("tokens", Tokens(), (1, 2, 15)),
        case("tokens, decomposed", Tokens(), (1, 2, 15), decomposed=True),
        case("quantized", Quantized(), (1, 3, 6, 6)),
        case("upsampling", Upsampling(), (1, 4, 5, 6)),
        case("upsampling, decomposed", Upsampling(), (1, 4, 5, 6), decomposed=True),
        case("resizing", Resizing(), (1, 3, 5, 6)),
        case("resizing, open batch, decomposed", Resizing(), (1, 3, 5, 6), open_batch=True, decomposed=True),
        case("types", Types(), (1, 4, 3, 2)),
        case("types, decomposed", Types(), (1, 4, 3, 2), decomposed=True),
        case("reaching", Reaching(), (1, 1, 45, 2)),
        case("reaching, decomposed", Reaching(), (1, 1, 45, 2), decomposed=True),
        case("volume", Volume(), (1, 2, 4, 9, 4)),
        case("volume, decomposed", Volume(), (1, 2, 4, 9, 4), decomposed=True),
        case("roots", Roots(), (1, 5, 6)),
        case("roots, decomposed", Roots(), (1, 5, 6), decomposed=True),
    ]
    json.dump(cases, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
