"""The episode in progress as the reference shows it: a dict with `size`, `task` and a list per feature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from roboreel.errors import counted
from roboreel.torch.constants import DEFAULT_FEATURES
from roboreel.torch.errors import ArgumentError
from roboreel.torch.media.image_files import load_image_as_numpy
from roboreel.types import JsonObject

Buffer = dict[str, Any]
_CAMERAS = ("video", "image")


def new_buffer(features: Iterable[str], episode: int) -> Buffer:
    """A buffer without frames.

    Args:
        features: names of all features.
        episode: the number that the episode will have.
    """
    lists: Buffer = {name: [] for name in features}
    return {"size": 0, "task": [], **lists, "episode_index": episode}


class ShownEpisode:
    """The buffer of the episode in progress. It shows what the recorder holds; cameras show None.

    The recorder is what gets saved. A buffer that somebody changed is not what was recorded, so it is refused
    instead of being ignored.
    """

    def __init__(self, features: Mapping[str, JsonObject], episode: int) -> None:
        """Begin without frames."""
        self.buffer = new_buffer(features, episode)
        self._shown: dict[str, list[Any]] = {name: [] for name in features}
        self._tasks: list[str] = []
        self._fixed = {n for n, f in features.items() if f["dtype"] not in _CAMERAS}

    def add(self, frame: Mapping[str, Any], task: str, fps: float) -> None:
        """Show one more frame.

        Args:
            frame: its values by feature, which the recorder has taken.
            task: its task.
            fps: frames per second.
        """
        number = self.buffer["size"]
        values = {"frame_index": number, "timestamp": number / fps}
        values |= {name: _kept(v) if name in self._fixed else None for name, v in frame.items()}
        for name, value in values.items():
            if name in self._shown:
                self.buffer[name].append(value)
                self._shown[name].append(value)
        self.buffer["task"].append(task)
        self._tasks.append(task)
        self.buffer["size"] = number + 1

    def require_unchanged(self) -> None:
        """Raise `ArgumentError` if the buffer does not show what was recorded any more."""
        changed = [n for n, shown in self._shown.items() if not _same(self.buffer.get(n), shown)]
        if self.buffer.get("task") != self._tasks:
            changed.append("task")
        if self.buffer.get("size") != len(self._tasks):
            changed.append("size")
        changed = [name for name in changed if name != "episode_index"]
        if changed:
            raise ArgumentError(
                f"these values of episode_buffer were changed after add_frame: {changed}. Pass the changed"
                " values to add_frame, or the whole episode to save_episode(episode_data)"
            )


def _kept(value: Any) -> Any:
    """A copy that cannot be changed in place."""
    if not isinstance(value, np.ndarray):
        return value
    copy = value.copy()
    copy.setflags(write=False)
    return copy


def _same(found: Any, shown: list[Any]) -> bool:
    if not isinstance(found, list):
        return not shown
    return len(found) == len(shown) and all(a is b for a, b in zip(found, shown, strict=True))


def frames_of(
    buffer: Mapping[str, Any], features: Mapping[str, JsonObject]
) -> Iterator[dict[str, Any]]:
    """The frames of an episode that was put together elsewhere, each with its `task`.

    Args:
        buffer: `size`, `task` (of all or of each frame), and (size, …) values by feature. Cameras have
            arrays, PIL images or paths of image files. Index columns are left out: the recorder makes them.
        features: declarations by name.

    Raises:
        ArgumentError: a feature has fewer or more values than frames.
    """
    size, tasks = int(buffer["size"]), buffer["task"]
    tasks = [tasks] * size if isinstance(tasks, str) else list(tasks)
    own = [name for name in features if name not in DEFAULT_FEATURES]
    for name, values in [("task", tasks), *((name, buffer[name]) for name in own)]:
        if len(values) != size:
            raise ArgumentError(
                f"episode_data: '{name}' has {counted(len(values), 'value')}, expected {size} (one per"
                " frame)"
            )
    for number in range(size):
        frame = {name: _value(buffer[name][number], features[name]) for name in own}
        yield {**frame, "task": tasks[number]}


def _value(value: Any, feature: JsonObject) -> Any:
    if feature["dtype"] in _CAMERAS:
        is_path = isinstance(value, str) or hasattr(value, "__fspath__")
        return load_image_as_numpy(value, np.uint8, channel_first=False) if is_path else value
    if feature["dtype"] == "string" or hasattr(value, "numpy"):
        return value
    found = np.asarray(value, dtype=feature["dtype"])
    return found.reshape(tuple(feature["shape"]))
