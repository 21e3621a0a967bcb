"""Record from an OpenCV camera, with the keyboard: an episode per line, until `q`.

    pip install opencv-python
    python examples/record_opencv.py my_dataset --camera 0 --fps 30

Press Enter to begin an episode and Enter to end it; `d` and Enter discards it.
"""

from __future__ import annotations

import argparse
import select
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import roboreel

CAMERA = "observation.images.front"


def main() -> None:
    """Record until the user types `q`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--camera", type=int, default=0)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--task", default="show something to the camera")
    options = parser.parse_args()
    import cv2

    camera = cv2.VideoCapture(options.camera)
    height, width = (
        int(camera.get(n)) for n in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
    )
    axes = ["height", "width", "channels"]
    features: dict[str, Any] = {
        "action": {"dtype": "float32", "shape": [1], "names": ["brightness"]},
        CAMERA: {"dtype": "video", "shape": [height, width, 3], "names": axes},
    }
    # a camera that misses a frame or two is filled up, marked in the column `frame_repeated`
    with opened(options.path, fps=options.fps, features=features, max_gap_s=0.2) as recorder:
        while (word := input("Enter: begin an episode, q: quit > ").strip()) != "q":
            print("recording; Enter: save, d and Enter: discard")
            due = time.perf_counter()
            while not select.select([sys.stdin], [], [], 0)[0]:
                good, image = camera.read()
                frame = image[..., ::-1] if good else None  # OpenCV gives BGR
                brightness = np.array([0.0 if frame is None else frame.mean()], dtype=np.float32)
                recorder.add_frame({"action": brightness, CAMERA: frame}, task=options.task)
                due += 1 / options.fps
                time.sleep(max(0.0, due - time.perf_counter()))
            word = sys.stdin.readline().strip()
            if word == "d":
                recorder.discard_episode()
            else:
                print(f"saved episode {recorder.save_episode()}")


def opened(
    path: Path, *, fps: int, features: dict[str, Any], max_gap_s: float
) -> roboreel.Recorder:
    """A recorder of a new dataset, or of one that goes on."""
    if (path / "meta" / "info.json").is_file():
        return roboreel.Recorder.resume(path, max_gap_s=max_gap_s)
    return roboreel.Recorder.create(path, fps=fps, features=features, max_gap_s=max_gap_s)


if __name__ == "__main__":
    main()
