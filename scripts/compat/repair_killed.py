"""Repair the recordings that `killed_recordings.py` made, and compare what comes back with what was recorded.

    python scripts/compat/repair_killed.py FOLDER [--out OUT]

Every saved episode must come back, and no frame may be of another: values, tasks and the numbers painted on
each image are those that `recorded_frames.py` gives for its episode and row. Prints a line for each
recording; exits with 1 where one differs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from recorded_frames import CAMERAS, frame_of, painted_on, task_of

import roboreel


def differences(root: Path, saved: int) -> list[str]:
    """What differs between a repaired dataset and what was recorded."""
    dataset = roboreel.open(root)
    reader = roboreel.reader(dataset)
    lengths = dataset.episodes["length"].to_pylist()
    found = [] if len(lengths) >= saved else [f"{len(lengths)} episodes, {saved} were saved"]
    item = 0
    for episode, length in enumerate(lengths):
        if dataset.episodes["tasks"][episode].as_py() != [task_of(episode)]:
            found.append(f"episode {episode}: another task")
        for number in range(length):
            found += _differences(reader[item], episode, number)
            item += 1
    return found


def _differences(item: dict[str, Any], episode: int, number: int) -> list[str]:
    expected = frame_of(episode, number)
    where = f"episode {episode}, frame {number}"
    found = [
        f"{where}: another {name}"
        for name in ("observation.state", "action")
        if not np.array_equal(np.asarray(item[name]), expected[name])
    ]
    for at, camera in enumerate(CAMERAS):
        image = np.asarray(item[camera])
        if painted_on(image) != (number, episode, at):
            found.append(f"{where}: {camera} shows {painted_on(image)}")
    return found


def main() -> int:
    """Repair and compare; returns the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    out = given.out or Path(tempfile.mkdtemp())
    failed = 0
    for recorded in sorted(given.folder.glob("*/recorded.json")):
        saved = json.loads(recorded.read_text("utf-8"))["saved_episodes"]
        repaired = out / recorded.parent.name
        shutil.rmtree(repaired, ignore_errors=True)
        report = roboreel.repair(recorded.parent / "dataset", out=repaired)
        root = repaired if report.out else recorded.parent / "dataset"
        found = [f"not sound: {p}" for p in roboreel.check(root, decode=True).of("error")]
        found += differences(root, saved)
        count = len(roboreel.open(root).episodes)
        print(f"{recorded.parent.name}: {saved} saved, {count} repaired: {found[:3] or 'the same'}")
        failed += bool(found)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
