"""Open the root at a path or URL.

All reading and writing goes through a root, so only this module chooses the kind of store. Changes of a
local disk are passed on to `disk.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from roboreel.errors import MissingFileError, StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.modes import USUAL, Modes
from roboreel.storage.names import is_url, local_path
from roboreel.storage.remote.http_root import HttpRoot
from roboreel.storage.remote.remote import FsspecRoot
from roboreel.storage.remote.store_root import StoreRoot
from roboreel.storage.root import Root
from roboreel.storage.staging.attempt_root import AttemptRoot
from roboreel.storage.staging.originals import kept_beside
from roboreel.storage.staging.staging import staging_location
from roboreel.storage.write_root import WriteRoot


def open_root(location: str | os.PathLike[str], *, follow_links: bool = False) -> Root:
    """Open the root at a local path or a URL with a scheme.

    Args:
        location: the path or URL.
        follow_links: True to follow links that lead out of a local folder.

    Raises:
        MissingFileError: the local folder does not exist.
        StorageError: it is a file.
        UsageError: the path is not UTF-8.
    """
    text = os.fspath(location).removeprefix("file://")
    if text.startswith(("http://", "https://")):
        return HttpRoot(text)
    if is_url(text):
        return FsspecRoot(text)
    path = local_path(text)
    if not os.path.isdir(path):
        if os.path.exists(path):
            raise StorageError(f"'{text}': a file, not a dataset's folder")
        raise MissingFileError(f"'{text}': no such folder{_earlier(path)}")
    return LocalRoot(path, follow_links=follow_links)


def open_output(
    location: str | os.PathLike[str], *, modes: Modes = USUAL, unfinished: str = ""
) -> WriteRoot:
    """Open the root at a local path or URL to write into; it need not exist.

    Args:
        location: the path or URL.
        modes: permissions of new files and folders on a local disk.
        unfinished: of a local disk, the folder for unfinished files of a run (see `AttemptRoot`); by default
            they are beside the finished ones.
    """
    text = os.fspath(location)
    if is_url(text):
        return StoreRoot(text)
    if unfinished:
        return AttemptRoot(text, unfinished=unfinished, modes=modes)
    return LocalRoot(text, modes=modes)


def _earlier(path: str) -> str:
    """A hint how to restore a missing dataset's earlier version, or to finish it; empty if there is none."""
    if os.path.lexists(path):
        return ""
    if not (kept := kept_beside(path)):
        begun = staging_location(path)
        if not begun.is_dir():
            return ""
        resume = 'if that was interrupted, run its command again with leftovers="resume"'
        return f", but '{begun.name}' of an unfinished run is beside it: {resume}"
    return f", but '{kept[0].name}' is beside it: 'roboreel undo {quote(path)}' shows how to restore it"


def inside(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """True if `path` is `folder` or below it, with links resolved."""
    return Path(path).resolve().is_relative_to(Path(folder).resolve())
