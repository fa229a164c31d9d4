"""Do the example notebooks run from top to bottom, in the folder that they are in, within three minutes each?"""

import json
import pathlib
import shutil
import time

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
for needed in ("ipykernel", "matplotlib", "pandas", "torch", "onnx"):
    pytest.importorskip(needed)

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "python/notebooks").glob("*.ipynb"))
SECONDS = 180


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["cost-of-my-network", "find-a-frontier", "train-and-track"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    # In a copy of the folders that it reads, so that nothing is written beside it.
    folder = tmp_path / "python/notebooks"
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "traces", tmp_path / "traces")
    book = nbformat.read(path, 4)
    started = time.monotonic()
    nbclient.NotebookClient(book, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    assert time.monotonic() - started < SECONDS
    shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not any(output.get("name") == "stderr" for output in shown), shown
    assert any("text/html" in output.get("data", {}) for output in shown)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_shows(path):
    """Outputs would move with every version of every library."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert path.stat().st_size < 20_000
