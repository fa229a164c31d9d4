"""Draws search.svg from points.csv and search.csv: python3 docs/frontier/search.py (needs matplotlib)."""

import csv
import pathlib

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

HERE = pathlib.Path(__file__).parent


def points(name: str, column: str | None = None) -> list[tuple[float, float]]:
    """Costs and accuracies of the points that were judged: of all, or of those that a column marks."""
    with open(HERE / name, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["top1"] and (column is None or row[column] == "true")]
    return sorted(((float(row["esn_d_macs"]), float(row["top1"])) for row in rows), key=lambda point: (point[0], -point[1]))


def frontier(found: list[tuple[float, float]]) -> list[tuple[float, float]]:
    best, kept = -1.0, []
    for cost, accuracy in found:
        if accuracy > best:
            best = accuracy
            kept.append((cost, accuracy))
    return kept


def main() -> None:
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "esnsim"})
    grid, search = points("points.csv"), points("search.csv")
    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.plot(*zip(*grid), ".", color="0.75", markersize=8, label="points of the grid")
    axes.step(*zip(*frontier(grid)), where="post", color="black", label="frontier of the grid")
    axes.plot(*zip(*search), ".", color="C0", markersize=8, label="contenders of the search")
    axes.step(*zip(*frontier(search)), where="post", color="C0", label="their frontier")
    chosen = points("search.csv", "frontier_where_chosen")
    axes.plot(*zip(*chosen), "o", color="C1", fillstyle="none", label="its frontier where it chose")
    axes.set(xscale="log", xlim=(8e6, 2.4e8), ylim=(0.4, 0.83), xlabel="ESN_d, bits of weights for one image",
             ylabel="top-1 accuracy, 2,000 images")
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.4), frameon=False)
    figure.tight_layout()
    figure.savefig(HERE / "search.svg", metadata={"Date": None, "Creator": None})


main()
