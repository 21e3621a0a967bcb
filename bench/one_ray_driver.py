"""Deletes one of very many episodes, and prints what memory that took in this process as JSON.

python bench/one_ray_driver.py EXECUTOR SMALL SOURCE VERSION WORK. SMALL is converted first, so that all is
loaded and connected, and what Python keeps for the next time is there.
"""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import roboreel
from roboreel.executors.ray_executor import connected
from roboreel.executors.worker_options import ExecutorName
from roboreel.progress.event import ProgressEvent

WORKERS = 2
TABLE_MB = 0.3
"""Small, so that there are many operations."""


def main() -> None:
    given, small, source, version, work = sys.argv[1:]
    executor: ExecutorName = "ray" if given == "ray" else "serial"
    operations: list[int] = []

    def listen(event: ProgressEvent) -> None:
        if event.phase == "writing documents":
            operations.append(_rss("VmHWM"))

    with connected(None) if executor == "ray" else nullcontext():
        for name in (small, source):
            _forget_peak()
            operations.clear()
            before, begun = _rss("VmRSS"), time.perf_counter()
            report = roboreel.write(
                roboreel.open(name).delete([0]),
                out=Path(work, f"{Path(name).name}-{executor}"),
                to=version,
                data_file_mb=TABLE_MB,
                executor=executor,
                workers=WORKERS,
                progress=listen,
            )
    peak, now = _rss("VmHWM"), _rss("VmRSS")
    print(
        json.dumps(
            {
                "executor": executor,
                "episodes": report.episodes,
                "files": report.table_files,
                "seconds": time.perf_counter() - begun,
                "rss_before_bytes": before,
                "peak_rss_bytes": peak,
                "rss_after_bytes": now,
                "bytes_per_episode": (peak - before) / report.episodes,
                "bytes_per_episode_before_documents": (operations[0] - before) / report.episodes,
            }
        )
    )


def _forget_peak() -> None:
    """Let `VmHWM` begin again (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _rss(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
