"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import pathlib


def write_whole(path: pathlib.Path, content: bytes | str) -> None:
    """Writes a file beside its place, and then moves it there. Folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(part, path)
