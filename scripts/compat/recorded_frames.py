"""Frames to record that tell where they belong: same episode and number, same values, in any interpreter.

Images carry their episode, frame and camera as bright and dark blocks, which survive a video codec. Knows
nothing of lerobot and of roboreel.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

FPS = 10
SIZE = (64, 96)
CAMERAS = ("observation.images.front", "observation.images.wrist")
TASKS = ("pick up the cube", "drück den Knopf")
_BLOCK, _BITS = 8, 12
_DARK, _BRIGHT, _THRESHOLD = 20, 235, 128
Pixels = npt.NDArray[np.uint8]


def features(camera_dtype: str) -> dict[str, dict[str, Any]]:  # Any: JSON
    """The features of a small arm with two cameras, stored as `video` or as `image`."""
    image = {"dtype": camera_dtype, "shape": (*SIZE, 3), "names": ["height", "width", "channels"]}
    vector = {"dtype": "float32", "shape": (6,), "names": [f"joint_{k}" for k in range(6)]}
    return {
        "observation.state": dict(vector),
        "action": dict(vector),
        "next.done": {"dtype": "bool", "shape": (1,), "names": None},
        **{camera: dict(image) for camera in CAMERAS},
    }


def length_of(episode: int) -> int:
    """How many frames an episode has: between 12 and 20."""
    return 12 + (5 * episode) % 9


def task_of(episode: int) -> str:
    """The task of an episode."""
    return TASKS[episode % len(TASKS)]


def frame_of(episode: int, number: int) -> dict[str, Any]:  # Any: values
    """One frame, with its task."""
    random = np.random.default_rng([episode, number])
    return {
        "observation.state": random.normal(0, 50, 6).astype(np.float32),
        "action": random.normal(0, 50, 6).astype(np.float32),
        "next.done": np.array([number == length_of(episode) - 1]),
        "task": task_of(episode),
        **{camera: image_of(episode, number, at) for at, camera in enumerate(CAMERAS)},
    }


def image_of(episode: int, number: int, camera: int) -> Pixels:
    """(H, W, 3) three rows of twelve blocks, frame, episode, camera, lowest bit first; noise below them."""
    image = np.random.default_rng([episode, number, camera]).integers(0, 255, (*SIZE, 3), np.uint8)
    for row, value in enumerate((number, episode, camera)):
        for bit in range(_BITS):
            shade = _BRIGHT if value >> bit & 1 else _DARK
            top, left = row * _BLOCK, bit * _BLOCK
            image[top : top + _BLOCK, left : left + _BLOCK] = shade
    return image


def painted_on(image: Pixels) -> tuple[int, int, int]:
    """Frame, episode and camera that an image (H, W, 3) carries."""
    blocks = image[: 3 * _BLOCK].reshape(3, _BLOCK, _BITS, _BLOCK, 3).mean(axis=(1, 3, 4))
    number, episode, camera = ((blocks > _THRESHOLD) @ (1 << np.arange(_BITS))).tolist()
    return number, episode, camera
