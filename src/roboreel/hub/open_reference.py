"""Open a dataset by a path or by a reference to the Hub, wherever a dataset is named."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.dataset.pull_record import PullRecord, Selection, read_record, record_among
from roboreel.dataset.view_file import refuse_view
from roboreel.errors import HubError, MissingDependencyError, MissingFileError, UsageError
from roboreel.format.model import INFO
from roboreel.hub.environment import is_offline
from roboreel.hub.pull import default_folder, pull_selection
from roboreel.hub.reference import HubReference, parse_reference
from roboreel.hub.snapshots import cached_snapshot
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import local_path
from roboreel.storage.staging.originals import kept_beside
from roboreel.storage.staging.staging import moved_original

Needs = Literal["everything", "documents"]
"""What a caller reads of a dataset: a copy that isn't here yet is fetched that far."""


def open_reference(
    location: str | os.PathLike[str],
    *,
    follow_links: bool = False,
    needs: Needs = "everything",
) -> Dataset:
    """Open the dataset in a folder, at a URL, or on the Hub.

    A dataset on the Hub is opened from its local copy (`$HF_LEROBOT_HOME/user/name`), which is pulled first
    if it isn't there. A copy that is there is opened as it is, without asking the Hub, also if it holds only
    a part. Offline, a complete snapshot in the cache of lerobot or of the Hub's client serves as well.

    Args:
        location: a path, a URL that fsspec supports, `user/name`, `user/name@revision` or
            `hf://datasets/user/name@revision`. An existing path wins over a reference.
        follow_links: True to follow links that lead out of a local folder. By default links are followed only
            inside it, and from a snapshot in a Hugging Face cache to its blobs.
        needs: "documents" fetches no tables and no videos if there is no copy yet.

    Raises:
        StorageError: the folder does not exist; `MissingFileError` also if a reference that cannot be
            fetched begins with a folder that exists.
        DatasetError: a document is missing or cannot be read safely; lists all problems found.
        HubError: the Hub can't be reached, or refused.
        MissingDependencyError: the dataset must be fetched, and the extra `hub` isn't installed.
    """
    refuse_view(location)
    at = local_copy(location, needs=needs)
    dataset = open_dataset(at, follow_links=follow_links)
    return dataset if at is location else replace(dataset, reference=_said(dataset, location))


def _said(dataset: Dataset, location: str | os.PathLike[str]) -> str:
    """The reference by which a view file names a local copy: with the commit, where that is known."""
    record = record_among(dataset.root, dataset.files)
    return os.fspath(location) if record is None else f"{record.repo_id}@{record.commit}"


def local_copy(
    location: str | os.PathLike[str], *, needs: Needs = "everything"
) -> str | os.PathLike[str]:
    """The folder of a dataset: of one on the Hub, its local copy, pulled if needed; else `location` itself.

    Raises:
        HubError: the Hub can't be reached, or refused.
        MissingFileError: the reference cannot be fetched and begins with a folder that exists.
        UsageError: the local copy is of another revision than the reference asks for.
        MissingDependencyError: the dataset must be fetched, and the extra `hub` isn't installed.
    """
    text = os.fspath(location)
    reference = parse_reference(text)
    if reference is None or is_here(text):
        return location
    folder = default_folder(reference)
    record = read_record(LocalRoot(folder))
    if record is None:
        here = _copy_without_record(reference, folder)
        if here is not None:
            return here
    else:
        _refuse_other(folder, record, reference)
        if record.complete and (record.selections or needs == "documents"):
            return folder
        reference = HubReference(reference.repo_id, record.commit)
    asked_before = record is not None and bool(record.selections)
    choice = None if asked_before or needs == "documents" else _everything
    try:
        return pull_selection(reference, folder, choice).path
    except (HubError, MissingDependencyError) as error:
        if record is None:
            _say_no_folder(text, error)
        raise


def _say_no_folder(text: str, error: HubError | MissingDependencyError) -> None:
    """Say first that there is no such folder if a reference may be a path.

    Args:
        text: the reference, which is no existing path.
        error: why the dataset cannot be fetched from the Hub.

    Raises:
        MissingFileError: the reference begins with a folder that exists.
    """
    if "@" in text or "://" in text:
        return
    parent_is_here = os.path.isdir(local_path(text.partition("/")[0]))
    why = str(error).removeprefix(f"'{text}': ")
    also = "; nor is it a dataset on the Hub that can be fetched:"
    if isinstance(error, MissingDependencyError) and not parent_is_here:
        also = ", and"
    said = f"'{text}': no such folder{also} {why}"
    if parent_is_here:
        raise MissingFileError(said) from error
    error.args = (said,)


def _copy_without_record(reference: HubReference, folder: Path) -> str | Path | None:
    """A copy that wasn't pulled: recorded or copied into the folder; offline, a snapshot in a cache."""
    if LocalRoot(folder).exists(INFO) and reference.revision is None:
        return folder
    return cached_snapshot(reference) if is_offline() else None


def _everything(_dataset: Dataset) -> Selection:
    return Selection()


def is_here(location: str | os.PathLike[str]) -> bool:
    """True if there is something at a path, or was until a run was interrupted."""
    text = os.fspath(location)
    if "://" in text:
        return False
    path = local_path(text)
    return (
        os.path.lexists(path) or moved_original(path) is not None or bool(kept_beside(Path(path)))
    )


def folder_here(location: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The folder of a dataset that is on this disk: `location`, or the local copy that it names.

    Nothing is pulled. Where there is neither, returns `location`.
    """
    reference = parse_reference(os.fspath(location))
    if reference is None or is_here(location):
        return location
    folder = default_folder(reference)
    return folder if is_here(folder) else location


def _refuse_other(folder: Path, record: PullRecord, reference: HubReference) -> None:
    """Raise `UsageError` if a local copy is not of the revision that is asked for."""
    asked = reference.revision
    if asked is None or asked == record.revision:
        return
    if len(asked) >= 7 and record.commit.startswith(asked):
        return
    raise UsageError(
        f"'{folder}' contains '{record.repo_id}@{record.revision}' (commit {record.commit[:8]}), not"
        f" '{asked}': pull this revision into another folder with `roboreel pull {reference} -o DIR`, and"
        " open that folder"
    )
