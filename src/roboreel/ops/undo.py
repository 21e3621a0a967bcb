"""Restore a dataset to what it was before an edit in place."""

from __future__ import annotations

import os
from dataclasses import dataclass

from roboreel.dataset.open import open_dataset
from roboreel.dataset.view_file import is_view_file
from roboreel.errors import StorageError, UsageError
from roboreel.format.model import INFO
from roboreel.hub.open_reference import folder_here
from roboreel.ops.output import refuse_replacing
from roboreel.parallel import stops_passed_over
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import local_path
from roboreel.storage.staging.exchange import put_back, remove_versions
from roboreel.storage.staging.originals import KeptVersion, kept_beside, name_before
from roboreel.storage.staging.staging import recover

_Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What `undo` did."""

    path: str
    """Path of the dataset."""
    restored: str
    """Name of the folder that was restored."""
    kept: str | None
    """Name of the folder that keeps the replaced dataset; None if it was removed, or there was none."""
    replaced: bool
    """True if a dataset was replaced."""


def kept_versions(path: _Path) -> tuple[KeptVersion, ...]:
    """List the earlier versions of a dataset that are kept beside it, newest first. Nothing is written.

    Edits in place keep the original as `NAME.before-TIME`; `undo` keeps what it replaces as
    `NAME.undone-TIME`.

    Args:
        path: the dataset's folder, which may be missing, or `user/name` of a local copy.

    Raises:
        UsageError: `path` is a view file, or a URL, a link or a mount point, which are never replaced in
            place.
        StorageError: there is no such folder, and no earlier version of it.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> path = roboreel.testing.make_dataset(pathlib.Path(tempfile.mkdtemp()) / "pick", version="v2.1")
        >>> report = roboreel.convert(path, to="v3.0", in_place=True)
        >>> [version.kind for version in roboreel.kept_versions(path)]
        ['before']
    """
    folder = local_path(folder_here(path))
    refuse_replacing(folder)
    found = kept_beside(folder)
    if not found and is_view_file(folder) and os.path.isfile(folder):
        raise UsageError(
            f"'{folder}' is a view file: it stores its edits, and no earlier version is kept"
        )
    if not found and not os.path.isdir(folder):
        raise StorageError(f"'{folder}': no such folder, and no earlier version of it")
    return found


def undo(path: _Path, *, version: str | None = None, discard_present: bool = False) -> Undone:
    """Restore an earlier version of a dataset.

    The present dataset is kept as `NAME.undone-TIME` and can itself be restored. Another undo goes back one
    more edit. A version that was damaged before a repair is restored as it was.

    Args:
        path: the dataset's folder, or `user/name` of a local copy.
        version: name of the version to restore, from `kept_versions`; by default the newest original.
        discard_present: True to remove the present dataset, as the last step.

    Raises:
        UsageError: there is no such version, or a run is writing the dataset.
        DatasetError: with `discard_present`, the version cannot be opened; nothing is changed.
        StorageError: a folder cannot be read or renamed; nothing is changed.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> path = roboreel.testing.make_dataset(pathlib.Path(tempfile.mkdtemp()) / "pick", version="v2.1")
        >>> report = roboreel.convert(path, to="v3.0", in_place=True)
        >>> roboreel.undo(path).restored == report.kept
        True
        >>> roboreel.open(path).version.value
        'v2.1'
    """
    folder = local_path(folder_here(path))
    finish_interrupted(folder)
    chosen = version_named(folder, version)
    if discard_present:  # the present one will be gone
        open_dataset(chosen.path)
    replaced = os.path.lexists(folder)
    with stops_passed_over():
        kept = put_back(folder, chosen, discard_present=discard_present)
    return Undone(path=folder, restored=chosen.name, kept=kept, replaced=replaced)


def remove_kept(path: _Path, *, keep: int) -> tuple[KeptVersion, ...]:
    """Remove all earlier versions of a dataset except the newest ones; return the removed versions.

    Args:
        path: the dataset's folder, which must exist, or `user/name` of a local copy.
        keep: number of versions to keep, 0 or more.

    Raises:
        UsageError: `keep` is negative, or a run is writing the dataset.
        StorageError: there is no such folder, or one cannot be removed.
    """
    folder = local_path(folder_here(path))
    finish_interrupted(folder)
    gone = removable(folder, keep=keep)
    if gone:
        remove_versions(folder, gone)
    return gone


def version_named(path: str, name: str | None) -> KeptVersion:
    """The kept version of a given name, or the newest original if `name` is None.

    Raises:
        UsageError: there is no such version.
    """
    found = kept_versions(path)
    if name is None:
        found = tuple(one for one in found if one.kind == "before")
    chosen = next((one for one in found if name in (None, one.name)), None)
    if chosen is not None:
        return chosen
    if name is not None:
        listed = ", ".join(f"'{one.name}'" for one in found) or "none"
        raise UsageError(f"there is no version '{name}' of '{path}': available are {listed}")
    if kept := kept_versions(path):
        raise UsageError(
            f"no original of '{path}' is kept, only what earlier undos replaced: choose one by its"
            f" name, such as '{kept[0].name}'"
        )
    raise UsageError(f"there is no earlier version of '{path}'{_other_name(path)}")


def removable(path: str, *, keep: int) -> tuple[KeptVersion, ...]:
    """The kept versions beyond the newest `keep`, without folders that are not datasets.

    Raises:
        UsageError: `keep` is negative.
        StorageError: the dataset itself is missing, so an earlier version may be the only copy.
    """
    if keep < 0:
        raise UsageError(f"keep is {keep}, expected the number of versions to keep, 0 or more")
    found = kept_versions(path)
    if not os.path.isdir(path):
        raise StorageError(f"'{path}' does not exist: restore a version before you remove others")
    return tuple(one for one in found[keep:] if LocalRoot(one.path).exists(INFO))


def finish_interrupted(path: str) -> None:
    """Finish an edit in place that was killed while it was publishing its result."""
    refuse_replacing(path)
    recover(path)


def _other_name(path: str) -> str:
    """A hint if the path is an earlier version itself."""
    own = name_before(os.path.basename(os.path.abspath(path)))
    return "" if own is None else f": it is itself an earlier version of '{own}'; give that path"


__all__ = ["KeptVersion", "Undone", "kept_versions", "remove_kept", "undo"]
