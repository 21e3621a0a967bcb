"""The one door to bytes: the root at a path or URL.

Everything that roboreel reads or writes passes through a root, so that the choice of a store lives in one
place; what changes the disk goes on to `disk.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from roboreel.errors import StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import local_path
from roboreel.storage.originals import kept_beside
from roboreel.storage.remote import FsspecRoot
from roboreel.storage.root import Root


def open_root(location: str | os.PathLike[str], *, follow_links: bool = False) -> Root:
    """The root at a local path or a URL with a scheme.

    Args:
        location: the path or URL.
        follow_links: True to read what links out of a local folder lead to.

    Raises:
        StorageError: there is no folder at a local path.
        UsageError: the path is not UTF-8.
    """
    text = os.fspath(location).removeprefix("file://")
    if "://" in text:
        return FsspecRoot(text)
    path = local_path(text)
    if not os.path.isdir(path):
        kind = "a file, not a dataset's folder" if os.path.exists(path) else "no such folder"
        raise StorageError(f"'{text}': {kind}{_earlier(path)}")
    return LocalRoot(path, follow_links=follow_links)


def _earlier(path: str) -> str:
    """Where there is no dataset, but an earlier version of it: how to get that back."""
    if os.path.lexists(path) or not (kept := kept_beside(path)):
        return ""
    return f", but '{kept[0].name}' is kept beside it: 'roboreel undo {quote(path)}' tells how to put it back"


def inside(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """True where `path` is `folder` or lies below it, links resolved."""
    return Path(path).resolve().is_relative_to(Path(folder).resolve())
