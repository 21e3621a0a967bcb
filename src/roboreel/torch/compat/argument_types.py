"""Arguments of a wrong type, refused with what was expected."""

from __future__ import annotations

import operator
import os
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from roboreel.torch.errors import WrongTypeError


def episode_list(argument: str, episodes: object) -> list[int] | None:
    """The episodes of a list, an array, a set, a generator and the like; None for None.

    Args:
        argument: its name in the call.
        episodes: its value.

    Raises:
        WrongTypeError: it is not that, or holds something else than whole numbers.
    """
    if episodes is None:
        return None
    shown = reprlib.repr(episodes)
    if not isinstance(episodes, Iterable) or isinstance(episodes, str):
        meant = f": {argument}=[{shown}]" if isinstance(episodes, int) else ""
        raise WrongTypeError(f"{argument} is {shown}, expected a list of episode numbers{meant}")
    try:
        return [operator.index(episode) for episode in episodes]
    except TypeError:
        raise WrongTypeError(f"{argument} is {shown}, expected a list of whole numbers") from None


def require_windows(delta_timestamps: object) -> None:
    """Raise `WrongTypeError` unless it is a list of seconds by feature."""
    example = "expected a list of seconds by feature: {'action': [0.0, 0.1]}"
    if not isinstance(delta_timestamps, Mapping):
        raise WrongTypeError(f"delta_timestamps is {reprlib.repr(delta_timestamps)}, {example}")
    for name, deltas in delta_timestamps.items():
        if not isinstance(deltas, Iterable) or isinstance(deltas, str):
            shown = reprlib.repr(deltas)
            raise WrongTypeError(f"delta_timestamps['{name}'] is {shown}, {example}")


def require_name(repo_id: Any) -> str:
    """The name of one dataset.

    Raises:
        WrongTypeError: it is a list of names, or no text.
    """
    if isinstance(repo_id, str | os.PathLike):
        return str(os.fspath(repo_id))
    several = isinstance(repo_id, list | tuple)
    hint = ". MultiLeRobotDataset opens several datasets" if several else ""
    raise WrongTypeError(f"repo_id is {reprlib.repr(repo_id)}, expected 'user/name'{hint}")


def require_dataset(dataset: object) -> None:
    """Raise `WrongTypeError` for the name or path of a dataset in place of a dataset object."""
    if isinstance(dataset, str | os.PathLike):
        shown = repr(os.fspath(dataset))
        raise WrongTypeError(
            f"the dataset is {shown}, expected a LeRobotDataset: LeRobotDataset({shown})"
        )
