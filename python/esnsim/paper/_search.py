"""A way to quantize for each layer that a search found, as points of a page."""

from __future__ import annotations

import hashlib
import json
import pathlib

import esnsim

from ._job import Job


def searched(job: Job, file: pathlib.Path, trials: int, counts: tuple[int, int], seed: int = 0) -> list[esnsim.Row]:
    """What a search by ESN_d holds for the best of `trials` points of a network, quantized without more training.

    `counts` are the test images that tell the accuracy, and the training images that the search and the statistics see. The search
    goes on where it was stopped. Other networks, images and counts have other stores.
    """
    shown, count = counts
    seen, unseen = (esnsim.Images(job.images(split, number), preprocess="imagenet") for split, number in (("train", count), ("test", shown)))
    text = json.dumps([trials, count, shown, job.digest]).encode()
    digest = hashlib.sha256(text + file.read_bytes()).hexdigest()[:12]
    found, judged = (job.work / f"{name}-{digest}.sqlite" for name in ("search", "judged"))

    def told(what: str, done: int, of: int) -> None:
        job.progress.tell(what, done, of)

    study = esnsim.search(file, seen, statistics=seen, trials=trials, sensitivity_images=min(count, 128), store=found, seed=seed,
                          threads=job.threads, progress=told)
    points = study.judge(unseen, judged, statistics=seen, threads=job.threads, progress=told).points
    job.progress.end()
    return list(points)
