"""Which files of a repository a pull needs: those that the wanted episodes touch, by the documents."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.pull_record import Selection
from roboreel.errors import UsageError, listed, ranged
from roboreel.format import v2
from roboreel.format.model import DATA_PATH, EPISODE, video_path


def is_document(name: str) -> bool:
    """True for what every pull takes: files in `meta/` and at the top of a dataset."""
    return name.startswith("meta/") or "/" not in name


def touched_files(dataset: Dataset, selection: Selection) -> list[str]:
    """Names of the tables and videos that a selection needs, each once.

    Args:
        dataset: its documents; files that it doesn't list get the paths where they should be.
        selection: the episodes, cameras and kinds of files.

    Raises:
        UsageError: the dataset has no such episode or camera.
    """
    rows = _rows(dataset, selection.episodes)
    cameras = _cameras(dataset, selection.cameras)
    if selection.content == "documents":
        return []
    found = _paths(dataset, rows, DATA_PATH, "")
    if selection.content == "all":
        for camera in cameras:
            found += _paths(dataset, rows, video_path(camera), camera)
    return list(dict.fromkeys(found))


def _paths(dataset: Dataset, rows: Sequence[int], column: str, camera: str) -> list[str]:
    numbers = dataset.episodes[EPISODE].take(rows).to_pylist()
    paths = dataset.episodes[column].take(rows).to_pylist()
    if dataset.version.one_file_per_episode:
        info = dataset.model.info
        pairs = zip(numbers, paths, strict=True)
        paths = [path or v2.expected_path(info, number, camera) for number, path in pairs]
    return [path for path in paths if path is not None]


def _rows(dataset: Dataset, episodes: Sequence[int] | None) -> list[int]:
    numbers = dataset.episodes[EPISODE].to_pylist()
    if episodes is None:
        return list(range(len(numbers)))
    row_of = {number: row for row, number in enumerate(numbers)}
    unknown = [number for number in episodes if number not in row_of]
    if unknown:
        last = f": its last episode is {numbers[-1]}" if numbers else ""
        raise UsageError(f"the dataset does not have episode {ranged(unknown)}{last}")
    return [row_of[number] for number in episodes]


def _cameras(dataset: Dataset, cameras: Iterable[str] | None) -> Collection[str]:
    known = dataset.cameras
    if cameras is None:
        return known
    unknown = [name for name in cameras if name not in known]
    if unknown:
        raise UsageError(f"unknown cameras {listed(unknown)}: the dataset has {listed(known)}")
    return [name for name in known if name in set(cameras)]
