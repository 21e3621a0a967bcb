"""Open a dataset: read its documents, but no rows and no videos."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shlex import join

import pyarrow as pa

from roboreel.dataset.commit_journal import PendingCommit, pending_commit
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.episode_parts import EpisodeParts, read_episode_parts
from roboreel.dataset.file_names import holds
from roboreel.dataset.opened_cache import OpenedDocuments, opened_cache
from roboreel.dataset.pull_record import record_among
from roboreel.dataset.view_file import refuse_view
from roboreel.errors import DatasetError, Problem, StorageError, listed
from roboreel.format import v2, v30
from roboreel.format.info import FROM_V1, V1_INFO, parse_info, unknown_version
from roboreel.format.model import EPISODE, INFO, Info, Model, video_path
from roboreel.format.parse import Problems
from roboreel.format.v30_episodes import (
    EPISODES_FOLDER,
    EPISODES_TEMPLATE,
    episode_files,
    stray_episode_files,
)
from roboreel.format.version import FormatVersion
from roboreel.storage.fs import open_root
from roboreel.storage.links import Listing
from roboreel.storage.local import LocalRoot
from roboreel.storage.recording_lock import RECORDING
from roboreel.storage.root import FileStat, Root
from roboreel.storage.staging.originals import name_before
from roboreel.storage.staging.staging import moved_original
from roboreel.storage.tables.tables import read_table
from roboreel.storage.video.packet_index import INDEX_FILE

GIVE_FOLDER = "give the folder that holds 'meta'"
"""What to do where there is no `info.json`, and none above or inside the folder, which has tables."""
NO_EPISODE = "no episode is saved yet: LeRobotDataset.resume(…, root=…) continues the recording"
"""What to do where a recording has no tables."""
_LEVELS = 3
"""Folders of a dataset within each other, such as `videos/camera/chunk-000`."""
_SHOWN_LINKS = 20
_TRIES, _PAUSE_S = 20, 0.005
"""A dataset to which an episode was added while it was opened is opened again."""


def open_dataset(location: str | os.PathLike[str], *, follow_links: bool = False) -> Dataset:
    """Open the dataset in a folder, or at a URL that fsspec supports.

    Reads only documents, no rows and no videos. Inconsistencies that can be read safely are listed in
    `Dataset.problems`.

    Args:
        location: the path or URL.
        follow_links: True to follow links that lead out of the folder. By default links are followed only
            inside it, and from a snapshot in a Hugging Face cache to its blobs.

    Raises:
        StorageError: the folder does not exist.
        UsageError: it is a view file, which `open_view` opens.
        DatasetError: a document is missing or cannot be read safely; lists all problems found.
    """
    refuse_view(location)
    _refuse_moved(location)
    root = open_root(location, follow_links=follow_links)
    try:
        return dataset_below(root)
    except (DatasetError, StorageError) as error:  # the command may have named several datasets
        said, name = str(error), os.fspath(location)
        if f"'{name}'" not in said and f"'{root.url}'" not in said:
            error.args = (f"'{name}': {said}",)
        raise


def datasets_inside(location: str | os.PathLike[str]) -> list[str]:
    """The paths of the datasets inside a folder that is none itself, in order; empty where it is one.

    Raises:
        StorageError: there is no such folder.
    """
    files = open_root(location).listing().files
    folder = os.path.normpath(location)
    found = [] if INFO in files else _inside(files)
    return found if folder == os.curdir else [os.path.join(folder, name) for name in found]


def _inside(files: Iterable[str]) -> list[str]:
    """The folders of datasets among these files, without hidden ones and kept originals."""
    inner = {name.removesuffix(f"/{INFO}") for name in files if name.endswith(f"/{INFO}")}
    kept = {name for name in inner if name_before(os.path.basename(name)) is not None}
    return sorted(name for name in inner - kept if "/." not in f"/{name}")


def dataset_below(root: Root, *, known: EpisodeParts | None = None) -> Dataset:
    """Open the dataset in a root: as `open_dataset`, where the root is known.

    Args:
        root: the root.
        known: what was read of the table of episodes before: only new files are read.

    Raises:
        StorageError: a document cannot be read.
        DatasetError: a document is missing or cannot be read safely; lists all problems found.
    """
    for _ in range(_TRIES - 1):
        before = _moment(root)
        try:
            dataset = _dataset_below(root, before, known)
        except (DatasetError, StorageError):
            if _moment(root) == before:
                raise
        else:
            if _moment(root) == before:
                return dataset
        time.sleep(_PAUSE_S)
    return _dataset_below(root, _moment(root), known)


@dataclass(frozen=True, slots=True)
class _Moment:
    """What changes with every episode that a recorder saves."""

    info: FileStat | None
    pending: PendingCommit | None


def _moment(root: Root) -> _Moment | None:
    """The state of a dataset that may be growing; None where that cannot be seen."""
    if not isinstance(root, LocalRoot):
        return None
    for left in reversed(range(_TRIES)):
        try:
            info = root.stat(INFO) if root.exists(INFO) else None
            return _Moment(info, pending_commit(root))
        except StorageError:  # it was replaced while it was opened
            if not left:
                raise
    return None


def _dataset_below(root: Root, moment: _Moment | None, known: EpisodeParts | None) -> Dataset:
    pending = None if moment is None else moment.pending
    cache = opened_cache(root) if pending is None else None
    opened = None if cache is None else cache.load(_parse_known_info)
    parts: EpisodeParts | None = None
    if opened is None:
        listing = root.listing()
        opened, parts = _opened(root, listing, pending, known)
        if cache is not None:
            cache.save(opened, listing)
    model, files = opened.model, opened.files
    record = record_among(root, files)
    fetch = None if record is None else record.command(root.url)
    missing = _missing_videos(model, files, root.url, fetch)
    present = replace(model, problems=(*model.problems, *missing))
    kept = parts if parts is not None and parts.is_worth_keeping else None
    again = dataset_below if kept is None else partial(dataset_below, known=kept)
    return Dataset(root, present, files, opened.stamps, opened_by=again)


def _opened(
    root: Root, listing: Listing, pending: PendingCommit | None, known: EpisodeParts | None
) -> tuple[OpenedDocuments, EpisodeParts | None]:
    """Read the documents of a dataset with these files, but for those of a save that is not finished."""
    parts: EpisodeParts | None = None
    files = listing.files
    problems = Problems()
    if pending is not None:
        files = tuple(name for name in files if name not in pending.hidden)
        problems.found.append(pending.problem())
    _note_passed_over(listing, problems)
    stamps = {name: root.stat(name) for name in _documents(files)}
    if INFO not in files and V1_INFO in files:
        raise unknown_version(
            "this is a v1.x dataset; roboreel reads v2.0 and later", V1_INFO, FROM_V1
        )
    if INFO not in files:
        problems.found.append(_no_info(root, files))
        problems.raise_errors(f"'{root.url}' is not a LeRobot dataset")
    # the packet index is made from the dataset and not part of it: what is written has none
    own = tuple(name for name in files if name != INDEX_FILE) if INDEX_FILE in files else files
    info = parse_info(root.read(INFO), problems, defaults=usual_templates, files=own)
    if info.version is FormatVersion.V30:
        model, parts = _open_v3(root, info, own, problems, pending, known)
    else:
        documents = {name: root.read(name) for name in v2.DOCUMENTS if name in files}
        documents = documents if pending is None else pending.cut(documents)
        model = v2.parse(info, documents, own, problems)
    return OpenedDocuments(model, files, stamps), parts


def _parse_known_info(data: bytes) -> Info:
    """Parse an `info.json` that was parsed before: its problems are known."""
    return parse_info(data, Problems(), defaults=usual_templates, files=())


def _refuse_moved(location: str | os.PathLike[str]) -> None:
    """Raise `StorageError` if the dataset is not at its path because its replacement was interrupted."""
    path = os.fspath(location)
    original = None if "://" in path else moved_original(path)
    if original is not None:
        raise StorageError(
            f"'{path}' has no dataset, because its replacement was interrupted; the original is"
            f" '{original}': run the interrupted command again with leftovers=\"resume\", or call"
            " roboreel.recover"
        )


def _documents(files: tuple[str, ...]) -> list[str]:
    """The existing documents of any version, including statistics."""
    names = {INFO, *v2.DOCUMENTS, v2.EPISODE_STATS, v2.GLOBAL_STATS, v30.TASK_TABLE}
    names |= {*episode_files(files)}
    return [name for name in sorted(names) if holds(files, name)]


def _no_info(root: Root, files: tuple[str, ...]) -> Problem:
    inner = _inside(files)
    action = GIVE_FOLDER
    if len(inner) > 1:
        action = f"give one of the datasets inside it: {listed(inner)}"
    elif inner:
        action = f"did you mean '{inner[0]}' inside it?"
    elif above := _dataset_above(root):
        action = f"it is a part of the dataset '{above}': give that folder"
    elif files and not any(name.endswith(".parquet") for name in files):
        action = f"it has no tables: {GIVE_FOLDER}"
    message = "there is no info.json"
    return Problem(
        rule="document.missing", severity="error", message=message, path=INFO, action=action
    )


def _dataset_above(root: Root) -> str | None:
    """The dataset that a folder is a part of, such as its `meta` or `data/chunk-000`."""
    if not isinstance(root, LocalRoot):
        return None
    folder = Path(root.url)
    above = (folder.joinpath(*[os.pardir] * levels) for levels in range(1, _LEVELS + 1))
    return next((os.path.normpath(one) for one in above if (one / INFO).is_file()), None)


def _note_passed_over(listing: Listing, problems: Problems) -> None:
    """Report links that lead out of the dataset, and names that are not UTF-8."""
    links, unnamed = listing.links_out, listing.unnamed
    for name, target in links[:_SHOWN_LINKS]:
        message = f"the link leads out of the dataset, to '{target}', and is not followed"
        action = "put the file there, or pass follow_links=True"
        problems.add("file.link", message, path=name, action=action)
    if len(links) > _SHOWN_LINKS:
        message = (
            f"{len(links) - _SHOWN_LINKS} more links lead out of the dataset and are not followed"
        )
        problems.add("file.link", message, action="see the first ones")
    if unnamed:
        message = f"{len(unnamed)} files have names that are not UTF-8 and are not read"
        problems.add("file.name", message, path=unnamed[0], action="rename them")


def usual_templates(version: FormatVersion) -> tuple[str, str]:
    """A version's own path templates of tables and videos."""
    if version is FormatVersion.V30:
        return v30.DATA_TEMPLATE, v30.VIDEO_TEMPLATE
    return v2.DATA_TEMPLATE, v2.VIDEO_TEMPLATE


def _open_v3(
    root: Root,
    info: Info,
    files: tuple[str, ...],
    problems: Problems,
    pending: PendingCommit | None,
    known: EpisodeParts | None,
) -> tuple[Model, EpisodeParts]:
    names = episode_files(files)
    if not names:
        strays = stray_episode_files(files)
        recorded = any(name.startswith(f"{RECORDING}/") for name in files)
        saved = any(name.startswith("data/") for name in files)
        action = NO_EPISODE if recorded and not saved else None
        problems.error(
            "document.missing",
            f"the table of episodes is missing, expected {EPISODES_FOLDER}*/*.parquet",
            path=strays[0] if strays else EPISODES_FOLDER,
            action=f"move it to {EPISODES_TEMPLATE.format(chunk_index=0, file_index=0)}"
            if strays
            else action,
        )
        problems.raise_errors("the dataset is incomplete")
    parts = read_episode_parts(root, names, problems, known)
    tasks = read_table(root, v30.TASK_TABLE) if v30.TASK_TABLE in files else None
    if tasks is not None and pending is not None:
        tasks = pending.cut_tasks(tasks)
    return v30.parse(info, tasks, parts.table, files, problems), parts


def _missing_videos(
    model: Model, files: tuple[str, ...], url: str, fetch: str | None
) -> list[Problem]:
    """Report cameras without any video file, from the list of files.

    Args:
        model: the documents.
        files: names of the files that are here.
        url: the dataset's path.
        fetch: the command that fetches the rest of a pulled dataset; None for others.
    """
    if not len(model.episodes):
        return []
    missing = [
        camera
        for camera in model.info.cameras
        if not _any_held(files, model.episodes[video_path(camera)])
    ]
    all_missing = len(missing) == len(model.info.cameras)
    return [
        Problem(
            rule="video.missing",
            severity="error" if all_missing else "warning",
            message="the videos are missing" if all_missing else "the camera has no video files",
            path=_expected_video(model, camera),
            column=camera,
            action=None
            if number
            else _without_videos(missing, url, fetch, all_missing=all_missing),
        )
        for number, camera in enumerate(missing)
    ]


def _any_held(files: tuple[str, ...], paths: pa.ChunkedArray) -> bool:
    """True if any of these files exists; nearly always the first one does."""
    return holds(files, paths[0].as_py()) or any(
        holds(files, path.as_py()) for path in paths.unique()
    )


def _without_videos(
    cameras: Sequence[str], url: str, fetch: str | None, *, all_missing: bool
) -> str:
    """What to do about the cameras without videos, said once for all of them."""
    repair = join(["roboreel", "repair", url, "--drop-missing-cameras", "-o", f"{url}_repaired"])
    leave_out = f"leave out cameras without videos: {repair}"
    if fetch is not None:
        return f"fetch the videos with '{fetch}', or {leave_out}"
    if all_missing:
        return f"download the videos, or {leave_out}"
    named = ", ".join(f'"{camera}"' for camera in cameras)
    return f"pass allow_missing=[{named}] to write without it, or {leave_out}"


def _expected_video(model: Model, camera: str) -> str | None:
    """The path of a camera's first video, from the documents."""
    if model.info.version.one_file_per_episode:
        return v2.expected_path(model.info, model.episodes[EPISODE][0].as_py(), camera)
    return next((path for path in model.episodes[video_path(camera)].to_pylist() if path), None)
