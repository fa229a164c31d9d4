"""Tells whether two builds of `esnsim` write the same bytes. It needs Python's standard library alone.

    python3 tests/python/compare_outputs.py record path/to/old/esnsim BEFORE
    python3 tests/python/compare_outputs.py record path/to/new/esnsim AFTER
    python3 tests/python/compare_outputs.py compare BEFORE AFTER

`record` makes the same inputs in FOLDER/in every time and runs every command of the table below in a folder of its own.
There it keeps what the command writes, what it prints and how it ends. Commands name files by relative paths, so that
nothing in a record depends on where it stands. Networks and images that are not at hand are left out, and the commands
that need them are skipped and named.

`compare` holds two records against each other, file by file and byte by byte, and ends with exit code 1 where a file
differs. Stores of sweeps are compared by their rows, for SQLite may keep equal rows in other bytes. What commands print
is listed apart, as messages, and counts only with `--messages`; how long they took never counts.
"""

import argparse
import json
import math
import re
import shlex
import shutil
import sqlite3
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]

# One command a line: its name, the exit code that it should have, its arguments. A command may read what one above it
# wrote. `in` holds what make_inputs makes; words in braces stand for the arguments below the table.
TABLE = r"""
inspect                 0 inspect --nodes --csv layers.csv --topology-csv topology.csv
inspect-weights         0 inspect ../in/made.safetensors --csv layers.csv --topology-csv topology.csv
inspect-topology        0 inspect ../in/made.safetensors --topology ../in/topology.csv --csv layers.csv
inspect-find-step       0 inspect ../in/lattice.safetensors --find-step --csv layers.csv
inspect-onnx            0 inspect ../in/bn.onnx --nodes --csv layers.csv --topology-csv topology.csv
inspect-open-batch      0 inspect ../in/bn.onnx --input-shape image=2,3,32,32 --csv layers.csv
inspect-qdq             0 inspect ../in/qdq.onnx --nodes --csv layers.csv
inspect-qoperator       0 inspect ../in/qoperator.onnx --nodes --csv layers.csv
inspect-qonnx           0 inspect ../in/qonnx.onnx --nodes --csv layers.csv --topology-csv topology.csv
inspect-tflite          0 inspect ../in/mobilenet.tflite --nodes --csv layers.csv --topology-csv topology.csv
inspect-torch           0 inspect ../in/resnet20.th --csv layers.csv
inspect-architecture    0 inspect ../in/resnet20.th --architecture resnet20 --nodes --csv layers.csv

esn                     0 esn --csv layers.csv
esn-as-printed          0 esn --bits 2 --bit-convention as-printed --threads 1 --csv layers.csv
esn-16-bits             0 esn ../in/digits.onnx --bits 16 --threads 2 --csv layers.csv
esn-shards              0 esn ../in/made.safetensors.index.json --bits 3 --csv layers.csv
esn-find-step           0 esn ../in/lattice.safetensors --find-step --csv layers.csv
esn-find-step-bits      0 esn ../in/bn.onnx --find-step --bits 8 --csv layers.csv
esn-onnx                0 esn ../in/bn.onnx ../in/folded.onnx ../in/qdq.onnx --csv layers.csv
esn-integers            0 esn ../in/qoperator.onnx ../in/qonnx.onnx --csv layers.csv
esn-tflite              0 esn ../in/float.tflite ../in/int8.tflite ../in/mobilenet.tflite --csv layers.csv
esn-torch               0 esn ../in/resnet20.th ../in/trained.pth --bits 5 --csv layers.csv
esn-architecture        0 esn ../in/resnet20.th --architecture resnet20 --csv layers.csv

simulate                0 simulate {run}
simulate-1-thread       0 simulate --bits 3 --threads 1 {run}
simulate-2-threads      0 simulate --bits 3 --threads 2 {run}
simulate-list           0 simulate --hardware list
simulate-processors     0 simulate --limit 50 --hardware cpu-serial --hardware gpu-8bit --hardware sparse-8bit {run}
simulate-bit-widths     0 simulate --hardware multi-precision --hardware variable-bit-filter --hardware bit-serial {run}
simulate-bias           0 simulate --limit 50 --hardware analog-class-a --hardware analog-class-ab {run}
simulate-analog         0 simulate --limit 50 --hardware analog-class-b --hardware in-memory-class-b {run}
simulate-digital-files  0 simulate --limit 20 --hardware ../in/skipping.toml --hardware ../in/schedule.toml {run}
simulate-analog-files   0 simulate --limit 20 --hardware ../in/noisy.toml --hardware ../in/conductance.toml {run}
simulate-seeds          0 simulate --limit 40 --seeds 3 --hardware ../in/noisy.toml {run}
simulate-stepped        0 simulate --stepped --limit 20 --bit-convention as-printed {run}
simulate-stepped-arrays 0 simulate --stepped --limit 9 --hardware ../in/skipping.toml --hardware in-memory-class-b {run}
simulate-activations    0 simulate --limit 40 --activation-bits 4 --calibration-images 16 {run}
simulate-npz            0 simulate ../in/digits.onnx --images ../in/digits.npz --limit 60 {run}
simulate-folder         0 simulate ../in/digits.onnx --images ../in/pictures --limit 5 --preprocess unit {run}
simulate-npy            0 simulate ../in/digits.onnx --images ../in/digits.npy --mean 0.5 --std 2 --no-float {run}
simulate-topology       0 simulate ../in/made.safetensors --topology ../in/topology.csv {run}
simulate-find-step      0 simulate ../in/lattice.safetensors --find-step {run}
simulate-onnx           0 simulate ../in/bn.onnx {cifar} {run}
simulate-open-batch     0 simulate ../in/bn.onnx --input-shape image=4,3,32,32 {cifar} --limit 8 {run}
simulate-folded         0 simulate ../in/folded.onnx --bits 6 {cifar} --limit 16 --label-offset 0 {run}
simulate-numbers        0 simulate ../in/folded.onnx --images ../in/cifar.bin --limit 9 --mean 0.5,0.4,0.4 {run}
simulate-qdq            0 simulate ../in/qdq.onnx {cifar} {run}
simulate-qdq-hardware   0 simulate ../in/qdq.onnx {cifar} --limit 4 --hardware ../in/noisy.toml {run}
simulate-qoperator      0 simulate ../in/qoperator.onnx {cifar} {run}
simulate-qonnx          0 simulate ../in/qonnx.onnx --images ../in/noise.npy {run}
simulate-float-tflite   0 simulate ../in/float.tflite --images ../in/cifar.bin --preprocess none {run}
simulate-int8-tflite    0 simulate ../in/int8.tflite --images ../in/cifar.bin {run}
simulate-reference      0 simulate ../in/int8.tflite --images ../in/cifar.bin --tflite-kernels reference {run}
simulate-stepped-tflite 0 simulate ../in/int8.tflite --stepped {run}
simulate-photographs    0 simulate ../in/mobilenet.tflite --images ../in/photographs/manifest.csv {run}
simulate-preprocess     0 simulate ../in/float.tflite --images ../in/cifar.bin --preprocess ../in/preprocess.toml {run}
simulate-torch          0 simulate ../in/resnet20.th {run}
simulate-architecture   0 simulate ../in/resnet20.th --architecture resnet20 {cifar} --limit 16 {run}

landscape               0 landscape --csv points.csv --svg figure.svg
landscape-options       0 landscape --hardware ideal-digital --hardware ../in/schedule.toml {landscape}

trace                   0 trace --vcd waves.vcd --csv cycles.csv
trace-options           0 trace --layer /layer2/conv1/Conv --cycles 100..400 --bits 3 --image 5 {lanes} {trace}
trace-skipping          0 trace --hardware ../in/skipping.toml {trace}
trace-analog            0 trace --layer 3 --cycles 0..16 --hardware in-memory-class-b {trace}
trace-pseudo-random     0 trace ../in/digits.onnx --cycles 0..200 --threads 1 {trace}
trace-image             0 trace ../in/qdq.onnx --layer 2 {cifar} --image 3 --hardware bit-serial {trace}
trace-reference         0 trace ../in/int8.tflite --tflite-kernels reference --images ../in/cifar.bin {trace}
trace-topology          0 trace ../in/made.safetensors --topology ../in/topology.csv {trace}

convert-onnx            0 convert ../in/digits.onnx net.onnx
convert-safetensors     0 convert ../in/digits.onnx weights.safetensors
convert-npz             0 convert ../in/digits.onnx weights.npz
convert-to              0 convert ../in/made.safetensors weights.bin --to npz --strict
convert-find-step       0 convert ../in/lattice.safetensors weights.safetensors --find-step
convert-qdq             0 convert ../in/qdq.onnx net.onnx
convert-qdq-weights     0 convert ../in/qdq.onnx weights.safetensors
convert-qoperator       0 convert ../in/qoperator.onnx net.onnx
convert-qonnx           0 convert ../in/qonnx.onnx net.onnx
convert-float-tflite    0 convert ../in/float.tflite net.onnx
convert-int8-tflite     0 convert ../in/int8.tflite net.onnx
convert-reference       0 convert ../in/int8.tflite net.onnx --tflite-kernels reference
convert-tflite-weights  0 convert ../in/mobilenet.tflite weights.npz
convert-torch           0 convert ../in/resnet20.th weights.safetensors
convert-architecture    0 convert ../in/resnet20.th net.onnx --architecture resnet20
simulate-converted      0 simulate ../convert-safetensors/weights.safetensors --topology ../inspect/topology.csv {run}
esn-converted           0 esn ../convert-npz/weights.npz ../convert-onnx/net.onnx --csv layers.csv

compress-filters        0 compress --prune filters=0.2 --bits 4 {net}
compress-compact        0 compress --prune width=0.75 --compact {net}
compress-weights        0 compress --prune weights=0.5 --prune-scope layer --bits 3 {net}
compress-pattern        0 compress --prune 2:4 --bits 8 --grid mid-tread -o net.safetensors --json report.json
compress-twice          0 compress --prune filters=0.1 --prune weights=0.3 --bits 3 -o net.npz --json report.json
compress-below          0 compress --prune-below 0.5 {net}
compress-to-esn-a       0 compress --prune esn-a=2e6 --bits 4 {net}
compress-to-esn-d       0 compress --prune esn-d=1e6 --bits 4 --compact {net}
compress-to-macs        0 compress --prune macs=500000 {net}
compress-to-parameters  0 compress --prune parameters=50000 --prune-scope layer {net}
compress-filter-steps   0 compress --bits 4 --granularity filter --clip mse --bias-correction {net}
compress-laplace        0 compress --bits 4 --clip laplace --first-bits 8 --last-bits 6 {net}
compress-gauss          0 compress --bits 12 --clip gauss --grid mid-tread {net}
compress-snr            0 compress --target-snr 100 {net}
compress-esn-a          0 compress --target-esn-a 1e5 --bits 8 {net}
compress-profile        0 compress --target-profile ../in/digits.onnx --bits 3 {net}
compress-training       0 compress ../in/made.safetensors --target-profile ../in/training.json -o net.npz
compress-average-bits   0 compress --average-bits 3.5 {net}
compress-bit-budget     0 compress --esn-d-filter-budget 2e6 --threads 1 {net}
compress-find-step      0 compress ../in/lattice.safetensors --find-step -o net.safetensors --json report.json
compress-reestimate     0 compress ../in/digits.onnx --bits 3 --calibrate ../in/digits.npz --reestimate-bn {net}
compress-numbers        0 compress ../in/digits.onnx --reestimate-bn --calibrate ../in/digits.npz --mean 1 -o net.onnx
compress-cifar          0 compress ../in/bn.onnx --prune filters=0.1 --bits 3 --granularity filter {calibrate} {net}
compress-folded         0 compress ../in/folded.onnx --bits 4 {calibrate} --calibrate-limit 32 {net}
compress-open-batch     0 compress ../in/bn.onnx --bits 4 --input-shape image=8,3,32,32 {net}
compress-torch          0 compress ../in/resnet20.th --prune weights=0.5 --bits 4 -o net.safetensors --json report.json
compress-architecture   0 compress ../in/resnet20.th --architecture resnet20 --bits 4 {net}
simulate-compressed     0 simulate ../compress-filters/net.onnx --images ../in/digits.npz --limit 60 --scale 16 {run}
simulate-reestimated    0 simulate ../compress-cifar/net.onnx {cifar} --limit 16 {run}
esn-compressed          0 esn ../compress-pattern/net.safetensors ../compress-compact/net.onnx --csv layers.csv
esn-grid                0 esn ../compress-twice/net.npz --grid mid-rise --csv layers.csv
simulate-grid           0 simulate ../compress-twice/net.npz --grid mid-rise {run}
convert-grid            0 convert ../compress-twice/net.npz weights.safetensors --grid mid-rise

new-resnet8             0 new resnet8 -o net.onnx
new-resnet20            0 new resnet20 --width 0.5 --shortcut paper --seed 3 -o net.onnx
new-resnet56            0 new resnet56 --width 0.25 --shortcut projection --fan out --classes 100 -o net.onnx
new-vgg7                0 new vgg7 --width 0.125 -o net.onnx
new-densenet            0 new densenet-bc --depth 22 --growth 6 -o net.onnx
new-resnet18            0 new resnet18 --width 0.125 --input 64 -o net.onnx
new-resnet50            0 new resnet50 --width 0.125 --classes 20 -o net.onnx
inspect-new             0 inspect ../new-resnet50/net.onnx --nodes --csv layers.csv --topology-csv topology.csv
simulate-new            0 simulate ../new-densenet/net.onnx {run}

sweep                   1 sweep ../in/plan.toml --store store.sqlite
sweep-shard-1           1 sweep ../in/plan.toml --shard 1/2 --threads 1 --store store.sqlite
sweep-shard-2           0 sweep ../in/plan.toml --shard 2/2 --threads 2 --memory 1 --store store.sqlite
sweep-merge             1 sweep ../in/plan.toml --retry-failed {merge} --store store.sqlite
sweep-cifar             0 sweep ../in/plan-cifar.toml --store store.sqlite
sweep-weights           0 sweep ../in/plan-weights.toml --store store.sqlite
pareto                  0 pareto ../sweep/store.sqlite {frontier}
pareto-merged           0 pareto ../sweep-merge/store.sqlite --cost energy:schedule --accuracy agreement {frontier}
pareto-analog           0 pareto ../sweep/store.sqlite --cost esn-a-weights --accuracy top1:noisy {frontier}
pareto-histogram        0 pareto ../sweep/store.sqlite --cost esn-d-filter --histogram-at 2e6 {frontier}
pareto-cifar            0 pareto ../sweep-cifar/store.sqlite --cost parameters {frontier}

version                 0 --version
help                    0 --help
help-inspect            0 inspect --help
help-esn                0 esn --help
help-simulate           0 simulate --help
help-landscape          0 landscape --help
help-trace              0 trace --help
help-convert            0 convert --help
help-compress           0 compress --help
help-new                0 new --help
help-sweep              0 sweep --help
help-pareto             0 pareto --help

error-command           2 optimize
error-bits              2 esn --bits 17
error-missing-file      2 simulate missing.onnx {run}
error-not-a-network     2 inspect ../in/text.onnx
error-torn-weights      2 esn ../in/torn.safetensors
error-mid-rise          2 esn ../in/qdq.onnx --grid mid-rise --csv layers.csv
error-hardware          2 simulate --hardware ../in/wrong.toml {run}
error-same-hardware     2 simulate --hardware gpu-8bit --hardware gpu-8bit
error-images            2 simulate ../in/digits.onnx --images ../in/torn.npy
error-same-output       2 simulate --csv same.csv --json same.csv
error-nothing-to-do     2 compress -o net.onnx
error-topology          2 esn ../in/made.safetensors --topology ../inspect/topology.csv
error-strict            2 convert ../in/digits.onnx weights.npz --strict
error-layer             2 trace --layer 99 --vcd waves.vcd
error-plan              2 sweep ../in/wrong.toml --store store.sqlite
error-store             2 pareto ../in/text.onnx --csv points.csv
"""
WORDS = {
    "run": "--csv layers.csv --json run.json --html run.html",
    "net": "-o net.onnx --json report.json",
    "trace": "--vcd waves.vcd --csv cycles.csv",
    "frontier": "--csv points.csv --svg figures --html page.html",
    "landscape": "--bits 6 --pruned 25 --seed 7 --threads 1 --csv points.csv --svg figure.svg",
    "cifar": "--images ../in/cifar.bin --preprocess imagenet",
    "calibrate": "--reestimate-bn --calibrate ../in/cifar.bin --preprocess imagenet",
    "lanes": "--lanes 3 --accumulators 2 --hardware ../in/schedule.toml",
    "merge": "--merge ../sweep-shard-1/store.sqlite ../sweep-shard-2/store.sqlite",
}

# Inputs that are copies: of the networks that come along, and of files of the folder of models.
TRACES = {
    "digits.onnx": "digits-resnet.onnx",
    "digits.preprocess.toml": "digits-resnet.preprocess.toml",
    "digits.npz": "digits-test.npz",
}
MODELS = {
    "folded.onnx": "resnet20-cifar10.onnx",
    "bn.onnx": "resnet20-cifar10-bn.onnx",
    "qdq.onnx": "resnet20-cifar10-int8-qdq-perchannel.onnx",
    "qoperator.onnx": "resnet20-cifar10-int8-qoperator.onnx",
    "qonnx.onnx": "tfc-mnist-2w2a-qonnx.onnx",
    "resnet20.th": "resnet20-cifar10.th",
    "trained.pth": "trained/resnet8-seed0.pth",
    "float.tflite": "resnet8-cifar10-float.tflite",
    "int8.tflite": "resnet8-cifar10-int8.tflite",
    "mobilenet.tflite": "mobilenet_v1_0.25_128_quant.tflite",
}
CIFAR_RECORD_BYTES = 1 + 3 * 32 * 32
CIFAR_IMAGES = 64
PHOTOGRAPHS = 6
DIGIT_BYTES = 8 * 8
NPY_HEADER_BYTES = 128

# Inputs that are text.
TEXTS = {
    "text.onnx": "This is not a network.\n",
    "wrong.toml": 'name = "wrong"\nengine = "digital"\nlanes = 4\n',
    "preprocess.toml": 'scale = 1.0\ncrop_fraction = 0.875\nfit = "stretch"\nchannel_order = "bgr"\nlayout = "nhwc"\n',
    "training.json": """{"epochs": [{"epoch": 1, "layers": [
{"name": "conv", "esn_a": 900.0}, {"name": "fc", "esn_a": 500.0}]}]}
""",
    "made.safetensors.index.json": '{"weight_map": {"conv.weight": "conv.safetensors", "fc.weight": "fc.safetensors"}}',
    "topology.csv": """\
Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
conv, 10, 10, 3, 3, 4, 8, 1,
fc, 1, 1, 1, 1, 32, 6, 1,
""",
    "skipping.toml": """name = "skipping"
engine = "digital"
array = { rows = 6, pes_per_row = 5, width_granularity = "weight", plane_skipping = "csd", zero_activations = "skip" }
energy = { mac_j_per_pe_cycle = 1.0e-15, idle_j_per_pe_cycle = 1.0e-16 }
""",
    "schedule.toml": """name = "schedule"
engine = "digital"
clock_hz = 5.0e8
[array]
rows = 7
pes_per_row = 4
width_granularity = "filter"
schedule = "longest-first"
barrier = "filter"
fill_cycles_per_tile = 3
[buffers]
weight_buffer_bits_per_row = 600
activation_buffer_bits = 4096
bits_per_activation = 8
bits_per_partial_sum = 24
[energy]
mac_j_per_pe_cycle = 1.0e-15
control_j_per_row_cycle = 3.0e-15
weight_fetch_j_per_bit = 2.0e-15
activation_fetch_j_per_bit = 1.5e-15
partial_sum_j_per_bit = 1.0e-15
""",
    "noisy.toml": """name = "noisy"
engine = "analog"
clock_hz = 1.0e7
array = { rows = 32, columns = 16, arrays = 3, differential = true, pipelined = false }
energy = { mac_j_per_squared_half_step = 1.0e-15, addition_j = 1.0e-14 }
bias = { class = "AB", quiescent_fraction = 0.1, reference = "column" }
dac = { bits = 6, bits_per_step = 2, conversion_j = 1.0e-13, conversion_cycles = 1 }
adc = { bits = 8, full_scale = "max-sum", conversion_j = 1.0e-12, conversion_cycles = 2, columns_per_converter = 4 }
noise = { seed = 1, programming_sigma = 0.02, read_sigma = 0.01, ir_drop_along_rows = 0.01 }
""",
    "conductance.toml": """name = "conductance"
engine = "analog"
array = { rows = "unbounded", columns = "unbounded", arrays = 1 }
energy = { mac_j_per_squared_half_step = 1.0e-15, law = "conductance" }
dac = { bits = 8 }
""",
    # The budget of the point is out of reach, so that it fails. It is the only one: failures are told as they come, and
    # the order of several would depend on the threads.
    "plan.toml": """networks = ["embedded"]
hardware = ["ideal", "schedule.toml", "noisy.toml"]
analog-accuracy = true
reestimate = [false, true]
images = { path = "embedded", limit = 40 }
statistics = { path = "embedded", limit = 60 }
[[prune]]
[[prune]]
each = [{ filters = { fraction = 0.2 } }, { weights = 0.5 }]
[[quantize]]
bits = [2, 4, 8]
granularity = ["layer", "filter"]
[[quantize]]
granularity = "filter"
allocation = { average-bits = 3.0 }
[[point]]
prune = { prunings = [{ filters = { budget = { macs = 1 } } }] }
""",
    "plan-cifar.toml": """networks = ["bn.onnx", "qdq.onnx"]
images = { path = "cifar.bin", limit = 16, preprocess = "imagenet" }
statistics = { path = "cifar.bin", limit = 32, preprocess = "imagenet" }
[[point]]
prune = { prunings = [{ filters = { width = 0.75 } }] }
quantize = { bits = 3 }
reestimate = true
[[point]]
quantize = { bits = 8 }
[[point]]
network = "qdq.onnx"
""",
    "plan-weights.toml": """networks = ["resnet20.th"]
architecture = "resnet20"
[[quantize]]
bits = [2, 5]
""",
}
# What plans name; one whose inputs are not at hand is left out.
PLANS = {"plan-cifar.toml": ["bn.onnx", "qdq.onnx", "cifar.bin"], "plan-weights.toml": ["resnet20.th"]}

INPUTS = "in"
COMMAND_LINE, EXIT_CODE, STDOUT, STDERR = "command.txt", "exit-code.txt", "stdout.txt", "stderr.txt"
MESSAGES = (STDOUT, STDERR)
# " in 0.08 s, 5957 a second" and " in 0.5 s"
DURATION = re.compile(rb" in \d+\.\d+ s\b(, \d+ a second)?")
SQLITE_MAGIC = b"SQLite format 3\0"
# Beside a store: its log, which is read with it, and what processes share while they use it.
SQLITE_LOG, SQLITE_SHARED = "-wal", "-shm"


@dataclass(frozen=True)
class Command:
    """A line of the table."""

    name: str
    exit_code: int
    arguments: list[str]

    @classmethod
    def of_line(cls, line):
        name, exit_code, arguments = line.split(maxsplit=2)
        return cls(name, int(exit_code), shlex.split(arguments))

    def reads(self):
        """The files that it finds outside its own folder, by their path from the folder of the record on."""
        return [argument.removeprefix("../") for argument in self.arguments if argument.startswith("../")]


def commands():
    return [Command.of_line(line) for line in TABLE.format(**WORDS).splitlines() if line]


# Recording


def record(arguments):
    """Runs every command and keeps what it leaves behind; false where one ends as it should not."""
    folder, binary, started = arguments.folder, arguments.binary.resolve(), time.monotonic()
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder}: a record needs a folder that is new or empty")
    (folder / INPUTS).mkdir(parents=True)
    make_inputs(folder / INPUTS, arguments.models, arguments.images)
    skipped, unexpected = 0, 0
    for command in commands():
        if missing := [path for path in command.reads() if is_missing(folder, path)]:
            print(f"skipped {command.name}: no {', '.join(missing)}")
            skipped += 1
            continue
        code = run(binary, command, folder / command.name)
        if code != command.exit_code:
            print(f"{command.name}: exit code {code}, expected {command.exit_code}; its {STDERR} says why")
            unexpected += 1
    seconds = time.monotonic() - started
    print(f"{len(commands()) - skipped} commands, {skipped} skipped, {len(files(folder))} files in {seconds:.0f} s")
    return unexpected == 0


def is_missing(folder, path):
    """Whether an input is not at hand, or the command that writes this file was skipped."""
    source = path.split("/")[0]
    return not (folder / (path if source == INPUTS else source)).exists()


def run(binary, command, folder):
    """Runs a command in a new folder; returns its exit code, or minus the signal that ended it."""
    folder.mkdir()
    result = subprocess.run(
        [binary, *command.arguments], cwd=folder, env={}, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    (folder / COMMAND_LINE).write_text(shlex.join(command.arguments) + "\n")
    (folder / EXIT_CODE).write_text(f"{result.returncode}\n")
    (folder / STDOUT).write_bytes(result.stdout)
    (folder / STDERR).write_bytes(result.stderr)
    return result.returncode


def files(folder):
    """The files of a record by their path from its folder on."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    ours = (path for path in paths if not path.name.endswith((SQLITE_LOG, SQLITE_SHARED)))
    return {path.relative_to(folder).as_posix(): path for path in ours}


# Comparing


def compare(arguments):
    """Lists what differs between two records; false where anything that counts does."""
    first, second = files(arguments.a), files(arguments.b)
    if not first or not second:
        sys.exit(f"{arguments.b if first else arguments.a}: there is no record")
    outputs, messages = {}, {}
    for name in sorted(first.keys() | second.keys()):
        if what := difference(first.get(name), second.get(name)):
            (messages if Path(name).name in MESSAGES else outputs)[name] = what
    for title, differing in (("files", outputs), ("messages", messages)):
        if differing:
            print(f"{title} that differ:", *(f"  {name}: {what}" for name, what in differing.items()), sep="\n")
    count = len(first.keys() | second.keys())
    print(f"{count} files compared: {len(outputs)} differ, and {len(messages)} messages")
    return not outputs and not (arguments.messages and messages)


def difference(a, b):
    """What is different about two files, in words; nothing where they are equal."""
    if a is None or b is None:
        return f"only in the {'second' if a is None else 'first'} record"
    first, second = a.read_bytes(), b.read_bytes()
    if first.startswith(SQLITE_MAGIC) and second.startswith(SQLITE_MAGIC):
        return difference_of_stores(a, b)
    if a.name in MESSAGES:
        first, second = DURATION.sub(b"", first), DURATION.sub(b"", second)
    if first == second:
        return None
    same = next((i for i, (x, y) in enumerate(zip(first, second)) if x != y), min(len(first), len(second)))
    line = first.count(b"\n", 0, same) + 1
    return f"{len(first)} and {len(second)} bytes, different from line {line}, byte {same + 1}, on"


def difference_of_stores(a, b):
    first, second = tables(a), tables(b)
    differing = [name for name in sorted(first.keys() | second.keys()) if first.get(name) != second.get(name)]
    return f"rows or columns differ in {', '.join(differing)}" if differing else None


def tables(path):
    """Every table of a store, its columns and its rows in order, and the two marks of its layout.

    All columns count, for none depends on the time or the machine: a store holds no clock, no host and no number of
    threads, and `version` is the program's. Keys and digests are hashes of what was asked for and of the inputs' bytes.
    """
    with TemporaryDirectory() as folder:
        for part in ("", SQLITE_LOG):
            if (source := path.with_name(path.name + part)).exists():
                shutil.copyfile(source, Path(folder) / source.name)
        with closing(sqlite3.connect(Path(folder) / path.name)) as store:
            found = {mark: store.execute(f"PRAGMA {mark}").fetchone() for mark in ("application_id", "user_version")}
            for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                columns = store.execute(f'PRAGMA table_info("{name}")').fetchall()
                found[name] = columns, sorted(store.execute(f'SELECT * FROM "{name}"'), key=repr)
            return found


# Inputs


def make_inputs(folder, models, images):
    """Writes every input that is at hand or can be made, the same bytes every time."""
    for source, names in ((ROOT / "traces", TRACES), (models, MODELS)):
        for name, original in names.items():
            if (source / original).exists():
                shutil.copyfile(source / original, folder / name)
    make_weights(folder)
    make_images(folder)
    cut_images(folder, images)
    for name, text in TEXTS.items():
        if all((folder / named).exists() for named in PLANS.get(name, [])):
            (folder / name).write_text(text)


def make_weights(folder):
    """Two layers of weights on no grid, in one file and in two, cut off, and on the grid of a fake quantization."""
    shapes = {"conv.weight": (8, 4, 3, 3), "fc.weight": (6, 32)}
    made = safetensors(shapes, lambda i: (random_byte(i) + random_byte(i + 7919) / 256) / 256 - 0.5)
    (folder / "made.safetensors").write_bytes(made)
    (folder / "torn.safetensors").write_bytes(made[:-100])
    for name, shape in shapes.items():
        shard = safetensors({name: shape}, lambda i: random_byte(i) / 300 - 0.4)
        (folder / name).with_suffix(".safetensors").write_bytes(shard)
    (folder / "lattice.safetensors").write_bytes(safetensors(shapes, lambda i: (random_byte(i) % 127 - 63) / 128))


def make_images(folder):
    """Images of digits as an array, cut off, and as pictures in a folder for each class; and an array of noise."""
    with zipfile.ZipFile(folder / "digits.npz") as archive:
        digits = archive.read("images.npy")
    (folder / "digits.npy").write_bytes(digits)
    (folder / "torn.npy").write_bytes(digits[:-100])
    pixels = digits[NPY_HEADER_BYTES:]
    for i in range(8):
        picture = folder / "pictures" / str(i % 2) / f"{i}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(png(pixels[i * DIGIT_BYTES :][:DIGIT_BYTES], width=8, height=8))
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 1, 28, 28), }"
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", NPY_HEADER_BYTES - 10) + text.ljust(NPY_HEADER_BYTES - 11) + b"\n"
    (folder / "noise.npy").write_bytes(header + bytes(map(random_byte, range(4 * 28 * 28))))


def cut_images(folder, images):
    """The first images of CIFAR-10, and the first photographs with the lines of the manifest that name them."""
    if (cifar := images / "cifar10" / "test_batch.bin").exists():
        with cifar.open("rb") as file:
            (folder / "cifar.bin").write_bytes(file.read(CIFAR_RECORD_BYTES * CIFAR_IMAGES))
    if (manifest := images / "imagenet-sample" / "manifest.csv").exists():
        lines = manifest.read_text().splitlines(keepends=True)[: 1 + PHOTOGRAPHS]
        for name in (line.split(",")[0] for line in lines[1:]):
            photograph = folder / "photographs" / name
            photograph.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(manifest.parent / name, photograph)
        (folder / "photographs" / manifest.name).write_text("".join(lines))


def random_byte(i):
    """The top byte of a multiplicative hash (Knuth)."""
    return (i + 1) * 2654435761 % 2**32 >> 24


def safetensors(shapes, weight):
    """A file of float32 tensors of these shapes; `weight` gives each number from its index in the tensor."""
    header, data = {}, b""
    for name, shape in shapes.items():
        values = struct.pack(f"<{math.prod(shape)}f", *map(weight, range(math.prod(shape))))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def png(pixels, width, height):
    """A grey picture of 8 bits, stored without compression: those bytes are the same with every version of zlib."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[y * width :][:width] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 0)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    subcommands = parser.add_subparsers(required=True)
    command = subcommands.add_parser("record", help=record.__doc__)
    command.add_argument("binary", type=Path, help="the esnsim that runs")
    command.add_argument("folder", type=Path, help="where the record is kept")
    command.add_argument("--models", type=Path, default=ROOT / "../shared/models", help="where networks are found")
    command.add_argument("--images", type=Path, default=ROOT / "../shared/data", help="where images are found")
    command.set_defaults(run=record)
    command = subcommands.add_parser("compare", help=compare.__doc__)
    command.add_argument("a", type=Path, metavar="FOLDER_A")
    command.add_argument("b", type=Path, metavar="FOLDER_B")
    command.add_argument("--messages", action="store_true", help="what commands print counts too")
    command.set_defaults(run=compare)
    arguments = parser.parse_args()
    return 0 if arguments.run(arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
