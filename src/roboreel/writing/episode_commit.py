"""Commit one episode: a journal, then every file its name, `info.json` last.

After any of these steps lerobot 0.6.1 opens the dataset and reads every row that it finds, with or without
the new episode (docs/design/0016). From the journal on, the commit can only be finished: by `finish_commit`,
here or in the process that opens the dataset next.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from roboreel.dataset.commit_journal import (
    JOURNAL,
    CommitJournal,
    PendingFile,
    PendingLines,
    digest_of_info,
    read_journal,
    source_path,
)
from roboreel.errors import DatasetError, StorageError
from roboreel.format.model import INFO
from roboreel.format.v30 import GLOBAL_STATS
from roboreel.storage.local import LocalRoot
from roboreel.storage.tables.tables_write import write_table
from roboreel.writing.commit_documents import Documents
from roboreel.writing.partial_files import PartialFiles, set_aside

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecoveredSave:
    """What became of a save that was interrupted."""

    episode: int
    finished: bool
    """False: it could not be finished, and its files were set aside."""


def commit(
    root: LocalRoot,
    files: PartialFiles,
    documents: Documents,
    *,
    ready: Callable[[], None],
) -> None:
    """Commit an episode whose own files are written.

    Args:
        root: the dataset.
        files: the episode's files under their partial names.
        documents: what changes with it, and the order of everything.
        ready: called when all is on the disk and nothing has changed yet; what it raises ends the commit.

    Raises:
        StorageError: the disk fails. If the dataset has a journal then, the next writer finishes the commit.
    """
    for name, content in documents.whole.items():
        if isinstance(content, pa.Table):
            write_table(root, files.partial(name), content)
        else:
            files.put(name, content)
    files.put(INFO, documents.info)
    files.sync()
    ready()
    for name in documents.unique:
        set_aside(root, name)
    journal = _journal(root, files, documents)
    _write_journal(root, journal)
    files.hand_over()
    _finished(root, journal)


def _journal(root: LocalRoot, files: PartialFiles, documents: Documents) -> CommitJournal:
    def pending(name: str) -> PendingFile:
        source = files.source(name)
        inside = os.path.relpath(source, root.url)
        kept = os.path.abspath(source) if inside.startswith("..") else inside
        return PendingFile(kept, name, is_new=not root.exists(name))

    def size(name: str) -> int:
        return root.stat(name).size_bytes if root.exists(name) else 0

    return CommitJournal(
        episode=documents.episode,
        tasks=documents.tasks_before,
        info_before=digest_of_info(root),
        files=tuple(pending(name) for name in documents.order if name != GLOBAL_STATS),
        lines=tuple(PendingLines(n, size(n), d.decode()) for n, d in documents.lines.items()),
        last=tuple(pending(name) for name in documents.order if name == GLOBAL_STATS),
        info=pending(INFO),
    )


def _write_journal(root: LocalRoot, journal: CommitJournal) -> None:
    try:
        root.put(JOURNAL, journal.to_json())
        root.sync([JOURNAL])
        root.sync_folders([JOURNAL])
    except BaseException:
        with suppress(StorageError):  # there is an error to tell of already
            root.remove(JOURNAL)
        raise


def _finished(root: LocalRoot, journal: CommitJournal) -> None:
    """Finish a commit; where the disk fails at first, try once more, because there is no way back."""
    try:
        finish_commit(root, journal)
    except (StorageError, OSError) as error:
        _LOG.warning("'%s': %s: trying again", root.url, error)
        finish_commit(root, journal)


def finish_commit(root: LocalRoot, journal: CommitJournal) -> None:
    """Do what is left of a commit.

    Raises:
        StorageError: the disk fails, or a file is gone.
    """
    for one in journal.files:
        _rename(root, one)
    for lines in journal.lines:
        _append(root, lines)
    for one in journal.last:
        _rename(root, one)
    # after a power cut, an `info.json` that counts the episode must find its files
    root.sync_folders(journal.names)
    _rename(root, journal.info)
    root.sync_folders([INFO])
    root.remove(JOURNAL)


def _rename(root: LocalRoot, one: PendingFile) -> None:
    source = source_path(root, one)
    if os.path.lexists(source):
        if one.is_new:
            set_aside(root, one.name)
        root.take(source, one.name)
    elif one.is_new and not root.exists(one.name):
        raise StorageError(f"'{one.name}' in '{root.url}': its file '{one.source}' is missing")


def _append(root: LocalRoot, lines: PendingLines) -> None:
    """Append lines, whatever part of them is there; and force them to the disk."""
    size = root.stat(lines.name).size_bytes if root.exists(lines.name) else 0
    if size < lines.size_bytes:
        raise StorageError(
            f"'{lines.name}' in '{root.url}': {size} bytes, expected {lines.size_bytes} or more"
        )
    if size != lines.size_bytes + len(lines.data):
        if size > lines.size_bytes:
            root.cut(lines.name, lines.size_bytes)
        root.append(lines.name, lines.data)
    root.sync([lines.name])


def recover_commit(root: LocalRoot) -> RecoveredSave | None:
    """Finish the interrupted commit of a dataset, or undo it where its files are gone.

    Returns:
        What became of it; None where there was none.

    Raises:
        StorageError: the disk fails.
        DatasetError: the dataset was changed since, so that it can be neither finished nor undone.
    """
    if not root.exists(JOURNAL):
        return None
    journal = read_journal(root)
    if journal is None or _is_done(root, journal):
        root.remove(JOURNAL)  # torn before anything was changed, or left when all was done
        return None
    if digest_of_info(root) != journal.info_before:
        return _given_up(root, journal)
    lost = [*_gone(root, journal)]
    if lost:
        _undo(root, journal)
    else:
        finish_commit(root, journal)
    done = "set aside, because some of its files are missing" if lost else "finished"
    _LOG.warning("'%s': the interrupted save of episode %d was %s", root.url, journal.episode, done)
    return RecoveredSave(journal.episode, finished=not lost)


def _is_done(root: LocalRoot, journal: CommitJournal) -> bool:
    """True where the new `info.json` has its name: it is the last to get it."""
    changed = digest_of_info(root) != journal.info_before
    return changed and not os.path.lexists(source_path(root, journal.info))


def _given_up(root: LocalRoot, journal: CommitJournal) -> RecoveredSave:
    """Keep a journal whose commit would overwrite what somebody else wrote since, under another name."""
    set_aside(root, JOURNAL)
    root.sync_folders([JOURNAL])
    _LOG.warning(
        "'%s': '%s' was changed after the save of episode %d was interrupted: that save is not finished."
        " Its files stay under their partial names, which '%s.unclaimed-…' lists",
        root.url,
        INFO,
        journal.episode,
        JOURNAL,
    )
    return RecoveredSave(journal.episode, finished=False)


def _gone(root: LocalRoot, journal: CommitJournal) -> Iterator[str]:
    """New files that are neither under their partial name nor under their own."""
    for one in (*journal.files, *journal.last):
        if one.is_new and not os.path.lexists(source_path(root, one)) and not root.exists(one.name):
            yield one.name


def _undo(root: LocalRoot, journal: CommitJournal) -> None:
    """Make the dataset what it was; the task list and statistics may keep more, which does no harm."""
    # the list of episodes, which comes last, is cut first: it must not name an episode without files
    for lines in reversed(journal.lines):
        size = root.stat(lines.name).size_bytes if root.exists(lines.name) else 0
        if size < lines.size_bytes:
            raise DatasetError(f"'{root.url}': '{lines.name}' is shorter than the journal says")
        root.cut(lines.name, lines.size_bytes)
    for one in reversed((*journal.files, *journal.last)):
        if one.is_new:
            set_aside(root, one.name)
    root.sync_folders(journal.names)
    root.remove(JOURNAL)
