"""What a command costs in time and memory, and on what machine."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import av
import numpy as np
import pyarrow as pa

Timed = dict[str, tuple[float, float]]
"""Seconds of each part: of the clock, and of this process on all cores."""


Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    seconds: float
    peak_rss_bytes: int
    """Of the largest process, where there were several."""
    ffmpegs: int
    """ffmpeg processes, whose start-up is part of `seconds`."""


def timed(work: Callable[[], Result]) -> tuple[tuple[float, float], Result]:
    wall, busy = time.perf_counter(), time.process_time()
    result = work()
    return (time.perf_counter() - wall, time.process_time() - busy), result


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    return timed(work)[0]


def cost(commands: Iterable[Sequence[str]], *, together: bool = False) -> Cost:
    """Runs the commands, by turns or together; raises RuntimeError where one fails."""
    listed = [list(command) for command in commands]
    timed = [sys.executable, "-IS", str(Path(__file__).with_name("timed.py")), json.dumps(listed)]
    timed += ["together"] if together else []
    report = last_json(timed)
    return Cost(
        seconds=report["seconds"],
        peak_rss_bytes=maxrss_bytes(report["maxrss"]),
        ffmpegs=sum(command[0] == "ffmpeg" for command in listed),
    )


def last_json(command: Sequence[str]) -> Any:  # Any: JSON
    """Runs a command that ends with a line of JSON; raises RuntimeError where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode} of {list(command)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def maxrss_bytes(maxrss: int) -> int:
    """`ru_maxrss` counts kilobytes, but bytes on macOS."""
    return maxrss if sys.platform == "darwin" else maxrss * 1024


def own_peak_rss_bytes() -> int:
    """Of this process since its start; `ru_maxrss` would count the process that forked it."""
    path = Path("/proc/self/status")
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return maxrss_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def own_bytes_written() -> int:
    """That this process has handed to the kernel since its start; 0 where nobody counts."""
    path = Path("/proc/self/io")
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("wchar:"):
                return int(line.split()[1])
    return 0


def resolve() -> None:
    """Waits until what earlier runs wrote is on disk, so that nobody pays for another's output."""
    os.sync()


def median_cost(costs: Sequence[Cost]) -> Cost:
    return Cost(
        seconds=median(cost.seconds for cost in costs),
        peak_rss_bytes=max(cost.peak_rss_bytes for cost in costs),
        ffmpegs=costs[0].ffmpegs,
    )


def machine() -> dict[str, object]:
    """What a reader needs to judge the figures; no names of hosts, people or folders."""
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
        "av": av.__version__,
    }


def cpu_model() -> str:
    """As the kernel names it; Linux only, elsewhere what Python knows."""
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
