"""Export recordings from several processes into one dataset.

    python examples/export_workers.py OUT [--episodes 8] [--workers 2]

Each worker stages its episodes; any of them may die and be started again. At the end one call makes the
dataset. In a Ray actor, a Ray Data `map_batches`, or the jobs of a SLURM array, `export_one` is the same.
"""

from __future__ import annotations

import argparse
import multiprocessing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from roboreel import Encoding
from roboreel.sink import EpisodeSink, finalize

FPS, HEIGHT, WIDTH = 30, 96, 128
FEATURES: dict[str, dict[str, Any]] = {
    "observation.state": {"dtype": "float32", "shape": [6], "names": None},
    "action": {"dtype": "float32", "shape": [6], "names": None},
    "observation.images.front": {
        "dtype": "video",
        "shape": [HEIGHT, WIDTH, 3],
        "names": ["height", "width", "channels"],
    },
}


def recording(number: int) -> tuple[np.ndarray, np.ndarray]:
    """What a real exporter reads from a file: (T, 6) joint angles, and (T, H, W, 3) frames."""
    rows = 20 + number
    angles = np.linspace(0, 1, rows)[:, None] * np.arange(1, 7)
    frames = np.zeros((rows, HEIGHT, WIDTH, 3), np.uint8)
    for row in range(rows):
        frames[row, :, : 4 * row + 1] = (40 * (number % 6), 80, 160)
    return angles, frames


def export_one(sink: EpisodeSink, number: int) -> None:
    """Stage one recording. A second run skips what is staged, and a failure is listed at the end."""
    key = (f"recording-{number:03d}", 0)
    if sink.is_staged(key):
        return
    attempt = sink.claim(
        key
    )  # before the work: an attempt that hangs here cannot replace a later one
    try:
        angles, frames = recording(number)
    except OSError as error:
        sink.fail(key, str(error), attempt=attempt)
        return
    actions = np.vstack([angles[1:], angles[-1:]])
    sink.write(
        key,
        {"observation.state": angles, "action": actions},
        videos={"observation.images.front": frames},
        task="reach the cube",
        provenance={"operator": "demo"},
        attempt=attempt,
    )


def main() -> None:
    """Export with workers, then finalize."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    sink = EpisodeSink(
        staging=given.out.with_name(given.out.name + ".staging"),
        fps=FPS,
        features=FEATURES,
        robot_type="so101",
        encoding=Encoding(vcodec="h264"),
    )
    with multiprocessing.get_context("spawn").Pool(given.workers) as pool:
        pool.map(partial(export_one, sink), range(given.episodes))
    report = finalize(sink.staging, given.out, workers=given.workers, remove_staged=True)
    print(f"{given.out}: {report.episodes} episodes, {report.frames} frames")
    for skipped in report.skipped:
        print(f"not in the dataset: {skipped}")


if __name__ == "__main__":
    main()
