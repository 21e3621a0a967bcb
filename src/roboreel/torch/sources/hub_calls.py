"""What `roboreel.torch` asks the Hub, by lerobot's names, so that programs can replace them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roboreel.hub import snapshots, versions
from roboreel.hub.client import Token, api, asking, library
from roboreel.hub.dataset_card import card_text, info_section
from roboreel.hub.push_options import PushOptions
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


def create_branch(repo_id: str, *, branch: str, repo_type: str | None = None) -> None:
    """Create a branch of a repository from its main branch; one of that name is deleted first.

    Raises:
        HubError: the Hub can't be reached, or refused.
        MissingDependencyError: huggingface_hub is not installed.
    """
    with asking(HubReference(repo_id, branch)):
        hub = api()
        refs = hub.list_repo_refs(repo_id, repo_type=repo_type)
        if any(ref.name == branch for ref in refs.branches):
            hub.delete_branch(repo_id, repo_type=repo_type, branch=branch)
        hub.create_branch(repo_id, repo_type=repo_type, branch=branch)


def create_lerobot_dataset_card(
    tags: Sequence[str] | None = None, dataset_info: Any = None, **fields: Any
) -> Any:
    """A `huggingface_hub.DatasetCard` of a dataset.

    Args:
        tags: tags beside `LeRobot`.
        dataset_info: the content of `info.json`, a mapping or an object with `to_dict`; shown in the card.
        fields: `license`, `repo_id`, `dataset_description`, `url`, `paper`, `citation_bibtex`.

    Raises:
        MissingDependencyError: huggingface_hub is not installed.
    """
    info = dataset_info.to_dict() if hasattr(dataset_info, "to_dict") else dataset_info
    options = PushOptions(license=fields.get("license"), tags=tuple(tags or ()), card=fields)
    part = "" if info is None else info_section(dict(info))
    name = str(fields.get("repo_id") or "LeRobot dataset")
    return library().DatasetCard(card_text(name, None, options, part, None))
