"""Reads, checks or recomputes the numbers of one dataset, and prints the seconds without imports, as JSON.

`python bench/one_numeric.py STEP SOURCE WORKERS [OUT]`; the steps are the functions below. A process of its
own, so that memory is of this step alone.
"""

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from pkgutil import resolve_name

import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet as pq
from measure import own_peak_rss_bytes
from numeric_fabrication import COLUMNS

import roboreel
import roboreel.ops.write
from roboreel.parallel import Workers

PRELOADED = (pyarrow.compute, pyarrow.dataset, roboreel.ops.write, roboreel.check_stats)
"""What roboreel loads when first used; loaded here, so that the clock does not see it."""


def read_file(path: str) -> int:
    """Reads the columns, a row group at a time, as arrays of floats in numpy; returns their bytes."""
    size = 0
    with pq.ParquetFile(path) as file:
        for number in range(file.metadata.num_row_groups):
            table = file.read_row_group(number, columns=list(COLUMNS), use_threads=False)
            for column in table.columns:
                flat = column.combine_chunks()
                if pyarrow.types.is_nested(flat.type):
                    flat = flat.flatten()
                values = flat.to_numpy()
                size += (values if values.dtype.kind == "f" else values.astype(float)).nbytes
    return size


def read(source: str, workers: int, _: str) -> float:
    """The limit: nothing but reading, in so many processes."""
    paths = sorted(map(str, (Path(source) / "data").rglob("*.parquet")))
    if workers == 1:
        started = time.perf_counter()
        for path in paths:
            read_file(path)
        return time.perf_counter() - started
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(_ready, range(workers), chunksize=1)
        started = time.perf_counter()
        for _size in pool.imap_unordered(read_file, paths):
            pass
        return time.perf_counter() - started


def _ready(_: int) -> None:
    time.sleep(0.5)  # until every process has one of these


def start(_: str, workers: int, __: str) -> float:
    """What is no statistics: starting processes that import what an op needs."""
    started = time.perf_counter()
    with Workers(workers) as processes:
        for _done in processes.run(resolve_name, ["roboreel.runner.worker:attempt"] * workers):
            pass
    return time.perf_counter() - started


def check(source: str, workers: int, _: str) -> float:
    started = time.perf_counter()
    report = roboreel.check_stats(source, workers=workers)
    seconds = time.perf_counter() - started
    if not report.ok or report.differences or len(report.compared) != len(COLUMNS):
        raise ValueError(f"the check found {report.to_json()}")
    return seconds


def recompute(source: str, workers: int, out: str) -> float:
    write = roboreel.write
    started = time.perf_counter()
    write(roboreel.open(source).recompute(cameras="none"), out=out, workers=workers)
    return time.perf_counter() - started


STEPS = {"read": read, "start": start, "check": check, "recompute": recompute}


def main() -> None:
    step, source, workers, *out = sys.argv[1:]
    before = os.times()
    seconds = STEPS[step](source, int(workers), out[0] if out else "")
    busy = sum(os.times()[:4]) - sum(before[:4])
    told = {"seconds": seconds, "peak_rss_bytes": own_peak_rss_bytes(), "cpu_seconds": busy}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
