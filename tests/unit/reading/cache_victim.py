"""Processes that fill a frame cache, some of which are killed meanwhile."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

import roboreel
from roboreel.reading.cache_folder import CacheFolder
from roboreel.storage import disk
from roboreel.storage.disk import faults
from tests.forked import FORKED

SIZE = (32, 160)


def cached(dataset: Path, cache: Path, **options: Any) -> roboreel.Reader:
    """A reader of the frames of a dataset, with a cache."""
    return roboreel.reader(
        roboreel.open(dataset), columns=[], size=SIZE, threads=1, frame_cache=cache, **options
    )


def fill(dataset: Path, cache: Path, seed: int = 0) -> None:
    """Read all items in another order, a few at a time."""
    reader = cached(dataset, cache)
    for items in np.array_split(np.random.default_rng(seed).permutation(len(reader)), 4):
        reader.batch(items)


def kill_self() -> None:
    """End as a process that the kernel kills."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill_until_operation(dataset: Path, cache: Path, at: int) -> None:
    """Fill a cache; die before or after a change of the disk."""
    count = 0

    def hook(_when: str, _name: str, _path: str) -> None:
        nonlocal count
        count += 1
        if count > at:
            kill_self()

    with faults(hook):
        fill(dataset, cache)


def fill_until_write(dataset: Path, cache: Path, at: int) -> None:
    """Fill a cache; die in a write to a file of frames, of which half is done."""
    left = at
    whole = disk._write_all

    def write(file: Any, data: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            bytes_ = bytes(memoryview(data).cast("B"))
            whole(file, bytes_[: len(bytes_) // 2])
            kill_self()
        whole(file, data)

    disk._write_all = write
    fill(dataset, cache)


def fill_for(dataset: Path, cache: Path, seconds: float) -> None:
    """Fill a cache slowly; the caller kills this process."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        fill(dataset, cache)
        CacheFolder(str(cache), None, 0).clear()


def run(function: Any, *arguments: Any) -> int | None:
    """Run a function in a process of its own; its exit code."""
    process = FORKED.Process(target=function, args=arguments)
    process.start()
    process.join(60)
    return process.exitcode
