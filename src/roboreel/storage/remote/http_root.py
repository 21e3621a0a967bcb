"""A dataset on a web server, read by ranges: nothing is stored here."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from functools import cached_property
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urljoin, urlsplit

from roboreel.errors import ChangedInputError, MissingFileError, StorageError
from roboreel.storage.links import Listing
from roboreel.storage.remote.http_client import (
    HttpAnswer,
    HttpClient,
    HttpFailureError,
    total_bytes,
)
from roboreel.storage.remote.ranged_root import RangedRoot
from roboreel.storage.root import FileStat, checked
from roboreel.storage.video.packet_index import INDEX_FILE, parsed_packet_index

_MOST_FOLDERS = 10_000
_MISSING = frozenset({403, 404, 410, 416})


class HttpRoot(RangedRoot):
    """A folder on a web server. Names come from the packet index if there is one, else from its pages.

    Files have no stamp: the server says their size with each part, and an ETag that may not change while the
    dataset is read.
    """

    def __init__(self, url: str) -> None:
        """Name a folder; nothing is read yet."""
        super().__init__(url.rstrip("/"))
        self._http = HttpClient()
        self._sizes: dict[str, int] = {}
        self._tags: dict[str, str] = {}

    @cached_property
    def _indexed(self) -> Mapping[str, FileStat]:
        """The files that a packet index beside the dataset lists; empty without one."""
        try:
            data = self.read(INDEX_FILE)
        except MissingFileError:
            return {}
        index = parsed_packet_index(data, f"{self.url}/{INDEX_FILE}")
        return {**index.files, INDEX_FILE: FileStat(len(data), "")}

    def listing(self) -> Listing:
        if self._indexed:
            return Listing(tuple(sorted(self._indexed)))
        return Listing(tuple(sorted(self._linked())))

    def stat(self, name: str) -> FileStat:
        known = None if name == INDEX_FILE else self._indexed.get(checked(name))
        if known is not None:
            return FileStat(known.size_bytes, "")
        if name not in self._sizes:
            self._sizes[name] = self._asked_size(name)
        return FileStat(self._sizes[name], "")

    def _asked_size(self, name: str) -> int:
        size = total_bytes(self._part(name, 0, 1))
        if size is None:
            raise StorageError(f"'{name}' in '{self.url}': the server does not say its size")
        return size

    def _part(self, name: str, start: int, size: int) -> HttpAnswer:
        url = f"{self.url}/{quote(checked(name))}"
        try:
            answer = self._http.get(url, span=(start, size))
        except HttpFailureError as error:
            if error.response is not None and error.response.status_code in _MISSING:
                raise MissingFileError(f"'{name}' in '{self.url}': no such file") from error
            raise StorageError(str(error)) from error
        tag = answer.headers.get("etag", "")
        if self._tags.setdefault(name, tag) != tag:
            raise ChangedInputError(
                f"'{name}' in '{self.url}' has changed while it was read: open the dataset again"
            )
        return answer

    def _linked(self) -> list[str]:
        """The files to which the pages of the folders have links.

        Raises:
            StorageError: the server shows no pages of folders.
        """
        found: list[str] = []
        folders = [""]
        for at, folder in enumerate(folders):
            if at == _MOST_FOLDERS:
                raise StorageError(f"'{self.url}' has more than {_MOST_FOLDERS} folders")
            for name in self._page(folder):
                (folders if name.endswith("/") else found).append(name)
        return found

    def _page(self, folder: str) -> list[str]:
        """Names below the root to which the page of a folder has links; those of folders end with `/`."""
        url = f"{self.url}/{quote(folder)}"
        try:
            answer = self._http.get(url)
        except HttpFailureError as error:
            if error.response is None:
                raise StorageError(str(error)) from error
            raise StorageError(
                f"'{url}': the server does not list this folder: put a packet index beside the dataset"
                f" (`roboreel index DIR -o DIR/{INDEX_FILE}`), or turn on the server's listing ({error})"
            ) from error
        links = _Links()
        links.feed(answer.body.decode("utf-8", "replace"))
        base = urlsplit(answer.url).path
        names = []
        for link in links.found:
            path = urlsplit(urljoin(answer.url, link))
            inner = unquote(path.path[len(base) :])
            below = path.path.startswith(base) and not path.query
            if below and inner.strip("/") and posixpath.normpath(inner) == inner.rstrip("/"):
                names.append(folder + inner)
        return list(dict.fromkeys(names))


class _Links(HTMLParser):
    """The links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the target of a link."""
        if tag == "a":
            self.found += [value for key, value in attrs if key == "href" and value]
