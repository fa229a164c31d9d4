"""Are the figures of `esnsim.proxies` those of the command, and does wrong use end in a clear exception?"""

import json
import os
import pathlib
import subprocess

import esnsim
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("ESNSIM_COMMAND")

PLAN = """
networks = ["embedded"]
hardware = ["gpu-8bit", "bit-serial"]
images = { path = "embedded", limit = 20 }

[[prune]]

[[prune]]
each = [{ weights = 0.5 }]

[[quantize]]
bits = "1..6"
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxies")
    (folder / "plan.toml").write_text(PLAN)
    esnsim.sweep(folder / "plan.toml", folder / "runs.sqlite")
    return folder / "runs.sqlite"


def same_as_command(found, folder, *arguments):
    if COMMAND is None:
        pytest.skip("ESNSIM_COMMAND names no binary to compare with")
    files = [folder / name for name in ("proxies.csv", "points.csv", "proxies.json")]
    options = [text for option, file in zip(("--csv", "--points", "--json"), files) for text in (option, file)]
    subprocess.run([COMMAND, "proxies", *map(str, [*arguments, *options])], cwd=ROOT, check=True, capture_output=True)
    assert found.data == json.loads(files[2].read_text())
    for table, file in ((found.table, files[0]), (found.networks, files[1])):
        header, *lines = file.read_text().splitlines()
        assert (header.split(","), len(lines)) == (list(table.columns), len(table))


def test_a_store_has_the_figures_of_the_command(store, tmp_path):
    found = esnsim.proxies(store, resamples=20, fit="bit-serial", terms=["esn-d", "weight-bits"])
    assert len(found.table) == 2 * 3 * 11 and len(found.networks) == 12
    assert found.cost.startswith("linear:") and len(esnsim.pareto(store, cost=found.cost).points) == 12
    assert "τ with energy" in repr(found) and "<svg" in found._repr_html_()
    same_as_command(found, tmp_path, store, "--resamples", 20, "--fit", "bit-serial", "--terms", "esn-d,weight-bits")


def test_networks_have_the_figures_of_the_command(tmp_path):
    found = esnsim.proxies([None], bits=[2, 4, 8], hardware="unpu", images="embedded", limit=20, resamples=10)
    assert found.networks["name"] == [f"traces/digits-resnet.onnx, {bits} bits" for bits in (2, 4, 8)]
    assert found.data["hardware"][0]["sentence"] is None and found.cost is None
    same_as_command(found, tmp_path, "--bits", "2,4,8", "--hardware", "unpu", "--limit", 20, "--resamples", 10)


def test_a_sum_is_fitted_to_hardware_that_is_not_compared(store):
    for source, bits in ((store, None), ([None], range(1, 11))):
        found = esnsim.proxies(source, bits=bits, hardware="bit-serial", fit="gpu-8bit" if bits is None else "unpu", resamples=0)
        assert [hardware["name"] for hardware in found.data["hardware"]] == ["bit-serial"]
        assert found.data["fit"]["hardware"] == ("gpu-8bit" if bits is None else "unpu") and found.cost


def test_few_networks_have_no_ranks():
    found = esnsim.proxies([None], bits=range(1, 10), hardware="unpu", fit="unpu", terms=["esn-d"])
    assert set(found.table["tau"]) == {None} and found.data["fit"]["unseen"]["tau"] is None
    assert found.data["fit"]["parts_are"] == "points"


def test_networks_of_integers_refuse_a_width(tmp_path):
    networks = [esnsim.compress(bits=bits).network for bits in (4, 8)]
    with pytest.raises(esnsim.BadArgument, match="leave out bits=3"):
        esnsim.proxies(networks, bits=3, hardware="unpu")
    mixed = esnsim.proxies([*networks, None], bits=[2, 3], hardware="unpu")
    assert len(mixed.networks) == 4


def test_wrong_use_is_told_in_one_line(store):
    cases = [
        (dict(source=store, fit="ideal"), "no point was costed on ideal"),
        (dict(source=store, hardware="unpu"), "no point was costed on unpu; the hardware is gpu-8bit, bit-serial"),
        (dict(source=store, networks=["other"]), "no point is of network other; the networks are embedded"),
        (dict(source=[None]), "ranks need two networks at least; 1 with costs, 0 that failed; add networks, or several widths"),
        (dict(source=["a.onnx", pathlib.Path("b.onnx"), pathlib.Path("a.onnx")]), "source has a.onnx twice; name each network once"),
        (dict(source=["a.onnx", "./a.onnx"]), "source has ./a.onnx twice; name each network once"),
        (dict(source=store, fit="gpu-8bit", terms=["cost"]), "terms has \"cost\": expected esn-a, "),
        (dict(source=store, resamples=-1), "resamples is -1; expected 0 to 100000"),
    ]
    for arguments, expected in cases:
        with pytest.raises(esnsim.BadArgument) as told:
            esnsim.proxies(**arguments)
        assert expected in str(told.value) and "\n" not in str(told.value), told.value
    with pytest.raises(esnsim.BadArgument, match="linear:outputs=1"):
        esnsim.search(cost="linear:outputs=1")
