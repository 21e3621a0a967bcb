"""What a push has to do: which files are new, changed, the same, or only on the Hub."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from roboreel.dataset.commit_journal import pending_commit
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.pull_record import Selection
from roboreel.errors import UsageError, counted, listed
from roboreel.hub.client import library
from roboreel.hub.push_options import DATASET_FOLDERS, NEVER_PUSHED, VIDEOS, PushOptions
from roboreel.hub.remote_files import RemoteFile
from roboreel.hub.wanted_files import touched_files
from roboreel.storage.root import FileStat
from roboreel.storage.video.packet_index import INDEX_FILE

_READERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file to upload."""

    name: str
    size_bytes: int
    content: str | bytes
    """Path of a local file, or the content of one that was made for the Hub."""
    replaces: bool
    """True if the Hub has another file of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPlan:
    """What a push has to do."""

    uploads: tuple[Upload, ...]
    """New and changed files, by name."""
    unchanged: tuple[str, ...]
    removals: tuple[str, ...]
    """Files of the format that only the Hub has."""

    @property
    def upload_bytes(self) -> int:
        """Size of all files to upload."""
        return sum(one.size_bytes for one in self.uploads)

    def commits(self, limit: int) -> list[tuple[Sequence[Upload], Sequence[str]]]:
        """(uploads, removals) of each commit, at most `limit` uploads in each.

        New files come first. Those that replace others, documents and removals change what readers see:
        they come last, in one commit if they are few enough.
        """
        new = [one for one in self.uploads if not one.replaces and not one.name.startswith("meta/")]
        last = [one for one in self.uploads if one.replaces or one.name.startswith("meta/")]
        if len(self.uploads) <= limit:
            new, last = [], list(self.uploads)
        parts = [*_chunks(new, limit), *_chunks(last, limit)]
        parts = parts or ([[]] if self.removals else [])
        return [
            (part, self.removals if number == len(parts) else ())
            for number, part in enumerate(parts, 1)
        ]


def local_files(dataset: Dataset, options: PushOptions) -> dict[str, FileStat]:
    """Size and stamp of each file to have on the Hub, by name; of documents, from when they were read.

    Raises:
        UsageError: tables or videos that the documents name are missing, or a save is unfinished.
        StorageError: a file cannot be read.
    """
    _require_whole(dataset, options)
    wanted = pushed_names(dataset.files, options)
    return {name: dataset.documents.get(name) or dataset.root.stat(name) for name in wanted}


def pushed_names(names: Iterable[str], options: PushOptions) -> list[str]:
    """Those of some names that the options choose."""
    chosen = [name for name in names if not name.startswith(NEVER_PUSHED)]
    if not options.videos:
        chosen = [name for name in chosen if not name.startswith(VIDEOS)]
    filtered: Iterable[str] = library().utils.filter_repo_objects(
        chosen,
        allow_patterns=list(options.allow) or None,
        ignore_patterns=list(options.ignore) or None,
    )
    return list(filtered)


def plan_push(
    dataset: Dataset,
    files: Mapping[str, FileStat],
    made: Mapping[str, bytes],
    remote: Mapping[str, RemoteFile],
    options: PushOptions,
    compared: dict[tuple[str, str], bool],
) -> PushPlan:
    """Compare a dataset with a repository; local files are read only where size and name are the same.

    Args:
        dataset: the dataset.
        files: size and stamp of each file to push, by name.
        made: content of files that are made for the Hub, such as the card; they win over local files.
        remote: the files of the repository.
        options: what to push.
        compared: whether a local file has a digest, by name and digest: files are read once in all attempts.
    """
    uploads, same = _compared(dataset, files, made, remote, compared)
    # a packet index is right for the videos that it was made from, and says which
    here = {*dataset.files, *made, INDEX_FILE}
    leftover = [n for n in remote if n.startswith(DATASET_FOLDERS) and n not in here]
    return PushPlan(
        uploads=uploads,
        unchanged=same,
        removals=tuple(sorted(pushed_names(leftover, options))),
    )


def _compared(
    dataset: Dataset,
    files: Mapping[str, FileStat],
    made: Mapping[str, bytes],
    remote: Mapping[str, RemoteFile],
    compared: dict[tuple[str, str], bool],
) -> tuple[tuple[Upload, ...], tuple[str, ...]]:
    sizes = {name: stat.size_bytes for name, stat in files.items()}
    sizes |= {name: len(data) for name, data in made.items()}
    names = sorted(sizes)

    def is_same(name: str) -> bool:
        there = remote.get(name)
        if there is None or there.size_bytes != sizes[name]:
            return False
        if name in made:
            return there.is_content(io.BytesIO(made[name]))
        key = name, there.digest
        if key not in compared:
            with dataset.root.input(name) as file:
                compared[key] = there.is_content(file)
        return compared[key]

    with ThreadPoolExecutor(_READERS) as pool:
        answers = dict(zip(names, pool.map(is_same, names), strict=True))
    uploads = tuple(
        Upload(
            name=name,
            size_bytes=sizes[name],
            content=made[name] if name in made else os.path.join(dataset.url, name),
            replaces=name in remote,
        )
        for name, same in answers.items()
        if not same
    )
    return uploads, tuple(name for name, same in answers.items() if same)


def _require_whole(dataset: Dataset, options: PushOptions) -> None:
    commit = pending_commit(dataset.root)
    if commit is not None:
        raise UsageError(
            f"episode {commit.journal.episode} of '{dataset.url}' is not completely saved: wait until the"
            " recorder has saved it, or finish it with `roboreel repair`"
        )
    content = Selection(episodes=None, cameras=None, content="all" if options.videos else "tables")
    missing = _missing(touched_files(dataset, content), dataset.files)
    if missing:
        raise UsageError(
            f"'{dataset.url}' is incomplete: it lacks {counted(len(missing), 'file')} that its documents name"
            f" ({listed(missing)}). Download or repair the dataset first, or select complete episodes with"
            " `roboreel keep` and push the result"
        )


def _missing(wanted: Iterable[str], files: Collection[str]) -> list[str]:
    here = set(files)
    return [name for name in wanted if name not in here]


def _chunks(items: Sequence[Upload], size: int) -> list[Sequence[Upload]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
