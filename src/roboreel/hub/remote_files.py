"""The files of a repository at a commit: names, sizes, digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import IO, Any

from roboreel.errors import HubError, StorageError
from roboreel.hub.client import Token, api, asking
from roboreel.hub.environment import host
from roboreel.hub.reference import HubReference
from roboreel.storage.names import is_utf8
from roboreel.storage.root import checked

_BLOCK_BYTES = 1 << 20
_ASKED_AT_ONCE = 500
_NOT_CONTENT = (".git", ".cache/")
"""Beginnings of names that are not a dataset's content: Git's own files, and what clients note."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository."""

    name: str
    size_bytes: int
    digest: str
    """`sha256:…` of an LFS object, else `git:…`, the id that Git gives the content."""

    def is_content(self, file: IO[bytes]) -> bool:
        """True if an open file has this content; reads it."""
        kind = self.digest.partition(":")[0]
        header = b"blob %d\0" % self.size_bytes if kind == "git" else b""
        digest = hashlib.sha1(header) if kind == "git" else hashlib.sha256()
        size = 0
        while block := file.read(_BLOCK_BYTES):
            size += len(block)
            digest.update(block)
        return size == self.size_bytes and f"{kind}:{digest.hexdigest()}" == self.digest


def list_files(reference: HubReference, commit: str, token: Token = None) -> dict[str, RemoteFile]:
    """All files of a dataset's repository, by name.

    Raises:
        HubError: the Hub can't be reached or refused, or a name would leave the dataset's folder.
    """
    with asking(reference):
        entries = api(token).list_repo_tree(
            reference.repo_id, recursive=True, revision=commit, repo_type="dataset"
        )
        return _by_name(reference, entries)


def find_files(
    reference: HubReference, commit: str, names: Sequence[str], token: Token = None
) -> dict[str, RemoteFile]:
    """Those of the named files that the repository has, by name.

    Raises:
        HubError: the Hub can't be reached or refused, or a name would leave the dataset's folder.
    """
    found: dict[str, RemoteFile] = {}
    for start in range(0, len(names), _ASKED_AT_ONCE):
        asked = list(names[start : start + _ASKED_AT_ONCE])
        with asking(reference):
            entries = api(token).get_paths_info(
                reference.repo_id, asked, revision=commit, repo_type="dataset"
            )
            found |= _by_name(reference, entries)
    return found


def list_documents(
    reference: HubReference, commit: str, token: Token = None
) -> dict[str, RemoteFile]:
    """The files in `meta/` and at the top of a repository, by name.

    Raises:
        HubError: the Hub can't be reached or refused, or a name would leave the dataset's folder.
    """
    with asking(reference):
        hub, keywords = api(token), {"revision": commit, "repo_type": "dataset"}
        top = list(hub.list_repo_tree(reference.repo_id, **keywords))
        found = _by_name(reference, top)
        if any(entry.path == "meta" for entry in top):
            below = hub.list_repo_tree(reference.repo_id, "meta", recursive=True, **keywords)
            found |= _by_name(reference, below)
        return found


def _by_name(reference: HubReference, entries: Iterable[Any]) -> dict[str, RemoteFile]:
    files = (_file(reference, entry) for entry in entries if hasattr(entry, "blob_id"))
    return {file.name: file for file in files if not file.name.startswith(_NOT_CONTENT)}


def _file(reference: HubReference, entry: Any) -> RemoteFile:
    lfs = entry.lfs
    digest = f"git:{entry.blob_id}" if lfs is None else f"sha256:{lfs.sha256}"
    return RemoteFile(_safe(reference, entry.path), int(entry.size), digest)


def _safe(reference: HubReference, name: str) -> str:
    """A name that stays below any folder, by the rules of every system.

    Raises:
        HubError: it doesn't.
    """
    try:
        checked(name)
    except StorageError:
        safe = False
    else:
        parts = name.split("/")
        windows = PureWindowsPath(name)
        outside = bool(windows.drive or windows.root) or "\\" in name
        safe = not outside and is_utf8(name) and "" not in parts and "." not in parts
    if not safe:
        raise HubError(
            f"'{reference}' on {host()} has a file named '{name}', which is not a valid path in a dataset:"
            " nothing was downloaded"
        )
    return name
