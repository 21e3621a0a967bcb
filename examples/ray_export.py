"""Export recordings with Ray Data: workers stage the episodes, and one call makes the dataset.

    pip install 'roboreel[ray]'
    python examples/ray_export.py OUT [--episodes 8] [--address HOST:PORT]

Each row of the Ray dataset is a recording. `load` and the staging run on the workers: frames never go
through this program. A worker that dies is replaced by Ray, and its episodes are staged again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import ray

from roboreel import Encoding
from roboreel.ray import write_episodes

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


def load(row: dict[str, Any]) -> dict[str, Any]:
    """What a real exporter reads from a file: the values of all frames of an episode."""
    number = int(row["number"])
    rows = 20 + number
    angles = np.linspace(0, 1, rows)[:, None] * np.arange(1, 7)
    frames = np.zeros((rows, HEIGHT, WIDTH, 3), np.uint8)
    for at in range(rows):
        frames[at, :, : 4 * at + 1] = (40 * (number % 6), 80, 160)
    return {
        "recording": f"recording-{number:03d}",
        "segment": 0,
        "task": "reach the cube",
        "success": number % 2 == 0,
        "observation.state": angles,
        "action": np.vstack([angles[1:], angles[-1:]]),
        "observation.images.front": frames,
    }


def main() -> None:
    """Export on a cluster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--address", help="a cluster; by default one is started on this machine")
    given = parser.parse_args()
    ray.init(address=given.address, log_to_driver=False, logging_level="ERROR")
    recordings = ray.data.from_items([{"number": number} for number in range(given.episodes)])
    export = write_episodes(
        recordings.map(load),
        given.out.with_name(given.out.name + ".staging"),
        key=("recording", "segment"),
        fps=FPS,
        features=FEATURES,
        fields=["success"],
        robot_type="so101",
        encoding=Encoding(vcodec="h264"),
        on_broken="skip",
        out=given.out,
        remove_staged=True,
        executor="ray",
    )
    print(f"{given.out}: {export.episodes} episodes, {export.frames} frames")
    for failed in export.failed:
        print(f"not in the dataset: {failed}")


if __name__ == "__main__":
    main()
