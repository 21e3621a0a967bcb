"""What the episodes of an export declare: features in `info.json`, and `modality.json`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from roboreel.sink.data_juicer_rows import Trajectory, UnusableEpisodeError
from roboreel.types import Json, JsonObject

STATE, ACTION, DONE = "observation.state", "action", "next.done"
CAMERA = "observation.images.image"
SOURCE_FRAME = "source_frame_index"
"""The number of each row's extracted frame: `valid_frame_ids` of Data-Juicer, with its gaps."""
PADDED = "action_padded"
"""True for a last action that was missing: it repeats the one before."""

_POSE = ("x", "y", "z", "roll", "pitch", "yaw")
_HAND_STATE, _HAND_ACTION = (*_POSE, "pad", "gripper"), (*_POSE, "gripper")


def features_of(
    trajectory: Trajectory,
    size: tuple[int, int] | None,
    *,
    camera: str = CAMERA,
    state_names: Sequence[str] | None = None,
    action_names: Sequence[str] | None = None,
) -> dict[str, JsonObject]:
    """The features of an episode as `info.json` declares them.

    Args:
        trajectory: its rows.
        size: (width, height) in pixels of its video; None for an episode without one.
        camera: the name of the camera.
        state_names: names of the values of a state; by default those of Data-Juicer's hands, where
            there are eight.
        action_names: names of the values of an action, likewise.

    Raises:
        UnusableEpisodeError: there are not as many names as values.
    """
    features: dict[str, JsonObject] = {
        STATE: _vector(trajectory.states.shape[1:], "state", state_names, _HAND_STATE),
        ACTION: _vector(trajectory.actions.shape[1:], "action", action_names, _HAND_ACTION),
        SOURCE_FRAME: {"dtype": "int64", "shape": [1], "names": None},
        PADDED: {"dtype": "bool", "shape": [1], "names": None},
        DONE: {"dtype": "bool", "shape": [1], "names": None},
    }
    if size is not None:
        names = ["height", "width", "channels"]
        features[camera] = {"dtype": "video", "shape": [size[1], size[0], 3], "names": names}
    return features


def columns_of(trajectory: Trajectory) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[Json]]]:
    """The values of those features that are no camera: (rows, …)."""
    done = np.zeros(len(trajectory.states), dtype=np.bool_)
    done[-1] = True
    return {
        STATE: trajectory.states,
        ACTION: trajectory.actions,
        SOURCE_FRAME: trajectory.frame_ids,
        PADDED: trajectory.padded,
        DONE: done,
    }


def modality_of(features: Mapping[str, JsonObject]) -> dict[str, Json]:
    """The `modality.json` that StarVLA and GR00T read, from the features that a dataset has.

    Each named value of the state and the action has its range; without names there is one for all.
    """
    cameras = sorted(name for name, spec in features.items() if spec["dtype"] in ("video", "image"))
    shown = {name.removeprefix("observation.images."): name for name in cameras}
    if len(cameras) == 1:
        shown = {"primary_image": cameras[0]}
    return {
        "state": _ranges(features.get(STATE), "state"),
        "action": _ranges(features.get(ACTION), "action"),
        "video": {name: {"original_key": camera} for name, camera in shown.items()},
        "annotation": {"human.action.task_description": {"original_key": "task_index"}},
    }


def _vector(
    shape: Sequence[int], what: str, given: Sequence[str] | None, known: Sequence[str]
) -> JsonObject:
    """The feature of states or actions; only vectors have names."""
    size = int(np.prod(shape))
    if given is not None and len(given) != size:
        raise UnusableEpisodeError(
            f"its {what}s have {size} values, and {what}_names has {len(given)}"
        )
    usual = known if len(known) == size else _numbered(what, size)
    names = list(given if given is not None else usual) if len(shape) == 1 else None
    return {"dtype": "float32", "shape": list(shape), "names": names}


def _numbered(what: str, size: int) -> list[str]:
    return [f"{what}_{number}" for number in range(size)]


def _ranges(spec: JsonObject | None, what: str) -> dict[str, Json]:
    if spec is None:
        return {}
    size, names = int(np.prod(spec["shape"])), spec.get("names")
    if not isinstance(names, list) or len(names) != size or names == _numbered(what, size):
        return {what: {"start": 0, "end": size}}
    return {name: {"start": at, "end": at + 1} for at, name in enumerate(names)}
