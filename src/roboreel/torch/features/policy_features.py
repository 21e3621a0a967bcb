"""What a policy is told of a dataset's features, in lerobot's types or their look-alikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from roboreel.torch.compat.optional_packages import optional_package
from roboreel.torch.constants import ACTION, OBS_ENV_STATE, OBS_STR
from roboreel.torch.errors import ArgumentError
from roboreel.types import JsonObject

_CAMERA_AXES = 3
_CHANNELS = ("channel", "channels")


class FeatureType(str, Enum):
    """What a feature is to a policy."""

    STATE = "STATE"
    VISUAL = "VISUAL"
    ENV = "ENV"
    ACTION = "ACTION"
    REWARD = "REWARD"
    LANGUAGE = "LANGUAGE"


@dataclass
class PolicyFeature:
    """A feature as a policy sees it; cameras are (C, H, W)."""

    type: FeatureType
    shape: tuple[int, ...]


def dataset_to_policy_features(features: Mapping[str, JsonObject]) -> dict[str, Any]:
    """The features that a policy learns from: cameras, states and actions, in their order.

    Args:
        features: declarations by name.

    Raises:
        ArgumentError: a camera's shape has not three axes.
    """
    lerobot = optional_package("lerobot.configs.types", "PolicyFeature")
    types = FeatureType if lerobot is None else lerobot.FeatureType
    made = PolicyFeature if lerobot is None else lerobot.PolicyFeature
    return {
        name: made(type=types[kind], shape=_shape(name, spec))
        for name, spec in features.items()
        if (kind := _kind(name, spec)) is not None
    }


def _kind(name: str, spec: JsonObject) -> str | None:
    if spec["dtype"] in ("image", "video"):
        return "VISUAL"
    if name == OBS_ENV_STATE:
        return "ENV"
    if name.startswith(OBS_STR):
        return "STATE"
    return "ACTION" if name.startswith(ACTION) else None


def _shape(name: str, spec: JsonObject) -> tuple[int, ...]:
    shape = tuple(spec["shape"])
    if spec["dtype"] not in ("image", "video"):
        return shape
    if len(shape) != _CAMERA_AXES:
        raise ArgumentError(f"camera '{name}' must have three dimensions, got shape {shape}")
    names = spec.get("names")
    last = names[-1] if isinstance(names, list | tuple) and names else "channels"
    return (shape[2], shape[0], shape[1]) if last in _CHANNELS else shape
