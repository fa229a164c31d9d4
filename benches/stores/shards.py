"""Sixteen processes on one store, four of them killed and started again, beside one process that nobody disturbs.

    python3 benches/stores/shards.py esnsim benches/stores/shards.toml FOLDER

Says how long each took, how many points the killed ones had left, and whether every row of every view is the same.
"""

from __future__ import annotations

import pathlib
import random
import sqlite3
import subprocess
import sys
import time

SHARDS = 16
# A shard is killed when the store has this part of all points.
KILLED_AT = [0.02, 0.15, 0.35, 0.6]
VIEWS = {"points": "key", "hardware": "key, position", "plans": "digest"}


def count(store: pathlib.Path) -> int:
    """How many points are in a store, also in one that is about to be made."""
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=60) as connection:
            return connection.execute("SELECT count(*) FROM point_figures").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def main() -> None:
    program, plan, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    whole, shared = folder / "whole.sqlite", folder / "shared.sqlite"
    start = time.monotonic()
    subprocess.run([program, "sweep", plan, "--store", whole], check=True, stdout=subprocess.DEVNULL)
    undisturbed = time.monotonic() - start

    def shard(place: int) -> subprocess.Popen[bytes]:
        command = [program, "sweep", plan, "--store", str(shared), "--shard", f"{place + 1}/{SHARDS}", "--threads", "1"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    start, points = time.monotonic(), count(whole)
    processes = [shard(place) for place in range(SHARDS)]
    generator = random.Random(16)
    for part in KILLED_AT:
        while count(shared) < part * points:
            time.sleep(0.02)
        place = generator.choice([place for place, process in enumerate(processes) if process.poll() is None])
        processes[place].kill()
        processes[place].wait()
        print(f"shard {place + 1} killed; {count(shared)} points in the store", flush=True)
        processes[place] = shard(place)
    assert all(process.wait() == 0 for process in processes)
    disturbed = time.monotonic() - start
    stores = [sqlite3.connect(path) for path in (whole, shared)]
    for view, order in VIEWS.items():
        mine, theirs = (store.execute(f"SELECT * FROM {view} ORDER BY {order}") for store in stores)
        rows = 0
        for row in mine:
            assert row == theirs.fetchone(), (view, row)
            rows += 1
        assert theirs.fetchone() is None, view
        print(f"{view}: {rows} rows, the same")
    print(f"one process {undisturbed:.1f} s, {SHARDS} shards {disturbed:.1f} s; "
          f"{whole.stat().st_size} and {shared.stat().st_size} bytes")


if __name__ == "__main__":
    main()
