"""The journal of a commit: what one more episode changes, noted before anything is changed.

`meta/.roboreel-commit.json` is written when all files of an episode are whole and on the disk under partial
names, and removed when all have their own. A commit that was killed in between leaves the journal. Then

- readers see the dataset before the commit, or after it where only `info.json` has yet to get its name;
  nothing is written (`pending_commit`);
- the next writer finishes the commit (`writing/episode_commit.py: recover_commit`).

A journal whose `info.json` is neither the one before nor missing is out of date, and counts no more.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from roboreel.errors import Problem, RoboreelError
from roboreel.format.model import INFO
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import Root

JOURNAL = "meta/.roboreel-commit.json"


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A whole file that is to get its name."""

    source: str
    """Where it is until then: relative to the dataset, or absolute."""
    name: str
    is_new: bool
    """False for a document that takes the place of the one before."""


@dataclass(frozen=True, slots=True)
class PendingLines:
    """Lines that are to be appended to a document."""

    name: str
    size_bytes: int
    """Of the document before."""
    text: str

    @property
    def data(self) -> bytes:
        """The lines as they are written."""
        return self.text.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitJournal:
    """One commit, in its order: `files`, then `lines`, then `last`, then `info.json`."""

    episode: int
    tasks: int
    """How many the task list had before."""
    info_before: str | None
    """SHA-256 of `info.json` before the commit; None where there was none."""
    files: tuple[PendingFile, ...]
    lines: tuple[PendingLines, ...]
    last: tuple[PendingFile, ...]
    info: PendingFile

    def to_json(self) -> bytes:
        """The document."""
        return json.dumps(asdict(self)).encode()

    @property
    def names(self) -> list[str]:
        """Names of everything that it changes, but for `info.json`, in order."""
        return [one.name for part in (self.files, self.lines, self.last) for one in part]

    @property
    def new_names(self) -> frozenset[str]:
        """Names that no file had before."""
        return frozenset(one.name for one in (*self.files, *self.last) if one.is_new)


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """A commit that is not finished, and how far it got."""

    journal: CommitJournal
    waiting: tuple[str, ...]
    """Names of the files and documents, but for `info.json`, that have yet to change."""

    @property
    def hidden(self) -> frozenset[str]:
        """Names of files that are not part of the dataset yet."""
        return self.journal.new_names if self.waiting else frozenset()

    def cut(self, documents: Mapping[str, bytes]) -> dict[str, bytes]:
        """Documents without lines that are not part of the dataset yet."""
        before = {one.name: one.size_bytes for one in self.journal.lines} if self.waiting else {}
        return {name: data[: before.get(name, len(data))] for name, data in documents.items()}

    def cut_tasks(self, tasks: pa.Table) -> pa.Table:
        """The task table without tasks that are not part of the dataset yet."""
        return tasks.slice(0, self.journal.tasks) if self.waiting else tasks

    def problem(self) -> Problem:
        """What readers are told."""
        number = self.journal.episode
        read = (
            "the dataset is read without it"
            if self.waiting
            else "only info.json was missing, so the dataset is read with it"
        )
        return Problem(
            rule="recording.unfinished",
            severity="note",
            message=f"the save of episode {number} was interrupted or is in progress: {read}",
            path=JOURNAL,
            episode=number,
            action="the next recorder will finish it",
        )


def pending_commit(root: Root) -> PendingCommit | None:
    """The commit that a dataset's journal tells of; None where there is none, or it is out of date."""
    if not isinstance(root, LocalRoot):
        return None
    journal = read_journal(root)
    if journal is None or digest_of_info(root) != journal.info_before:
        return None
    return PendingCommit(journal, tuple(_waiting(root, journal)))


def read_journal(root: LocalRoot) -> CommitJournal | None:
    """The journal in a dataset's folder; None where there is none, or it is not one."""
    if not root.exists(JOURNAL):
        return None
    try:
        found: Any = json.loads(root.read(JOURNAL))
        return CommitJournal(
            episode=int(found["episode"]),
            tasks=int(found["tasks"]),
            info_before=found["info_before"],
            files=_files(found["files"]),
            lines=tuple(PendingLines(**one) for one in found["lines"]),
            last=_files(found["last"]),
            info=PendingFile(**found["info"]),
        )
    except (RoboreelError, ValueError, KeyError, TypeError):
        return None


def _files(found: Sequence[Mapping[str, Any]]) -> tuple[PendingFile, ...]:
    return tuple(PendingFile(**one) for one in found)


def digest_of_info(root: LocalRoot) -> str | None:
    """SHA-256 of `info.json`; None where there is none."""
    return hashlib.sha256(root.read(INFO)).hexdigest() if root.exists(INFO) else None


def source_path(root: LocalRoot, file: PendingFile) -> str:
    """Where a file is that is to get its name."""
    return os.path.join(root.url, file.source)


def _waiting(root: LocalRoot, journal: CommitJournal) -> list[str]:
    files = [*journal.files, *journal.last]
    found = [one.name for one in files if os.path.lexists(source_path(root, one))]
    found += [one.name for one in files if one.is_new and not root.exists(one.name)]
    for one in journal.lines:
        size = root.stat(one.name).size_bytes if root.exists(one.name) else 0
        if size < one.size_bytes + len(one.data):
            found.append(one.name)
    return list(dict.fromkeys(found))
