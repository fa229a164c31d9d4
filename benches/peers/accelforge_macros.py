"""What AccelForge's models of five published chips say of the figures in docs/silicon/measured.csv, as CSV.

    python benches/peers/accelforge_macros.py CHECKOUT > accelforge.csv
    python benches/peers/accelforge_macros.py CHECKOUT --chip wang --points docs/silicon/points.csv

CHECKOUT is a copy of AccelForge's repository, whose `examples/arches/compute_in_memory` has the models. They run as they
are there. This script sets the bits, voltages and values of a figure, and reads the result as the notebooks of AccelForge
do (`notebooks/compute_in_memory`). UNPU has no model there. Standard error gets the mean and the worst error of each group
of figures; with `--points`, those of esnsim for the same figures, too. Some three minutes of one core.

    pip install accelforge==1.0.467        # Python 3.12; needs graphviz

NeuroSim comes in the package `hwcomponents-neurosim` as a program. Where it does not start, it is built from the sources of
the package: copy `DNN_NeuroSim_V1.3/Inference_pytorch/NeuroSIM` and over it `drop_in/*`, run `make`, and put `main` in
`NeuroSim/`.
"""

import argparse
import collections
import csv
import functools
import logging
import pathlib
import sys
import time

MEASURED = pathlib.Path(__file__).parents[2] / "docs" / "silicon" / "measured.csv"
SETTING = ("chip", "weight_bits", "input_bits", "output_bits", "phases", "mean_output", "volts")
# Sinangil: an input or a weight over the square root of the mean output, as the notebook of the model scales them.
VALUE_OVER_ROOT_OF_OUTPUT = 0.25
JIA_COLUMNS = 256
# NeuRRAM: 256 × 256 cells hold 256 × 128 weights of two cells each; a MAC is two operations.
NEURRAM_OPERATIONS = 2 * 256 * 128
NEURRAM_CORES = 48
# Wang: joules of a MAC at 1.0 V, from 16.38 TOPS/W.
WANG_JOULES = 2 / 16.38e12
COLONNADE_COLUMNS = 128
COLONNADE_ACCUMULATOR_COLUMNS = 7


class Result:
    """One run of a model: energies in J and latencies in s, of the whole workload and a MAC."""

    def __init__(self, spec, mappings) -> None:
        self.spec = spec
        self.energies = {name: float(energy) for name, energy in mappings.energy(per_component=True).items()}
        self.macs = float(mappings.n_computes())
        self.joules = float(mappings.energy())
        self.seconds_of_mac = float(mappings.per_compute().latency())

    def joules_of(self, components: list[str]) -> float:
        return sum(self.energies.get(component, 0.0) for component in components)

    def tops(self) -> float:
        return 2 / self.seconds_of_mac / 1e12

    def tops_a_watt(self) -> float:
        return 2 * self.macs / self.joules / 1e12

    def square_mm(self) -> float:
        areas = self.spec.calculate_component_costs().arch.per_component_total_area
        return sum(float(area) for area in areas.values()) * 1e6


def set_bits(spec, bits: dict[str, int]) -> None:
    for einsum in spec.workload.einsums:
        for access in einsum.tensor_accesses:
            access.bits_per_value = bits.get(access.name, access.bits_per_value)


def colonnade(spec, row: dict) -> None:
    weight_bits = int(row["weight_bits"])
    spec.variables.voltage = float(row["volts"])
    # The test bench of the paper, whose figures these are.
    spec.arch.variables["force_100mhz"] = True
    spec.workload.rank_sizes["N"] = COLONNADE_COLUMNS // (weight_bits + COLONNADE_ACCUMULATOR_COLUMNS)
    set_bits(spec, {"input": int(row["input_bits"]), "weight": weight_bits, "output": int(row["output_bits"])})


def jia(spec, row: dict) -> None:
    input_bits = int(row["input_bits"])
    spec.variables.voltage = float(row["volts"])
    spec.variables.input_bits = input_bits
    spec.variables.weight_bits = spec.variables.output_bits = 1
    set_bits(spec, {"input": input_bits, "weight": 1, "output": 1})


def neurram(spec, row: dict) -> None:
    spec.arch.variables["one_phase"] = int(row["phases"] == "1")
    set_bits(spec, {"input": int(row["input_bits"]), "output": int(row["output_bits"])})


def sinangil(spec, row: dict) -> None:
    # The throughput of Table I is the same at any mean output.
    mean_output = float(row["mean_output"] or 15)
    spec.variables.voltage = float(row["volts"])
    spec.arch.variables["average_input_value"] = VALUE_OVER_ROOT_OF_OUTPUT * mean_output**0.5
    spec.arch.variables["average_weight_value"] = VALUE_OVER_ROOT_OF_OUTPUT * mean_output**0.5
    spec.arch.variables["average_output_value"] = mean_output


def wang(spec, row: dict) -> None:
    spec.variables.voltage = float(row["volts"])


# The models, and what sets one to the setting of a row.
CHIPS = {
    "colonnade": ("colonnade_jssc_2021", colonnade),
    "jia": ("jia_jssc_2020", jia),
    "neurram": ("neurram_nature_2022", neurram),
    "sinangil": ("sinangil_jssc_2021", sinangil),
    "wang": ("wang_vlsi_2022", wang),
}

# The components of a model that a printed figure takes together.
JIA_ARRAY = ["RowDrivers", "WeightDrivers", "CimUnit", "BitcellCapacitor", "ColumnDrivers"]
JIA_PARTS = {"ADC": ["ADC"], "array": JIA_ARRAY, "digital path": ["OutDatapath", "ShiftAdd"]}
NEURRAM_PARTS = {
    "word lines": ["WordlineDrivers", "WordlineCap"],
    "neurons and control": ["ShiftAdd", "ADC", "Integrator", "Sample", "WeightDrivers"],
    "input pulses": ["RowDrivers", "CimUnit"],
}
WANG_DRIVERS = ["RowDrivers", "SelectWordlineDrivers", "ColumnDrivers"]
WANG_LADDERS = WANG_DRIVERS + ["CimUnit", "C2CMultiplier", "C2CMultiplierPortB"]
# Not "rest", which is control: the model has none.
WANG_PARTS = {"ADC": ["ADC"], "DAC": ["DAC"], "MAC": WANG_LADDERS}


def figure(row: dict, result: Result) -> float | None:
    """The figure of `row` in its unit, as the model has it; none where the model has no such part."""
    chip, quantity = row["chip"], row["quantity"]
    part = quantity.partition(", ")[2]
    if chip == "jia" and part:
        return result.joules_of(JIA_PARTS[part]) / JIA_COLUMNS * 1e12
    if chip == "jia" and quantity == "efficiency":
        # Table II counts array and converters, not the digital path.
        return 2 * result.macs / result.joules_of(JIA_ARRAY + ["ADC"]) / 1e12
    if chip == "neurram" and part:
        return result.joules_of(NEURRAM_PARTS[part]) / NEURRAM_OPERATIONS * 1e15
    if chip == "wang" and part:
        # Of the measured energy: the model has no "rest", so that shares of its own energy would be larger.
        return 100 * result.joules_of(WANG_PARTS[part]) / result.macs / WANG_JOULES if part in WANG_PARTS else None
    return FIGURES[quantity, row["unit"]](result)


FIGURES = {
    ("energy", "fJ/MAC"): lambda result: result.joules / result.macs * 1e15,
    ("efficiency", "TOPS/W"): Result.tops_a_watt,
    ("throughput", "TOPS"): Result.tops,
    ("throughput", "GOPS"): lambda result: result.tops() * 1e3,
    ("throughput of 48 cores", "TOPS"): lambda result: result.tops() * NEURRAM_CORES,
    ("energy a product of matrix and vector", "pJ"): lambda result: result.joules * 1e12,
    ("density", "TOPS/mm2"): lambda result: result.tops() / result.square_mm(),
}


def setting_text(row: dict) -> str:
    words = [("weight_bits", "-bit weights"), ("input_bits", "-bit inputs"), ("output_bits", "-bit outputs")]
    words += [("phases", " phases"), ("mean_output", " mean output"), ("volts", " V")]
    return " ".join(row[column] + word for column, word in words if row[column])


def group_of(row: dict) -> str:
    """The figures whose errors are taken together: the rows of the first table of docs/silicon.md."""
    chip, volts, source = row["chip"], row["volts"], row["source"]
    if chip == "colonnade":
        figures = {"Fig. 16b": "1-bit inputs", "Fig. 16a": "b × b bits"}[source] if volts == "0.8" else "both"
        return f"colonnade, {volts} V, {figures}"
    if chip == "sinangil":
        return f"sinangil, {source}, {row['quantity']}" + (f", {volts} V" if source == "Table I" else "")
    if chip == "jia":
        return "jia, energies of Table I" if source == "Table I" else f"jia, {row['quantity']}"
    if chip == "wang":
        return "wang, 1.0 V" if volts == "1.0" else f"wang, other voltages, {row['quantity']}"
    return f"{chip}, {row['quantity']}"


def error_percent(model: float, row: dict) -> float:
    return 100 * (model / float(row["measured"]) - 1)


def mean_and_worst(errors: list[float]) -> str:
    sizes = [abs(error) for error in errors]
    return f"{len(sizes)} figures, mean {sum(sizes) / len(sizes):.1f} %, worst {max(sizes):.1f} %"


def summary(rows: list[dict], theirs: dict[int, float], ours: list[dict] | None) -> None:
    """Prints the errors of each group. Beside `ours`, figures that esnsim does not describe are a group of their own."""
    groups = collections.defaultdict(list)
    for index in theirs:
        alone = ours is not None and not ours[index]["error_percent"]
        groups[group_of(rows[index]) + (", not described by esnsim" if alone else "")].append(index)
    for group, members in groups.items():
        line = f"{group}: AccelForge {mean_and_worst([theirs[index] for index in members])}"
        errors = [float(ours[index]["error_percent"]) for index in members if ours and ours[index]["error_percent"]]
        print(line + (f"; esnsim {mean_and_worst(errors)}" if errors else ""), file=sys.stderr)


def read(path: pathlib.Path, chips: list[str]) -> list[dict]:
    with open(path, newline="") as file:
        return [row for row in csv.DictReader(file) if row["chip"] in chips]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=pathlib.Path, help="a copy of AccelForge's repository")
    parser.add_argument("--chip", choices=CHIPS, action="append", help="this chip alone; may be given more than once")
    parser.add_argument("--measured", type=pathlib.Path, default=MEASURED)
    parser.add_argument("--points", type=pathlib.Path, help="docs/silicon/points.csv, for the errors of esnsim")
    arguments = parser.parse_args()
    models = arguments.checkout / "examples" / "arches" / "compute_in_memory"
    if not (models / "_load_spec.py").is_file():
        sys.exit(f"{models} has no _load_spec.py: give a copy of AccelForge's repository")
    sys.path.insert(0, str(models))
    from _load_spec import get_spec

    logging.disable(logging.WARNING)
    chips = arguments.chip or list(CHIPS)
    rows = read(arguments.measured, chips)
    ours = read(arguments.points, chips) if arguments.points else None
    if ours is not None and [row["measured"] for row in rows] != [row["measured"] for row in ours]:
        sys.exit(f"{arguments.points} does not have the figures of {arguments.measured}, row by row")

    @functools.cache
    def run(setting: tuple[str, ...]) -> tuple[Result, float]:
        begin = time.perf_counter()
        name, adjust = CHIPS[setting[0]]
        spec = get_spec(name, add_dummy_main_memory=True)
        adjust(spec, dict(zip(SETTING, setting)))
        result = Result(spec, spec.map_workload_to_arch(print_progress=False))
        return result, time.perf_counter() - begin

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["chip", "figure", "setting", "unit", "measured", "accelforge", "error_percent", "seconds"])
    theirs = {}
    for index, row in enumerate(rows):
        result, seconds = run(tuple(row[column] for column in SETTING))
        model = figure(row, result)
        cells = ["", ""]
        if model is not None:
            theirs[index] = error_percent(model, row)
            cells = [f"{model:.4g}", f"{theirs[index]:.2f}"]
        name = [row["chip"], f"{row['source']}, {row['quantity']}", setting_text(row), row["unit"]]
        writer.writerow([*name, row["measured"], *cells, f"{seconds:.2f}"])
        sys.stdout.flush()
    summary(rows, theirs, ours)


if __name__ == "__main__":
    main()
