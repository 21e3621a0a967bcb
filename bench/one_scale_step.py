"""Does one step of opening, planning or writing documents, and prints its cost as JSON.

`python bench/one_scale_step.py STEP SOURCE [VERSION OUT]`. A process of its own, so that peak memory is
of this step alone. The steps are the functions below.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import av
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
from measure import Timed, own_peak_rss_bytes, seconds, timed
from scale_inventory import assumed_inventory
from scale_measures import measures

import roboreel
from roboreel.dataset.dataset import Dataset
from roboreel.edit.view import whole_view
from roboreel.edit.write_options import WriteOptions
from roboreel.plan.compile import compile_view
from roboreel.plan.plan import Plan
from roboreel.runner.commit import write_documents
from roboreel.runner.resolve_stats import resolved_stats
from roboreel.runner.row_sketches import WholeSketches
from roboreel.runner.work import work_of
from roboreel.stats.pixel_counts import CameraCounts
from roboreel.storage.local import LocalRoot

PRELOADED = (av, pyarrow.dataset, roboreel.open, roboreel.plan_convert)
"""What is loaded when first used; loaded here, so that the clock does not see it."""


def main() -> None:
    step, source, *rest = sys.argv[1:]
    before = own_peak_rss_bytes()
    parts = STEPS[step](source, *rest)
    peak = own_peak_rss_bytes()
    print(json.dumps({"seconds": parts, "peak_rss_bytes": peak, "imports_rss_bytes": before}))


def open_(source: str) -> Timed:
    """Opening without a cache, and what `roboreel info` asks for after it."""
    os.environ["ROBOREEL_CACHE"] = "off"
    opened, dataset = timed(lambda: roboreel.open(source))
    return {"open": opened, "counts": seconds(lambda: (dataset.total_frames, dataset.size_bytes()))}


def open_again(source: str, cache: str) -> Timed:
    """Opening a dataset that another process has opened before."""
    os.environ["ROBOREEL_CACHE"] = cache
    return {"open": seconds(lambda: roboreel.open(source))}


def open_limit(source: str) -> Timed:
    """Names of all files, and the documents' parsing: what opening cannot do without."""
    return {"list": seconds(lambda: _names(source)), "parse": seconds(lambda: _parsed(source))}


def _names(folder: str) -> list[str]:
    found: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found += _names(entry.path)
            else:
                found.append(entry.path)
    return found


def _parsed(source: str) -> object:
    meta = Path(source) / "meta"
    tables = sorted((meta / "episodes").rglob("*.parquet"))
    if not tables:
        lines = (meta / "episodes.jsonl").read_bytes().splitlines()
        return [json.loads(line) for line in lines]
    files = [pq.ParquetFile(place) for place in tables]
    return [
        file.read([n for n in file.schema_arrow.names if not n.startswith("stats/")])
        for file in files
    ]


def plan(source: str, version: str, cache: str) -> Timed:
    """Opening, survey and compiling; then again, when the cache knows every file."""
    os.environ["ROBOREEL_CACHE"] = cache
    out = f"{cache}-nowhere"
    return {
        name: seconds(lambda: roboreel.plan_convert(source, to=version, out=out))
        for name in ("first", "again")
    }


def compile_(source: str, version: str, *_: str) -> Timed:
    dataset = roboreel.open(source)
    inventory = assumed_inventory(dataset)
    target = WriteOptions(to=version, timestamps="regular", regroup=True)
    view = whole_view(dataset).written_as(target)
    compiled, made = timed(lambda: compile_view(view, [inventory]))
    return {"compile": compiled, "slice": seconds(lambda: sum(1 for _ in work_of(made, "")))}


def documents(source: str, version: str, out: str) -> Timed:
    dataset = roboreel.open(source)
    target = WriteOptions(to=version, timestamps="regular", regroup=True)
    made = compile_view(whole_view(dataset).written_as(target), [assumed_inventory(dataset)])
    return {"documents": seconds(lambda: write_documents_of(dataset, made, out))}


def write_documents_of(dataset: Dataset, plan: Plan, out: str) -> None:
    stored = dataset.stored_stats()
    resolved = resolved_stats(plan, lambda _, episodes: stored.blocks(episodes), lambda _: [])
    write_documents(LocalRoot(out), plan, resolved, CameraCounts(), WholeSketches())


def documents_limit(source: str, version: str, out: str) -> Timed:
    """The stored statistics parsed by row, and the rows written in the target's form, unlooked at."""
    meta, place = Path(source) / "meta", Path(out)
    return {"rewrite": seconds(lambda: _rewrite(meta, place, lines=version != "v3.0"))}


def _rewrite(meta: Path, out: Path, *, lines: bool) -> None:
    with open(out / "lines.jsonl", "w", encoding="utf-8") as file:
        for number, rows in enumerate(_batches(meta)):
            if lines:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            else:
                pq.write_table(pa.Table.from_pylist(rows), out / f"{number}.parquet")


def _batches(meta: Path) -> Iterator[list[dict[str, object]]]:
    for place in sorted((meta / "episodes").rglob("*.parquet")):
        for batch in pq.ParquetFile(place).iter_batches(1000):
            yield batch.to_pylist()
    if (meta / "episodes_stats.jsonl").is_file():
        with open(meta / "episodes_stats.jsonl", "rb") as file:
            while some := list(islice(file, 1000)):
                yield [json.loads(line) for line in some]


STEPS: dict[str, Callable[..., Timed]] = {
    "open": open_,
    "open_again": open_again,
    "open_limit": open_limit,
    "plan": plan,
    "compile": compile_,
    "measures": measures,
    "documents": documents,
    "documents_limit": documents_limit,
}


if __name__ == "__main__":
    main()
