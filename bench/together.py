"""The memory of a command and of all its processes together (Linux)."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_EVERY_S = 0.05


def peak_together(command: Sequence[str]) -> dict[str, int]:
    """Runs a command; returns the most bytes that its processes had at a time.

    `pss_bytes` counts a page that several share once, `rss_bytes` once for each.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = {"pss_bytes": 0, "rss_bytes": 0, "processes": 0}
    while process.poll() is None:
        found = [_memory(pid) for pid in family(process.pid)]
        now = {
            "pss_bytes": sum(pss for pss, _ in found),
            "rss_bytes": sum(rss for _, rss in found),
            "processes": len(found),
        }
        peak = {name: max(peak[name], now[name]) for name in peak}
        time.sleep(_EVERY_S)
    if process.returncode:
        raise RuntimeError(f"exit {process.returncode} of {list(command)}")
    return peak


def family(pid: int) -> Iterator[int]:
    """A process and those that it and they have started."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text(encoding="utf-8").split()
        except OSError:  # it has ended
            continue
        for child in children:
            yield from family(int(child))


def _memory(pid: int) -> tuple[int, int]:
    """(pss, rss) in bytes; nothing where the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0, 0
    parts = (line.partition(":") for line in lines)
    wanted = {"Pss", "Rss"}
    found = {name: int(rest.split()[0]) * 1024 for name, _, rest in parts if name in wanted}
    return found.get("Pss", 0), found.get("Rss", 0)
