"""Times reading for training beside bare decoding and lerobot's class; see README.md here.

python bench/read.py --lerobot-python PYTHON --work FOLDER [--episodes 20] [--runs 3] [--share 1]
    [--only NAME …] [--scale-episodes 100000] [--json FILE]

PYTHON is the interpreter of an environment with lerobot 0.6.1. FOLDER keeps the datasets for the next time.
`--only` chooses parts by their names: core, torch, GOP, state, memory, open. Exits 1 where a required
ratio or limit is missed.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from heat import Effort, heat, middle
from measure import machine
from peer import peer_versions
from read_heats import (
    Cast,
    Heat,
    Outcome,
    core_order,
    core_random,
    core_windows,
    long_gops,
    settings,
    state_only,
    torch_busy,
    torch_cached,
    torch_float,
    torch_order,
    torch_uint8,
)
from read_limits import Bound, memory_bounds, opening_bounds
from read_sets import ReadSets, make_read_sets

HERE = Path(__file__).parent
CORES = 2


def on_cores(count: int) -> None:
    """All contenders share as many cores as the limit has threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def run(one: Heat, effort: Effort) -> Outcome:
    outcome = Outcome(heat=one, laps=heat(one.entries, effort))
    print("\n".join(lines(outcome)), flush=True)
    return outcome


def lines(outcome: Outcome) -> Iterator[str]:
    yield outcome.heat.name
    for name, lap in outcome.middles.items():
        memory = lap.rss_bytes / 1e6
        yield (
            f"  {name:32}{lap.per_second:10.0f}/s  CPU {lap.cpu_ms_per_item:7.2f} ms{memory:7.0f} MB"
        )
    for ask in outcome.heat.asks:
        ratio = ask.ratio(outcome.middles)
        mark = "" if ratio >= ask.at_least else "   MISSED"
        over = " or ".join(ask.over)
        yield f"    {ratio:8.2f} {ask.what}, {ask.ours} to {over}, required {ask.at_least:g}{mark}"


def best_workers(outcome: Outcome) -> int:
    """Of lerobot's settings, the fastest; 0 where there is no lerobot."""
    speeds = {name: middle(laps).per_second for name, laps in outcome.laps.items()}
    if not speeds:
        return 0
    return int(max(speeds, key=speeds.__getitem__).split()[1])


def heats(cast: Cast, sets: ReadSets, effort: Effort, *, only: Sequence[str]) -> Iterator[Outcome]:
    """Each part in turn; lerobot's settings are tried out where they are needed."""

    def wanted(name: str) -> bool:
        return not only or any(part in name for part in only)

    roots = {"AV1": sets.av1, "h264": sets.h264}
    for codec, root in roots.items():
        for make in (core_random, core_windows, core_order):
            if wanted("core"):
                yield run(make(cast, root, codec), effort)
    if wanted("torch"):
        yield from torch_heats(cast, sets, effort)
    if wanted("GOP"):
        yield run(long_gops(cast, sets.long_gop), effort)
    if wanted("state"):
        yield run(state_only(cast, sets.state), effort)


def torch_heats(cast: Cast, sets: ReadSets, effort: Effort) -> Iterator[Outcome]:
    found = [
        run(settings(cast, sets.av1, uint8=kind), replace(effort, runs=1)) for kind in (False, True)
    ]
    yield from found
    floats, whole = map(best_workers, found)
    yield run(torch_float(cast, sets.av1, "AV1", workers=floats), effort)
    yield run(torch_uint8(cast, sets.av1, "AV1", workers=whole), effort)
    yield run(torch_float(cast, sets.h264, "h264", workers=floats), effort)
    yield run(torch_busy(cast, sets.av1), effort)
    yield run(torch_order(cast, sets.av1, "AV1", workers=floats), effort)
    cache = cast.home / "frames"
    shutil.rmtree(cache, ignore_errors=True)
    yield run(torch_cached(cast, sets, cache, workers=floats), effort)


def bounds(
    cast: Cast, sets: ReadSets, work: Path, *, episodes: int, only: Sequence[str]
) -> Iterator[Bound]:
    if not only or "memory" in only:
        yield from memory_bounds(cast, sets.few)
    if not only or "open" in only:
        yield from opening_bounds(work / "scale", episodes=episodes)


def document(
    outcomes: Iterable[Outcome], found: Iterable[Bound], versions: dict[str, str], effort: Effort
) -> dict[str, Any]:  # Any: JSON
    return {
        "machine": machine(),
        "lerobot": versions,
        "effort": asdict(effort),
        "heats": [
            {
                "name": one.heat.name,
                "asks": [asdict(a) | {"ratio": a.ratio(one.middles)} for a in one.heat.asks],
                "laps": {name: [asdict(lap) for lap in laps] for name, laps in one.laps.items()},
            }
            for one in outcomes
        ],
        "bounds": [asdict(bound) for bound in found],
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lerobot-python", help="an interpreter that has lerobot 0.6.1")
    parser.add_argument("--work", type=Path, required=True, help="keeps the datasets")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--scale-episodes", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of each lap's items, to try out")
    parser.add_argument("--only", nargs="*", default=(), help="parts, by name")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "read.json")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    on_cores(CORES)
    work: Path = given.work.resolve()
    sets = make_read_sets(work, episodes=given.episodes)
    cast = Cast(python=given.lerobot_python, home=work / "lerobot")
    versions = peer_versions(cast.python, cast.home) if cast.python else {}
    effort = Effort(runs=given.runs, share=given.share)
    outcomes = list(heats(cast, sets, effort, only=given.only))
    found = []
    for bound in bounds(cast, sets, work, episodes=given.scale_episodes, only=given.only):
        print(bound.line(), flush=True)
        found.append(bound)
    told = document(outcomes, found, versions, effort)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    missed = sum(len(one.missed()) for one in outcomes) + sum(b.missed for b in found)
    print(f"missed: {missed}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
