"""What a run that was killed while its result was being published left behind: found, and finished.

Only commands that write finish it. Looking for it changes nothing.
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
from roboreel.storage.staging_folder import (
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
    """A run that was killed while its result was being published, and is finished now."""

    original: str | None
    """Path of the original, if the run was in place and keeps it."""
    report: dict[str, Any]
    """What the run would have reported."""


def note_swap(notes: LocalRoot, final: Path, kept: str | None, report: object) -> None:
    """Note that the result is about to get its place.

    Args:
        notes: the staging folder.
        final: that place.
        kept: the name that the original gets, in place only.
        report: JSON that a later run shows if this one is killed.
    """
    write_note(notes, SWAP, {"name": final.name, "kept": kept, "report": report})


def finish(final: Path, folder: Path) -> Recovered | None:
    """Finish what a killed run left half done; None where it had not come so far.

    A run in place that was killed between its two renames left its result, complete and checked, in the
    staging folder: it gets its place now. What a run left after publishing is removed.

    Args:
        final: the output.
        folder: its staging folder.
    """
    with contextlib.suppress(OSError):
        sweep(_gone(folder))
    if not os.path.lexists(folder):
        return None
    try:
        lock = take(folder, timeout_s=_TIMEOUT_S)
    except (OSError, UsageError):  # a run is at work there, not ours, or the disk is read-only
        return None
    with lock:
        return _finished(final, folder)


def moved_original(final: Path, folder: Path) -> str | None:
    """Path of a dataset whose replacement was killed between the two renames; None where that is not so."""
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
    """Remove a staging folder: at once by its name, so that half of one never tells half of a tale."""
    gone = _gone(folder)
    sweep(gone)
    disk.replace(folder, gone)
    disk.remove_folder(gone)


def sweep(gone: Path) -> None:
    """Remove what a run that was killed while it cleared away has left."""
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
            return None  # nothing to finish: the folder waits for --resume
        if not foreign_names(folder):
            remove(folder)
    except OSError as error:
        raise StorageError(
            f"a replacement of '{final}' was interrupted, and cannot be finished: {error.strerror};"
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
    """True where `name` is that of something beside the output."""
    return os.path.basename(name) == name and name not in ("", os.curdir, os.pardir)


def _gone(folder: Path) -> Path:
    """The name of a staging folder on its way out."""
    return folder.with_suffix(".roboreel-done")
