"""Calls to the Hub, which is loaded when something is downloaded."""

from __future__ import annotations

import importlib
from typing import Any

_SNAPSHOTS, _VERSIONS, _REFERENCE = (
    f"roboreel.hub.{name}" for name in ("snapshots", "versions", "reference")
)


def snapshot_download(repo_id: str, **arguments: Any) -> str:
    """Download files of a revision of a repository; the folder that holds them.

    Args:
        repo_id: `user/name`.
        arguments: those of `huggingface_hub.snapshot_download`.

    Raises:
        HubError: the Hub can't be reached, or refused.
        MissingDependencyError: huggingface_hub is not installed.
    """
    found: str = importlib.import_module(_SNAPSHOTS).snapshot_download(repo_id, **arguments)
    return found


def get_safe_version(repo_id: str, version: str, **arguments: Any) -> str:
    """The tag or branch to load for a wanted version; see `roboreel.hub.get_safe_version`.

    Args:
        repo_id: `user/name`.
        version: the wanted version.
        arguments: `token`.
    """
    found: str = importlib.import_module(_VERSIONS).get_safe_version(repo_id, version, **arguments)
    return found


def newest_readable_version(repo_id: str, **arguments: Any) -> str:
    """The tag or branch of the newest version that roboreel reads, else the main branch.

    Args:
        repo_id: `user/name`.
        arguments: `token`.
    """
    versions = importlib.import_module(_VERSIONS)
    found: str = versions.resolve_revision(_reference(repo_id, None), **arguments).revision
    return found


def unreadable_by_lerobot() -> tuple[type[BaseException], ...]:
    """What `get_safe_version` raises where there is no version of the current kind, but may be older ones."""
    return importlib.import_module(_VERSIONS).BackwardCompatibilityError, RuntimeError


def _reference(repo_id: str, revision: str | None) -> Any:
    return importlib.import_module(_REFERENCE).HubReference(repo_id, revision)
