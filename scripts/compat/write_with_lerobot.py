"""Records datasets with the lerobot that runs this file: all kinds of features, random values.

`python write_with_lerobot.py JOBS.json`, where JOBS is a list of `{"root": …, "seed": …, "files": …}`;
`files` is "one" for each kind, or "many", one for each episode. Knows nothing of roboreel.
"""

import importlib
import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FPS = 10
LENGTHS = (17, 4, 23, 9)
TASKS = ("turn left", "drück den Knopf", "turn left", "lift")
SIZE = (96, 128)
Pixels = npt.NDArray[np.uint8]


def features() -> dict[str, dict[str, Any]]:  # Any: JSON
    """Vectors, matrices, scalars of several types, strings, a video and an image."""
    picture = {"shape": (*SIZE, 3), "names": ["height", "width", "channels"]}
    numbers = {
        "observation.state": ("float32", (6,)),
        "action": ("float32", (4,)),
        "matrix": ("float32", (2, 3)),
        "precise": ("float64", (2,)),
        "next.reward": ("float32", (1,)),
        "next.done": ("bool", (1,)),
        "count": ("int64", (1,)),
        "small": ("int32", (3,)),
    }
    return {
        **{name: {"dtype": d, "shape": s, "names": None} for name, (d, s) in numbers.items()},
        "caption": {"dtype": "string", "shape": (1,), "names": None},
        "observation.images.video": {"dtype": "video", **picture},
        "observation.images.table": {"dtype": "image", **picture},
    }


def frame(random: np.random.Generator, number: int, task: str) -> dict[str, Any]:  # Any: values
    found: dict[str, Any] = {"task": task, "caption": f"frame {number} äöü"}  # Any: values
    for name, feature in features().items():
        dtype, shape = feature["dtype"], feature["shape"]
        if dtype in ("video", "image"):
            found[name] = picture(random, number)
        elif dtype != "string":
            found[name] = np.asarray(random.normal(0, 50, shape)).astype(dtype)
    return found


def picture(random: np.random.Generator, number: int) -> Pixels:
    """Something that moves, over something that does not, with a little noise."""
    base = np.add.outer(np.arange(SIZE[0]), np.arange(SIZE[1]))[..., None] * np.array([1, 0.5, 0.2])
    base[20:50, (5 * number) % 90 : (5 * number) % 90 + 30] = (200, 40, 90)
    noise = random.integers(0, 6, (*SIZE, 3))
    return np.asarray(np.clip(base + noise, 0, 255), dtype=np.uint8)


def write(job: dict[str, Any]) -> None:  # Any: JSON
    module = importlib.import_module("lerobot.datasets.lerobot_dataset")
    random = np.random.default_rng(job["seed"])
    data = module.LeRobotDataset.create(
        "local/x", fps=FPS, features=features(), root=job["root"], robot_type="arm"
    )
    if job["files"] == "many":
        data.meta.update_chunk_settings(
            chunks_size=2, data_files_size_in_mb=1e-6, video_files_size_in_mb=1e-6
        )
    for length, task in zip(LENGTHS, TASKS, strict=True):
        for number in range(length):
            data.add_frame(frame(random, number, task))
        data.save_episode()
    data.finalize()


def main() -> None:
    logging.disable(logging.WARNING)
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        write(job)


if __name__ == "__main__":
    main()
