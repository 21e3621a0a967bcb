"""The record that `roboreel pull` keeps in a pulled dataset: where it is from, and what was fetched.

It is a file of the dataset's own, so that a partial copy can say how to get the rest, without the Hub's
client and without a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from shlex import quote
from typing import Any, Literal

from roboreel.dataset.file_names import holds
from roboreel.errors import StorageError
from roboreel.storage.root import FileStat, Root

RECORD = ".cache/huggingface/roboreel.json"
"""Below a folder that the Hub's client never uploads."""
CONTENTS = ".cache/huggingface/roboreel-files.json"
"""The table of contents: a file of its own, because opening a dataset doesn't need it."""
_FORM = 1
_MOST_BYTES = 16 << 20
"""Of a record: a million chosen episodes take less."""
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)

Content = Literal["all", "tables", "documents"]
"""What to pull: everything, no videos, or only the documents in `meta/`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledFile:
    """One file of the table of contents."""

    size_bytes: int
    digest: str
    """`sha256:…`, or `git:…` for the id that Git gives the content."""
    stamp: str
    """Stamp of the local file when it was verified, as `FileStat.stamp`."""

    def is_unchanged(self, found: FileStat) -> bool:
        """True if the local file is still the one that was verified."""
        return (self.size_bytes, self.stamp) == (found.size_bytes, found.stamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to pull of a dataset."""

    episodes: tuple[int, ...] | None = None
    """Episode indices; None for all."""
    cameras: tuple[str, ...] | None = None
    """Names of cameras; None for all."""
    content: Content = "all"

    @property
    def is_whole(self) -> bool:
        """True if everything in the repository is wanted."""
        return self == Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRecord:
    """Where a dataset was pulled from, and what for."""

    repo_id: str
    revision: str
    """The branch, tag or commit that was asked for, or chosen."""
    commit: str
    selections: tuple[Selection, ...] = ()
    """What was asked for; nothing if a command fetched the documents only to show them."""
    complete: bool = False
    """False from the begin of a pull to its end."""

    def command(self, folder: str, episode: int | None = None) -> str:
        """The command that fetches an episode, or everything, into the same folder."""
        wanted = "" if episode is None else f" --episodes {episode}"
        return f"roboreel pull {quote(f'{self.repo_id}@{self.commit}')} -o {quote(folder)}{wanted}"

    def to_bytes(self) -> bytes:
        """The record as a JSON document."""
        return json.dumps({"form": _FORM, **asdict(self)}, indent=1).encode()


def read_record(root: Root) -> PullRecord | None:
    """Read the record of a folder; None if there is none that can be read."""
    try:
        if root.stat(RECORD).size_bytes > _MOST_BYTES:
            return None
        found: Any = json.loads(root.read(RECORD))
        return _record(found) if found.pop("form") == _FORM else None
    except (*_UNREADABLE, StorageError):
        return None


def record_among(root: Root, files: tuple[str, ...]) -> PullRecord | None:
    """`read_record` for a root whose sorted files are known, which saves a request if there is no record."""
    return read_record(root) if holds(files, RECORD) else None


def read_contents(root: Root) -> dict[str, PulledFile]:
    """The table of contents: what was fetched and verified, by name; empty if nothing was pulled."""
    try:
        found: Any = json.loads(root.read(CONTENTS))
        return {name: PulledFile(**entry) for name, entry in found.items()}
    except (*_UNREADABLE, StorageError):
        return {}


def contents_to_bytes(files: Mapping[str, PulledFile]) -> bytes:
    """A table of contents as a JSON document."""
    return json.dumps({name: asdict(file) for name, file in sorted(files.items())}).encode()


def _record(found: dict[str, Any]) -> PullRecord:
    selections = tuple(_selection(**entry) for entry in found.pop("selections"))
    record = PullRecord(**found, selections=selections)
    if not all(isinstance(one, str) for one in (record.repo_id, record.revision, record.commit)):
        raise TypeError("names in the record are not strings")
    return record


def _selection(
    episodes: list[int] | None, cameras: list[str] | None, content: Content
) -> Selection:
    return Selection(
        episodes=None if episodes is None else tuple(map(int, episodes)),
        cameras=None if cameras is None else tuple(map(str, cameras)),
        content=content,
    )
