"""Makes search.csv: python3 docs/frontier/find.py resnet20-cifar10-bn.onnx test_batch.bin train FOLDER (needs esnsim).

The search, its points on the images that judge, and points of both frontiers on 6,000 further images. `train` is a folder of training
images, a folder for each class. Stores are in FOLDER, and a second call goes on where the first was stopped. About half an hour of one
core.
"""

import csv
import pathlib
import sys

import esnsim

HERE = pathlib.Path(__file__).parent
#: Bytes of an image of CIFAR-10 and its label.
RECORD = 3073
#: Which of the test images do what: the first 2,000 judge, the next let the search choose, and all others compare anew.
JUDGE, CHOOSE, FURTHER = 2000, range(2000, 4000), range(4000, 10000)
#: GiB: activations of 5,000 images are held at a time.
MEMORY = 10.0
LEAST = 0.6


def images(test: bytes, which: range, folder: pathlib.Path) -> esnsim.Images:
    path = folder / f"test-{which.start}-to-{which.stop - 1}.bin"
    path.write_bytes(test[which.start * RECORD:which.stop * RECORD])
    return esnsim.Images(path, preprocess="imagenet")


def name(row: dict) -> str:
    """What the rows of a point have in common in all studies."""
    return f"{row['configuration'].split(', point ')[0]} {row['esn_a_macs']} {row['esn_d_macs']}"


def main() -> None:
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    network, test, train, folder = sys.argv[1:]
    out = pathlib.Path(folder)
    out.mkdir(exist_ok=True)
    judge = esnsim.Images(test, limit=JUDGE, preprocess="imagenet")
    choose, further = (images(pathlib.Path(test).read_bytes(), which, out) for which in (CHOOSE, FURTHER))
    few, many = (esnsim.Images(train, limit=limit, preprocess="imagenet") for limit in (1000, 5000))
    study = esnsim.search(network, choose, statistics=few, trials=160, store=out / "search.sqlite", memory=MEMORY)
    judged = study.judge(judge, out / "judged.sqlite", statistics=many)
    with open(HERE / "points.csv", newline="") as file:
        grid = {row["configuration"] for row in csv.DictReader(file) if row["frontier"] == "true"}
    leading = {name(row) for row in [*study.frontier, *judged.frontier] if row["top1"] >= LEAST}
    compared = [row for row in study.points if name(row) in leading or row["configuration"] in grid]
    again = {name(row): row["top1"] for row in study.judge(further, out / "further.sqlite", statistics=many, rows=compared).points}
    found = {name(row): row for row in judged.points}
    with open(HERE / "search.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["configuration", "esn_d_macs", "esn_a_macs", "top1", "frontier", "top1_where_chosen", "frontier_where_chosen",
                        "top1_of_6000_further"])
        for row in sorted(study.points, key=lambda row: (row["esn_d_macs"], row["key"])):
            # What was not judged has neither an accuracy there nor a place on the frontier.
            at_judge = found.get(name(row), {"top1": "", "frontier": False})
            if name(row) in found or name(row) in again:
                table.writerow([row["configuration"], row["esn_d_macs"], row["esn_a_macs"], at_judge["top1"], word(at_judge["frontier"]),
                                row["top1"], word(row["frontier"]), again.get(name(row), "")])


def word(yes: bool) -> str:
    return "true" if yes else "false"


main()
