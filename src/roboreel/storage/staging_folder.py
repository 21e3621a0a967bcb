"""The folder in which a result is made: what roboreel puts there, whose it is, which run has it.

    .NAME.roboreel-partial/
        lock            held by the run at work
        ledger.jsonl    what is done (`runner/ledger.py`)
        dataset/        the result, as far as it is made
        swap.json       once the result is to get its place: the report, in place the original's name
        discarded/      in place only: an original that its owner gave up, on its way out

    DST/.roboreel-parts/
        lock            held by the run that writes parts of a dataset into DST
        plans.json      which plans they come of (`ops/split.py`)

It stands beside the output, where others may have put something of that name: an archive that was unpacked,
a stranger in a shared folder. So links are not followed, pipes not waited for, files of other users not
touched; and a ledger counts only in the folder in which it was written.
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
"""A report names every problem: megabytes. What is larger is no note of ours."""
_START_OVER = "pass --clean to start over"


def foreign_names(folder: Path) -> list[str]:
    """What is in a staging folder and no name that roboreel gives there, sorted."""
    names = set(os.listdir(folder)) - _FOLDERS - _FILES
    return sorted(name for name in names if not is_scratch(name))


def take(folder: Path, *, timeout_s: float) -> IO[bytes]:
    """The folder's lock file, locked; the folder is made where it is not there, for the user alone.

    Waits a moment for a lock that is taken: a killed run has it until the last of its processes is gone.

    Raises:
        UsageError: another run is at work there, or roboreel did not make what is there.
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
    """Raise `UsageError` where a run is at work in a staging folder. Nothing is written."""
    refuse_held(folder / LOCK, timeout_s=timeout_s, busy=_at_work(folder))


def _at_work(folder: Path) -> str:
    return f"another run of roboreel is at work in '{folder}': wait for its end"


def identity(folder: Path) -> str:
    """What tells a staging folder from a copy of it: when its lock was made. Empty where there is none.

    No archive and no copy can set the time at which a file's state last changed.
    """
    try:
        found = os.lstat(folder / LOCK)
    except OSError:
        return ""
    return f"{found.st_mtime_ns}-{found.st_ctime_ns}" if S_ISREG(found.st_mode) else ""


def write_note(folder: LocalRoot, name: str, content: Mapping[str, object]) -> None:
    """Write a JSON object that `read_note` takes from this very folder, and from no copy of it."""
    folder.put(name, json.dumps({"folder": identity(folder.path), **content}).encode())


def read_note(folder: Path, name: str) -> dict[str, Any] | None:
    """What `write_note` wrote into this folder; None where there is none, or it was not written here."""
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
    """Raise `UsageError` where a staging folder, or what has our names in it, is not of our making.

    Args:
        folder: the folder.
        look_only: True never makes a file, even an unnamed one, to see whose it is.
    """
    owner = is_mine if look_only else is_own
    require_own(folder, os.lstat(folder), as_folder=True, remedy=MOVE, owner=owner)
    for name in sorted(_FOLDERS | _FILES):
        with contextlib.suppress(FileNotFoundError):
            path = folder / name
            found = os.lstat(path)
            require_own(path, found, as_folder=name in _FOLDERS, remedy=MOVE, owner=owner)


def files_below(folder: Path) -> Iterator[tuple[str, int]]:
    """Name and bytes of every file of a result as far as it is made.

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
