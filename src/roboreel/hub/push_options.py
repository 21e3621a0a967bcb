"""What to push, and how: one value that `push`, the command and the drop-in class share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

DATASET_FOLDERS = ("data/", "meta/", "videos/")
"""Folders of the format: a file in them that the dataset lacks is left over from an earlier version."""
NEVER_PUSHED = ("images/", ".")
"""Beginnings of names that stay here: images that wait to be encoded, hidden files, notes of clients."""
VIDEOS = "videos/"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """What to push, and how."""

    branch: str | None = None
    """Branch to push to, created from the main branch if it does not exist; None is the main branch."""
    private: bool | None = None
    """Whether a new repository is private; None leaves it to the account's setting."""
    tag: bool = True
    """Tag the result with the dataset's version, such as `v3.0`, because lerobot looks for that tag."""
    videos: bool = True
    """False neither pushes nor removes videos."""
    license: str | None = None
    """License in the dataset card; None keeps what the card has, `apache-2.0` for a new one."""
    tags: tuple[str, ...] = ()
    """Tags to add to the dataset card."""
    large: bool = False
    """Commit every few files, so that the Hub keeps what has arrived; readers may see a part meanwhile."""
    allow: tuple[str, ...] = ()
    """Push only files that match one of these patterns, such as `meta/*`; empty pushes all."""
    ignore: tuple[str, ...] = ()
    """Leave out files that match one of these patterns."""
    remove: bool = False
    """Remove files of the format on the Hub that the dataset does not have."""
    card: Mapping[str, str] = field(default_factory=dict)
    """Fields of a new dataset card: `dataset_description`, `url`, `paper`, `citation_bibtex`."""

    def __post_init__(self) -> None:
        for name in ("tags", "allow", "ignore"):
            given: Collection[str] | str | None = getattr(self, name)
            words = (given,) if isinstance(given, str) else tuple(given or ())
            object.__setattr__(self, name, words)


class PushKeywords(TypedDict, total=False):
    """The fields of `PushOptions` as keyword arguments."""

    branch: str | None
    private: bool | None
    tag: bool
    videos: bool
    license: str | None
    tags: Collection[str]
    large: bool
    allow: Collection[str] | str
    ignore: Collection[str] | str
    remove: bool
    card: Mapping[str, str]
