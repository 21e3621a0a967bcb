"""Pull a dataset from the Hub, or the part of it that some episodes and cameras need."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import dataset_below
from roboreel.dataset.pull_record import (
    CONTENTS,
    RECORD,
    Content,
    PulledFile,
    PullRecord,
    Selection,
    contents_to_bytes,
    read_contents,
    read_record,
)
from roboreel.errors import HubError, StorageError, UsageError, listed
from roboreel.format.model import INFO
from roboreel.hub.client import Token, quiet
from roboreel.hub.download import RemoteSource, fetch, present_files, refuse_links, remove_staging
from roboreel.hub.environment import host, lerobot_home
from roboreel.hub.reference import HubReference, parse_reference
from roboreel.hub.remote_files import RemoteFile, find_files, list_documents, list_files
from roboreel.hub.versions import resolve_revision
from roboreel.hub.wanted_files import is_document, touched_files
from roboreel.storage import disk, lock
from roboreel.storage.links import Listing
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import local_path
from roboreel.types import Json

_LOCK = ".cache/huggingface/roboreel.lock"

EpisodeChoice = Iterable[int] | Callable[[Dataset], Iterable[int]]
Choice = Callable[[Dataset], Selection]
Progress = Callable[[int, int], None]
"""Called with the bytes that are here, and those of all wanted files as far as they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """What a pull did."""

    path: str
    """The dataset's folder."""
    repo_id: str
    revision: str
    commit: str
    files: Mapping[str, int]
    """Table of contents: size in bytes by name of every wanted file, whether it was here before or not."""
    fetched: tuple[str, ...]
    """Names of the files that were fetched."""
    missing: tuple[str, ...]
    """Names of tables and videos that the documents state and the repository doesn't have."""

    @property
    def fetched_bytes(self) -> int:
        """Size of the fetched files, in bytes."""
        return sum(self.files[name] for name in self.fetched)

    def to_json(self) -> dict[str, Json]:
        """The report as a JSON object."""
        return {
            "path": self.path,
            "repo_id": self.repo_id,
            "revision": self.revision,
            "commit": self.commit,
            "files": dict(self.files),
            "fetched": list(self.fetched),
            "fetched_bytes": self.fetched_bytes,
            "missing": list(self.missing),
        }


def pull(
    reference: str,
    out: str | os.PathLike[str] | None = None,
    *,
    episodes: EpisodeChoice | None = None,
    cameras: Iterable[str] | None = None,
    content: Content = "all",
    token: Token = None,
    progress: Progress | None = None,
) -> PullReport:
    """Fetch a dataset from the Hub, or the files that some of its episodes and cameras need.

    Files that are there with the same content aren't fetched again, so an interrupted pull goes on, and a
    later one adds to what an earlier one fetched. Each file is verified by size and digest before it appears.

    Args:
        reference: `user/name`, `user/name@revision` or `hf://datasets/user/name@revision`.
        out: the folder; by default `$HF_LEROBOT_HOME/user/name`.
        episodes: indices of the episodes to fetch, or a function that gives them for the dataset, of which
            only the documents are here then; None fetches all.
        cameras: names of the cameras to fetch; None fetches all.
        content: "all", "tables" without videos, or "documents" for `meta/` only.
        token: a token, True for the stored one, False for none; None uses a stored one if there is one.
        progress: called with the bytes that are here and the bytes of all wanted files.

    Raises:
        UsageError: this is no reference, there is no such episode or camera, or the folder holds something
            else.
        HubError: the Hub can't be reached, refused, or sent other content than it promised.
        StorageError: the disk failed.
        MissingDependencyError: the extra `hub` isn't installed.
    """
    names = None if cameras is None else tuple(dict.fromkeys(cameras))

    def choice(dataset: Dataset) -> Selection:
        chosen = episodes(dataset) if callable(episodes) else episodes
        numbers = None if chosen is None else tuple(dict.fromkeys(map(int, chosen)))
        return Selection(episodes=numbers, cameras=names, content=content)

    found = required_reference(reference)
    return pull_selection(found, out or default_folder(found), choice, token, progress)


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
    progress: Progress | None = None,
) -> PullReport:
    """`pull`, with parsed arguments; without a choice, the documents are fetched only to show them."""
    with quiet(reference):
        resolved = resolve_revision(reference, token)
        source = RemoteSource(reference, resolved.commit, token)
        documents = _documents(source)
        with _alone(local_path(out)) as target:
            record = _record_for(target, reference, resolved.revision, resolved.commit)
            work = _Pull(source, target, record, progress)
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
    """Fetch those of the named files that a local dataset lacks; files that are there aren't touched.

    Args:
        repo_id: the dataset's repository, `user/name`.
        root: the dataset's folder, which need not exist.
        files: names, relative to the folder.
        revision: branch, tag or commit; by default that of the pull that made the folder, else as for `pull`.
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
            raise HubError(f"'{reference}' on {host()} has no files {listed(absent)}")
        with _alone(target.url) as at:
            fetch(source, found.values(), at, lambda _file, _pulled: None)
            remove_staging(at)
    return due


def _documents(source: RemoteSource) -> dict[str, RemoteFile]:
    """The documents of a repository, by name.

    Raises:
        HubError: it is no dataset in the LeRobot format.
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
            f"'{target.url}' holds '{found.repo_id}@{found.revision}' (commit {found.commit[:8]}), not"
            f" commit {commit[:8]} of '{reference.repo_id}': pull into another folder (-o), or remove that"
            " one"
        )
    return found


class _Planned(LocalRoot):
    """A folder that lists the files of a repository, of which only the documents need to be here."""

    def __init__(self, target: LocalRoot, names: Iterable[str]) -> None:
        super().__init__(target.path)
        self._names = tuple(sorted(names))

    def listing(self) -> Listing:
        return Listing(self._names)


class _Files(NamedTuple):
    """The files that a pull wants beside the documents."""

    found: dict[str, RemoteFile]
    missing: tuple[str, ...] = ()


class _Pull:
    """One pull: what is wanted, what is here, and the record of it."""

    def __init__(
        self,
        source: RemoteSource,
        target: LocalRoot,
        record: PullRecord,
        progress: Progress | None,
    ) -> None:
        self._source, self._target, self._record = source, target, record
        self._progress = progress
        self._here: dict[str, PulledFile] = {}
        self._here_bytes = 0
        self._wanted_bytes = 0
        self._known = read_contents(target)
        self._fetched: list[str] = []
        self._wanted: dict[str, RemoteFile] = {}

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Keep the record on the disk up to date, also where the block fails."""
        self._write()
        try:
            yield
        finally:
            self._write()
        remove_staging(self._target)
        self._target.sync([name for name in self._fetched if self._target.exists(name)])
        self._record = replace(self._record, complete=True)
        self._write()

    def get(self, files: Mapping[str, RemoteFile]) -> None:
        """Fetch the files that aren't here."""
        found = present_files(self._target, files.values(), self._known)
        self._wanted |= files
        self._wanted_bytes = sum(file.size_bytes for file in self._wanted.values())
        self._here |= found
        self._here_bytes = sum(file.size_bytes for file in self._here.values())
        self._show()
        due = [file for name, file in sorted(files.items()) if name not in found]
        fetch(self._source, due, self._target, self._arrived)

    def planned(self, documents: Mapping[str, RemoteFile], choice: Choice | None) -> _Files:
        """The files to fetch beside the documents: for the choice, and for what was asked for before.

        What is chosen becomes a selection of the record.
        """
        dataset = dataset_below(_Planned(self._target, documents))
        before = self._record.selections
        chosen = () if choice is None else (choice(dataset),)
        selections = tuple(dict.fromkeys([*before, *chosen]))
        if not selections:
            return _Files({})
        names = _touched(dataset, selections)  # raises if the dataset has no such episode or camera
        self._record = replace(self._record, selections=selections, complete=False)
        self._write()
        return self._found(names, selections)

    def _found(self, names: list[str], selections: Sequence[Selection]) -> _Files:
        """The named files, and all others of a whole repository, as the repository has them."""
        source, whole = self._source, Selection() in selections
        if not whole:
            found = find_files(source.reference, source.commit, names, source.token)
            if len(found) == len(names):
                return _Files(found)
        every = list_files(source.reference, source.commit, source.token)
        names = _touched(dataset_below(_Planned(self._target, every)), selections)
        if whole:
            names = list(dict.fromkeys([*names, *every]))
        found = {name: every[name] for name in names if name in every}
        return _Files(found, tuple(name for name in names if name not in every))

    def report(self, files: _Files) -> PullReport:
        """What was done."""
        return PullReport(
            path=self._target.url,
            repo_id=self._record.repo_id,
            revision=self._record.revision,
            commit=self._record.commit,
            files={name: file.size_bytes for name, file in sorted(self._wanted.items())},
            fetched=tuple(self._fetched),
            missing=files.missing,
        )

    def _arrived(self, file: RemoteFile, pulled: PulledFile) -> None:
        self._here[file.name] = pulled
        self._here_bytes += file.size_bytes
        self._fetched.append(file.name)
        self._show()

    def _show(self) -> None:
        if self._progress is not None:
            self._progress(self._here_bytes, self._wanted_bytes)

    def _write(self) -> None:
        self._target.put(CONTENTS, contents_to_bytes({**self._known, **self._here}))
        self._target.put(RECORD, self._record.to_bytes())


def _touched(dataset: Dataset, selections: Iterable[Selection]) -> list[str]:
    """Names of the tables and videos that any of the selections needs."""
    return list(dict.fromkeys(name for one in selections for name in touched_files(dataset, one)))
