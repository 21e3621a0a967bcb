"""Find and finish runs that were killed while they published their result.

Only commands that write finish such a run; looking for one changes nothing.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roboreel.errors import StorageError, UsageError
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.staging.staging_folder import (
    DATASET,
    SWAP,
    foreign_names,
    read_note,
    refuse_planted,
    take,
    write_note,
)

_TIMEOUT_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A run that was killed while it published its result, and is now finished."""

    original: str | None
    """Path of the original, if the run was in place and keeps it."""
    report: dict[str, Any]
    """The report of the run, as JSON."""


def note_swap(notes: LocalRoot, final: Path, kept: str | None, report: object) -> None:
    """Record that the result is about to be published.

    Args:
        notes: the staging folder.
        final: path of the result.
        kept: in place only: the name that the original gets.
        report: JSON that a later run shows if this one is killed.
    """
    write_note(notes, SWAP, {"name": final.name, "kept": kept, "report": report})


def finish(final: Path, folder: Path) -> Recovered | None:
    """Finish a run that was killed while publishing; None if there is none.

    If a run in place was killed between its two renames, its result, complete and checked, is moved from the
    staging folder to its path. After publishing, only leftovers are removed.

    Args:
        final: path of the result.
        folder: its staging folder.
    """
    with contextlib.suppress(OSError):
        sweep(_gone(folder))
    if not os.path.lexists(folder):
        return None
    try:
        lock = take(folder, timeout_s=_TIMEOUT_S)
    except (
        OSError,
        UsageError,
    ):  # another run has it, it is not roboreel's, or the disk is read-only
        return None
    with lock:
        return _finished(final, folder)


def moved_original(final: Path, folder: Path) -> str | None:
    """Path of the original of a run in place that was killed between its two renames; else None."""
    if os.path.lexists(final):
        return None
    try:
        refuse_planted(folder, look_only=True)
    except (OSError, UsageError):
        return None
    kept = _kept(final, _read_swap(final, folder))
    whole = kept is not None and kept.is_dir() and (folder / DATASET).is_dir()
    return str(kept) if whole else None


def remove(folder: Path) -> None:
    """Remove a staging folder; it is renamed first, so that an incomplete one is never read."""
    gone = _gone(folder)
    sweep(gone)
    disk.replace(folder, gone)
    disk.remove_folder(gone)


def sweep(gone: Path) -> None:
    """Remove the rest of a folder whose removal was interrupted."""
    with contextlib.suppress(FileNotFoundError, UsageError):
        refuse_planted(gone)
        if not foreign_names(gone):
            disk.remove_folder(gone)


def _finished(final: Path, folder: Path) -> Recovered | None:
    result, swap = folder / DATASET, _read_swap(final, folder)
    kept = _kept(final, swap)
    moved = kept is not None and kept.is_dir() and not os.path.lexists(final)
    try:
        if moved and result.is_dir():
            disk.replace(result, final)
        if result.is_dir() or not final.exists():
            return None  # nothing to finish: the folder waits for a resumed run
        if not foreign_names(folder):
            remove(folder)
    except OSError as error:
        raise StorageError(
            f"the interrupted replacement of '{final}' cannot be finished: {error.strerror};"
            f" the original is '{kept}', the result '{result}'"
        ) from error
    if swap is None:
        return None
    original = str(kept) if kept is not None and kept.is_dir() else None
    return Recovered(original=original, report=swap["report"])


def _kept(final: Path, swap: dict[str, Any] | None) -> Path | None:
    return final.parent / swap["kept"] if swap and swap["kept"] else None


def _read_swap(final: Path, folder: Path) -> dict[str, Any] | None:
    swap = read_note(folder, SWAP)
    if swap is None or swap.get("name") != final.name:
        return None
    kept, report = swap.get("kept"), swap.get("report")
    named = kept is None or (isinstance(kept, str) and _is_name(kept))
    return swap if named and isinstance(report, dict) else None


def _is_name(name: str) -> bool:
    """True if `name` is a plain name, without a path."""
    return os.path.basename(name) == name and name not in ("", os.curdir, os.pardir)


def _gone(folder: Path) -> Path:
    """The name under which a staging folder is removed."""
    return folder.with_suffix(".roboreel-done")
