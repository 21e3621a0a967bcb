"""Times two Ray workers beside two processes, and Ray Data beside the reader; see README.md here.

python bench/ray_cluster.py [--size-mb 100] [--jobs 480] [--runs 3] [--episodes 100000]
                            [--only contests overheads drivers] [--work FOLDER] [--json FILE]

Needs the extra `ray`. It is not called ray.py: a script's folder comes first where Python looks for modules.
"""

import argparse
import gc
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import ray
from fabrication import fabricate
from measure import last_json, machine
from ray_jobs import Nothing, do_nothing, timed_attempt

import roboreel
from roboreel.executors.jobs import JobFailure
from roboreel.executors.make_executor import make_executor
from roboreel.executors.process_executor import ProcessExecutor
from roboreel.executors.ray_executor import RayExecutor
from roboreel.executors.worker_options import ExecutorName, WorkerOptions
from roboreel.plan.plan import RemuxVideo
from roboreel.ray import read_dataset
from roboreel.runner.work import Work, work_of
from roboreel.testing import make_dataset

WORKERS = 2
READ_LIMIT = 0.7
OP_MB, OPS = 50, 6
FEW, MANY = 5, 65
ROW_GROUP = 1000
PARTS = ("contests", "overheads", "drivers")
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Overhead:
    """What an op of about `OP_MB` costs beside its work, with one worker."""

    executor: ExecutorName
    op_ms: list[float]
    """Of each op, in its worker."""
    beside_ms: list[float]
    """Per op of each run, beside its work; starting is left out, as a run of few ops takes as long for it."""

    def __str__(self) -> str:
        op, beside = median(self.op_ms), median(self.beside_ms)
        return (
            f"one worker, {self.executor}: {len(self.op_ms)} ops of {OP_MB} MB, {op:.0f} ms each"
            f" ({min(self.op_ms):.0f} to {max(self.op_ms):.0f}), {beside:.1f} ms beside it"
            f" ({min(self.beside_ms):.1f} to {max(self.beside_ms):.1f}): {beside / op:.1%}"
        )


def overheads(work: Path, *, runs: int) -> list[Overhead]:
    """Both executors by turns, on a cluster with one CPU; the first run does not count."""
    made = fabricate(work / "large", size_bytes=OPS * OP_MB * 1_000_000)
    plan = roboreel.plan_convert(made.root, to="v3.0", out=work / "no", video_file_mb=OP_MB)
    ops = [one for one in work_of(plan, str(work / "made")) if isinstance(one.op, RemuxVideo)]
    ops = [one for one in ops if one.size_bytes > 0.9 * OP_MB * 1_000_000]
    many = [replace(ops[n % len(ops)], number=n) for n in range(MANY)]
    op_ms: dict[ExecutorName, list[float]] = {name: [] for name in NAMES}
    beside_ms: dict[ExecutorName, list[float]] = {name: [] for name in NAMES}
    for number in range(runs + 1):
        for name in sorted(NAMES, reverse=bool(number % 2)):
            few_beside, _ = one_worker(name, many[:FEW])
            beside, seconds = one_worker(name, many)
            if number:
                op_ms[name] += [1000 * one for one in seconds]
                beside_ms[name].append(1000 * (beside - few_beside) / (MANY - FEW))
    return [Overhead(executor=name, op_ms=op_ms[name], beside_ms=beside_ms[name]) for name in NAMES]


def one_worker(name: ExecutorName, ops: Sequence[Work]) -> tuple[float, list[float]]:
    """(seconds beside the ops, seconds of each op in the worker) of a run."""
    executor = ProcessExecutor(1) if name == "process" else RayExecutor(1)
    started = time.perf_counter()
    outcomes = list(executor.run(ops, timed_attempt))
    total = time.perf_counter() - started
    seconds = [one for one in outcomes if not isinstance(one, JobFailure)]
    assert len(seconds) == len(ops), outcomes
    return total - sum(seconds), seconds


def drivers(work: Path, episodes: int) -> list[dict[str, object]]:
    """What the process that starts a run holds for each episode, serial and on Ray."""
    for count in (50, episodes):
        made = make_dataset(work / f"{count}", version="v3.0", episodes=(3,) * count, cameras={})
        for path in made.rglob("*/chunk-*/*.parquet"):  # it has a row group for each episode
            pq.write_table(pq.read_table(path), path, row_group_size=ROW_GROUP)
    script = str(Path(__file__).with_name("one_ray_driver.py"))
    return [
        last_json(
            [sys.executable, script, name, f"{work}/50", f"{work}/{episodes}", "v3.0", f"{work}"]
        )
        for name in ("serial", "ray")
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=480)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    given = parser.parse_args()
    connect(WORKERS)
    ray.data.DataContext.get_current().enable_progress_bars = False
    found: list[Contest] = []
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        for one in contests(Path(folder), given) if "contests" in given.only else ():
            found.append(one)
            print(line(one), flush=True)
        ray.shutdown()
        connect(1)
        beside = overheads(Path(folder), runs=given.runs) if "overheads" in given.only else []
        ray.shutdown()
        print(*beside, sep="\n", flush=True)
        held = drivers(Path(folder), given.episodes) if "drivers" in given.only else []
        print(*held, sep="\n", flush=True)
    report: dict[str, Any] = {
        "machine": {**machine(), "ray": ray.__version__, "load": list(os.getloadavg())},
        "contests": [one.described() for one in found],
        "overheads": [asdict(one) for one in beside],
        "drivers": held,
    }
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if found and found[-1].speed_ratio < READ_LIMIT:
        raise SystemExit(f"read_dataset: {found[-1].speed_ratio:.2f}, at least {READ_LIMIT} wanted")


def connect(cpus: int) -> None:
    ray.init(
        num_cpus=cpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=1 << 30,
    )


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
