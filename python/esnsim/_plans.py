"""The plan of a search: its network, images and hardware, as TOML."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Generator, NamedTuple, Sequence

from ._arguments import checked, wrong
from ._esnsim import BadArgument, OpenPlan
from ._images import EMBEDDED, asked


class Question(NamedTuple):
    """What a search was asked about."""

    network: Any
    statistics: Any
    hardware: Sequence[str]
    memory: float
    cost: str
    accuracy: str


@contextlib.contextmanager
def open_plan(about: Question, images: Any) -> Generator[OpenPlan, None, None]:
    """A plan without points, opened, with images or without."""
    with contextlib.ExitStack() as stack:
        name, comes_with = _network(about.network, stack)
        scored = stack.enter_context(asked(images, None, comes_with, "images"))
        renewed = stack.enter_context(asked(about.statistics, None, comes_with, "statistics"))
        hardware = ", ".join(_text(_located(each)) for each in about.hardware)
        lines = [f"networks = [{_text(name)}]", f"hardware = [{hardware}]"]
        if scored is not None:
            lines += [f"{key.replace('_', '-')} = {scored.request[key]}" for key in ("activation_bits", "calibration_images")]
            lines += _table("images", scored.request)
        if renewed is not None:
            lines += _table("statistics", {**renewed.request, "output": None, "threshold": None})
        # One point, which is not run, keeps the plan from having any other.
        lines += ["[[point]]"]
        yield OpenPlan("search", text="\n".join(lines) + "\n", memory=about.memory)


def _network(network: Any, stack: contextlib.ExitStack) -> tuple[str, str | None]:
    """The file of a network, and the preprocessing that the network came with."""
    if network is None:
        return EMBEDDED, None
    if isinstance(network, (str, os.PathLike)):
        path: str = checked(path=network)["path"]
        return os.path.abspath(path), None
    if not hasattr(network, "save"):
        raise wrong("network", network, "a path, an esnsim.Network, or nothing for the network that comes along")
    import tempfile

    path = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), "network.onnx")
    network.save(path)
    return path, network._comes_with


def _located(hardware: str) -> str:
    return os.path.abspath(hardware) if hardware.endswith(".toml") else hardware


def _table(name: str, request: dict[str, Any]) -> list[str]:
    """Images as a table of a plan."""
    if request["label_offset"] is not None:
        raise BadArgument(f"label_offset of {name} is no matter of a search; give labels that are classes")
    path = EMBEDDED if request["path"] is None else os.path.abspath(request["path"])
    lines = [f"[{name}]", f"path = {_text(path)}"]
    preprocess = request["preprocess"]
    if preprocess is not None:
        preprocess = os.path.abspath(preprocess) if os.path.exists(preprocess) else preprocess
        lines.append(f"preprocess = {_text(preprocess)}")
    lines += [f"{key} = {_text(request[key])}" for key in ("layout", "output") if request[key] is not None]
    return lines + [f"{key} = {request[key]}" for key in ("limit", "threshold") if request[key] is not None]


def _text(words: str) -> str:
    """A text in TOML, which has the escapes of JSON."""
    return json.dumps(words, ensure_ascii=False)
