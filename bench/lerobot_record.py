"""Records an episode with the lerobot of the interpreter that runs this file, and prints what it took.

`python lerobot_record.py JOB`, where JOB is a JSON object: `root`, `codec`, `frames`, `cameras`, `height`,
`width`, `streaming`, `paced`. One short episode comes before, so that everything has run once.
"""

import importlib
import json
import sys
import time
from typing import Any

import numpy as np
from record_scene import FPS, at, drawn_scene


def main() -> None:
    job = json.loads(sys.argv[1])
    names = [f"observation.images.camera{number}" for number in range(job["cameras"])]
    shape = (job["height"], job["width"], 3)
    image = {"dtype": "video", "shape": shape, "names": ["height", "width", "channels"]}
    vector = {"dtype": "float32", "shape": (6,), "names": [f"j{n}" for n in range(6)]}
    features: dict[str, Any] = {"action": vector, **dict.fromkeys(names, image)}
    dataset = _created(job, features)
    scenes = [drawn_scene(*shape[:2], camera) for camera in range(job["cameras"])]
    _record(dataset, names, scenes, 10, paced=False)
    print(json.dumps(_record(dataset, names, scenes, job["frames"], paced=job["paced"])))


def _created(job: dict[str, Any], features: dict[str, Any]) -> Any:
    video: Any = importlib.import_module("lerobot.configs.video")
    datasets: Any = importlib.import_module("lerobot.datasets.lerobot_dataset")
    return datasets.LeRobotDataset.create(
        "bench/record",
        FPS,
        features,
        root=job["root"],
        rgb_encoder=video.RGBEncoderConfig(vcodec=job["codec"]),
        streaming_encoding=job["streaming"],
    )


def _record(
    dataset: Any, names: list[str], scenes: list[Any], frames: int, *, paced: bool
) -> dict[str, float]:
    began, took = time.perf_counter(), []
    for number in range(frames):
        if paced:
            time.sleep(max(0.0, began + number / FPS - time.perf_counter()))
        images = {n: s[at(number)] for n, s in zip(names, scenes, strict=True)}
        frame = {"action": np.full(6, number, np.float32), **images, "task": "bench"}
        start = time.perf_counter()
        dataset.add_frame(frame)
        took.append(time.perf_counter() - start)
    last = time.perf_counter()
    dataset.save_episode()
    ended = time.perf_counter()
    return {
        "seconds": ended - began,
        "save_s": ended - last,
        "add_p50_ms": float(np.percentile(took, 50)) * 1000,
        "add_p99_ms": float(np.percentile(took, 99)) * 1000,
    }


if __name__ == "__main__":
    main()
