"""The tables of docs/proxies.md, made of what `esnsim proxies --csv` and `--fit --json` wrote.

    python docs/proxies/tables.py resnet20.csv vgg7.csv mobilenet.csv > tables.md
    python docs/proxies/tables.py --fits fit-*.json > fits.md
"""

import csv
import json
import sys

NAMES = {
    "parameters": "parameters", "effective-weights": "nonzero weights", "macs": "MACs", "effective-macs": "effective MACs",
    "model-bits": "model bytes", "bit-operations": "bit operations", "effective-bit-operations": "effective bit operations",
    "esn-a": "ESN_a", "esn-d": "ESN_d", "esn-d-filter": "ESN'_d", "esn-d-traffic": "ESN_d + traffic",
}
ESN = ("esn-a", "esn-d", "esn-d-filter")
TITLES = {"energy": "Energy", "energy-without-memory": "Energy without memory", "latency": "Latency"}


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def of(rows, hardware, target):
    return {row["proxy"]: row for row in rows if row["hardware"] == hardware and row["target"] == target and row["tau"]}


def correlations(files):
    """For each hardware the best number on each network, and the correlations of some numbers, a figure a network."""
    tables = [read(path) for path in files]
    shown = ("parameters", "macs", "effective-macs", "bit-operations", *ESN, "esn-d-traffic")
    for target, title in TITLES.items():
        print(f"\n{title}:\n")
        print(f"| hardware | best | {' | '.join(NAMES[proxy] for proxy in shown)} |\n|---|---|{'---|' * len(shown)}")
        for hardware in dict.fromkeys(row["hardware"] for row in tables[0]):
            found = [of(rows, hardware, target) for rows in tables]
            if not all(found):
                continue
            best = [max(rows, key=lambda proxy: float(rows[proxy]["tau"])) for rows in found]
            names = ", ".join(dict.fromkeys(NAMES[proxy] for proxy in best))
            cells = [" ".join(f"{float(rows[proxy]['tau']):.2f}".replace("-", "−") for rows in found) for proxy in shown]
            print(f"| `{hardware}` | {names} | {' | '.join(cells)} |")


def regrets(files):
    shown = ("parameters", "macs", "bit-operations", "esn-a", "esn-d", "esn-d-filter", "esn-d-traffic")
    for path in files:
        rows = read(path)
        print(f"\n{path}, regret\n\n| hardware | {' | '.join(NAMES[proxy] for proxy in shown)} |\n|---|{'---:|' * len(shown)}")
        for hardware in dict.fromkeys(row["hardware"] for row in rows):
            found = of(rows, hardware, "energy")
            cells = [f"{100 * float(found[proxy]['regret_mean']):.0f} / {100 * float(found[proxy]['regret_worst']):.0f}" for proxy in shown]
            print(f"| `{hardware}` | {' | '.join(cells)} |")


def fits(files):
    print("| hardware | ESN_d | weight bits | activation bits | outputs | mean error | worst | τ |\n|---|---:|---:|---:|---:|---:|---:|---:|")
    for path in files:
        with open(path, encoding="utf-8") as file:
            fit = json.load(file)["fit"]
        names = ("esn-d", "weight-bits", "activation-bits", "outputs")
        weights = [f"{fit['weights_j'][name] * 1e15:.4g}" if name in fit["weights_j"] else "–" for name in names]
        unseen = fit["unseen"]
        print(f"| `{fit['hardware']}` | {' | '.join(weights)} | {100 * unseen['mean']:.1f} % | {100 * unseen['worst']:.0f} % | "
              f"{unseen['tau']:.2f} |")


if __name__ == "__main__":
    if sys.argv[1] == "--fits":
        fits(sys.argv[2:])
    else:
        correlations(sys.argv[1:])
        regrets(sys.argv[1:])
