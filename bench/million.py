"""Plans a dataset of 1,000,000 episodes and writes its documents, from documents and made-up inventories.

python bench/million.py [--episodes 1000000] [--work FOLDER] [--json FILE]; exits 1 where a step of a
conversion takes more than 15 minutes of one core or 8 GB. Only documents are on the disk: the names of tables
and videos are made up, and so is what a survey would find in them. Every step runs in a process of its own.
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
from million_documents import VERSIONS, fabricate

LIMIT_S, LIMIT_BYTES = 900.0, 8 << 30
CONVERSIONS = (("v2.1", "v3.0"), ("v3.0", "v3.0"), ("v3.0", "v2.1"))
RESULTS = Path(__file__).parent / "results/million.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    source: str
    target: str
    cpu_seconds: dict[str, float]
    wall_seconds: dict[str, float]
    counts: dict[str, int]
    peak_rss_bytes: int

    @property
    def missed(self) -> bool:
        """Whether one step takes too long, or too much memory."""
        return max(self.cpu_seconds.values()) > LIMIT_S or self.peak_rss_bytes > LIMIT_BYTES

    def __str__(self) -> str:
        parts = ", ".join(f"{part} {seconds:.1f}" for part, seconds in self.cpu_seconds.items())
        counts = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        peak = f"peak {self.peak_rss_bytes / 1e9:.2f} GB"
        return f"{self.source} → {self.target}: CPU s {parts}; {peak}; {counts}"


def measured(work: Path, source: str, target: str) -> Measured:
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("one_million_step.py"))]
    command += [str(work / source), target, str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    shutil.rmtree(out)
    return Measured(source=source, target=target, **json.loads(done.stdout))


def all_conversions(work: Path, episodes: int) -> Iterator[Measured]:
    for version in VERSIONS:
        fabricate(work / version, version=version, episodes=episodes)
    for source, target in CONVERSIONS:
        yield measured(work, source, target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, help="keeps the documents there for the next time")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="roboreel-million-"))
    found: list[Measured] = []
    try:
        for one in all_conversions(work, given.episodes):
            found.append(one)
            print(one, flush=True)
    finally:
        if given.work is None:
            shutil.rmtree(work)
    report = {
        "machine": machine(),
        "episodes": given.episodes,
        "conversions": [asdict(one) for one in found],
    }
    given.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 1 if any(one.missed for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
