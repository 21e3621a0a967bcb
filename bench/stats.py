"""Times v2.0 -> v2.1, which computes statistics, beside bare decoding and lerobot; see README.md here.

python bench/stats.py --lerobot-python PYTHON [--episodes 40] [--frames N] [--workers 2] [--runs 5]
    [--peer-runs 1] [--work FOLDER] [--json FILE]

PYTHON is the interpreter of an environment with lerobot 0.3.3. `--frames` makes all episodes that long, in
place of the UR5-shaped ones. Exits 1 where a target is missed.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from contenders import alone, checked, fresh_copy, roboreel_command, told_cost
from fabrication import UR5, Fabricated, fabricate
from measure import Cost, machine
from peer import peer_versions
from racing import Contender, Result, race
from together import peak_together

HERE = Path(__file__).parent
BARE, OURS, COMMAND, LEROBOT = "bare decode", "call alone", "command", "lerobot"
EVERY_PIXEL, LIKE = "every pixel", "lerobot-0.3.3"
"""A call that recomputes all statistics like that release: every pixel of the sample."""
FASTER, FASTER_LONG, LONG_FRAMES = 4.0, 10.0, 2000
"""lerobot's median seconds over our call's, and where episodes have so many frames."""
FASTER_EVERY_PIXEL = 2.5
"""lerobot's median seconds over those of our call that takes every pixel, as lerobot does."""
OF_BARE, MOST_BYTES = 2.0, 400e6
"""Our call's median seconds over bare decoding's; memory of all processes together."""


def as_v20(dataset: Fabricated) -> Fabricated:
    """Makes v2.0 of what was made: no statistics per episode, and none of the whole to compare with."""
    meta = dataset.root / "meta"
    (meta / "episodes_stats.jsonl").unlink()
    (meta / "stats.json").write_text("{}", encoding="utf-8")
    info = json.loads((meta / "info.json").read_text(encoding="utf-8"))
    info["codebase_version"] = "v2.0"
    (meta / "info.json").write_text(json.dumps(info, indent=4), encoding="utf-8")
    return dataset


def call(source: Path, *, workers: int, like: tuple[str, ...] = ()) -> Contender:
    script = (sys.executable, str(HERE / "one_conversion.py"), str(source), "v2.1")
    return lambda out: told_cost((*script, str(out), str(workers), *like))


def bare(source: Path, *, workers: int) -> Contender:
    """Decodes the frames of the sample, and drops them, in as many processes."""

    def run(out: Path) -> Cost:
        out.mkdir()
        return told_cost((sys.executable, str(HERE / "bare_decode.py"), str(source), str(workers)))

    return run


def lerobot(source: Path, *, python: str, home: Path, workers: int) -> Contender:
    script = (*alone(python, home=home), str(HERE / "lerobot_stats.py"))
    return lambda out: told_cost((*script, str(fresh_copy(source, out)), str(workers)))


def measured(
    dataset: Fabricated, *, python: str | None, workers: int, runs: int, peer_runs: int, work: Path
) -> list[Result]:
    """Raises ValueError where a result has not every row and packet."""
    rows, packets = dataset.frames, dataset.frames * len(dataset.shape.cameras)
    check = partial(checked, rows=rows, packets=packets)
    source = dataset.root
    command = roboreel_command(source, version="v2.1", workers=workers)
    ours = {
        BARE: bare(source, workers=workers),
        OURS: check(call(source, workers=workers)),
        EVERY_PIXEL: check(call(source, workers=workers, like=(LIKE,))),
        COMMAND: check(command),
    }
    results = race("v2.0 -> v2.1", ours, runs=runs, work=work)
    if python is not None:
        home = work / "lerobot"
        theirs = check(lerobot(source, python=python, home=home, workers=workers))
        results += race("v2.0 -> v2.1", {LEROBOT: theirs}, runs=peer_runs, work=work)
    return results


def memory_bytes(source: Path, *, workers: int, work: Path) -> dict[str, int]:
    """The most that all processes of one conversion have had at a time."""
    command = (sys.executable, "-m", "roboreel", "convert", "--quiet", "--to", "v2.1")
    try:
        return peak_together(
            [*command, "--workers", str(workers), "-o", str(work / "m"), str(source)]
        )
    finally:
        shutil.rmtree(work / "m", ignore_errors=True)


def ratios(results: Sequence[Result]) -> dict[str, float]:
    seconds = {result.contender: result.median.seconds for result in results}
    found = {"of bare decode": seconds[OURS] / seconds[BARE]}
    if LEROBOT in seconds:
        found["times faster than lerobot"] = seconds[LEROBOT] / seconds[OURS]
        found["with every pixel"] = seconds[LEROBOT] / seconds[EVERY_PIXEL]
    return found


def misses(found: dict[str, float], memory: dict[str, int], *, frames: int | None) -> list[str]:
    wanted = FASTER_LONG if frames is not None and frames >= LONG_FRAMES else FASTER
    missed = []
    if found["of bare decode"] > OF_BARE:
        missed.append(f"more than {OF_BARE:g} times bare decode")
    if found.get("times faster than lerobot", wanted) < wanted:
        missed.append(f"less than {wanted:g} times as fast as lerobot")
    if found.get("with every pixel", FASTER_EVERY_PIXEL) < FASTER_EVERY_PIXEL:
        missed.append(
            f"with every pixel, less than {FASTER_EVERY_PIXEL:g} times as fast as lerobot"
        )
    if memory["pss_bytes"] > MOST_BYTES:
        missed.append(f"more than {MOST_BYTES / 1e6:.0f} MB in all processes")
    return missed


def table(results: Sequence[Result]) -> str:
    lines = [f"{'who':14}{'s':>8}"]
    lines += [f"{result.contender:14}{result.median.seconds:8.2f}" for result in results]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lerobot-python", help="an interpreter that has lerobot 0.3.3")
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--frames", type=int, help="of each episode")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer-runs", type=int, default=1)
    parser.add_argument("--work", type=Path, help="a folder on the disk to measure")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "stats.json")
    options = parser.parse_args()
    shape = UR5 if options.frames is None else replace(UR5, clip_lengths=(options.frames,))
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        dataset = as_v20(fabricate(work / "v20", shape=shape, episodes=options.episodes))
        results = measured(
            dataset,
            python=options.lerobot_python,
            workers=options.workers,
            runs=options.runs,
            peer_runs=options.peer_runs,
            work=work,
        )
        memory = memory_bytes(dataset.root, workers=options.workers, work=work)
        python = options.lerobot_python
        versions = peer_versions(python, work / "lerobot") if python is not None else {}
    found = ratios(results)
    missed = misses(found, memory, frames=options.frames)
    document = {
        "machine": machine(),
        "lerobot": versions,
        "dataset": dataset.described(),
        "workers": options.workers,
        "ratios": found,
        "memory": memory,
        "missed": missed,
        "results": [result.to_json() for result in results],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(table(results))
    print("; ".join(f"{factor:.2f} {what}" for what, factor in found.items()))
    print(f"memory of all processes: {memory['pss_bytes'] / 1e6:.0f} MB")
    print("\n".join(f"MISSED: {one}" for one in missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
