"""The contender's side of a heat: works as often as it is asked to, and prints what each lap cost.

A lap begins with a line on standard input: the number of items to read. It ends with a line of JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from together import family

Work = Callable[[int], int]
"""Reads at least that many items where the dataset has them; returns how many it was."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lap:
    items: int
    seconds: float
    cpu_seconds: float
    """Of this process and of those that it has started."""
    rss_bytes: int
    """Of this process, at the end."""

    @property
    def per_second(self) -> float:
        return self.items / self.seconds

    @property
    def cpu_ms_per_item(self) -> float:
        return self.cpu_seconds / self.items * 1e3


def serve(work: Work) -> None:
    """Answers until standard input ends. The first line that it prints says that it is ready."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(asdict(lap(work, int(line)))), flush=True)


def lap(work: Work, wanted: int) -> Lap:
    busy, started = family_cpu_seconds(), time.perf_counter()
    items = work(wanted)
    seconds = time.perf_counter() - started
    return Lap(
        items=items,
        seconds=seconds,
        cpu_seconds=family_cpu_seconds() - busy,
        rss_bytes=rss_bytes(),
    )


def family_cpu_seconds() -> float:
    """Of this process, its living children, and those that have ended."""
    living = [pid for pid in family(os.getpid()) if pid != os.getpid()]
    return sum(os.times()[:4]) + sum(map(_cpu_seconds, living))


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICKS


def rss_bytes(pid: int | str = "self") -> int:
    """What a process has in memory now."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
