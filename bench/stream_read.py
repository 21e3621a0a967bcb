"""Reads a stream, with lerobot's class or with ours: whichever the job names.

`PYTHON bench/stream_read.py JOB`, where JOB is JSON with the keys of `Job`. Reads a line when it is ready and
another one before it counts, so that the caller can see what was asked for until then.
"""

import importlib
import json
import os
import sys
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    module: str
    """Where `StreamingLeRobotDataset` is."""
    warm_up: int
    """Items that are not counted."""
    items: int
    """Items that are counted."""
    arguments: dict[str, Any] = field(default_factory=dict)  # Any: of the class


def main() -> None:
    job = Job(**json.loads(sys.argv[1]))
    begin = time.perf_counter()
    module = importlib.import_module(job.module)
    stream = iter(module.StreamingLeRobotDataset("bench/stream", **job.arguments))
    for _ in islice(stream, job.warm_up):
        pass
    tell({"ready_s": time.perf_counter() - begin})
    begin, busy = time.perf_counter(), time.process_time()
    seen = [
        (int(item["episode_index"]), int(item["frame_index"])) for item in islice(stream, job.items)
    ]
    seconds = time.perf_counter() - begin
    tell({"seconds": seconds, "busy_s": time.process_time() - busy, "items": len(set(seen))})
    os._exit(0)  # threads that read ahead are of no interest


def tell(facts: dict[str, float]) -> None:
    """Prints facts, and waits until they were taken."""
    print(json.dumps(facts), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
