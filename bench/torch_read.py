"""Reads through torch, with lerobot's dataset class or with ours: whichever the job names.

`PYTHON bench/torch_read.py JOB`, where JOB is JSON with the keys of `Job`.
"""

import importlib
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from laps import Work, serve
from order import in_order, shuffled, taken

BATCH = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    root: str
    module: str
    """Where `LeRobotDataset` is: "lerobot.datasets.lerobot_dataset" or "roboreel.torch"."""
    feed: str = "DataLoader"
    """Or "Loader", which is ours."""
    workers: int = 0
    order: str = "shuffled"
    """Or "in order", or "blocks", by our block sampler."""
    arguments: dict[str, Any] = field(default_factory=dict)  # Any: of the class
    loader: dict[str, Any] = field(default_factory=dict)  # Any: of `Loader`
    busy_ms: float = 0
    """Milliseconds of Python after each batch, as of a training step that holds the interpreter."""
    reader: dict[str, Any] | None = None  # Any: JSON
    """Arguments of `roboreel.reader`, which is then read in the place of the class."""


def dataset(job: Job) -> Any:  # Any: either class, or a reader
    if job.reader is not None:
        roboreel = importlib.import_module("roboreel")
        tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in job.reader.items()}
        return roboreel.reader(roboreel.open(job.root), **tuples)
    module = importlib.import_module(job.module)
    return module.LeRobotDataset("local/x", root=job.root, **job.arguments)


class Feed:
    """Gives the next numbers each time an epoch begins; a sampler as torch wants it."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self.items = 0

    def __iter__(self) -> Iterator[int]:
        return iter(taken(self._numbers, self.items))

    def __len__(self) -> int:
        return self.items


class Blocks:
    """The first items of each epoch of our block sampler."""

    def __init__(self, sampler: Any) -> None:  # Any: ours, where it is installed
        self._sampler = sampler
        self.items = 0

    def __iter__(self) -> Iterator[int]:
        return iter(taken(iter(self._sampler), self.items))

    def __len__(self) -> int:
        return self.items


def sampler(job: Job, data: Any) -> Feed | Blocks:  # Any: either class
    if job.order == "blocks":
        return Blocks(importlib.import_module("roboreel.torch").BlockSampler.for_dataset(data))
    orders = {"shuffled": shuffled, "in order": in_order}
    return Feed(orders[job.order](len(data)))


def batches(job: Job, data: Any, numbers: Feed | Blocks) -> Iterable[Any]:  # Any: torch's objects
    if job.feed == "Loader":
        ours = importlib.import_module("roboreel.torch")
        loader: Iterable[Any] = ours.Loader(data, batch_size=BATCH, sampler=numbers, **job.loader)
        return loader
    torch_data = importlib.import_module("torch.utils.data")
    theirs: Iterable[Any] = torch_data.DataLoader(
        data,
        batch_size=BATCH,
        sampler=numbers,
        num_workers=job.workers,
        persistent_workers=job.workers > 0,
    )
    return theirs


def stay_busy(milliseconds: float) -> None:
    until = time.perf_counter() + milliseconds / 1e3
    while time.perf_counter() < until:
        pass


def reading(job: Job) -> Work:
    data = dataset(job)
    numbers = sampler(job, data)
    loader = batches(job, data, numbers)

    def work(items: int) -> int:
        numbers.items, count = items, 0
        for batch in loader:
            count += len(batch["index"])
            stay_busy(job.busy_ms)
        return count

    return work


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(reading(Job(**json.loads(sys.argv[1]))))
