"""Images, and how they reach the module in Rust: by path, or out of memory by way of a file."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Generator

from ._arguments import checked, shown, wrong
from ._esnsim import BadArgument, Error

#: The images of the network that comes along.
EMBEDDED = "embedded"


class Images:
    """Images, and what is done with them before and while a network runs.

    `source` is a file or folder as `esnsim simulate --images` takes it; or `"embedded"` for the images of the network that comes
    along (a folder of that name is `pathlib.Path("embedded")`); or an array of NumPy or PyTorch, of pixels or of numbers as the
    network takes them: `[images, channels, height, width]`, `[images, height, width, channels]`, `[images, height, width]`, or
    `[images, …]` in the shape of the input.
    `labels`, one integer for each image (`[images]`, or one-hot `[images, classes]`), go with an array.

    `preprocess` is `"unit"` (pixels over 255), `"imagenet"`, `"none"` or a file; left out, it is that of the file
    NET.preprocess.toml beside the network, which the network that comes along has, too; else an array of real numbers is taken as
    it is where the network takes real numbers. `layout` says how the axes of an array lie, where that is not clear:
    `"channels-first"`, `"channels-last"`, `"as-is"`. `label_offset` is added to every label. `output` is the output that is
    scored and `threshold` where class 1 begins of an output of one number. Engines on integers get activations of
    `activation_bits` (1 to 16 bits), whose ranges the first `calibration_images` tell. `limit` is how many are taken at most.

    >>> import esnsim
    >>> ten = esnsim.Images("embedded", limit=10)
    >>> esnsim.evaluate(images=ten, bits=6).top1["ideal-digital"]
    Score(right=9, of=10)
    """

    def __init__(self, source: Any, labels: Any = None, *, limit: int | None = None, layout: str | None = None,
                 preprocess: str | os.PathLike[str] | None = None, label_offset: int | None = None,
                 output: str | None = None, threshold: float | None = None, activation_bits: int = 8,
                 calibration_images: int = 64) -> None:
        if labels is not None and isinstance(source, (str, os.PathLike)):
            raise BadArgument("labels go with an array; those of a file or folder are in it")
        self.source, self.labels = source, labels
        self.limit: int | None = checked(limit=limit)["limit"]
        self._options = checked(
            layout=layout, preprocess=preprocess, label_offset=label_offset, output=output, threshold=threshold,
            activation_bits=activation_bits, calibration_images=calibration_images,
        )

    def __repr__(self) -> str:
        given = {"labels": self.labels, "limit": self.limit, **self._options}
        words = [shown(self.source), *(f"{name}={shown(value)}" for name, value in given.items() if value is not None)]
        return f"esnsim.Images({', '.join(words)})"


class Asked:
    """The images of one call: what the module in Rust is asked for, and the file that an array lies in meanwhile."""

    def __init__(self, request: dict[str, Any], file: str | None) -> None:
        self.request, self._file = request, file

    def named(self, said: str) -> str:
        """A text of the library, in which an array is called as the argument that it came by."""
        return said if self._file is None else said.replace(self._file, "images")


@contextlib.contextmanager
def asked(images: Any, limit: int | None, preprocess: str | None, argument: str) -> Generator[Asked | None, None, None]:
    """The images that the argument of this name has, at most `limit` of them. `preprocess` is the text of a file that the network
    came with, for images of which nothing is said.
    """
    limit = checked(limit=limit)["limit"]
    if images is None:
        if limit is not None:
            hint = '; images="embedded" takes those of the network that comes along' if argument == "images" else ""
            raise BadArgument(f"limit is {limit}, and there is no {argument}= that it could limit{hint}")
        yield None
        return
    # Imported where it is needed: it takes as long as all of the package.
    import tempfile

    given = _given(images, argument)
    limit = min((each for each in (limit, given.limit) if each is not None), default=None)
    request: dict[str, Any] = {"limit": limit, **given._options}
    with contextlib.ExitStack() as stack:
        def place(name: str) -> str:
            return os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), name)

        is_path = isinstance(given.source, (str, os.PathLike))
        is_embedded = is_path and given.source == EMBEDDED
        if request["preprocess"] is None and preprocess is not None and not is_embedded:
            beside = request["preprocess"] = place("network.preprocess.toml")
            with open(beside, "w", encoding="utf-8") as written:
                written.write(preprocess)
        if is_path:
            path = None if is_embedded else checked(path=given.source)["path"]
            yield Asked({"path": path, **request}, None)
            return
        file = place("images.npz")
        _write(file, given, argument)
        found = Asked({"path": file, **request}, file)
        try:
            yield found
        except Error as error:
            raise type(error)(found.named(str(error))) from None


def _given(images: Any, argument: str) -> Images:
    if isinstance(images, Images):
        return images
    if isinstance(images, tuple):
        if len(images) != 2:
            raise wrong(argument, images, "images, or a pair of images and labels")
        return Images(*images)
    return Images(images)


def _write(path: str, given: Images, argument: str) -> None:
    """Writes arrays where the library reads them."""
    import numpy

    images = _array(given.source, argument)
    if images.ndim == 0:
        raise wrong(argument, given.source, "a path, esnsim.Images, or an array [images, …]")
    arrays = {"images": images}
    if given.labels is not None:
        labels = arrays["labels"] = _array(given.labels, "labels")
        if labels.ndim not in (1, 2) or len(labels) != len(images):
            raise BadArgument(f"labels has shape {labels.shape}; expected ({len(images)},), one for each image of {argument}, "
                              f"whose shape is {images.shape}")
    numpy.savez(path, **arrays)


def _array(values: Any, argument: str) -> Any:
    """An array of NumPy of an array of any library. What is on a device, or part of a graph of PyTorch, is brought here."""
    import numpy

    for method in ("detach", "cpu"):
        values = getattr(values, method)() if hasattr(values, method) else values
    try:
        array = numpy.asarray(values)
    except ValueError:
        raise BadArgument(f"the parts of {argument} have different shapes; expected one array [images, …] of numbers") from None
    if array.dtype.kind not in "biuf":
        raise wrong(argument, values, "a path, esnsim.Images, or an array [images, …] of numbers")
    return array
