"""`roboreel demo record`: a small recording from synthetic cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.checking.check import check
from roboreel.cli.text.output import say
from roboreel.dataset.open import open_dataset
from roboreel.errors import RunError, counted
from roboreel.ops.output import refuse_output
from roboreel.recording.recorder import Recorder
from roboreel.summary.words import human_bytes
from roboreel.types import JsonObject

_FPS, _FRAMES = 30, (60, 45, 75)
_HEIGHT, _WIDTH = 240, 320
_TASK = "follow the dot"
_CAMERAS = ("observation.images.top", "observation.images.wrist")
_AXES = ["x", "y"]


def record_demo(folder: Path) -> None:
    """Record three episodes and one discarded take from two synthetic cameras, and check them."""
    refuse_output(str(folder))
    with Recorder.create(folder, fps=_FPS, features=_features(), robot_type="demo") as recorder:
        for episode, frames in enumerate(_FRAMES):
            _record(recorder, episode, frames)
            number = recorder.save_episode(success=episode != 1)
            took = f"{recorder.last_save_s * 1000:.0f} ms"
            say(f"saved      episode {number}: {counted(frames, 'frame')} of 2 cameras, in {took}")
            if episode == 0:
                _record(recorder, episode, 10)
                recorder.discard_episode()
                say("discarded  a take of 10 frames")
    made = open_dataset(folder)
    say(f"recorded   {folder}: {made}, {human_bytes(made.size_bytes())}")
    report = check(folder)
    if report.problems:
        raise RunError(f"'{folder}': {report.problems[0]}")
    say("checked    documents, tables, videos, statistics: no problem found")


def _features() -> dict[str, JsonObject]:
    image = {
        "dtype": "video",
        "shape": [_HEIGHT, _WIDTH, 3],
        "names": ["height", "width", "channels"],
    }
    vector = {"dtype": "float32", "shape": [2], "names": _AXES}
    return {"action": vector, "observation.state": vector, **dict.fromkeys(_CAMERAS, image)}


def _record(recorder: Recorder, episode: int, frames: int) -> None:
    for number in range(frames):
        recorder.add_frame(demo_frame(episode, number), task=_TASK)


def demo_frame(episode: int, number: int) -> dict[str, Any]:
    """A frame of the demo: a dot that circles, as seen by both cameras."""
    angle = 0.1 * number + episode
    state = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    ahead = np.array([np.cos(angle + 0.1), np.sin(angle + 0.1)], dtype=np.float32)
    images = {name: _image(state, at) for at, name in enumerate(_CAMERAS)}
    return {"action": ahead, "observation.state": state, **images}


def _image(position: npt.NDArray[np.float32], camera: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3) a dot on a gradient."""
    rows, columns = np.ogrid[:_HEIGHT, :_WIDTH]
    image = np.empty((_HEIGHT, _WIDTH, 3), dtype=np.uint8)
    image[...] = (40 + 80 * camera + rows // 4 + columns // 8)[..., None]
    x, y = _WIDTH * (0.5 + 0.35 * position[0]), _HEIGHT * (0.5 + 0.35 * position[1])
    image[(columns - x) ** 2 + (rows - y) ** 2 < (12 + 8 * camera) ** 2] = (230, 60, 30)
    return image
