"""A robot and a teleoperator without hardware, for `lerobot-record`. Needs lerobot 0.6.1.

Observations carry their number in the state and in the images, so that a recording tells whether these belong
together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import recorded_frames as made
from lerobot.robots import Robot, RobotConfig  # type: ignore[import-not-found,unused-ignore]  # of the peer
from lerobot.teleoperators import (  # type: ignore[import-not-found,unused-ignore]  # of the peer
    Teleoperator,
    TeleoperatorConfig,
)

JOINTS = {"shoulder.pos": float, "gripper.pos": float}


@RobotConfig.register_subclass("mock_arm")
@dataclass
class MockArmConfig(RobotConfig):  # type: ignore[misc,unused-ignore]  # lerobot is not here
    """The robot's."""


@TeleoperatorConfig.register_subclass("mock_leader")
@dataclass
class MockLeaderConfig(TeleoperatorConfig):  # type: ignore[misc,unused-ignore]  # lerobot is not here
    """The teleoperator's."""


class Device:
    """What robots and teleoperators have in common."""

    is_connected = False
    is_calibrated = True

    def connect(self, calibrate: bool = True) -> None:
        self.is_connected = True

    def disconnect(self) -> None:
        self.is_connected = False

    def calibrate(self) -> None:
        """Nothing to do."""

    def configure(self) -> None:
        """Nothing to do."""


class MockArm(Device, Robot):  # type: ignore[misc,unused-ignore]  # lerobot is not here
    """Two joints and two cameras, which count the observations."""

    config_class, name = MockArmConfig, "mock_arm"

    def __init__(self, config: MockArmConfig) -> None:
        super().__init__(config)
        self.count, self.cameras = 0, dict.fromkeys(("front", "wrist"))

    @property
    def observation_features(self) -> dict[str, Any]:  # Any: as lerobot has it
        return {**JOINTS, **dict.fromkeys(self.cameras, (*made.SIZE, 3))}

    @property
    def action_features(self) -> dict[str, Any]:  # Any: as lerobot has it
        return dict(JOINTS)

    def get_observation(self) -> dict[str, Any]:  # Any: as lerobot has it
        number, self.count = self.count, self.count + 1
        images = {name: made.image_of(0, number, k) for k, name in enumerate(self.cameras)}
        return {"shoulder.pos": float(number), "gripper.pos": -float(number), **images}

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:  # Any: as lerobot has it
        return action


class MockLeader(Device, Teleoperator):  # type: ignore[misc,unused-ignore]  # lerobot is not here
    """Counts the actions."""

    config_class, name = MockLeaderConfig, "mock_leader"

    def __init__(self, config: MockLeaderConfig) -> None:
        super().__init__(config)
        self.count = 0

    @property
    def action_features(self) -> dict[str, Any]:  # Any: as lerobot has it
        return dict(JOINTS)

    @property
    def feedback_features(self) -> dict[str, Any]:  # Any: as lerobot has it
        return {}

    def get_action(self) -> dict[str, float]:
        self.count += 1
        return {"shoulder.pos": float(self.count), "gripper.pos": float(np.sin(self.count))}

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        """Nothing to do."""
