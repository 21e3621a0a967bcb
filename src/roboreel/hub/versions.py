"""Which version of a dataset to take from the Hub: by its tags and branches.

Names, parameters and errors of the functions on versions are those of lerobot, whose readers take one major
version only. `resolve_revision` is our own rule: older versions are no obstacle, because roboreel reads them.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from roboreel.errors import HubError, MissingDependencyError, RoboreelError
from roboreel.format.version import VERSIONS
from roboreel.hub.client import Token, api, asking, library
from roboreel.hub.environment import host
from roboreel.hub.reference import HubReference

if TYPE_CHECKING:
    from packaging.version import Version

_log = logging.getLogger(__name__)
_MAIN = "main"
_COMMIT = re.compile("[0-9a-f]{40}")


class CompatibilityError(RoboreelError):
    """A dataset has a version that the reader doesn't take."""

    version: Version
    """The dataset's version that comes nearest."""


class BackwardCompatibilityError(CompatibilityError):
    """A dataset is of an older major version than the reader takes."""

    def __init__(self, repo_id: str, version: Version) -> None:
        super().__init__(
            f"'{repo_id}' has format version v{version}, which is older than requested: open it with"
            " roboreel.open, which reads all versions, or convert it with `roboreel convert`"
        )
        self.version = version


class ForwardCompatibilityError(CompatibilityError):
    """A dataset is of a newer version than the reader takes."""

    def __init__(self, repo_id: str, version: Version) -> None:
        super().__init__(
            f"'{repo_id}' has format version v{version}, which is newer than requested: update the program"
            " that reads it"
        )
        self.version = version


def is_valid_version(version: str) -> bool:
    """True if a text is a version number by PEP 440, with or without a leading `v`."""
    return _parsed(version) is not None


def check_version_compatibility(
    repo_id: str,
    version_to_check: str | Version,
    current_version: str | Version,
    enforce_breaking_major: bool = True,
) -> None:
    """Compare a dataset's version with the reader's; an older minor version is only logged.

    Args:
        repo_id: the dataset, for messages.
        version_to_check: the dataset's version.
        current_version: the reader's version.
        enforce_breaking_major: False accepts older major versions too.

    Raises:
        BackwardCompatibilityError: the dataset's major version is older.
    """
    found, ours = _version(version_to_check), _version(current_version)
    if found.major < ours.major and enforce_breaking_major:
        raise BackwardCompatibilityError(repo_id, found)
    if found.minor < ours.minor:
        _log.warning(
            "'%s' has format version v%s; the current version is v%s", repo_id, found, ours
        )


def get_repo_versions(repo_id: str, *, token: Token = None) -> list[Version]:
    """The versions that a repository's branches and tags are named by.

    Raises:
        HubError: the Hub can't be reached, or refused.
    """
    names = [ref.name for ref in _refs(HubReference(repo_id), token)]
    return [version for name in names if (version := _parsed(name)) is not None]


def get_safe_version(repo_id: str, version: str | Version, *, token: Token = None) -> str:
    """The tag or branch to load for a wanted version: itself, or the newest older one of its major version.

    Args:
        repo_id: the dataset.
        version: the wanted version, such as the reader's.
        token: the token to use.

    Raises:
        BackwardCompatibilityError: the repository has only versions of older major versions.
        ForwardCompatibilityError: the repository has only newer versions.
        RuntimeError: no branch or tag of the repository is named by a version.
        HubError: the Hub can't be reached, or refused.
    """
    found = get_repo_versions(repo_id, token=token)  # says what to install, also for `packaging`
    wanted = _version(version)
    if not found:
        raise RuntimeError(
            f"'{repo_id}' has no branch or tag named after a format version, such as v{wanted}: add a tag"
            f' with huggingface_hub.HfApi().create_tag("{repo_id}", tag="v{wanted}",'
            ' repo_type="dataset")'
        )
    fitting = [one for one in found if one.major == wanted.major and one <= wanted]
    if fitting:
        chosen = max(fitting)
        if chosen < wanted:
            _log.warning("'%s' has no version v%s: loading v%s instead", repo_id, wanted, chosen)
        return f"v{chosen}"
    older = [one for one in found if one.major < wanted.major]
    if older:
        raise BackwardCompatibilityError(repo_id, max(older))
    raise ForwardCompatibilityError(repo_id, min(found))


class Resolved(NamedTuple):
    """A revision of a repository, found."""

    revision: str
    """The branch, tag or commit that was asked for, or chosen."""
    commit: str


def resolve_revision(reference: HubReference, token: Token = None) -> Resolved:
    """Find the commit of a reference.

    Without a revision, the newest tag or branch of a version that roboreel reads is chosen, else the main
    branch.

    Raises:
        HubError: the Hub can't be reached or refused, or there is no such revision.
    """
    revision = reference.revision
    if revision is not None and _COMMIT.fullmatch(revision):
        return Resolved(
            revision, revision
        )  # whether it exists, the first request for its files tells
    refs = {ref.name: ref.target_commit for ref in reversed(_refs(reference, token))}
    if revision is None:
        revision = _newest_readable(refs) or _MAIN
    if revision in refs:
        return Resolved(revision, refs[revision])
    if reference.revision is None:
        raise HubError(
            f"'{reference.repo_id}' on {host()} has no branch '{_MAIN}' and no tag of a version that"
            f" roboreel can read: give a revision, as in '{reference.repo_id}@REVISION'"
        )
    with asking(reference):
        info = api(token).dataset_info(reference.repo_id, revision=revision)
        return Resolved(revision, str(info.sha))


def _newest_readable(names: dict[str, str]) -> str | None:
    return next((one.value for one in reversed(VERSIONS) if one.value in names), None)


def _refs(reference: HubReference, token: Token) -> list[Any]:
    """A repository's tags, then its branches."""
    library(str(reference))
    with asking(reference):
        refs = api(token).list_repo_refs(reference.repo_id, repo_type="dataset")
        return [*refs.tags, *refs.branches]


def _version(value: str | Version) -> Version:
    if not isinstance(value, str):
        return value
    parsed: Version = _packaging().Version(value)
    return parsed


def _parsed(text: str) -> Version | None:
    try:
        return _version(text)
    except _packaging().InvalidVersion:
        return None


def _packaging() -> Any:
    """The module `packaging.version`, which huggingface_hub brings along.

    Raises:
        MissingDependencyError: the extra `hub` isn't installed.
    """
    try:
        import packaging.version
    except ImportError as error:
        purpose = "to compare versions"
        raise MissingDependencyError("packaging", extra="hub", purpose=purpose) from error
    return packaging.version
