"""How far a figure is: one line that is written over on a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Says parts done of all parts, and how long the rest takes by what the parts of this call took."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = self._stream.isatty()
        self._began = time.monotonic()
        self._first: int | None = None
        self._length = 0

    def tell(self, what: str, done: int, total: int) -> None:
        """Shows that `done` of `total` parts are done, and what runs."""
        if not self._is_shown:
            return
        if self._first is None or done < self._first:
            self._first, self._began = done, time.monotonic()
        line = f"{done} of {total}: {what}{self._remaining(done, total)}"
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)

    def _remaining(self, done: int, total: int) -> str:
        here = done - (self._first or 0)
        if not here:
            return ""
        seconds = (time.monotonic() - self._began) / here * (total - done)
        return f", about {seconds / 60:.0f} min to go" if seconds >= 90 else f", about {seconds:.0f} s to go"

    def end(self) -> None:
        """Clears the line."""
        if self._is_shown and self._length:
            self._stream.write("\r" + " " * self._length + "\r")
            self._stream.flush()
            self._length = 0
