"""CIFAR-10 in any of its layouts, decoded once.

A folder of data has two splits, and each is found on its own:

```text
train   data_batch_1.bin … data_batch_5.bin, or data_batch_1 … data_batch_5, or train/CLASS/*.jpg
test    test_batch.bin, or test_batch, or test/CLASS/*.jpg
```

They may lie in the folder itself or in the folder of the official archive (`cifar-10-batches-bin`, `cifar-10-batches-py`). Classes
of a folder are numbered in the order of their names, as those of CIFAR-10 are. What was decoded is kept as one `.npz` for each split,
with `images` `[N, 32, 32, 3]` (uint8, RGB) and `labels` `[N]` (int64), which the simulator reads, too.
"""

from __future__ import annotations

import io
import os
import pathlib
import pickle
from typing import Any, Callable

from .. import BadArgument, InvalidFile
from ._files import write_whole

# Bytes of a record of the binary layout: a label, and planes of R, G and B.
_RECORD = 1 + 3 * 32 * 32
_PICTURES = (".jpg", ".jpeg", ".png")
_ARCHIVES = ("", "cifar-10-batches-bin", "cifar-10-batches-py")
_BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}

Arrays = dict[str, Any]


def split_file(data: pathlib.Path, split: str, cache: pathlib.Path) -> pathlib.Path:
    """The `.npz` of a split, `"train"` or `"test"`, in the folder `cache`. It is made once; delete it where the data change.

    # Errors

    `BadArgument` where the folder has the split in no layout, `InvalidFile` where a file of it is none.
    """
    path = cache / f"{split}.npz"
    if not path.exists():
        _keep(path, _decoded(data, split))
    return path


def balanced_file(source: pathlib.Path, count: int) -> pathlib.Path:
    """An `.npz` beside `source` of its first images of each class, `count` in all."""
    path = source.with_name(f"{source.stem}-{count}.npz")
    if not path.exists():
        arrays = load(source)
        chosen = balanced(arrays["labels"], count)
        _keep(path, {name: array[chosen] for name, array in arrays.items()})
    return path


def balanced(labels: Any, count: int) -> Any:
    """Places of the first `count` images, as many of each class, in the order in which they lie.

    >>> import numpy
    >>> balanced(numpy.array([0, 0, 0, 1, 1, 0]), 4).tolist()
    [0, 1, 3, 4]
    """
    import numpy

    classes = numpy.unique(labels)
    each, rest = divmod(count, len(classes))
    places = [numpy.flatnonzero(labels == one) for one in classes]
    if rest or min(map(len, places)) < each:
        raise BadArgument(f"{count} images, as many of each of {len(classes)} classes, cannot be taken of {len(labels)} images; "
                          f"the smallest class has {min(map(len, places))}")
    return numpy.sort(numpy.concatenate([place[:each] for place in places]))


def load(path: pathlib.Path) -> Arrays:
    """The arrays of a file of `split_file`."""
    import numpy

    with numpy.load(path) as stored:
        return {name: stored[name] for name in ("images", "labels")}


def _keep(path: pathlib.Path, arrays: Arrays) -> None:
    import numpy

    file = io.BytesIO()
    numpy.savez(file, **arrays)
    write_whole(path, file.getvalue())


def _decoded(data: pathlib.Path, split: str) -> Arrays:
    """The arrays of a split in the first layout that is there."""
    for folder in (data / archive for archive in _ARCHIVES):
        readers: list[tuple[list[pathlib.Path], Callable[[pathlib.Path], Arrays]]] = [
            ([folder / f"{name}.bin" for name in _BATCHES[split]], _of_binary),
            ([folder / name for name in _BATCHES[split]], _of_pickle),
        ]
        for files, read in readers:
            if all(file.is_file() for file in files):
                return _joined([read(file) for file in files])
    if (data / split).is_dir():
        return _of_folder(data / split)
    raise BadArgument(f"{data} has no split '{split}' of CIFAR-10: expected {', '.join(_BATCHES[split])} in the binary or the Python "
                      f"layout, or a folder {split} with a sub-folder for each class; found {_listed(data)}")


def _listed(data: pathlib.Path) -> str:
    names = sorted(os.listdir(data)) if data.is_dir() else []
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "nothing"


def _joined(parts: list[Arrays]) -> Arrays:
    import numpy

    return {name: numpy.concatenate([part[name] for part in parts]) for name in parts[0]}


def _of_planes(rows: Any, labels: Any) -> Arrays:
    """Images of rows `[N, 3072]` of planes."""
    import numpy

    images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return {"images": numpy.ascontiguousarray(images), "labels": numpy.asarray(labels, numpy.int64)}


def _of_binary(path: pathlib.Path) -> Arrays:
    import numpy

    content = numpy.fromfile(path, numpy.uint8)
    if len(content) == 0 or len(content) % _RECORD:
        raise InvalidFile(f"{path}: {len(content)} bytes; expected records of {_RECORD} bytes, a label and an image of 32 x 32")
    records = content.reshape(-1, _RECORD)
    return _of_planes(records[:, 1:], records[:, 0])


class _Unpickler(pickle.Unpickler):
    """Takes arrays of NumPy out of a pickle, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        import numpy

        # NumPy's modules have other names in other versions; what makes an array is asked of an array.
        array = numpy.zeros(1)
        makers = {"_reconstruct": array.__reduce__()[0], "_frombuffer": array.__reduce_ex__(5)[0], "ndarray": numpy.ndarray,
                  "dtype": numpy.dtype}
        if module.split(".")[0] == "numpy" and name in makers:
            return makers[name]
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it calls {module}.{name}, which no batch of CIFAR-10 does")


def _of_pickle(path: pathlib.Path) -> Arrays:
    try:
        with open(path, "rb") as file:
            batch = _Unpickler(file, encoding="bytes").load()
        rows, labels = batch[b"data"], batch[b"labels"]
        if rows.shape[1:] != (_RECORD - 1,) or len(rows) != len(labels):
            raise ValueError(f"data of shape {rows.shape} and {len(labels)} labels; expected [N, {_RECORD - 1}] and N")
    except (pickle.UnpicklingError, ValueError, KeyError, TypeError, AttributeError, EOFError, ImportError) as error:
        raise InvalidFile(f"{path}: no batch of CIFAR-10 in the Python layout: {' '.join(str(error).split())}") from error
    return _of_planes(rows, labels)


def _of_folder(folder: pathlib.Path) -> Arrays:
    """Images of a folder with a sub-folder for each class."""
    import numpy

    try:
        from PIL import Image
    except ImportError as error:
        raise BadArgument(f"{folder} has images that need Pillow to be decoded; pip install pillow") from error
    images, labels = [], []
    for label, name in enumerate(sorted(entry.name for entry in folder.iterdir() if entry.is_dir())):
        for path in sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in _PICTURES):
            try:
                with Image.open(path) as picture:
                    image = numpy.asarray(picture.convert("RGB"))
            except OSError as error:
                raise InvalidFile(f"{path}: no image: {' '.join(str(error).split())}") from error
            if image.shape != (32, 32, 3):
                raise InvalidFile(f"{path}: an image of {image.shape[1]} x {image.shape[0]} pixels; expected 32 x 32")
            images.append(image)
            labels.append(label)
    if not images:
        raise BadArgument(f"{folder} has no image; expected a sub-folder for each class with files {', '.join(_PICTURES)}")
    return {"images": numpy.stack(images), "labels": numpy.array(labels, numpy.int64)}
