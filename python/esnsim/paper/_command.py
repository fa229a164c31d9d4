"""The command line: arguments, and what it says when something is wrong."""

from __future__ import annotations

import argparse
import functools
import importlib
import pathlib
import re
import sys
from typing import Sequence

from .. import BadArgument, Error, Unsupported
from ._job import SCALES, Job

#: All figures of the paper that are run, and their modules; an empty one is not built yet.
FIGURES = {
    "figure2": ".figure2", "figure3": ".figure3", "figure4": ".figure4", "figure5": ".figure5", "figure6": ".figure6",
    "figure7": ".figure7", "figure8": ".figure8", "appendix-b": ".figure7", "fair": ".fair", "penalty": ".penalty",
}

#: Those that take rows of seeds that were run before.
WITH_ROWS = ("figure6", "fair", "penalty")

# As the command `esnsim` has them: wrong input, and Ctrl-C.
_WRONG, _STOPPED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a figure, and returns the exit code: 0, 2 for wrong input or what is not built, 130 where it was stopped."""
    given = _parser().parse_args(arguments)
    job = Job(given.figure, given.data, given.scale, given.out, device=given.device, start=given.start, seeds=given.seeds,
              first_seed=given.first_seed, rows=tuple(given.rows), threads=given.threads)
    try:
        page = _run(job)
    except KeyboardInterrupt:
        job.progress.end()
        print("stopped; the same command goes on", file=sys.stderr)
        return _STOPPED
    except (Error, OSError) as error:
        job.progress.end()
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return _WRONG
    print(f"wrote {page}")
    return 0


def _run(job: Job) -> pathlib.Path:
    module = FIGURES[job.figure]
    if job.rows and job.figure not in WITH_ROWS:
        raise Unsupported(f"unsupported: {job.figure} takes no --rows; {', '.join(WITH_ROWS)} do")
    if not module:
        built = ", ".join(name for name, where in FIGURES.items() if where)
        raise Unsupported(f"unsupported: {job.figure} is not built yet; {built} are")
    try:
        importlib.import_module("torch")
    except ImportError as error:
        raise BadArgument("the figures of the paper need PyTorch; pip install 'esnsim[paper]'") from error
    page = importlib.import_module(module, __package__).run(job)
    written: pathlib.Path = page.write(job.out, job.figure)
    return written


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m esnsim.paper", description="Runs a figure of the paper again: trains, quantizes, "
                                     "and writes a page, pictures and rows. It goes on where it was stopped.")
    parser.add_argument("figure", choices=list(FIGURES), help="which figure", metavar="FIGURE")
    parser.add_argument("--data", type=pathlib.Path, required=True, metavar="DIR",
                        help="CIFAR-10: the binary or the Python layout, or folders train and test with a sub-folder for each class")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR", help="where the page goes, and what is kept meanwhile")
    parser.add_argument("--scale", choices=SCALES, default="small", help="small fits two cores, paper is the paper's schedule")
    parser.add_argument("--start", type=pathlib.Path, metavar="DIR", help="trained networks, as resnet20-w050-seed0.pth")
    parser.add_argument("--device", type=_device, default="cpu", help="where PyTorch trains, as cuda (default: cpu)")
    parser.add_argument("--seeds", type=_count, metavar="N", help="how many seeds (default: what the figure says for the scale)")
    parser.add_argument("--first-seed", type=functools.partial(_count, least=0), default=0, metavar="K",
                        help="the first of these seeds (default: 0), so that seeds may be run apart")
    parser.add_argument("--rows", type=pathlib.Path, metavar="FILE", action="append", default=[],
                        help="rows.csv of this figure, of seeds that were run before, here or elsewhere; these are not run again")
    parser.add_argument("--threads", type=_count, metavar="N", help="how many threads (default: as many as cores)")
    return parser


def _device(word: str) -> str:
    # Others have no numbers of 64 bits, in which sums are kept.
    if re.fullmatch(r"cpu|cuda(:\d+)?", word) is None:
        raise argparse.ArgumentTypeError(f"{word} is no device for this; expected cpu or cuda")
    return word


def _count(word: str, least: int = 1) -> int:
    if not word.isdecimal() or int(word) < least:
        raise argparse.ArgumentTypeError(f"{word} is no whole number of at least {least}")
    return int(word)
