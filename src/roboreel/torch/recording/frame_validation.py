"""What is wrong with a frame or an episode that is to be recorded, as text; empty where nothing is."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from roboreel.torch.compat.old_names import TASK
from roboreel.torch.constants import DEFAULT_FEATURES
from roboreel.torch.errors import ArgumentError
from roboreel.types import JsonObject

_LOG = logging.getLogger(__name__)
_CAMERA_AXES = 3
_CHANNELS = (1, 3)
_MISMATCH = "Feature mismatch in `frame` dictionary:\n"
"""Messages about frames are worded as the reference's, whose users look for them."""


def validate_frame(frame: Mapping[str, Any], features: Mapping[str, JsonObject]) -> None:
    """Refuse a frame that does not fit the features.

    Args:
        frame: a value by feature but for the index columns, and `task`.
        features: declarations by name.

    Raises:
        ArgumentError: values are missing, too many, or of another dtype or shape; all are named.
    """
    if "task" not in frame:
        raise ArgumentError(f"{_MISMATCH}Missing features: {{'task'}}\n{TASK}")
    given, expected = set(frame) - {"task"}, set(features) - set(DEFAULT_FEATURES)
    message = validate_features_presence(given, expected)
    for name in [name for name in features if name in given & expected]:
        message += validate_feature_dtype_and_shape(name, features[name], frame[name])
    if message:
        raise ArgumentError(message)


def validate_features_presence(
    actual_features: Collection[str], expected_features: Collection[str]
) -> str:
    """Names that are missing and names that nothing declares."""
    missing = sorted(set(expected_features) - set(actual_features))
    extra = sorted(set(actual_features) - set(expected_features))
    parts = [("Missing features", missing), ("Extra features", extra)]
    told = [f"{what}: {{{str(names)[1:-1]}}}\n" for what, names in parts if names]
    return "".join([_MISMATCH, *told]) if told else ""


def validate_feature_dtype_and_shape(name: str, feature: JsonObject, value: Any) -> str:
    """How a value differs from its declaration.

    Raises:
        NotImplementedError: the feature's dtype is unknown.
    """
    dtype, shape = feature["dtype"], feature["shape"]
    if dtype in ("image", "video"):
        return validate_feature_image_or_video(name, shape, value)
    if dtype == "string":
        return validate_feature_string(name, value)
    if dtype == "language":
        return validate_feature_language(name, value)
    if is_valid_numpy_dtype_string(dtype):
        return validate_feature_numpy_array(name, dtype, shape, value)
    raise NotImplementedError(f"'{name}' has the unsupported dtype '{dtype}'")


def is_valid_numpy_dtype_string(dtype_str: str) -> bool:
    """True for a text that numpy knows as a dtype."""
    try:
        np.dtype(dtype_str)
    except TypeError:
        return False
    return True


def validate_feature_numpy_array(
    name: str, expected_dtype: str, expected_shape: Sequence[int], value: Any
) -> str:
    """How an array differs from the declared dtype and shape."""
    if not isinstance(value, np.ndarray):
        return (
            f"The feature '{name}' is not a 'np.ndarray'. Expected type is '{expected_dtype}', but type"
            f" '{type(value)}' provided instead.\n"
        )
    message, shape = "", tuple(expected_shape)
    if value.dtype != np.dtype(expected_dtype):
        message += (
            f"The feature '{name}' of dtype '{value.dtype}' is not of the expected dtype"
            f" '{expected_dtype}'.\n"
        )
    if value.shape != shape:
        message += _wrong_shape(name, value, f"'{shape}'")
    return message


def validate_feature_image_or_video(name: str, expected_shape: Sequence[int], value: Any) -> str:
    """How an image differs from the declared shape, with its channels first or last; PIL images fit."""
    if isinstance(value, np.ndarray):
        first, second, third = expected_shape
        fits = [(first, second, third), (second, third, first), (third, first, second)]
        if value.ndim == _CAMERA_AXES and value.shape in fits:
            return ""
        other = fits[1] if first in _CHANNELS else fits[2]
        return _wrong_shape(name, value, f"'{fits[0]}' or '{other}'")
    if hasattr(value, "mode") and hasattr(value, "size"):
        return ""
    return (
        f"The feature '{name}' is expected to be a 'PIL.Image' or 'np.ndarray', channels first or last, but"
        f" type '{type(value)}' provided instead.\n"
    )


def _wrong_shape(name: str, value: Any, expected: str) -> str:
    return f"The feature '{name}' of shape '{value.shape}' does not have the expected shape {expected}.\n"


def validate_feature_string(name: str, value: Any) -> str:
    """How a value is not a text."""
    if isinstance(value, str):
        return ""
    what, found = f"The feature '{name}' is expected to be of type 'str'", type(value)
    return f"{what}, but type '{found}' provided instead.\n"


def validate_feature_language(name: str, value: Any) -> str:
    """Nothing: language columns are filled after recording; a value given is dropped with a warning."""
    if value is not None:
        _LOG.warning(
            "'%s' is a language column, which is filled after recording: this value is ignored",
            name,
        )
    return ""


def validate_episode_buffer(
    episode_buffer: Mapping[str, Any], total_episodes: int, features: Mapping[str, JsonObject]
) -> None:
    """Refuse an episode that cannot be saved.

    Args:
        episode_buffer: `size`, `task` and the values of each feature.
        total_episodes: episodes that the dataset has.
        features: declarations by name.

    Raises:
        ArgumentError: an entry is missing or too many, or there is no frame.
        NotImplementedError: the episode's number is not the next one.
    """
    for name in ("size", "task"):
        if name not in episode_buffer:
            raise ArgumentError(f"the episode buffer has no key '{name}'")
    number = episode_buffer["episode_index"]
    if number != total_episodes:
        raise NotImplementedError(
            f"episode_index is {number}, expected {total_episodes}: episodes can only be appended"
        )
    if episode_buffer["size"] == 0:
        raise ArgumentError("the episode has no frames: call add_frame before save_episode")
    names = set(episode_buffer) - {"task", "size"}
    if names != set(features):
        raise ArgumentError(
            "the features of the episode buffer differ from the dataset's: missing"
            f" {sorted(set(features) - names)}, extra {sorted(names - set(features))}"
        )
