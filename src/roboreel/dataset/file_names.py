"""Look up names among the sorted names of a dataset's files."""

from __future__ import annotations

from bisect import bisect_left


def holds(files: tuple[str, ...], name: str | None) -> bool:
    """True if a sorted tuple contains a name; faster than a set, because few names are looked up."""
    at = 0 if name is None else bisect_left(files, name)
    return files[at : at + 1] == (name,)
