"""Run trials for a while, or those that are named, each finding with the name that makes it again.

python tests/fuzz/run.py --minutes 10 --seed 1000
python tests/fuzz/run.py v2.1-tables-17
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.fuzz.trial import (
    MUTATIONS,
    VERSIONS,
    Finding,
    Trial,
    make_bases,
    run_trial,
    trial_named,
)


def main() -> int:
    """Run trials; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="TRIAL", help="trials to run, by name")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first trials (0)")
    parser.add_argument("--kind", choices=sorted(MUTATIONS), help="only trials of this kind")
    parser.add_argument("--verbose", action="store_true", help="say what came of each trial")
    chosen = parser.parse_args()
    named = [trial_named(name) for name in chosen.names]
    end = time.monotonic() + chosen.minutes * 60
    count = found = 0
    folder = Path(tempfile.mkdtemp(prefix="roboreel-fuzz-"))
    try:
        bases = make_bases(folder / "bases")
        for trial in named or _trials(chosen.seed, chosen.kind):
            if not named and time.monotonic() > end:
                break
            count += 1
            place = folder / "trial"
            place.mkdir()
            try:
                outcome = run_trial(trial, bases, place)
                if named or chosen.verbose:
                    print(outcome)
            except Finding as finding:
                found += 1
                print(f"\n{trial}: {finding}", flush=True)
                if finding.__cause__ is not None:
                    traceback.print_exception(finding.__cause__, limit=-6)
            shutil.rmtree(place)
    finally:
        shutil.rmtree(folder)
    print(f"{count} trials, {found} findings")
    return int(found > 0)


def _trials(seed: int, only: str | None) -> Iterator[Trial]:
    for number in itertools.count(seed):
        for version in VERSIONS:
            for kind in MUTATIONS:
                if only in (None, kind):
                    yield Trial(version, kind, number)


if __name__ == "__main__":
    sys.exit(main())
