"""What `roboreel.torch` asks the Hub, by lerobot's names, so that programs can replace them."""

from __future__ import annotations

from typing import Any

from roboreel.hub import snapshots, versions
from roboreel.hub.client import Token
from roboreel.hub.reference import HubReference
from roboreel.torch.constants import CODEBASE_VERSION


def snapshot_download(repo_id: str, **arguments: Any) -> str:
    """Download files of a revision of a repository; the folder that holds them.

    Args:
        repo_id: `user/name`.
        arguments: those of `huggingface_hub.snapshot_download`.

    Raises:
        HubError: the Hub can't be reached, or refused.
        MissingDependencyError: huggingface_hub is not installed.
    """
    return snapshots.snapshot_download(repo_id, **arguments)


def get_safe_version(repo_id: str, version: str | None, *, token: Token = None) -> str:
    """The tag or branch to load for a wanted version, by default lerobot's current one.

    Raises:
        BackwardCompatibilityError: the repository has only older versions.
        ForwardCompatibilityError: the repository has only newer versions.
        RuntimeError: it has no version.
        HubError: the Hub can't be reached, or refused.
    """
    return versions.get_safe_version(repo_id, version or CODEBASE_VERSION, token=token)


def readable_revision(repo_id: str, error: Exception, token: Token = None) -> str:
    """The newest revision that roboreel reads, where a repository has none of lerobot's current version.

    Args:
        repo_id: `user/name`.
        error: what `get_safe_version` raised; others than of older or missing versions are raised again.
        token: the Hub's token.
    """
    if not isinstance(error, versions.BackwardCompatibilityError | RuntimeError):
        raise error
    return versions.resolve_revision(HubReference(repo_id), token).revision
