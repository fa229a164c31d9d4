"""Writes the reference figures that `tests/tests/reference.rs` compares with, one CSV a network.

Written from the equations of "Prune or quantize?" alone, in float64 and integers; it shares nothing with the program.

    python esn_reference.py OUT NETWORK.onnx ...

Versions that the files here were made with: Python 3.11.7, numpy 2.4.6, onnx 1.23.2.

A layer is a Conv or Gemm with constant weights. Weights behind a DequantizeLinear are taken as they are (`bits` is 0);
others are quantized to every width of BITS.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

BITS = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16]

INTEGERS = [
    "filters", "weights", "nonzero", "macs", "sum_code2", "sum_code2_macs", "esn_d", "esn_d_macs", "esn_d_filter",
    "esn_d_printed", "esn_d_printed_macs", "esn_d_filter_printed", "units",
]
REALS = ["snr", "esn_a_from_snr", "esn_a_from_snr_macs"]
COLUMNS = ["bits", "layer", "op", "positions", *INTEGERS, "max_bits", *REALS]


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def layers(path):
    """Every layer: name, op, groups, positions, and real `weights` or integer `codes` of shape [M, C/g, Kh, Kw]."""
    model = onnx.load(path)
    graph = model.graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    found = []
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        layer = {"name": node.name, "op": node.op_type, "groups": attributes(node).get("group", 1)}
        maker = makers.get(node.input[1])
        if maker is not None and maker.op_type == "DequantizeLinear":
            layer["codes"] = filters_first(node, integer_codes(maker, constants))
        else:
            layer["weights"] = filters_first(node, constants[node.input[1]])
        found.append((layer, node.output[0]))
    for (layer, _), positions in zip(found, output_positions(model, [output for _, output in found])):
        layer["positions"] = positions
    return [layer for layer, _ in found]


def integer_codes(dequantize, constants):
    """code = 2 · (q − zero point)."""
    q = constants[dequantize.input[0]].astype(np.int64)
    zero_point = constants[dequantize.input[2]].astype(np.int64)
    if zero_point.ndim == 1:
        shape = [1] * q.ndim
        shape[attributes(dequantize).get("axis", 1)] = zero_point.size
        zero_point = zero_point.reshape(shape)
    return 2 * (q - zero_point)


def filters_first(node, weights):
    if node.op_type == "Conv":
        return weights
    return (weights if attributes(node).get("transB", 0) else weights.T)[:, :, None, None]


def output_positions(model, outputs):
    """How often each weight of a layer is used for one image: the extents of its output behind batch and channels."""
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*graph.value_info, *graph.output]}
    positions = [int(np.prod(shapes[output][2:], dtype=np.int64)) for output in outputs]
    assert all(positions), "shape inference has found every extent but that of the batch"
    return positions


def quantize(weights, bits):
    """Mid-rise, one step a layer: code = 2 · W_int, and the step."""
    weights = weights.astype(np.float64)
    step = np.abs(weights).max() / 2.0 ** (bits - 1)
    top = 2.0 ** (bits - 1) - 0.5
    w_int = np.where(weights == 0, 0.0, np.clip(np.floor(weights / step) + 0.5, -top, top))
    return (2 * w_int).astype(np.int64), step


def bit_widths(codes, least):
    """ceil(log2|code|), at least `least` where a weight is not pruned."""
    exact = np.array([int(m - 1).bit_length() if m else 0 for m in np.abs(codes).ravel().tolist()]).reshape(codes.shape)
    return np.where(codes != 0, np.maximum(exact, least), 0)


def filter_wide(codes, widths, groups):
    """Equation (7) at one position: computed weights of each filter × bits of its widest."""
    total = 0
    per_group = codes.shape[0] // groups
    for m in np.flatnonzero(codes.any(axis=(1, 2, 3))):
        group = m // per_group
        live_channels = codes[group * per_group:(group + 1) * per_group].any(axis=(0, 2, 3)).sum()
        total += int(live_channels) * codes.shape[2] * codes.shape[3] * int(widths[m].max())
    return total


def figures(layer, bits):
    """One row, and signal and noise of the layer (none where its weights are integers already)."""
    power = None
    if bits:
        weights = layer["weights"].astype(np.float64)
        codes, step = quantize(weights, bits)
        power = (float((weights**2).sum()), float(((weights - step * codes / 2.0) ** 2).sum()))
    else:
        codes = layer["codes"]
    positions, widths, printed = layer["positions"], bit_widths(codes, 1), bit_widths(codes, 0)
    row = {
        "bits": bits, "layer": layer["name"], "op": layer["op"], "positions": positions, "filters": codes.shape[0],
        "weights": codes.size, "nonzero": int((codes != 0).sum()), "macs": positions * codes.size,
        "sum_code2": int((codes**2).sum()), "esn_d": int(widths.sum()), "esn_d_printed": int(printed.sum()),
        "esn_d_filter": positions * filter_wide(codes, widths, layer["groups"]),
        "esn_d_filter_printed": positions * filter_wide(codes, printed, layer["groups"]),
        "units": int((np.abs(codes) == 1).sum()), "max_bits": int(widths.max()),
    }
    row |= {f"{name}_macs": positions * row[name] for name in ("sum_code2", "esn_d", "esn_d_printed")}
    if power:
        row["snr"] = power[0] / power[1]
        row["esn_a_from_snr"] = row["snr"] * row["nonzero"] / 12
        row["esn_a_from_snr_macs"] = positions * row["esn_a_from_snr"]
    return row, power


def total(rows, powers):
    row = {name: sum(r[name] for r in rows) for name in INTEGERS}
    row |= {"bits": rows[0]["bits"], "layer": "TOTAL", "max_bits": max(r["max_bits"] for r in rows)}
    if all(powers):
        row["snr"] = sum(s for s, _ in powers) / sum(n for _, n in powers)
        row |= {name: sum(r[name] for r in rows) for name in REALS[1:]}
    return row


def main(out, paths):
    for path in map(Path, paths):
        found = layers(path)
        with open(Path(out) / f"{path.stem}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for bits in [0] if "codes" in found[0] else BITS:
                rows, powers = zip(*(figures(layer, bits) for layer in found))
                writer.writerows([*rows, total(rows, powers)])
        print(path.stem, len(found), "layers")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
