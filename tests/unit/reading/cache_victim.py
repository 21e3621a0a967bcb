"""Processes that fill a frame cache, some of which are killed meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

import roboreel
from roboreel.reading import frame_file
from roboreel.storage.disk import faults

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.unit.reading.cache_victim", "roboreel.reading.reader", "av"])

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


def fill_until_checksum(dataset: Path, cache: Path, at: int) -> None:
    """Fill a cache; die between the pixels of a frame and its checksum, with half of the pixels of the next."""
    left = at
    whole = frame_file.checksum

    def checksum(pixels: Any, number: int) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            kill_self()
        return whole(pixels, number)

    frame_file.checksum = checksum
    fill(dataset, cache)


def fill_for(dataset: Path, cache: Path, seconds: float) -> None:
    """Fill a cache slowly; the caller kills this process."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        fill(dataset, cache)
        roboreel.reading.cache_folder.CacheFolder(str(cache), None, 0).clear()


def run(function: Any, *arguments: Any) -> int | None:
    """Run a function in a process of its own; its exit code."""
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    process.join(60)
    return process.exitcode
