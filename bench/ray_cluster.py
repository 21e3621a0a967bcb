"""Times two Ray workers beside two processes, and Ray Data beside the reader; see README.md here.

python bench/ray_cluster.py [--size-mb 100] [--jobs 480] [--runs 3] [--work FOLDER] [--json FILE]

Needs the extra `ray`. It is not called ray.py: a script's folder comes first where Python looks for modules.
"""

import argparse
import gc
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import ray
from fabrication import fabricate
from measure import machine
from ray_jobs import Nothing, do_nothing

import roboreel
from roboreel.executors.make_executor import make_executor
from roboreel.executors.worker_options import ExecutorName, WorkerOptions
from roboreel.ray import read_dataset

WORKERS = 2
READ_LIMIT = 0.7
ALONE_S, BUNDLED_S = 3000.0, 120.0
"""Timeouts of jobs that go to a worker alone, and in bundles."""
NAMES: tuple[ExecutorName, ...] = ("process", "ray")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """What two contenders took, by turns."""

    what: str
    contenders: tuple[str, str]
    seconds: tuple[tuple[float, ...], tuple[float, ...]]
    units: int
    unit: str

    @property
    def medians(self) -> tuple[float, float]:
        first, second = self.seconds
        return median(first), median(second)

    @property
    def speed_ratio(self) -> float:
        """Speed of the second over that of the first."""
        first, second = self.medians
        return first / second

    def described(self) -> dict[str, object]:
        return {
            "what": self.what,
            "units": self.units,
            "unit": self.unit,
            "speed_ratio": self.speed_ratio,
            **{
                name: list(times) for name, times in zip(self.contenders, self.seconds, strict=True)
            },
        }


def contest(
    what: str,
    field: dict[str, Callable[[], int]],
    *,
    runs: int,
    unit: str,
) -> Contest:
    """Runs both by turns, after a round that does not count; each returns how many units it did."""
    times: dict[str, list[float]] = {name: [] for name in field}
    done = {name: run() for name, run in field.items()}
    for number in range(runs):
        for name in sorted(field, reverse=bool(number % 2)):
            gc.collect()
            started = time.perf_counter()
            assert field[name]() == done[name], name
            times[name].append(time.perf_counter() - started)
    first, second = field
    assert done[first] == done[second], done
    return Contest(
        what=what,
        contenders=(first, second),
        seconds=(tuple(times[first]), tuple(times[second])),
        units=done[first],
        unit=unit,
    )


def jobs_of(executor: ExecutorName, count: int, timeout_s: float) -> Callable[[], int]:
    def run() -> int:
        runs = make_executor(WorkerOptions(executor=executor, workers=WORKERS), decodes=False)
        return sum(1 for _ in runs.run((Nothing(n, timeout_s) for n in range(count)), do_nothing))

    return run


def operation(
    executor: ExecutorName, work: Path, write: Callable[..., roboreel.Report]
) -> Callable[[], int]:
    def run() -> int:
        out = work / "out"
        report = write(out=out, executor=executor, workers=WORKERS)
        shutil.rmtree(out)
        return report.frames

    return run


def checked(executor: ExecutorName, root: Path) -> Callable[[], int]:
    def run() -> int:
        report = roboreel.check(root, decode=True, executor=executor, workers=WORKERS)
        assert not report.of("error"), report
        return report.pictures

    return run


def read_here(root: Path, batch: int) -> int:
    reader = roboreel.reader(roboreel.open(root), threads=WORKERS)
    items = len(reader)
    for start in range(0, items, batch):
        reader.batch(range(start, min(start + batch, items)))
    return items


def read_by_ray(root: Path, batch: int) -> int:
    frames = read_dataset(root)
    return sum(
        len(part["frame_index"])
        for part in frames.iter_batches(batch_size=batch, batch_format="numpy")
    )


def contests(work: Path, given: argparse.Namespace) -> Iterator[Contest]:
    made = fabricate(work / "v21", size_bytes=given.size_mb * 1_000_000)
    v30 = work / "v30"
    roboreel.convert(made.root, to="v3.0", out=v30)
    for what, timeout_s in (("a job alone", ALONE_S), ("a job in a bundle", BUNDLED_S)):
        field: dict[str, Callable[[], int]] = {
            name: jobs_of(name, given.jobs, timeout_s) for name in NAMES
        }
        yield contest(what, field, runs=given.runs, unit="jobs")
    dataset = roboreel.open(made.root)
    writes: dict[str, Callable[..., roboreel.Report]] = {
        "convert": lambda **how: roboreel.convert(dataset, to="v3.0", **how),
        "camera statistics": lambda **how: roboreel.write(
            dataset.recompute(cameras="sample"), **how
        ),
    }
    for what, write in writes.items():
        field = {name: operation(name, work, write) for name in NAMES}
        yield contest(what, field, runs=given.runs, unit="frames")
    field = {name: checked(name, made.root) for name in NAMES}
    yield contest("check --decode", field, runs=given.runs, unit="frames decoded")
    field = {"reader": lambda: read_here(v30, 64), "ray": lambda: read_by_ray(v30, 64)}
    yield contest("read_dataset", field, runs=given.runs, unit="items")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=480)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    ray.init(
        num_cpus=WORKERS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=1 << 30,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    found: list[Contest] = []
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        for one in contests(Path(folder), given):
            found.append(one)
            print(line(one), flush=True)
    ray.shutdown()
    report: dict[str, Any] = {
        "machine": {**machine(), "ray": ray.__version__, "load": list(os.getloadavg())},
        "contests": [one.described() for one in found],
    }
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if found[-1].speed_ratio < READ_LIMIT:
        raise SystemExit(f"read_dataset: {found[-1].speed_ratio:.2f}, at least {READ_LIMIT} wanted")


def line(one: Contest) -> str:
    first, second = one.medians
    names = one.contenders
    per = [1000 * seconds / one.units for seconds in one.medians]
    spread = [f"{np.min(times):.2f} to {np.max(times):.2f}" for times in one.seconds]
    return (
        f"{one.what}: {one.units} {one.unit}; {names[0]} {first:.2f} s ({spread[0]},"
        f" {per[0]:.2f} ms each), {names[1]} {second:.2f} s ({spread[1]}, {per[1]:.2f} ms each);"
        f" speed ratio {one.speed_ratio:.2f}"
    )


if __name__ == "__main__":
    main()
