"""The files of a dataset on the Hub, read by ranges as they are needed: nothing is stored here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from roboreel.errors import StorageError
from roboreel.hub.client import Token, asking, library, retried
from roboreel.hub.environment import endpoint
from roboreel.hub.reference import HubReference
from roboreel.hub.remote_files import RemoteFile, list_files
from roboreel.hub.versions import resolve_revision
from roboreel.storage.links import Listing
from roboreel.storage.remote.http_client import HttpAnswer, HttpClient, HttpFailureError
from roboreel.storage.remote.ranged_root import RangedRoot
from roboreel.storage.root import FileStat, checked

_EXPIRED = frozenset({400, 401, 403, 404, 410})
"""Answers of the store of contents to a URL whose signature is no longer valid."""


class HubRoot(RangedRoot):
    """A dataset on the Hub as it was at one commit. The stamp of a file is the digest of its content."""

    def __init__(self, reference: HubReference, token: Token = None) -> None:
        """Find the commit; no file is read.

        Raises:
            HubError: the Hub can't be reached, or refused.
            MissingDependencyError: the extra `hub` isn't installed.
        """
        library(str(reference))
        commit = resolve_revision(reference, token).commit
        self.reference = HubReference(reference.repo_id, commit)
        """The repository and the commit."""
        super().__init__(f"hf://datasets/{self.reference}")
        self._token, self._http = token, HttpClient()
        self._stored_at: dict[str, str] = {}
        """Signed URLs of contents, by file name: the Hub itself is asked once for each file."""

    @cached_property
    def files(self) -> Mapping[str, RemoteFile]:
        """Size and digest of all files, by name; asked for when they are first needed.

        Raises:
            HubError: the Hub can't be reached, or refused.
        """
        found = retried(lambda: list_files(self.reference, self._commit, self._token))
        return {name: found[name] for name in sorted(found)}

    @property
    def cache_name(self) -> str:
        return f"{endpoint() or ''}/datasets/{self.reference.repo_id}"

    def listing(self) -> Listing:
        return Listing(tuple(self.files))

    def stat(self, name: str) -> FileStat:
        file = self.files.get(checked(name))
        if file is None:
            raise StorageError(f"'{name}' in '{self.url}': no such file")
        return FileStat(file.size_bytes, file.digest)

    def _part(self, name: str, start: int, size: int) -> HttpAnswer:
        known = self._stored_at.get(name)
        with asking(self.reference):
            if known is not None:
                try:
                    return self._http.get(known, span=(start, size))
                except HttpFailureError as error:
                    if error.response is None or error.response.status_code not in _EXPIRED:
                        raise
            answer = self._http.get(self._url(name), span=(start, size), headers=self._headers)
        if answer.redirect is not None:
            self._stored_at[name] = answer.url
        return answer

    @property
    def _commit(self) -> str:
        assert self.reference.revision is not None
        return self.reference.revision

    def _url(self, name: str) -> str:
        url: str = library().hf_hub_url(
            self.reference.repo_id,
            checked(name),
            repo_type="dataset",
            revision=self._commit,
            endpoint=endpoint(),
        )
        return url

    @cached_property
    def _headers(self) -> Mapping[str, str]:
        found: dict[str, str] = library().utils.build_hf_headers(
            token=self._token, library_name="roboreel"
        )
        return found
