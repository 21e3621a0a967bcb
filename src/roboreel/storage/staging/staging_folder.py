"""The staging folder in which a result is made: its content, its owner, and its lock.

    .NAME.roboreel-partial/
        lock            locked by the running process
        ledger.jsonl    the finished ops (`runner/ledger.py`)
        dataset/        the result so far
        swap.json       written before publishing: the report, and in place the original's new name
        .roboreel-…/    files that ops of the running process have not finished
        discarded/      a folder that is being removed; in place also the original

    DST/.roboreel-parts/
        lock            locked by the run that writes parts of a dataset into DST
        plans.json      the plans of the parts (`ops/split.py`)

The folder is beside the output, where somebody else may have put one of that name: an unpacked archive, or
another user of a shared folder. So links are not followed, pipes are not waited for, files of other users
are not touched, and a ledger is only valid in the folder in which it was written.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import IO, Any

from roboreel.errors import StorageError
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.lock import MOVE, hold, is_mine, is_own, refuse_held, require_own
from roboreel.storage.modes import PRIVATE
from roboreel.storage.scratch import is_scratch

LOCK, LEDGER, SWAP, PLANS = "lock", "ledger.jsonl", "swap.json", "plans.json"
DATASET, DISCARDED = "dataset", "discarded"
_FOLDERS, _FILES = {DATASET, DISCARDED}, {LOCK, LEDGER, SWAP, PLANS}
_MOST_NOTE_BYTES = 1 << 28
"""Largest note: a report lists every problem, which takes megabytes."""
_START_OVER = 'pass leftovers="clean" to start over'


def foreign_names(folder: Path) -> list[str]:
    """Names in a staging folder that roboreel does not use there, sorted."""
    names = set(os.listdir(folder)) - _FOLDERS - _FILES
    return sorted(name for name in names if not is_scratch(name))


def take(folder: Path, *, timeout_s: float) -> IO[bytes]:
    """Lock a staging folder and return the open lock file; a missing folder is made, private to the user.

    Waits up to `timeout_s` for the lock, because a killed run keeps it until its last process has ended.

    Raises:
        UsageError: another run is writing there, or roboreel did not make what is there.
        StorageError: this system cannot lock files, so that two runs could write one result.
        OSError: the folder cannot be made.
    """

    def made() -> None:
        disk.make_folders(folder.parent)
        with contextlib.suppress(FileExistsError):  # not a folder: refused right below
            disk.make_folders(folder, PRIVATE)
        refuse_planted(folder)

    return hold(folder / LOCK, timeout_s=timeout_s, busy=_at_work(folder), prepare=made)


def refuse_at_work(folder: Path, *, timeout_s: float) -> None:
    """Raise `UsageError` if another run is using a staging folder. Nothing is written."""
    refuse_held(folder / LOCK, timeout_s=timeout_s, busy=_at_work(folder))


def _at_work(folder: Path) -> str:
    return f"another run of roboreel is using '{folder}': wait until it ends"


def identity(folder: Path) -> str:
    """An id that a copy of a staging folder does not have: the times of its lock file. Empty without one.

    Neither archives nor copies can set a file's change time (ctime).
    """
    try:
        found = os.lstat(folder / LOCK)
    except OSError:
        return ""
    return f"{found.st_mtime_ns}-{found.st_ctime_ns}" if S_ISREG(found.st_mode) else ""


def write_note(folder: LocalRoot, name: str, content: Mapping[str, object]) -> None:
    """Write a JSON object that `read_note` accepts only in this folder, not in a copy of it."""
    folder.put(name, json.dumps({"folder": identity(folder.path), **content}).encode())


def read_note(folder: Path, name: str) -> dict[str, Any] | None:
    """Read the object that `write_note` wrote in this folder; None if there is none, or it was copied."""
    notes, here = LocalRoot(folder), identity(folder)
    try:
        if notes.stat(name).size_bytes > _MOST_NOTE_BYTES:
            return None
        content = json.loads(notes.read(name))
    except (StorageError, ValueError, RecursionError):
        return None
    ours = isinstance(content, dict) and here and content.get("folder") == here
    return content if ours else None


def refuse_planted(folder: Path, *, look_only: bool = False) -> None:
    """Raise `UsageError` if roboreel did not make a staging folder, or something with a known name in it.

    Args:
        folder: the folder.
        look_only: True never creates a file, not even an unnamed one to find out who owns new files.
    """
    owner = is_mine if look_only else is_own
    require_own(folder, os.lstat(folder), as_folder=True, remedy=MOVE, owner=owner)
    for name in sorted(_FOLDERS | _FILES):
        with contextlib.suppress(FileNotFoundError):
            path = folder / name
            found = os.lstat(path)
            require_own(path, found, as_folder=name in _FOLDERS, remedy=MOVE, owner=owner)


def files_below(folder: Path) -> Iterator[tuple[str, int]]:
    """(name, size in bytes) of every file of a result so far.

    Raises:
        UsageError: there is a link, or something else that roboreel did not make.
        StorageError: a folder cannot be listed.
    """
    due = [(os.fspath(folder), "")]
    try:
        while due:
            at, prefix = due.pop()
            with os.scandir(at) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    is_folder = S_ISDIR(found.st_mode)
                    path = Path(entry.path)
                    require_own(path, found, as_folder=is_folder, remedy=_START_OVER)
                    if is_folder:
                        due.append((entry.path, f"{prefix}{entry.name}/"))
                    else:
                        yield prefix + entry.name, found.st_size
    except OSError as error:
        raise StorageError(f"cannot read '{folder}': {error.strerror}") from error
