"""The loop of an SO-101 with two cameras, with a mock in place of the robot.

    python examples/record_so101_mock.py my_dataset --episodes 3 --seconds 5

Replace `MockRobot` and `MockLeader` by yours: `observation()` and `action()` give NumPy arrays.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import roboreel

JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
CAMERAS = {"observation.images.top": (480, 640), "observation.images.wrist": (240, 320)}
TASK = "put the cube into the box"


class MockLeader:
    """Stands in for the leader arm."""

    def __init__(self) -> None:
        self.steps = 0

    def action(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Goal positions of the joints in degrees."""
        self.steps += 1
        return (45 * np.sin(0.05 * self.steps + np.arange(6))).astype(np.float32)


class MockRobot:
    """Stands in for the follower arm and its cameras."""

    def __init__(self) -> None:
        self.position = np.zeros(6, dtype=np.float32)

    def send(self, action: np.ndarray[Any, np.dtype[np.float32]]) -> None:
        """Move towards an action."""
        self.position += np.float32(0.3) * (action - self.position)

    def observation(self) -> dict[str, Any]:
        """Positions and images."""
        found: dict[str, Any] = {"observation.state": self.position.copy()}
        for name, (height, width) in CAMERAS.items():
            image = np.zeros((height, width, 3), dtype=np.uint8)
            image[:, :, 1] = np.linspace(20, 200, width, dtype=np.uint8)
            column = int(width * (0.5 + self.position[0] / 100))
            image[:, max(0, column - 10) : column + 10] = 255
            found[name] = image
        return found


def main() -> None:
    """Record some episodes, as fast as the frame rate says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--episodes", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--unpaced", action="store_true", help="do not wait for the frame rate")
    options = parser.parse_args()
    robot, leader = MockRobot(), MockLeader()
    joints = {"dtype": "float32", "shape": [6], "names": JOINTS}
    axes = ["height", "width", "channels"]
    features: dict[str, Any] = {"action": joints, "observation.state": joints}
    features |= {n: {"dtype": "video", "shape": [*s, 3], "names": axes} for n, s in CAMERAS.items()}
    with roboreel.Recorder.create(
        options.path,
        fps=options.fps,
        features=features,
        robot_type="so101",
        source_timestamps=True,
        camera_info={
            "observation.images.top": {"fx": 610.0, "fy": 610.0, "cx": 320.0, "cy": 240.0}
        },
    ) as recorder:
        for _ in range(options.episodes):
            due = time.perf_counter()
            for _ in range(round(options.seconds * options.fps)):
                observation, action = robot.observation(), leader.action()
                robot.send(action)
                recorder.add_frame({**observation, "action": action}, task=TASK)
                due += 1 / options.fps
                if not options.unpaced:
                    time.sleep(max(0.0, due - time.perf_counter()))
            number = recorder.save_episode(success=True)
            print(f"saved episode {number} in {recorder.last_save_s * 1000:.0f} ms")


if __name__ == "__main__":
    main()
