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


def as_root(root: Any) -> Any:
    """The root as a `Path`, or, for a URL, as text."""
    text = os.fspath(root)
    return text if "://" in text else Path(text)


def is_path(repo_id: str) -> bool:
    """True for what can only be the path of a folder, and not a name on the Hub."""
    return os.path.isabs(repo_id) or repo_id.startswith((".", "~")) or repo_id.count("/") > 1


def usual_root(repo_id: str, home: Path) -> Path:
    """The folder of a dataset whose `root` is not given.

    Args:
        repo_id: `user/name`, or a path: what is not of that form is looked for here first.
        home: the folder of all datasets.
    """
    here = is_path(repo_id) or ("/" not in repo_id and has_documents(repo_id))
    return Path(repo_id) if here else home / repo_id
