"""Times statistics of very many rows of numbers beside reading the columns; see README.md here.

python bench/stats_numeric.py [--rows 10000000] [--workers 2] [--runs 5] [--work FOLDER] [--json FILE]

Exits 1 where a target is missed.
"""

import argparse
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median

from measure import Cost, last_json, machine
from numeric_fabrication import fabricate_numeric
from racing import Contender, race
from together import peak_together

HERE = Path(__file__).parent
READ, READ_TOGETHER = "read, one process", "read, as many as workers"
START, CHECK, RECOMPUTE = "start of workers", "check_stats", "recompute"
OF_READING, MOST_BYTES = 3.0, 800e6
"""Our median seconds, less those of starting processes that import, over those of reading in one process;
memory of all processes together."""


def step(name: str, source: Path, workers: int) -> list[str]:
    return [sys.executable, str(HERE / "one_numeric.py"), name, str(source), str(workers)]


def contender(name: str, source: Path, workers: int, busy: list[float]) -> Contender:
    def run(out: Path) -> Cost:
        out.mkdir()
        told = last_json([*step(name, source, workers), str(out / "dataset")])
        busy.append(told.pop("cpu_seconds"))
        return Cost(**told, ffmpegs=0)

    return run


def contenders(source: Path, workers: int, busy: dict[str, list[float]]) -> dict[str, Contender]:
    """Each notes the processor seconds of all its processes, too."""
    steps = {
        READ: ("read", 1),
        READ_TOGETHER: ("read", workers),
        START: ("start", workers),
        CHECK: ("check", workers),
        RECOMPUTE: ("recompute", workers),
    }
    return {
        name: contender(what, source, count, busy.setdefault(name, []))
        for name, (what, count) in steps.items()
    }


def memory(source: Path, *, workers: int, work: Path) -> dict[str, dict[str, int]]:
    """The most that all processes of one run have had at a time."""
    found = {}
    for name, what in ((CHECK, "check"), (RECOMPUTE, "recompute")):
        out = work / "memory"
        found[name] = peak_together([*step(what, source, workers), str(out)])
        shutil.rmtree(out, ignore_errors=True)
    return found


def ratios(seconds: dict[str, float]) -> dict[str, dict[str, float]]:
    """Our seconds, without starting processes, over those of both ways of reading."""
    return {
        ours: {
            theirs: (seconds[ours] - seconds[START]) / seconds[theirs]
            for theirs in (READ, READ_TOGETHER)
        }
        for ours in (CHECK, RECOMPUTE)
    }


def misses(
    found: dict[str, dict[str, float]], memory_bytes: dict[str, dict[str, int]]
) -> list[str]:
    slow = [
        f"{ours}: {of[READ]:.2f} times reading, not {OF_READING:g}"
        for ours, of in found.items()
        if of[READ] >= OF_READING
    ]
    large = [
        f"{ours}: more than {MOST_BYTES / 1e6:.0f} MB in all processes"
        for ours, peak in memory_bytes.items()
        if peak["pss_bytes"] > MOST_BYTES
    ]
    return slow + large


def table(seconds: dict[str, float], busy: dict[str, float]) -> str:
    lines = [f"{'who':28}{'s':>8}{'CPU s':>8}"]
    lines += [f"{who:28}{taken:8.2f}{busy[who]:8.2f}" for who, taken in seconds.items()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, help="keeps the dataset there for the next time")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "stats_numeric.json")
    options = parser.parse_args()
    with ExitStack() as stack:
        kept = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kept.mkdir(parents=True, exist_ok=True)
        dataset = fabricate_numeric(kept / f"numeric-{options.rows}", rows=options.rows)
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=kept)))
        noted: dict[str, list[float]] = {}
        running = contenders(dataset.root, options.workers, noted)
        results = race("statistics", running, runs=options.runs, work=work)
        peaks = memory(dataset.root, workers=options.workers, work=work)
    seconds = {result.contender: result.median.seconds for result in results}
    busy = {
        who: median(spent[1:]) for who, spent in noted.items()
    }  # the first round does not count
    found = ratios(seconds)
    missed = misses(found, peaks)
    document = {
        "machine": machine(),
        "dataset": {**asdict(dataset), "root": dataset.root.name},
        "workers": options.workers,
        "ratios": found,
        "ratios_of_processor_time": ratios(busy),
        "processor_seconds": {who: spent[1:] for who, spent in noted.items()},
        "memory": peaks,
        "missed": missed,
        "results": [result.to_json() for result in results],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(table(seconds, busy))
    for ours, of in found.items():
        print(f"{ours}: " + "; ".join(f"{factor:.2f} of {what}" for what, factor in of.items()))
        print(f"{ours}: {peaks[ours]['pss_bytes'] / 1e6:.0f} MB in all processes")
    print("\n".join(f"MISSED: {one}" for one in missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
