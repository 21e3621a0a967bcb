"""Where a dataset is: the folder of the user, one below `HF_LEROBOT_HOME`, or a snapshot of the Hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from roboreel.errors import StorageError
from roboreel.format.model import INFO
from roboreel.storage.fs import open_root

_MIRROR = os.path.join(".cache", "huggingface", "download")


def has_legacy_hub_download_metadata(root: str | os.PathLike[str]) -> bool:
    """True for a folder that a Hub client filled as a mirror, which knows no revision."""
    return os.path.exists(os.path.join(root, _MIRROR))


def has_documents(root: str | os.PathLike[str]) -> bool:
    """True where there is a folder with `meta/info.json`.

    Raises:
        StorageError: a file is in the folder's place.
    """
    try:
        return open_root(root).exists(INFO)
    except StorageError:
        if os.path.isfile(root):
            raise
        return False


def as_root(root: str | os.PathLike[str]) -> Any:
    """The root as a `Path`, or, for a URL, as text."""
    text = os.fspath(root)
    return text if "://" in text else Path(text)
