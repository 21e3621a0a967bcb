"""The files of a dataset on the Hub, read by ranges as they are needed: nothing is stored here."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from typing import IO, TypeVar

from roboreel.hub.client import BrokenConnectionError, Token, asking, library, quiet
from roboreel.hub.environment import endpoint
from roboreel.hub.reference import HubReference
from roboreel.hub.versions import resolve_revision
from roboreel.storage.links import Listing
from roboreel.storage.remote import FsspecRoot
from roboreel.storage.root import FileStat, OpenFile, PositionedFile

_TRIES, _PAUSE_S = 3, 0.5
_BLOCK_BYTES = 1 << 16
"""Bytes of a document or table to fetch at once; packets are fetched as they lie."""
_T = TypeVar("_T")


class HubRoot(FsspecRoot):
    """A dataset on the Hub as it was at one commit."""

    _failures = (FileNotFoundError,)
    # the others are failures of the Hub or of the network, which `asking` explains

    def __init__(self, reference: HubReference, token: Token = None) -> None:
        """Find the commit; no file is read.

        Raises:
            HubError: the Hub can't be reached, or refused.
            MissingDependencyError: the extra `hub` isn't installed.
        """
        commit = resolve_revision(reference, token).commit
        self._reference = HubReference(reference.repo_id, commit)
        with asking(self._reference):
            filesystem = library(str(reference)).HfFileSystem(endpoint=endpoint(), token=token)
        super().__init__(f"hf://datasets/{self._reference}", filesystem)

    def listing(self) -> Listing:
        return self._asked(lambda: FsspecRoot.listing(self))

    def stat(self, name: str) -> FileStat:
        return self._asked(lambda: FsspecRoot.stat(self, name))

    def ranges(self, name: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        return self._asked(lambda: FsspecRoot.ranges(self, name, spans))

    def input(self, name: str) -> IO[bytes]:
        file = PositionedFile(OpenFile(self, name), self.stat(name).size_bytes)
        return io.BufferedReader(file, _BLOCK_BYTES)

    def _asked(self, ask: Callable[[], _T]) -> _T:
        """What the Hub answers; a connection that breaks is tried again."""
        for attempt in range(1, _TRIES + 1):
            try:
                with quiet(self._reference), asking(self._reference):
                    return ask()
            except BrokenConnectionError:
                if attempt == _TRIES:
                    raise
                time.sleep(_PAUSE_S * attempt)
        raise AssertionError("the last attempt returns or raises")
