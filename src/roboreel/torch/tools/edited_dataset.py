"""What the dataset tools share: a dataset as a view, the folder of a result, and the dataset of a result."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from roboreel.dataset.open import open_dataset
from roboreel.edit.view import View
from roboreel.errors import UsageError, known_episodes
from roboreel.ops.write import write
from roboreel.storage.staging.staging import refuse_existing
from roboreel.torch import constants
from roboreel.torch.compat.argument_types import episode_list, require_dataset
from roboreel.torch.errors import ArgumentError, ExistsError


class OnDisk(Protocol):
    """A dataset object, as far as the tools know it: `LeRobotDataset`, ours or lerobot's."""

    @property
    def repo_id(self) -> str:
        """Its name, `user/name`."""
        ...

    @property
    def root(self) -> Any:
        """Its folder."""
        ...


D = TypeVar("D", bound=OnDisk)

_LOG = logging.getLogger(__name__)
_READING = ("image_transforms", "delta_timestamps", "tolerance_s")
"""Arguments of a dataset that its edited copy gets too."""
_SAME = ("episodes", "revision", "video_backend", "return_uint8", "depth_output_unit")
"""Further ones, which only fit the same episodes and files."""


@contextlib.contextmanager
def argument_errors() -> Iterator[None]:
    """Raise `ArgumentError`, which is a `ValueError`, for wrong arguments: callers of lerobot expect it."""
    try:
        yield
    except (ArgumentError, ExistsError):
        raise
    except UsageError as error:
        raise ArgumentError(str(error)) from error


def view_of(dataset: OnDisk) -> View:
    """The whole dataset on disk, also where `dataset` holds some of its episodes only."""
    require_dataset(dataset)
    view = _view_in(dataset)
    return open_dataset(dataset.root).as_view() if view is None else view


def _view_in(dataset: Any) -> View | None:
    """The view that a dataset object reads, if it reads one."""
    view: View | None = getattr(getattr(dataset, "meta", None), "view", None)
    return view


def require_episodes(view: View, episodes: Iterable[int]) -> list[int]:
    """The episodes in ascending order, each once.

    Raises:
        ArgumentError: some do not exist.
        WrongTypeError: they are no list.
    """
    wanted = {*(episode_list("episode_indices", episodes) or [])}
    known = view.numbers.tolist()
    unknown = sorted(wanted.difference(known))
    if unknown:
        raise ArgumentError(
            f"Invalid episode indices: {unknown[:20]}. The dataset has {known_episodes(known)}"
        )
    return sorted(wanted)


def folder_of(repo_id: str, output_dir: str | os.PathLike[str] | None) -> Path:
    """The folder to make for a result.

    Raises:
        ExistsError: it exists and is not empty. It is a `FileExistsError`.
    """
    folder = Path(output_dir) if output_dir is not None else constants.HF_LEROBOT_HOME / repo_id
    try:
        refuse_existing(folder)
    except UsageError as error:
        raise ExistsError(str(error)) from error
    return folder


def modified_name(dataset: OnDisk) -> str:
    """The name of an edited copy, where none is given."""
    return f"{dataset.repo_id}_modified"


def written(
    view: View,
    dataset: D,
    repo_id: str,
    output_dir: str | os.PathLike[str] | None,
    workers: int = 1,
) -> D:
    """Write a view into a new folder, and open it as a dataset of the class of `dataset`."""
    folder = folder_of(repo_id, output_dir)
    write(view, out=folder, workers=workers, leftovers="resume")
    return reopened(dataset, repo_id, folder)


def rewritten(view: View, dataset: D, workers: int = 1) -> D:
    """Write a view in place of its dataset, and let `dataset` read it; the original is kept beside."""
    if _view_in(dataset) is not None:
        raise UsageError("a view cannot be changed in place: write it first (roboreel.write)")
    report = write(view, in_place=True, workers=workers, leftovers="clean")
    _LOG.warning(
        "'%s' was written again in place. Its earlier version is kept as '%s' until `roboreel undo %s"
        " --keep 0` removes it; --restore brings it back",
        dataset.root,
        report.kept,
        dataset.root,
    )
    refresh(dataset)
    return dataset


def reopened(dataset: D, repo_id: str, folder: Path) -> D:
    """The dataset in a folder, of the class of `dataset` and with its transforms and windows."""
    given = _given(dataset, _READING)
    windows = given.get("delta_timestamps")
    if windows:
        features = open_dataset(folder).features
        kept = {name: window for name, window in windows.items() if name in features}
        given["delta_timestamps"] = kept or None
    again: D = _class_of(dataset)(repo_id, root=folder, **given)
    return again


def refresh(dataset: OnDisk) -> None:
    """Let a dataset object read what is on the disk now, with the arguments that it was made with."""
    again = _class_of(dataset)(
        dataset.repo_id, root=dataset.root, **_given(dataset, (*_READING, *_SAME))
    )
    vars(dataset).clear()
    vars(dataset).update(vars(again))


def _class_of(dataset: Any) -> Any:
    """Its class, which is called like `LeRobotDataset`: by this, edits of a subclass give that subclass."""
    return type(dataset)


def _given(dataset: Any, names: Iterable[str]) -> dict[str, Any]:
    """Arguments that a dataset was made with, by its attributes, as far as its class takes them."""
    taken = inspect.signature(_class_of(dataset)).parameters
    found = {}
    for name in names:
        for attribute in (name, f"_{name}"):
            if name in taken and hasattr(dataset, attribute):
                found[name] = getattr(dataset, attribute)
                break
    return found
