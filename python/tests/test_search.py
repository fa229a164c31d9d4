"""Does a search find what it says, and the same whatever runs it?"""

import json
import os
import pathlib
import subprocess

import esnsim
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("ESNSIM_COMMAND")
IMAGES = esnsim.Images("embedded", limit=100)
# Images of the network that comes along, as images of a user: statistics are not taken of those it is tested on.
DIGITS = esnsim.Images(ROOT / "traces/digits-test.npz", limit=100)


def search(store, **options):
    return esnsim.search(images=IMAGES, store=store, sensitivity_images=16, **{"trials": 20, **options})


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return search(tmp_path_factory.mktemp("search") / "study.sqlite")


def test_the_frontier_is_what_no_point_beats(study):
    points = [(row["esn_d_macs"], row["top1"], row["frontier"]) for row in study.points]
    assert len(points) == 20
    for cost, accuracy, is_best in points:
        beaten = any(c <= cost and a >= accuracy and (c, a) != (cost, accuracy) for c, a, _ in points)
        assert is_best is not beaten
    costs = [row["esn_d_macs"] for row in study.frontier]
    assert costs == sorted(costs) and len(costs) > 2
    assert repr(study).count("\n") > 3 and study._repr_html_().startswith("<iframe")


def test_threads_change_nothing_and_a_store_is_gone_on_with(study, tmp_path):
    found = []
    again = search(tmp_path / "two.sqlite", threads=1)
    rows = {row["key"]: dict(row) for row in study.points}
    assert {row["key"]: dict(row) for row in again.points} == rows
    more = search(study.store, progress=lambda *told: found.append(told))
    assert {row["key"]: dict(row) for row in more.points} == rows, "the same points, and none is run again"
    assert ("points", 20, 20) in found


def test_a_point_is_the_network_that_compress_makes(study):
    row = next(row for row in study.contenders if "of their own" in row["configuration"])
    plan = esnsim._esnsim.OpenPlan("plan", text='networks = ["embedded"]\n[[point]]\n', memory=1.0)
    point = json.loads(plan.rows(study.store, [row["key"]])[0])
    layers = point["configuration"]["quantize"]["layers"]
    small = esnsim.read().compress(bits=16, layer_options=layers)
    assert small.network.esn().total.esn_d_macs == row["esn_d_macs"] == point["costs"]["esn_d_macs"]


def test_the_network_of_a_point_is_compressed(study, tmp_path):
    row = study.frontier[-1]
    small = study.compress(row)
    assert small.network.esn().total.esn_d_macs == row["esn_d_macs"]
    right = small.network.evaluate(IMAGES, "ideal-digital").top1["ideal-digital"]
    assert right.right / right.of == row["top1"]
    small.save(tmp_path / "small.onnx")


def test_the_network_of_a_point_has_its_filters_and_statistics(tmp_path):
    found = search(tmp_path / "p.sqlite", method="allocation", trials=6, filters=(0.2,), statistics=DIGITS)
    row = next(row for row in found.points if "re-estimated" in row["configuration"])
    assert found.compress(row).network.esn().total.esn_d_macs == row["esn_d_macs"]


def test_searches_that_share_a_store_do_not_mix(study):
    other = esnsim.search(images=esnsim.Images("embedded", limit=50), store=study.store, sensitivity_images=16, trials=3)
    assert len(other.points) == 3 and {row["images"] for row in other.points} == {50}


def test_points_are_judged_on_other_images(study, tmp_path):
    judged = study.judge(esnsim.Images("embedded", limit=300), tmp_path / "judged.sqlite")
    assert len(judged.points) == len(study.contenders) > len(study.frontier)
    assert {row["esn_d_macs"] for row in judged.points} == {row["esn_d_macs"] for row in study.contenders}
    assert {row["images"] for row in judged.points} == {300}
    # A point has the same words, and other images give it another key.
    def named(rows):
        return {row["configuration"]: row["layers"] for row in rows}
    assert len(named(judged.points)) == len(judged.points) and named(judged.points) == named(study.contenders)
    assert {row["key"] for row in judged.points}.isdisjoint(row["key"] for row in study.contenders)
    frontier = study.judge(esnsim.Images("embedded", limit=300), tmp_path / "frontier.sqlite", rows=study.frontier)
    assert {row["esn_d_macs"] for row in frontier.points} == {row["esn_d_macs"] for row in study.frontier}
    with pytest.raises(esnsim.BadArgument, match="row is of another study than this one"):
        study.judge(IMAGES, tmp_path / "other.sqlite", rows=judged.frontier)


def test_the_store_of_a_search_is_no_place_to_judge_in(study, monkeypatch):
    before = pathlib.Path(study.store).read_bytes()
    folder, name = os.path.split(study.store)
    monkeypatch.chdir(folder)
    for store in (study.store, name, os.path.join(folder, ".", name)):
        with pytest.raises(esnsim.BadArgument, match="expected a store of its own"):
            study.judge(esnsim.Images("embedded", limit=300), store)
    assert pathlib.Path(study.store).read_bytes() == before


def test_the_layers_of_a_row_are_a_network(study):
    row = next(row for row in study.contenders if row["layers"])
    small = esnsim.read().compress(bits=16, layer_options=json.loads(row["layers"]))
    assert small.network.esn().total.esn_d_macs == row["esn_d_macs"]


def test_contenders_are_what_chance_may_put_on_the_frontier(study):
    keys = {row["key"] for row in study.contenders}
    assert {row["key"] for row in study.frontier} <= keys
    for row in study.points:
        cheaper = [other for other in study.points if other["esn_d_macs"] <= row["esn_d_macs"]]
        best = max(cheaper, key=lambda other: other["top1"])
        error = (row["standard_error"] ** 2 + best["standard_error"] ** 2) ** 0.5
        assert (row["key"] in keys) is (best["top1"] - row["top1"] <= error)


UNIFORM = """
networks = ["embedded"]
images = { path = "embedded", limit = 100 }
[[quantize]]
bits = { from = 2, to = 8 }
granularity = ["layer", "filter"]
mid-rise = [true, false]
"""


def test_every_uniform_network_is_a_point_as_that_of_a_sweep(tmp_path):
    store, plan = tmp_path / "uniform.sqlite", tmp_path / "uniform.toml"
    plan.write_text(UNIFORM)
    found = search(store, method="allocation", trials=80)
    assert esnsim.sweep(plan, store).found == 28, "the store has every point of the plan"
    # No point of the grid beats what was found: it is among it.
    for row in esnsim.pareto(store).points:
        assert any(other["esn_d_macs"] <= row["esn_d_macs"] and other["top1"] >= row["top1"] for other in found.frontier)
    row = next(row for row in found.points if row["configuration"] == "3 bits per filter mid-tread")
    assert found.compress(row).network.esn().total.esn_d_macs == row["esn_d_macs"]


def test_small_steps_keep_to_one_grid_and_have_names_that_tell_them_apart(study):
    plan = esnsim._esnsim.OpenPlan("plan", text='networks = ["embedded"]\n[[point]]\n', memory=1.0)
    rows = [json.loads(row) for row in plan.rows(study.store, [row["key"] for row in study.points])]
    layers = [row["configuration"]["quantize"].get("layers", []) for row in rows]
    assert any(layers) and not all(layers)
    assert all(len({layer["mid-rise"] for layer in own}) == 1 for own in layers if own)
    names = [row["configuration"] for row in study.points]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("method", ["nsga2", "tpe"])
def test_samplers_of_optuna_find_points(method, tmp_path):
    pytest.importorskip("optuna")
    first = search(tmp_path / "a.sqlite", method=method, trials=40)
    second = search(tmp_path / "b.sqlite", method=method, trials=40)
    assert len(first.points) == 40
    assert [dict(row) for row in first.points] == [dict(row) for row in second.points]


def test_filters_statistics_and_costs_of_hardware_are_searched(tmp_path):
    found = search(tmp_path / "s.sqlite", method="allocation", trials=12, filters=(0, 0.2), cost="cycles:cpu-serial",
                   hardware=["ideal", "cpu-serial"], statistics=esnsim.Images("embedded", limit=40))
    words = [row["configuration"] for row in found.points]
    assert any("filters" in word for word in words) and any("re-estimated" in word for word in words)
    assert all(row["cycles:cpu-serial"] > 0 for row in found.points)
    assert len(found.sensitivity) == 3


@pytest.mark.parametrize("cost, of", [
    ("bit-operations", lambda costs: costs["bit_operations"]),
    ("esn-d-traffic", lambda costs: 3 * costs["esn_d_macs"] + 1625 * costs["weight_bits_fetched"] + 125 * costs["activation_bits_moved"]),
    ("linear:esn-d=1.0,weight-bits=2.0", lambda costs: costs["esn_d_macs"] + 2 * costs["weight_bits_fetched"]),
])
def test_a_search_takes_costs_by_bits_and_sums_of_costs(cost, of, tmp_path):
    found = search(tmp_path / "s.sqlite", method="local", trials=40, cost=cost)
    plan = esnsim._esnsim.OpenPlan("plan", text='networks = ["embedded"]\n[[point]]\n', memory=1.0)
    rows = [json.loads(row) for row in plan.rows(found.store, [row["key"] for row in found.frontier])]
    costs = [of(row["costs"]) for row in rows]
    assert len(rows) > 2 and costs == sorted(costs) and [row["top1"] for row in rows] == sorted(row["top1"] for row in rows)


def test_wrong_arguments_are_told(tmp_path):
    store = tmp_path / "w.sqlite"
    cases = [
        ({"method": "grid"}, "method is 'grid'; expected one of allocation, local, nsga2, tpe"),
        ({"filters": (1.5,)}, "filters has 1.5; expected fractions"),
        ({"filters": ()}, "filters is empty"),
        ({"cost": "joy"}, "cost"),
        ({"cost": "macs"}, "depends on pruning alone"),
        ({"cost": "outputs"}, "depends on pruning alone"),
        ({"cost": "linear:esn-d"}, "each once with a weight"),
        ({"cost": "cycles:nothing"}, "cycles:nothing: there is no such hardware among those"),
        ({"trials": 0}, "trials is 0"),
        ({"accuracy": "top2"}, "accuracy is 'top2'; expected one of top1, top5, agreement"),
    ]
    for options, expected in cases:
        with pytest.raises(esnsim.Error, match=expected):
            search(store, **options)
    with pytest.raises(esnsim.BadArgument, match="belong to the network that comes along"):
        esnsim.search(ROOT / "traces/digits-resnet.onnx", trials=1, store=store)
    with pytest.raises(TypeError, match="network is 3"):
        esnsim.search(3, images=IMAGES, store=store)


def test_a_row_goes_to_the_study_that_it_is_of(tmp_path):
    found = search(tmp_path / "r.sqlite", trials=2)
    judged = found.judge(esnsim.Images("embedded", limit=40), tmp_path / "j.sqlite")
    with pytest.raises(esnsim.BadArgument, match="row is of another study than this one"):
        found.compress(judged.frontier[0])
    for row in (3, {"top1": 1.0}):
        with pytest.raises(TypeError, match="^row is .*; expected a row of points or of frontier$"):
            found.compress(row)


def test_images_without_labels_are_told_and_agreement_needs_none(tmp_path):
    numpy = pytest.importorskip("numpy")
    images = numpy.load(ROOT / "traces/digits-test.npz")["images"][:40]
    options = {"images": esnsim.Images(images, preprocess="unit"), "trials": 4, "sensitivity_images": 8, "method": "allocation"}
    with pytest.raises(esnsim.BadArgument, match="images have no labels"):
        esnsim.search(store=tmp_path / "a.sqlite", **options)
    found = esnsim.search(store=tmp_path / "b.sqlite", accuracy="agreement", **options)
    assert len(found.points) == 4


def test_no_more_points_are_run_than_were_asked_for(tmp_path):
    found = search(tmp_path / "n.sqlite", trials=1, statistics=esnsim.Images("embedded", limit=20), filters=(0, 0.1))
    assert len(found.points) == 1


def test_an_allocation_is_that_of_the_command(tmp_path):
    if COMMAND is None:
        pytest.skip("ESNSIM_COMMAND names no binary to compare with")
    images, report = ROOT / "traces/digits-test.npz", tmp_path / "report.json"
    file = tmp_path / "small.onnx"
    options = ["--allocate", "esn-d=900000", "--allocate-images", "16", "--calibrate-limit", "100"]
    done = subprocess.run([COMMAND, "compress", *options, "--calibrate", images, "-o", file, "--json", report],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = esnsim.read().compress(allocate="esn-d=900000", allocate_images=16, images=images, limit=100)
    assert made.report == json.loads(report.read_text())
    assert made.network.esn().total.esn_d_macs == made.report["allocate"]["chosen"]["cost"] <= 900000
    made.network.save(tmp_path / "mine.onnx")
    assert (tmp_path / "mine.onnx").read_bytes() == file.read_bytes()


def test_allocations_that_mean_nothing_are_refused():
    network = esnsim.read()
    cases = [
        ({"allocate": "esn-d=1", "images": DIGITS}, "the cheapest choices of all layers come to"),
        ({"allocate": "esn-d=x", "images": DIGITS}, "allocate: expected COST=X"),
        ({"allocate": "esn-d=6e5"}, "allocate needs images= or reestimate_bn="),
        ({"allocate": "esn-d=6e5", "images": DIGITS, "bits": 4}, "allocate and bits exclude each other"),
        ({"images": DIGITS, "bits": 4}, "there is no allocate= that looks at them"),
        ({"bits": 4, "layer_options": [{"layer": "nothing", "bits": 3}]}, 'there is no layer "nothing"'),
        ({"bits": 4, "layer_options": [{"name": "nothing"}]}, r"layer_options\[0\]: unknown field"),
    ]
    for options, expected in cases:
        with pytest.raises(esnsim.Error, match=expected):
            network.compress(**options, **({"allocate_images": 8} if "allocate" in options else {}))
