"""Where training writes what each epoch was: a table `epochs` of SQLite.

| column | what |
|---|---|
| `run` | network, seed and a digest of `settings`, by which a run is known |
| `epoch` | from 0 |
| `settings` | all that the result depends on, JSON |
| `learning_rate` | mean over the steps of the epoch |
| `loss` | mean cross-entropy over the images of the epoch |
| `top1` | accuracy on the validation images after the epoch, 0 to 1 |
| `esn_a` | equations (4) and (5), c = 1, over the layers that moved; null where none did |
| `filters`, `pruned_filters` | all filters, and those whose largest weight is below 0.001 of their layer's |
| `layers` | ESN_a of each layer by name, JSON |

Points that are quantized lie in the store of a sweep beside it.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import sqlite3
from typing import Any

COLUMNS = ("run", "epoch", "settings", "learning_rate", "loss", "top1", "esn_a", "filters", "pruned_filters", "layers")

Epoch = dict[str, Any]


class EpochStore:
    """The table `epochs` of a file, which is made where it is not there."""

    def __init__(self, path: pathlib.Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._open() as database:
            database.execute(f"CREATE TABLE IF NOT EXISTS epochs ({', '.join(COLUMNS)}, PRIMARY KEY (run, epoch)) WITHOUT ROWID")

    @contextlib.contextmanager
    def _open(self) -> Any:
        with contextlib.closing(sqlite3.connect(self._path, timeout=60)) as database, database:
            yield database

    def put(self, rows: list[Epoch]) -> None:
        """Writes epochs, all of them or none. Those that are there are written anew."""
        values = [[json.dumps(row[name]) if isinstance(row[name], dict) else row[name] for name in COLUMNS] for row in rows]
        with self._open() as database:
            database.executemany(f"INSERT OR REPLACE INTO epochs VALUES ({', '.join('?' * len(COLUMNS))})", values)

    def epochs(self, run: str) -> list[Epoch]:
        """The epochs of a run, in their order."""
        with self._open() as database:
            found = database.execute(f"SELECT {', '.join(COLUMNS)} FROM epochs WHERE run = ? ORDER BY epoch", (run,)).fetchall()
        rows = [dict(zip(COLUMNS, values)) for values in found]
        return [{**row, "settings": json.loads(row["settings"]), "layers": json.loads(row["layers"])} for row in rows]
