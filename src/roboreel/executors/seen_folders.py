"""Folders that every worker must see: on a node without them, files would seem to be missing."""

from __future__ import annotations

import os

from roboreel.errors import RunError


def require_seen(folder: str | None) -> None:
    """Raise `RunError` in a worker that does not see a folder; None: none is needed."""
    if folder is not None and not os.path.isdir(folder):
        raise RunError(unseen(folder))


def unseen(folder: str) -> str:
    """Why a worker can do nothing on a node that does not see a folder."""
    return (
        f"a worker on '{os.uname().nodename}' cannot see '{folder}': datasets, output and working"
        " folder must be on a file system that all nodes share"
    )
