"""How much each method of `esnsim.search` finds, from one start: the table of methods in docs/frontier.md.

    python benches/peers/methods.py resnet20-cifar10-bn.onnx test-2000-to-3999.bin train FOLDER

160 points of each method, in one store in FOLDER, for all but the allocation begin with the same 96: 56 uniform networks and 40
allotments. About half an hour of one core.

    pip install ./python optuna
"""

import math
import pathlib
import sys

import esnsim

CHEAPEST, DEAREST = 8e6, 150e6
ACCURACIES = (0.70, 0.74, 0.76, 0.79)
POINTS = 160


def mean_accuracy(frontier: list[dict]) -> float:
    """The mean over the logarithm of ESN_d of the best accuracy that costs no more; 0 below the cheapest point."""
    steps = [(min(max(row["esn_d_macs"], CHEAPEST), DEAREST), row["top1"]) for row in frontier]
    ends = [cost for cost, _ in steps[1:]] + [DEAREST]
    area = sum(accuracy * math.log(end / cost) for (cost, accuracy), end in zip(steps, ends))
    return area / math.log(DEAREST / CHEAPEST)


def cells(frontier: list[dict]) -> list[str]:
    least = [min((row["esn_d_macs"] for row in frontier if row["top1"] >= accuracy), default=math.nan) for accuracy in ACCURACIES]
    return [f"{mean_accuracy(frontier):.4f}", *(f"{cost / 1e6:.1f}" for cost in least)]


def main() -> None:
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    network, test, train, folder = sys.argv[1:]
    pathlib.Path(folder).mkdir(exist_ok=True)
    images = esnsim.Images(test, preprocess="imagenet")
    statistics = esnsim.Images(train, limit=1000, preprocess="imagenet")
    store = pathlib.Path(folder, "methods.sqlite")
    for method in ("allocation", "local", "nsga2", "tpe"):
        study = esnsim.search(network, images, statistics=statistics, trials=POINTS, method=method, store=store, threads=1)
        print("| " + " | ".join([method, *cells(study.frontier)]) + " |", flush=True)


if __name__ == "__main__":
    main()
