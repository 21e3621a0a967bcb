"""Reads with `roboreel.reader`, without torch.

`python bench/core_read.py JOB`, where JOB is JSON with the keys of `Job`.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from laps import Work, serve
from order import batches, in_gops, in_order, shuffled, taken

import roboreel

BATCH = 32
GOP = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    root: str
    how: str
    """"items" one by one, "batches", "into" arrays that are used again, "gops" in shuffled batches,
    "episodes" in order, "blocks"."""
    arguments: dict[str, Any] = field(default_factory=dict)  # Any: of the reader
    block_frames: int = GOP
    window: int = 1
    """Frames of each camera in an item: the last and those before it."""


def opened(job: Job) -> Any:  # Any: the reader
    arguments = dict(job.arguments)
    if "size" in arguments:  # JSON has no tuples
        arguments["size"] = tuple(arguments["size"])
    dataset = roboreel.open(job.root)
    if job.window > 1:
        arguments["offsets"] = {
            camera: list(range(1 - job.window, 1)) for camera in dataset.cameras
        }
    return roboreel.reader(dataset, **arguments)


def numbers(job: Job, frames: int) -> Iterator[int]:
    if job.how in ("gops", "blocks"):
        return in_gops(frames, size=job.block_frames)
    return in_order(frames) if job.how == "episodes" else shuffled(frames)


def reading(job: Job) -> Work:
    reader = opened(job)
    order = numbers(job, len(reader))

    def items(count: int) -> int:
        return sum(1 for number in taken(order, count) if reader[number])

    def in_batches(count: int) -> int:
        wanted = taken(order, count)
        return sum(len(reader.batch(some)["index"]) for some in batches(wanted, BATCH))

    def into(count: int) -> int:
        wanted = taken(order, count)
        return sum(len(reader.batch(some, out=out)["index"]) for some in batches(wanted, BATCH))

    def episodes(count: int) -> int:
        return sum(1 for row in islice(rows(reader), count) if row)

    out = own_arrays(reader) if job.how == "into" else {}
    ways: dict[str, Work] = {"items": items, "into": into, "episodes": episodes}
    return ways.get(job.how, in_batches)


def own_arrays(reader: Any) -> dict[str, Any]:  # Any: the reader, and arrays of any dtype
    """Of the cameras; laps are whole batches."""
    batch = reader.batch(list(range(BATCH)))
    return {camera: batch[camera] for camera in reader.cameras}


def rows(reader: Any) -> Iterator[Any]:  # Any: the reader, and an item of it
    for episode in range(reader.num_episodes):
        yield from reader.episode(episode)


if __name__ == "__main__":
    serve(reading(Job(**json.loads(sys.argv[1]))))
