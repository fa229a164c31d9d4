"""Do the examples of docs/training.md run?"""

import pathlib
import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/training.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_runs(number, tmp_path, monkeypatch):
    (tmp_path / "traces").symlink_to(ROOT / "traces")
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[number], f"block {number} of docs/training.md", "exec"), {})


def test_there_are_blocks_to_run():
    assert len(BLOCKS) == 3 and "export(model" in BLOCKS[0]
