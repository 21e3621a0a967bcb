"""Times opening, planning and documents of datasets with very many episodes of three cameras.

python bench/scale.py [--episodes 100000] [--runs 3] [--work FOLDER] [--json FILE];
exits 1 where a target is missed. Every step runs in a process of its own, beside the least that any
tool would have to do for it.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from measure import machine
from scale_fabrication import CAMERAS, VERSIONS, fabricate

GIB = 1 << 30
OPEN_LIMIT_S = {"v2.0": 2.5, "v2.1": 2.5, "v3.0": 1.0}
OPEN_AGAIN_LIMIT_S = 0.1
COMPILE_LIMIT_S = 10.0
CONVERSIONS = (("v2.1", "v3.0"), ("v3.0", "v2.1"), ("v2.0", "v3.0"), ("v3.0", "v2.0"))
DOCUMENTS = (("v2.1", "v3.0"), ("v3.0", "v2.1"))
MEASURES = (("v2.0", "v2.1"),)
RESULTS = Path(__file__).parent / "results/scale.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    step: str
    what: str
    seconds: dict[str, float]
    """Of each part of the step, in the fastest run: others slow down, nothing speeds up."""
    cpu_seconds: dict[str, float]
    peak_rss_bytes: int
    """Largest over the runs."""
    imports_rss_bytes: int
    """What of it was there before the step."""


def measured(step: str, what: str, *arguments: str | Path, runs: int) -> Measured:
    command = [sys.executable, str(Path(__file__).with_name("one_scale_step.py")), step]
    command += [str(argument) for argument in arguments]
    found = []
    for _ in range(runs):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found.append(json.loads(done.stdout))
    parts = found[0]["seconds"]
    return Measured(
        step=step,
        what=what,
        seconds={part: min(one["seconds"][part][0] for one in found) for part in parts},
        cpu_seconds={part: min(one["seconds"][part][1] for one in found) for part in parts},
        peak_rss_bytes=max(one["peak_rss_bytes"] for one in found),
        imports_rss_bytes=max(one["imports_rss_bytes"] for one in found),
    )


def all_steps(work: Path, *, episodes: int, runs: int) -> Iterator[Measured]:
    for version in VERSIONS:
        fabricate(work / f"{episodes}-{version}", version=version, episodes=episodes)
        measured("open", version, work / f"{episodes}-{version}", runs=1)  # warms the cache
    for version in VERSIONS:
        folder, cache = work / f"{episodes}-{version}", work / "cache"
        for step in ("open", "open_limit"):
            yield measured(step, version, folder, runs=runs)
        measured("open_again", version, folder, cache, runs=1)  # fills the cache
        yield measured("open_again", version, folder, cache, runs=runs)
        shutil.rmtree(cache, ignore_errors=True)
    for source, target in CONVERSIONS:
        what = f"{source} → {target}"
        yield measured("compile", what, work / f"{episodes}-{source}", target, runs=runs)
    for source, target in MEASURES:
        out, folder = work / "measures", work / f"{episodes}-{source}"
        out.mkdir()
        yield measured("measures", f"{source} → {target}", folder, target, out, runs=1)
        shutil.rmtree(out)
    for source, target in DOCUMENTS:
        cache = work / "cache"
        folder = work / f"{episodes}-{source}"
        yield measured("plan", f"{source} → {target}", folder, target, cache, runs=1)
        shutil.rmtree(cache, ignore_errors=True)
        for step in ("documents", "documents_limit"):
            out = work / "documents"
            out.mkdir()
            yield measured(step, f"{source} → {target}", folder, target, out, runs=1)
            shutil.rmtree(out)


def missed(found: Measured) -> str | None:
    """Which target a step misses, if any."""
    if found.step == "open" and found.seconds["open"] > OPEN_LIMIT_S[found.what]:
        return f"opening {found.what}: {found.seconds['open']:.2f} s"
    if found.step == "open_again" and found.seconds["open"] > OPEN_AGAIN_LIMIT_S:
        return f"opening {found.what} again: {found.seconds['open']:.2f} s"
    if found.step == "compile" and found.seconds["compile"] > COMPILE_LIMIT_S:
        return f"compiling {found.what}: {found.seconds['compile']:.2f} s"
    if (
        found.step in ("open", "compile", "measures", "plan", "documents")
        and found.peak_rss_bytes > GIB
    ):
        return f"{found.step} {found.what}: {found.peak_rss_bytes / GIB:.2f} GiB"
    return None


def line(found: Measured) -> str:
    parts = ", ".join(
        f"{part} {seconds:.2f} s (CPU {found.cpu_seconds[part]:.2f} s)"
        for part, seconds in found.seconds.items()
    )
    return (
        f"{found.step:16}{found.what:12}  {parts}, peak {found.peak_rss_bytes / 1e6:.0f} MB"
        f" ({found.imports_rss_bytes / 1e6:.0f} MB of it before)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, help="keeps the datasets there for the next time")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="roboreel-scale-"))
    found: list[Measured] = []
    try:
        for one in all_steps(work, episodes=given.episodes, runs=given.runs):
            found.append(one)
            print(line(one), flush=True)
    finally:
        if given.work is None:
            shutil.rmtree(work)
    report = {
        "machine": machine(),
        "episodes": given.episodes,
        "cameras": len(CAMERAS),
        "runs": given.runs,
        "steps": [asdict(one) for one in found],
    }
    given.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    complaints = [complaint for one in found if (complaint := missed(one))]
    for complaint in complaints:
        print(f"missed: {complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
