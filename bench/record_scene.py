"""The frames that the recording benchmarks give; knows nothing of roboreel: others record them too."""

import numpy as np
import numpy.typing as npt

FPS = 30
DRAWN = 90
"""Frames that are drawn; they are given over and over, there and back."""


def drawn_scene(height: int, width: int, camera: int) -> list[npt.NDArray[np.uint8]]:
    """A table top that moves a little, with the noise of a sensor."""
    random = np.random.default_rng(camera)
    coarse = random.integers(0, 200, (height // 16, width // 16, 3), dtype=np.uint8)
    still = coarse.repeat(16, 0).repeat(16, 1)
    noise = [random.integers(0, 12, (height, width, 3), dtype=np.uint8) for _ in range(8)]
    return [np.roll(still, 2 * number, 1) + noise[number % 8] for number in range(DRAWN)]


def at(number: int) -> int:
    """The drawn frame that is given as a frame of the video."""
    round_trip = number % (2 * DRAWN - 2)
    return min(round_trip, 2 * DRAWN - 2 - round_trip)
