"""Do the figures of the paper run from data to page, and go on where they were killed?"""

import contextlib
import csv
import functools
import importlib
import io
import pathlib
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
import types

import esnsim
import pytest

numpy = pytest.importorskip("numpy", reason="skipped: NumPy is absent")
torch = pytest.importorskip("torch", reason="skipped: PyTorch is absent")
pytest.importorskip("onnx", reason="skipped: onnx is absent")

command = importlib.import_module("esnsim.paper._command")
data = importlib.import_module("esnsim.paper._data")
networks = importlib.import_module("esnsim.paper._networks")
training = importlib.import_module("esnsim.paper._training")
page = importlib.import_module("esnsim.paper._page")
progress = importlib.import_module("esnsim.paper._progress")
pruned = importlib.import_module("esnsim.paper._pruned")
ratios = importlib.import_module("esnsim.paper._ratios")
rows = importlib.import_module("esnsim.paper._rows")
store = importlib.import_module("esnsim.paper._store")

# A figure in seconds: what replaces the schedules of the scale "small".
TOY = """
import sys, torch
torch.set_num_threads(1)
from esnsim.paper import _points, _pruned, _starts, fair, figure2, figure3, figure5, figure8
from esnsim.paper._training import Schedule
figure2.SCHEDULES["small"] = Schedule(0.125, 8, 100, 20, 50, 1)
figure3.SCHEDULES["small"] = Schedule(0.0625, 6, 100, 20, 50, 1)
figure3.VGG7["small"] = (0.0625, 0.03)
figure5.SCHEDULES["small"] = Schedule(0.25, 5, 100, 20, 50, 1)
_pruned.SCHEDULES["small"] = Schedule(0.25, 3, 100, 20, 50, 1)
_pruned.ADMM_EPOCHS["small"] = 1
_pruned.IMAGES["small"] = (40, 20)
_pruned.SEARCH["small"] = 4
_pruned.FRACTIONS, _pruned.PENALTIES = (0.1, 0.5), (("esn-d", 0.3), ("esn-a", 0.3))
fair.SCHEDULES["small"] = Schedule(0.25, 2, 100, 20, 50, 1)
fair.ADMM_EPOCHS["small"] = 1
fair.IMAGES["small"] = (40, 20)
fair.LONGER["small"] = (1, 100)
fair.SEARCH["small"] = (4, 20)
fair._LEVELS = (0.05, 0.1)
figure8.SCHEDULES["small"] = Schedule(0.25, 4, 100, 20, 50, 1)
figure8._LEVELS = (0.05, 0.1)
_pruned.LEVELS = (0.05, 0.1)
_starts.SCHEDULES["small"] = Schedule(1.0, 2, 100, 20, 50, 1)
_points.IMAGES["small"] = (40, 20)
from esnsim.paper._command import main
sys.exit(main(sys.argv[1:]))
"""


def images(count):
    """Images [n, 3, 32, 32] that tell their class by their colour, and labels, as many of each of ten classes."""
    random = numpy.random.default_rng(count)
    colours = numpy.random.default_rng(1).uniform(60, 190, (10, 3, 1, 1))
    labels = numpy.arange(count) % 10
    return numpy.clip(colours[labels] + random.normal(0, 25, (count, 3, 32, 32)), 0, 255).astype(numpy.uint8), labels


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    """A folder in the binary layout."""
    folder = tmp_path_factory.mktemp("cifar")
    for name, count in [*((f"data_batch_{number}", 40) for number in range(1, 6)), ("test_batch", 100)]:
        pixels, labels = images(count)
        records = numpy.concatenate([labels[:, None].astype(numpy.uint8), pixels.reshape(count, -1)], axis=1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of networks that stand for trained ones."""
    folder = tmp_path_factory.mktemp("trained")
    for kind in (networks.Kind("resnet8", 0.5), networks.Kind("resnet8", 0.25, 0), networks.Kind("resnet8", 0.25, 1),
                 networks.Kind("resnet20", 0.25, 0), networks.Kind("resnet20", 0.25, 1)):
        torch.save(networks.made(kind).state_dict(), folder / f"{kind}.pth")
    return folder


def arguments(figure, cifar, out, *more):
    return [sys.executable, "-c", TOY, figure, "--data", str(cifar), "--out", str(out), "--threads", "1", *more]


def run(figure, cifar, out, *more):
    return subprocess.run(arguments(figure, cifar, out, *more), capture_output=True, text=True, timeout=300)


def shown(out, figure):
    """Everything that a figure wrote, by name."""
    files = [out / f"{figure}.md", *sorted((out / figure).iterdir())]
    return {file.name: file.read_bytes() for file in files}


# Pictures and claims of each figure, and whether it is begun with trained networks.
BUILT = [("figure2", 2, 6, False), ("figure3", 1, 2, False), ("figure4", 2, 5, True), ("figure5", 3, 3, True), ("figure6", 4, 3, True),
         ("figure8", 3, 3, True), ("appendix-b", 1, 2, False), ("fair", 3, 12, False), ("penalty", 3, 3, True)]


@pytest.mark.parametrize("figure, charts, claims, is_started", BUILT)
def test_a_figure_runs_from_data_to_page(figure, charts, claims, is_started, cifar, trained, tmp_path):
    more = ("--start", str(trained)) if is_started else ()
    done = run(figure, cifar, tmp_path, *more)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {tmp_path / figure}.md\n" and done.stderr == ""
    files = shown(tmp_path, figure)
    text = files[f"{figure}.md"].decode()
    verdicts = [text.count(f"**{verdict.value}**") for verdict in page.Verdict]
    assert sum(verdicts) == claims
    assert sum(name.endswith(".svg") for name in files) == charts and text.count(".svg)") == charts
    assert f"python -m esnsim.paper {figure} --data DATA" in text and max(map(len, text.split("\n## ")[-1].splitlines())) <= 130
    for name, content in files.items():
        drawn = sum(content.count(mark) for mark in (b"<polyline", b"<circle", b"<rect"))
        assert not name.endswith(".svg") or drawn >= 4, name
    # The same store gives the same page, and nothing is trained for it.
    for checkpoint in (tmp_path / "work" / "checkpoints").glob("*"):
        checkpoint.unlink()
    began = time.monotonic()
    assert run(figure, cifar, tmp_path, *more).returncode == 0
    assert shown(tmp_path, figure) == files and time.monotonic() - began < 60
    assert not list((tmp_path / "work" / "checkpoints").glob("*"))
    # So do its rows, but for the histogram of figure 6, which is of networks.
    if figure in command.WITH_ROWS:
        assert run(figure, cifar, tmp_path / "again", *more, "--rows", str(tmp_path / figure / "rows.csv")).returncode == 0
        again = shown(tmp_path / "again", figure)
        assert all(files[name] == content for name, content in again.items() if name != "figure6.md")
        assert len(again) == len(files) - (figure == "figure6") and not (tmp_path / "again" / "work" / "networks").exists()


@pytest.fixture(scope="module")
def two_seeds(cifar, trained, tmp_path_factory):
    """Figure 6 of two seeds, as a toy."""
    out = tmp_path_factory.mktemp("seeds")
    done = run("figure6", cifar, out, "--start", str(trained), "--seeds", "2")
    assert done.returncode == 0, done.stderr
    return out


def test_seeds_may_be_run_apart(two_seeds, cifar, trained, tmp_path):
    whole = (two_seeds / "figure6" / "rows.csv").read_text()
    head, *lines = whole.splitlines(keepends=True)
    by_seed = {seed: head + "".join(line for line, row in zip(lines, csv.DictReader(whole.splitlines())) if row["seed"] == seed)
               for seed in ("0", "1")}
    first, apart, together = tmp_path / "first.csv", tmp_path / "apart", tmp_path / "together"
    first.write_text(by_seed["0"])
    done = run("figure6", cifar, apart, "--start", str(trained), "--seeds", "1", "--first-seed", "1")
    assert done.returncode == 0, done.stderr
    assert (apart / "figure6" / "rows.csv").read_text() == by_seed["1"]
    assert "--seeds 1 --first-seed 1 --out OUT" in (apart / "figure6.md").read_text()
    rows = ("--rows", str(first), "--rows", str(apart / "figure6" / "rows.csv"))
    done = run("figure6", cifar, together, "--start", str(trained), "--seeds", "2", *rows)
    assert done.returncode == 0, done.stderr
    files = shown(together, "figure6")
    assert files["rows.csv"].decode() == whole and len(files) == 5 and not (together / "work" / "networks").exists()
    done = run("figure4", cifar, together, *rows)
    assert (done.returncode, done.stderr) == (2, "error: unsupported: figure4 takes no --rows; figure6, fair, penalty do\n")


def test_rows_that_are_of_something_else_are_refused(two_seeds, tmp_path):
    path = two_seeds / "figure6" / "rows.csv"
    text = path.read_text()
    head, first, *others = text.splitlines(keepends=True)
    found = list(csv.DictReader(text.splitlines()))
    protocols = {int(row["seed"]): row["protocol"] for row in found}
    assert sorted(protocols) == [0, 1] and len({row["digest"] for row in found}) == len(set(protocols.values())) == 2

    def read(*paths):
        return rows.earlier(paths, pruned.Tried, protocols, {"penalty": ""})

    assert [*map(str, rows.rows_of(read(path), ["penalty"])[0].values())] == [*found[0].values()]
    missing = "are missing, doubled or changed: their digest is "
    cases = [
        ("", "its columns are none; expected the rows of a page of this figure: way, fraction, further, "),
        (text.replace("fraction", "part"), "its columns are way, part, "),
        (head, "it has no rows"),
        (text + first, f"rows of seed 0 {missing}"),
        (head + "".join(others), f"rows of seed 0 {missing}"),
        (head + first + "".join(others[:-1]), f"rows of seed 1 {missing}"),
        (head + first + first + "".join(others[1:]), f"rows of seed 0 {missing}"),
        (text.replace(found[0]["top1"], "0.99"), f"rows of seed 0 {missing}"),
        (text[:-20], "line "),
        (head + first.replace(",False,", ",no,", 1), "line 2: is_searched is 'no'; expected True or False"),
        (head + first.replace("quantize only,0.0", "quantize only,nan"), "line 2: fraction is 'nan'; expected a number of at least 0"),
        (head + first.replace(found[0]["esn_a_macs"], "9" * 5000), "line 2: esn_a_macs is '999"),
        (head + first.strip() + ",1\n", "line 2: it has more cells than columns"),
        (head + first.rpartition(",")[0] + "\n", "line 2: it has fewer cells than columns"),
    ]
    for number, (content, said) in enumerate(cases):
        wrong = tmp_path / f"{number}.csv"
        wrong.write_text(content)
        with pytest.raises(esnsim.BadArgument) as told:
            read(wrong)
        assert str(told.value).startswith(f"{wrong}: ") and said in str(told.value), told.value
    with pytest.raises(esnsim.BadArgument, match="rows.csv twice; name each file once"):
        read(path, path)
    copy = tmp_path / "copy.csv"
    copy.write_text(text, encoding="utf-8-sig")
    with pytest.raises(esnsim.BadArgument, match="seed 0 is in another file of --rows, too"):
        read(path, copy)
    for other, said in [({0: protocols[0]}, "seed 1 is none of 0; --seeds N takes more of them"),
                        ({**protocols, 1: "0" * 12}, f"seed 1 was run by the protocol {protocols[1]}, and this command runs it by {'0' * 12}")]:
        with pytest.raises(esnsim.BadArgument, match=said):
            rows.earlier([path], pruned.Tried, other, {"penalty": ""})
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(esnsim.BadArgument, match="it is no CSV"):
        read(tmp_path / "binary.csv")


def test_figure_4_trains_what_it_is_not_given(cifar, tmp_path):
    toy = TOY.replace("from esnsim.paper._command", "from esnsim.paper import figure4\nfrom esnsim.paper._networks import Kind\n"
                      'figure4._kinds = lambda job: [Kind("resnet8", 0.25), Kind("vgg7", 0.03125)]\nfrom esnsim.paper._command')
    done = subprocess.run([sys.executable, "-c", toy, *arguments("figure4", cifar, tmp_path)[3:]], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "figure4" / "rows.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 8 and sum("VGG7" in row for row in rows) == 8
    assert "Networks are trained for 2 epochs on 100 images" in " ".join((tmp_path / "figure4.md").read_text().split())


def test_a_kill_costs_at_most_an_epoch(cifar, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run("figure2", cifar, whole).returncode == 0
    process = subprocess.Popen(arguments("figure2", cifar, killed), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    epochs = killed / "work" / "epochs.sqlite"
    while count(epochs) < 11 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = count(epochs)
    assert 11 <= before < 24 and not (killed / "figure2.md").exists()
    kept = [torch.load(path, weights_only=True) for path in (killed / "work" / "checkpoints").glob("*.pt")]
    assert sum(len(checkpoint["rows"]) for checkpoint in kept) >= before - 1
    assert run("figure2", cifar, killed).returncode == 0
    assert count(epochs) == 24 and shown(killed, "figure2") == shown(whole, "figure2")


def test_trained_networks_are_given_all_or_none(cifar, trained, tmp_path):
    done = run("figure8", cifar, tmp_path, "--start", str(trained), "--seeds", "4")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"error: {trained} lacks resnet20-w025-seed2.pth, resnet20-w025-seed3.pth, which figure8 begins with; add them, run "
                           "other seeds (--seeds, --first-seed), or leave --start out, and all are trained here\n")


def test_a_run_has_products_of_one_precision(cifar, tmp_path):
    assert run("figure2", cifar, tmp_path).returncode == 0
    own = training.precision(torch.device("cpu"))
    epochs = tmp_path / "work" / "epochs.sqlite"
    with contextlib.closing(sqlite3.connect(epochs)) as database, database:
        changed = database.execute("UPDATE epochs SET settings = replace(settings, ?, '\"float64\"')", (f'"{own}"',)).rowcount
    assert changed == 24
    (tmp_path / "figure2.md").unlink()
    done = run("figure2", cifar, tmp_path)
    assert done.returncode == 2 and not (tmp_path / "figure2.md").exists()
    assert f"with products of float64, and this device takes {own}; go on where it was begun, or give another --out" in done.stderr


def count(path):
    """How many epochs a store has."""
    if not path.exists():
        return 0
    database = sqlite3.connect(path, timeout=60)
    try:
        return database.execute("SELECT count(*) FROM epochs").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()


class Killed(Exception):
    pass


def settings(of, **more):
    return of(networks.Kind("resnet8", 0.25), 4, 100, 20, 0.05, "cosine", 5e-4, 50, start="start", **more)


@pytest.mark.parametrize("killed_at", [1, 3])
@pytest.mark.parametrize("what", [
    settings(training.Training), settings(training.Pruning, fraction=0.3, admm_epochs=2, rho=0.1),
    settings(training.Slimming, kept=0.5), settings(training.QuantizedTraining, bits=2), settings(training.PenalizedTraining, part=0.3),
], ids=lambda what: type(what).__name__)
def test_every_way_of_training_goes_on_where_it_was_killed(what, killed_at, cifar, tmp_path):
    torch.set_num_threads(1)
    files = [data.split_file(cifar, split, tmp_path / "images") for split in ("train", "test")]

    def trained(folder, told):
        trainer = training.Trainer(folder, store.EpochStore(folder / "epochs.sqlite"), *files, "cpu", told)
        start = functools.partial(networks.made, what.network)
        return trainer.epochs(what, start), trainer.network(what, start)

    def killed(_, epoch):
        if epoch == killed_at:
            raise Killed

    rows, model = trained(tmp_path / "whole", lambda *_: None)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", killed)
    again, same = trained(tmp_path / "killed", lambda *_: None)
    assert again == rows and len(rows) == 4
    assert all(torch.equal(value, same.state_dict()[name]) for name, value in model.state_dict().items())
    dead = sum(int((layer.weight.flatten(1) == 0).all(dim=1).sum()) for layer in model.modules() if isinstance(layer, torch.nn.Conv2d))
    assert (dead > 10) is (isinstance(what, training.Slimming) or getattr(what, "fraction", 0) > 0)


def test_ctrl_c_ends_with_a_line(cifar, tmp_path):
    process = subprocess.Popen(arguments("figure2", cifar, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while count(tmp_path / "work" / "epochs.sqlite") < 2 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "stopped; the same command goes on\n")


def test_a_figure_that_is_not_built_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(command.FIGURES, "figure6", "")
    assert command.main(["figure6", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("error: unsupported: figure6 is not built yet; figure2, ")


@pytest.mark.parametrize("more, said", [
    ([], "has no split 'train' of CIFAR-10: expected data_batch_1"),
    (["--start", "nowhere"], "nowhere is no folder; expected one with files as resnet20-w050-seed0.pth"),
])
def test_wrong_input_is_told_in_a_line(more, said, tmp_path, capsys):
    figure = "figure4" if more else "figure2"
    assert command.main([figure, "--data", str(tmp_path), "--out", str(tmp_path / "out"), *more]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1


@pytest.mark.parametrize("more, said", [
    (["--device", "mps"], "argument --device: mps is no device for this; expected cpu or cuda"),
    (["--seeds", "0"], "argument --seeds: 0 is no whole number of at least 1"),
    (["--first-seed", "-1"], "argument --first-seed: "),
    (["--scale", "large"], "argument --scale: invalid choice: 'large'"),
])
def test_a_wrong_option_is_told(more, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["figure2", "--data", str(tmp_path), "--out", str(tmp_path), *more])
    assert ended.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="skipped: there is a GPU")
def test_a_gpu_that_is_not_there_is_told(cifar, tmp_path, capsys):
    assert command.main(["figure2", "--data", str(cifar), "--out", str(tmp_path), "--device", "cuda", "--threads", "1"]) == 2
    assert "the device cuda needs a GPU with CUDA, which PyTorch does not find" in capsys.readouterr().err


def test_all_layouts_of_cifar_have_the_same_images(cifar, tmp_path):
    expected = data.load(data.split_file(cifar, "test", tmp_path / "binary"))
    pixels, labels = images(100)
    assert (expected["images"] == pixels.transpose(0, 2, 3, 1)).all() and (expected["labels"] == labels).all()
    python = tmp_path / "python" / "cifar-10-batches-py"
    python.mkdir(parents=True)
    batch = {b"data": pixels.reshape(100, -1), b"labels": labels.tolist()}
    # The archive was written by NumPy 1, whose modules had other names.
    (python / "test_batch").write_bytes(pickle.dumps(batch, protocol=2).replace(b"numpy._core.", b"numpy.core."))
    found = data.load(data.split_file(tmp_path / "python", "test", tmp_path / "cached"))
    assert all((found[name] == expected[name]).all() for name in expected)


def test_a_folder_of_classes_is_read(tmp_path):
    pictures = pytest.importorskip("PIL.Image", reason="skipped: Pillow is absent")
    pixels, labels = images(20)
    for number, (image, label) in enumerate(zip(pixels.transpose(0, 2, 3, 1), labels)):
        folder = tmp_path / "train" / f"class{label}"
        folder.mkdir(parents=True, exist_ok=True)
        pictures.fromarray(image).save(folder / f"{number:02}.png")
    found = data.load(data.split_file(tmp_path, "train", tmp_path / "cached"))
    order = numpy.argsort(labels, kind="stable")
    assert (found["images"] == pixels.transpose(0, 2, 3, 1)[order]).all() and found["labels"].tolist() == labels[order].tolist()


class Evil:
    def __reduce__(self):
        return pathlib.Path.cwd, ()


@pytest.mark.parametrize("content, said", [
    (b"no pickle", "no batch of CIFAR-10 in the Python layout"),
    (pickle.dumps({b"labels": []}), "no batch of CIFAR-10 in the Python layout: b'data'"),
    (pickle.dumps(Evil()), "which no batch of CIFAR-10 does"),
])
def test_a_pickle_that_is_no_batch_is_refused(content, said, tmp_path):
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(esnsim.InvalidFile, match=said):
        data.split_file(tmp_path, "test", tmp_path / "cached")


@pytest.mark.parametrize("name, width", [("resnet8", 1.0), ("resnet14", 0.5), ("resnet20", 0.25), ("vgg7", 0.25)])
def test_networks_are_those_of_the_simulator(name, width, tmp_path):
    kind = networks.Kind(name, width)
    model = networks.made(kind)
    torch.save(model.state_dict(), tmp_path / f"{kind}.pth")
    found = networks.load(kind, networks.found(tmp_path)[kind])
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in found.state_dict().items())
    own = esnsim.read(tmp_path / f"{kind}.pth", architecture=name).inspect().layers
    fresh = esnsim.new(name, width=width, shortcut=None if name == "vgg7" else "paper").inspect().layers
    assert own["weights"] == fresh["weights"] and own["macs"] == fresh["macs"]
    assert own["macs"] == esnsim.from_torch(model, torch.zeros(1, 3, 32, 32)).inspect().layers["macs"]


def test_crops_and_flips_are_parts_of_the_image():
    image = torch.arange(3 * 32 * 32).reshape(1, 3, 32, 32) % 251 + 1
    pixels = image.to(torch.uint8).expand(40, 3, 32, 32)
    found = training._augmented(pixels, torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(pixels[:1], [4] * 4)
    crops = [padded[0, :, y:y + 32, x:x + 32] for y in range(9) for x in range(9)]
    whole = {crop.numpy().tobytes() for crop in crops} | {crop.flip(2).contiguous().numpy().tobytes() for crop in crops}
    kinds = {one.contiguous().numpy().tobytes() for one in found}
    assert found.shape == pixels.shape and kinds <= whole and len(kinds) > 20


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_one_line_on_a_terminal_and_nothing_in_a_pipe(is_terminal, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal
    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    shown = progress.Progress(stream)
    shown.tell("epochs of training", 4, 10)
    shown.tell("epochs", 5, 10)
    shown.end()
    lines = stream.getvalue().split("\r")
    first, second = "4 of 10: epochs of training", "5 of 10: epochs, about 50 s to go"
    assert lines == (["", first, second, " " * len(second), ""] if is_terminal else [""])


def test_an_accuracy_speaks_for_a_claim_if_every_seed_does():
    def point(seed, is_slim, top1, cost):
        return types.SimpleNamespace(seed=seed, is_slim=is_slim, top1=top1, cost=cost)

    def claim(*points):
        return ratios.ratio_claim("slim is better", "fat", points, lambda p: not p.is_slim, lambda p: p.is_slim, "cost", (0.5,))

    one = [point(0, True, 0.6, 10), point(0, False, 0.7, 20)]
    assert claim(*one).verdict is page.Verdict.HOLDS
    # With the other seed slim does not get there.
    other = claim(*one, point(1, True, 0.4, 10), point(1, False, 0.7, 20))
    assert other.verdict is page.Verdict.NOT
    assert "2.00 at 0.5 (1 of 2 seeds, fat alone with 1)" in other.measured
    alone = claim(point(0, True, 0.4, 10), point(0, False, 0.7, 20), point(1, True, 0.6, 10), point(1, False, 0.4, 20))
    assert alone.verdict is page.Verdict.NOT
    assert "with some seeds fat alone, and with others not, reaches 0.5" in alone.measured


def test_a_page_has_a_verdict_by_its_cases():
    assert [page.Verdict.of(holding, 4).value for holding in (4, 3, 0)] == ["holds", "holds in part", "does not hold"]


def test_the_package_is_loaded_without_pytorch():
    code = "import sys, esnsim.paper; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("module", ["_chart", "_curves", "_data", "_networks", "_page", "_training"])
def test_examples_of_the_documentation(module):
    doctest = importlib.import_module("doctest")
    failed, tried = doctest.testmod(importlib.import_module(f"esnsim.paper.{module}"))
    assert tried and not failed
