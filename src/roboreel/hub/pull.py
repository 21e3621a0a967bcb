"""Pull a dataset from the Hub, or the part of it that some episodes and cameras need."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.pull_record import Content, PullRecord, Selection, read_record
from roboreel.errors import HubError, StorageError, UsageError, listed
from roboreel.format.model import INFO
from roboreel.hub.client import Token, quiet
from roboreel.hub.download import RemoteSource, fetch, refuse_links, remove_staging
from roboreel.hub.environment import host, lerobot_home
from roboreel.hub.pull_report import PullReport
from roboreel.hub.pull_work import Choice, PullWork
from roboreel.hub.reference import HubReference, parse_reference
from roboreel.hub.remote_files import RemoteFile, find_files, list_documents
from roboreel.hub.versions import resolve_revision
from roboreel.hub.wanted_files import is_document
from roboreel.progress.choice import ProgressChoice, listening
from roboreel.storage import disk, lock
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import is_url, local_path

_LOCK = ".cache/huggingface/roboreel.lock"

EpisodeChoice = Iterable[int] | Callable[[Dataset], Iterable[int]]


def pull(
    reference: str,
    out: str | os.PathLike[str] | None = None,
    *,
    episodes: EpisodeChoice | None = None,
    cameras: Iterable[str] | None = None,
    content: Content = "all",
    token: Token = None,
    progress: ProgressChoice = None,
) -> PullReport:
    """Fetch a dataset from the Hub, or the files that some of its episodes and cameras need.

    Files that are there with the same content aren't fetched again, so an interrupted pull continues, and a
    later one adds to what an earlier one fetched. Each file is verified by size and digest before it appears.

    Args:
        reference: `user/name`, `user/name@revision` or `hf://datasets/user/name@revision`.
        out: the folder; by default `$HF_LEROBOT_HOME/user/name`.
        episodes: indices of the episodes to download, or a function that returns them for the dataset, opened
            with its documents only; None downloads all.
        cameras: names of the cameras to download; None downloads all.
        content: "all", "tables" without videos, or "documents" for `meta/` only.
        token: a token, True for the stored one, False for none; None uses a stored one if there is one.
        progress: True shows a bar on the terminal or in the notebook; a function is called with a
            `ProgressEvent`, which counts the downloaded bytes, up to ten times a second.

    Raises:
        UsageError: this is not a reference, there is no such episode or camera, or the folder has another
            dataset.
        HubError: the Hub can't be reached, refused, or sent other content than it promised.
        StorageError: the disk failed.
        MissingDependencyError: the extra `hub` isn't installed.
    """
    names = None if cameras is None else tuple(dict.fromkeys(cameras))
    if out is not None and is_url(out):
        raise UsageError(f"the output '{os.fspath(out)}' is a URL: pull into a folder")

    def choice(dataset: Dataset) -> Selection:
        chosen = episodes(dataset) if callable(episodes) else episodes
        numbers = None if chosen is None else tuple(dict.fromkeys(map(int, chosen)))
        return Selection(episodes=numbers, cameras=names, content=content)

    found = required_reference(reference)
    with listening(progress):
        return pull_selection(found, out or default_folder(found), choice, token)


def required_reference(text: str) -> HubReference:
    """Parse a reference.

    Raises:
        UsageError: it is none.
    """
    found = parse_reference(text)
    if found is None:
        raise UsageError(
            f"'{text}' is not a dataset on the Hub: expected user/name, user/name@revision or"
            " hf://datasets/user/name@revision"
        )
    return found


def default_folder(reference: HubReference) -> Path:
    """Where a dataset is pulled to if no folder is given: `$HF_LEROBOT_HOME/user/name`."""
    return lerobot_home().joinpath(*reference.repo_id.split("/"))


def pull_selection(
    reference: HubReference,
    out: str | os.PathLike[str],
    choice: Choice | None,
    token: Token = None,
) -> PullReport:
    """`pull`, with parsed arguments; without a choice, the documents are fetched only to show them."""
    with quiet(reference):
        resolved = resolve_revision(reference, token)
        source = RemoteSource(reference, resolved.commit, token)
        documents = _documents(source)
        with _alone(local_path(out)) as target:
            record = _record_for(target, reference, resolved.revision, resolved.commit)
            work = PullWork(source, target, record)
            with work.recorded():
                work.get(documents)
                files = work.planned(documents, choice)
                work.get(files.found)
            return work.report(files)


def fetch_missing(
    repo_id: str,
    root: str | os.PathLike[str],
    files: Sequence[str],
    *,
    revision: str | None = None,
    token: Token = None,
) -> list[str]:
    """Download the named files that are missing in a local dataset; existing files are not changed.

    Args:
        repo_id: the dataset's repository, `user/name`.
        root: the dataset's folder, which need not exist.
        files: names, relative to the folder.
        revision: branch, tag or commit; by default the revision of the folder, else as for `pull`.
        token: as for `pull`.

    Returns:
        The names of the fetched files, in order.

    Raises:
        HubError: the Hub can't be reached or refused, or has no such files.
        StorageError: the disk failed.
    """
    target = LocalRoot(local_path(root))
    due = [name for name in dict.fromkeys(files) if not target.exists(name)]
    if not due:
        return []
    record = read_record(target)
    ours = record if record is not None and record.repo_id == repo_id else None
    known = ours.commit if ours is not None and revision is None else revision
    reference = replace(required_reference(repo_id), revision=known)
    with quiet(reference):
        source = RemoteSource(reference, resolve_revision(reference, token).commit, token)
        found = find_files(reference, source.commit, due, token)
        absent = [name for name in due if name not in found]
        if absent:
            raise HubError(f"'{reference}' on {host()} does not have these files: {listed(absent)}")
        with _alone(target.url) as at:
            fetch(source, found.values(), at, lambda _file, _pulled: None)
            remove_staging(at)
    return due


def _documents(source: RemoteSource) -> dict[str, RemoteFile]:
    """The documents of a repository, by name.

    Raises:
        HubError: it is not a dataset in the LeRobot format.
    """
    found = list_documents(source.reference, source.commit, source.token)
    if INFO not in found:
        raise HubError(
            f"'{source.reference}' on {host()} is not a LeRobot dataset: it has no '{INFO}'"
        )
    return {name: file for name, file in found.items() if is_document(name)}


@contextlib.contextmanager
def _alone(path: str) -> Iterator[LocalRoot]:
    """A folder, made if needed, into which no other process pulls meanwhile."""
    target = LocalRoot(os.path.abspath(path))
    refuse_links(target, _LOCK)
    at = target.path / _LOCK
    try:
        held = lock.hold(
            at, timeout_s=math.inf, busy="", prepare=lambda: disk.make_folders(at.parent)
        )
    except OSError as error:
        raise StorageError(f"'{path}': {error.strerror or error}") from error
    with held:
        yield target


def _record_for(
    target: LocalRoot, reference: HubReference, revision: str, commit: str
) -> PullRecord:
    """The folder's record, or a new one.

    Raises:
        UsageError: the folder holds another dataset or commit.
    """
    new = PullRecord(repo_id=reference.repo_id, revision=revision, commit=commit)
    found = read_record(target)
    if found is None:
        return new
    if (found.repo_id, found.commit) != (new.repo_id, new.commit):
        raise UsageError(
            f"'{target.url}' contains '{found.repo_id}@{found.revision}' (commit {found.commit[:8]}), not"
            f" commit {commit[:8]} of '{reference.repo_id}': pull into another folder (out=DIR), or"
            f" remove this"
            " one"
        )
    return found
