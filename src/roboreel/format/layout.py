"""Where files lie: path templates, and how an episode's files are found."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping

from roboreel.errors import DatasetError, Problem

_FIELDS = {"episode_chunk", "episode_index", "video_key", "chunk_index", "file_index"}


def fill(template: str, **values: int | str) -> str:
    """The path that a template gives; unknown fields and attribute access are refused.

    Raises:
        DatasetError: the template names a field that the format does not have.
    """
    return fill_each(template, [values])[0]


def fill_each(template: str, values: Iterable[Mapping[str, int | str]]) -> list[str]:
    """The paths that a template gives for many files: it is checked once.

    Raises:
        DatasetError: the template names a field that the format does not have.
    """
    try:
        if _is_fillable(template):
            return [template.format_map(some) for some in values]
    except (ValueError, KeyError, IndexError):
        pass
    problem = Problem(
        rule="info.path-template",
        severity="error",
        message=f"path template '{template}' cannot be filled",
        path="meta/info.json",
        action=f"use the fields {', '.join(sorted(_FIELDS))}",
    )
    raise DatasetError("the dataset's layout cannot be read", [problem])


def _is_fillable(template: str) -> bool:
    parts = [part for part in string.Formatter().parse(template) if part[1] is not None]
    return all(name in _FIELDS and _plain(spec, form) for _, name, spec, form in parts)


def _plain(spec: str | None, conversion: str | None) -> bool:
    """True for no format, or a width in digits: nothing that computes or grows."""
    return conversion is None and re.fullmatch(r"0?\d{0,2}d?", spec or "") is not None


class EpisodeFiles:
    """Finds the one-file-per-episode files of v2.x among those that are there."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._by_end: dict[tuple[str, str], list[str]] | None = None

    def __contains__(self, name: str | None) -> bool:
        return name in self._names

    def search(self, usual: str) -> str | None:
        """The file of an episode that does not lie where the template says.

        Looked for at the usual place, then by file name below the same top folder where exactly one such
        file is there.
        """
        if usual in self._names:
            return usual
        same = self._elsewhere().get(_end(usual), [])
        return same[0] if len(same) == 1 else None

    def _elsewhere(self) -> dict[tuple[str, str], list[str]]:
        if self._by_end is None:
            self._by_end = {}
            for name in sorted(self._names):
                self._by_end.setdefault(_end(name), []).append(name)
        return self._by_end


def _end(path: str) -> tuple[str, str]:
    """Top folder and camera folder (if any), and file name."""
    parts = path.split("/")
    camera = parts[-2] if parts[0] == "videos" and len(parts) > 2 else ""
    return f"{parts[0]}/{camera}", parts[-1]


def numbered(template: str, number: int, chunks_size: int, *, camera: str = "") -> str:
    """The path of the `number`-th file of its kind in a v3.0 dataset."""
    chunk, file = divmod(number, chunks_size)
    return fill(template, video_key=camera, chunk_index=chunk, file_index=file)
