"""References to datasets on the Hub: `user/name`, `user/name@revision`, `hf://datasets/user/name@revision`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(rf"{_NAME}/{_NAME}")
_REVISION = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_./+-]*[A-Za-z0-9_+-])?")
_URL = "hf://datasets/"
_NAMESPACE = re.compile(r"refs/(?:pr|convert)/[^/]+")
"""Revisions with slashes that a URL may spell without escaping them."""


@dataclass(frozen=True, slots=True)
class HubReference:
    """A dataset repository on the Hub, and the revision that is asked for."""

    repo_id: str
    """`user/name`."""
    revision: str | None = None
    """A branch, tag or commit; None leaves the choice to `resolve_revision`."""

    def __str__(self) -> str:
        return self.repo_id if self.revision is None else f"{self.repo_id}@{self.revision}"


def parse_reference(text: str) -> HubReference | None:
    """Parse a reference to a dataset on the Hub; None if the text is none.

    Whether the text is also the path of a local folder isn't looked at: an existing path wins, see
    `open_reference`.
    """
    url = text.startswith(_URL)
    repo_id, at, revision = text.removeprefix(_URL).partition("@")
    if url and at:
        revision = unquote(revision)
        if "/" in revision and "%2F" not in text.upper() and not _NAMESPACE.fullmatch(revision):
            return None  # a folder inside the repository
    if not is_repo_id(repo_id) or (at and not _is_revision(revision)):
        return None
    return HubReference(repo_id, revision if at else None)


def is_repo_id(text: str) -> bool:
    """True for `user/name` with names that the Hub allows."""
    banned = "--" in text or ".." in text or text.endswith(".git")
    return not banned and _REPO.fullmatch(text) is not None


def _is_revision(text: str) -> bool:
    return ".." not in text and "//" not in text and _REVISION.fullmatch(text) is not None
