"""Times surveys of very many files beside the least that has to be done; see README.md here.

python bench/survey.py [--episodes 10000] [--runs 5] [--before SRC] [--work FOLDER] [--json FILE]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq
from many import CAMERAS, make_many
from measure import machine

HERE = Path(__file__).parent
COLUMNS = ["timestamp", "frame_index", "episode_index", "task_index"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    seconds: float
    cpu_seconds: float
    """Of all processes."""
    peak_rss_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sets:
    """The same files under three sets of documents; costs of kinds of files are their differences."""

    tables: Path
    """Tables only."""
    videos: Path
    """And videos."""
    whole: Path
    """And statistics."""
    episodes: int


def make_sets(work: Path, episodes: int) -> Sets:
    whole = make_many(work / "whole", episodes=episodes)
    videos, tables = work / "videos", work / "tables"
    for root in (videos, tables):
        shutil.copytree(whole / "meta", root / "meta")
        (root / "meta/episodes_stats.jsonl").unlink()
        (root / "data").symlink_to(whole / "data")
    (videos / "videos").symlink_to(whole / "videos")
    path = tables / "meta/info.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    info["features"] = {k: v for k, v in info["features"].items() if k not in CAMERAS}
    path.write_text(json.dumps(info), encoding="utf-8")
    return Sets(tables=tables, videos=videos, whole=whole, episodes=episodes)


def survey(root: Path, *, workers: int = 1, source: Path, cache: str = "off") -> Spent:
    command = [sys.executable, str(HERE / "one_survey.py"), str(root), str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(source), "ROBOREEL_CACHE": cache}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Spent(**json.loads(done.stdout))


def timed(work: Callable[[], object]) -> Spent:
    before, started = os.times(), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - started, os.times()
    return Spent(seconds=seconds, cpu_seconds=sum(after[:4]) - sum(before[:4]))


def contenders(sets: Sets, work: Path, before: Path | None) -> dict[str, Callable[[], Spent]]:
    here, cache = HERE.parent / "src", work / "cache"
    tables = sorted(str(path) for path in (sets.whole / "data").rglob("*.parquet"))
    videos = sorted(str(path) for path in (sets.whole / "videos").rglob("*.mp4"))
    index = [index_place(path) for path in videos]

    def with_cache() -> Spent:
        return survey(sets.whole, source=here, cache=str(cache))

    def filling() -> Spent:
        shutil.rmtree(cache, ignore_errors=True)
        return with_cache()

    found: dict[str, Callable[[], Spent]] = {}
    for name, source in (("before ", before), ("", here)):
        if source is not None:
            found |= {
                f"{name}{kind}": lambda root=root, source=source: survey(root, source=source)  # type: ignore[misc]
                for kind, root in asdict(sets).items()
                if kind != "episodes"
            }
    return found | {
        "two workers": lambda: survey(sets.whole, workers=2, source=here),
        "filling the cache": filling,
        "from the cache": with_cache,
        "limit: stat of all files": lambda: timed(lambda: [os.stat(p) for p in tables + videos]),
        "limit: bytes of tables": lambda: timed(lambda: [read(p, 0, -1) for p in tables]),
        "limit: columns by pyarrow": lambda: timed(lambda: [columns(p) for p in tables]),
        "limit: bytes of indexes": lambda: timed(
            lambda: [read(p, *place) for p, place in zip(videos, index, strict=True)]
        ),
        "limit: lines by json": lambda: timed(
            lambda: parse(sets.whole / "meta/episodes_stats.jsonl")
        ),
    }


def index_place(path: str) -> tuple[int, int]:
    """Where the `moov` box of a small file lies: its start and size."""
    data = Path(path).read_bytes()
    at = 0
    while data[at + 4 : at + 8] != b"moov":
        at += int.from_bytes(data[at : at + 4], "big")
    return at, int.from_bytes(data[at : at + 4], "big")


def read(path: str, start: int, size: int) -> bytes:
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        return file.read(size)


def columns(path: str) -> pa.Table:
    buffer = pa.BufferReader(read(path, 0, -1))
    return pq.ParquetFile(buffer, pre_buffer=False).read(columns=COLUMNS, use_threads=False)


def parse(path: Path) -> None:
    with path.open("rb") as file:
        for line in file:
            json.loads(line)


def measured(running: dict[str, Callable[[], Spent]], runs: int) -> dict[str, list[Spent]]:
    """Lets them alternate, after a round that does not count."""
    spent: dict[str, list[Spent]] = {name: [] for name in running}
    for turn in range(-1, runs):
        for name, contender in running.items():
            cost = contender()
            if turn >= 0:
                spent[name].append(cost)
    return spent


def medians(spent: dict[str, list[Spent]]) -> dict[str, Spent]:
    return {
        name: Spent(
            seconds=median(s.seconds for s in runs),
            cpu_seconds=median(s.cpu_seconds for s in runs),
            peak_rss_bytes=max(s.peak_rss_bytes for s in runs),
        )
        for name, runs in spent.items()
    }


def per_file(found: dict[str, Spent], episodes: int) -> dict[str, float]:
    """Milliseconds of processor time by kind of file."""
    mp4s = episodes * len(CAMERAS)
    result = {}
    for name in ("before ", ""):
        if f"{name}whole" in found:
            tables, videos, whole = (
                found[f"{name}{kind}"].cpu_seconds for kind in ("tables", "videos", "whole")
            )
            result[f"{name}ms per table"] = tables / episodes * 1e3
            result[f"{name}ms per mp4"] = (videos - tables) / mp4s * 1e3
            result[f"{name}ms per line of statistics"] = (whole - videos) / episodes * 1e3
    cpu = {name: spent.cpu_seconds for name, spent in found.items()}
    result["limit: ms per table, bytes"] = cpu["limit: bytes of tables"] / episodes * 1e3
    result["limit: ms per table, pyarrow"] = cpu["limit: columns by pyarrow"] / episodes * 1e3
    result["limit: ms per mp4, bytes"] = cpu["limit: bytes of indexes"] / mp4s * 1e3
    result["limit: ms per line, json"] = cpu["limit: lines by json"] / episodes * 1e3
    result["from the cache: ms per file"] = cpu["from the cache"] / (episodes + mp4s) * 1e3
    result["limit: ms per file, stat"] = cpu["limit: stat of all files"] / (episodes + mp4s) * 1e3
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--before", type=Path, help="the `src` of an older commit, timed too")
    parser.add_argument("--work", type=Path, help="where to make the temporary folder")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        sets = make_sets(Path(folder), given.episodes)
        spent = measured(contenders(sets, Path(folder), given.before), given.runs)
    found = medians(spent)
    files = per_file(found, given.episodes)
    for name, cost in found.items():
        peak = f"{cost.peak_rss_bytes / 1e6:8.0f} MB" if cost.peak_rss_bytes else ""
        print(f"{name:28}{cost.seconds:8.2f} s wall{cost.cpu_seconds:8.2f} s processor{peak}")
    for name, value in files.items():
        print(f"{name:36}{value:8.3f}")
    if given.json:
        report = {
            "machine": machine(),
            "episodes": given.episodes,
            "mp4s": given.episodes * len(CAMERAS),
            "per_file": files,
            "medians": {name: asdict(cost) for name, cost in found.items()},
            "runs": {name: [asdict(cost) for cost in runs] for name, runs in spent.items()},
        }
        given.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
