"""Calls to the Hub, which is loaded when something is downloaded. Tests may replace them."""

from __future__ import annotations

import importlib
from typing import Any


def snapshot_download(repo_id: str, **arguments: Any) -> str:
    """Download the files of a revision of a repository; the folder that holds them.

    Args:
        repo_id: `user/name`.
        arguments: those of `huggingface_hub.snapshot_download`.
    """
    found: str = _hub().snapshot_download(repo_id, **arguments)
    return found


def get_safe_version(repo_id: str, version: str | None, **arguments: Any) -> str:
    """The revision of a repository that can be read, by its tags and branches.

    Args:
        repo_id: `user/name`.
        version: the wished revision.
        arguments: `token`.
    """
    found: str = _hub().get_safe_version(repo_id, version, **arguments)
    return found


def _hub() -> Any:
    return importlib.import_module("roboreel.hub")
