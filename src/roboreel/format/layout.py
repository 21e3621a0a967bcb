"""Find a dataset's files: fill path templates, and search for files that are elsewhere."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from roboreel.errors import DatasetError, Problem
from roboreel.format.model import INFO
from roboreel.format.parse import Problems

_NUMBER = re.compile(r"\d+")
_CHUNK = re.compile(r"chunk\D?(\d{1,18})")


def fill(template: str, **values: int | str) -> str:
    """Fill a path template.

    Raises:
        DatasetError: the template has a field without a value, or does more than insert values.
    """
    return fill_each(template, [values])[0]


def fill_each(template: str, values: Sequence[Mapping[str, int | str]]) -> list[str]:
    """Fill a path template for many files, and check it only once.

    Raises:
        DatasetError: as for `fill`.
    """
    fields = values[0].keys() if values else ()
    try:
        if _is_fillable(template, fields):
            return [template.format_map(some) for some in values]
    except (ValueError, KeyError, IndexError):
        pass
    problem = Problem(
        rule="info.path-template",
        severity="error",
        message=f"path template '{template}' cannot be filled",
        path=INFO,
        action=f"use only these fields: {', '.join(f'{{{name}}}' for name in fields)}",
    )
    raise DatasetError("the dataset's layout cannot be read", [problem])


def _is_fillable(template: str, fields: Container[str]) -> bool:
    parts = [part for part in string.Formatter().parse(template) if part[1] is not None]
    return all(name in fields and _plain(spec, form) for _, name, spec, form in parts)


def _plain(spec: str | None, conversion: str | None) -> bool:
    """True for no format, or a width in digits: nothing that computes or gets long."""
    return conversion is None and re.fullmatch(r"0?\d{0,2}d?", spec or "") is not None


class WantedFile(NamedTuple):
    """A file that an episode needs."""

    path: str
    """Path from the dataset's template."""
    usual: str
    """Path from the format's default template."""
    chunk: int | None
    """Its chunk if file numbers restart in each chunk; None if numbers are unique."""


class FileFinder:
    """Finds tables and videos among the files of a dataset, even if the path template is wrong.

    A file is read from the template's path, else from the path of the format's default template, else it is
    found by its number: the only file with this extension and name (ignoring leading zeros), in a folder of
    the camera. If numbers restart in each chunk, it must be in a folder of that chunk or in no chunk folder.
    The search covers the template's top folder, or all others if that folder has no file of the kind at all.
    A file that could be meant for two is not used.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._by_name: dict[str, list[str]] | None = None
        self._kinds: dict[tuple[frozenset[str], str, str], bool] = {}

    def has_all(self, paths: Iterable[str]) -> bool:
        """True where all of these files are there: then nothing is searched for."""
        return self._names.issuperset(paths)

    def find(
        self, template: str, wanted: Sequence[WantedFile], camera: str, problems: Problems
    ) -> list[str | None]:
        """The path of each file, or None if it is missing; files found elsewhere are reported.

        Args:
            template: the template, for the report.
            wanted: the files of one kind, without duplicates.
            camera: the camera of videos; empty for tables.
            problems: the report is added to it.
        """
        found = [self._at_a_template(file) for file in wanted]
        absent = [at for at, path in enumerate(found) if path is None]
        taken = {path for path in found if path is not None}
        guesses = {at: self._by_number(wanted[at], camera, taken) for at in absent}
        claims = Counter(guesses.values())
        for at, path in guesses.items():
            found[at] = path if claims[path] == 1 else None
        moved = [
            at for at, path in enumerate(found) if path is not None and path != wanted[at].path
        ]
        if moved:
            first = moved[0]
            problems.add(
                "info.path-template",
                f"template '{template}' does not lead to {len(moved)} of {len(wanted)} files:"
                f" expected e.g. '{wanted[first].path}'",
                path=INFO,
                column=camera or None,
                action=f"they were found elsewhere and are read, e.g. '{found[first]}'",
            )
        return found

    def _at_a_template(self, file: WantedFile) -> str | None:
        return next((path for path in (file.path, file.usual) if path in self._names), None)

    def _by_number(self, file: WantedFile, camera: str, taken: Container[str]) -> str | None:
        tops = frozenset({_top(file.path), _top(file.usual)})
        extension = file.path.rpartition(".")[2]
        anywhere = not self._has_kind(tops, extension, camera)
        alike = [
            path
            for path in self._index().get(_name(file.path), [])
            if path not in taken
            and _is_of(path, camera)
            and (anywhere or _top(path) in tops)
            and (file.chunk is None or _chunk(path) in (None, file.chunk))
        ]
        return alike[0] if len(alike) == 1 else None

    def _index(self) -> dict[str, list[str]]:
        """Paths by file name, without `meta` and hidden folders, which hold neither tables nor videos."""
        if self._by_name is None:
            self._by_name = {}
            for path in sorted(self._names):
                if _top(path) != "meta" and not path.startswith(".") and "/." not in path:
                    self._by_name.setdefault(_name(path), []).append(path)
        return self._by_name

    def _has_kind(self, tops: frozenset[str], extension: str, camera: str) -> bool:
        """True if these top folders contain any table, or any video of the camera."""
        key = (tops, extension, camera)
        if key not in self._kinds:
            self._kinds[key] = any(
                path.endswith(f".{extension}") and _top(path) in tops and _is_of(path, camera)
                for path in self._names
            )
        return self._kinds[key]


def _is_of(path: str, camera: str) -> bool:
    """True for a path in a folder of the camera; for tables, always True."""
    return not camera or f"/{camera}/" in f"/{path.rpartition('/')[0]}/"


def _top(path: str) -> str:
    """The top folder; empty for a file at the top."""
    return path.partition("/")[0] if "/" in path else ""


def _name(path: str) -> str:
    """The file name with leading zeros removed from its numbers."""
    return _NUMBER.sub(lambda found: found[0].lstrip("0") or "0", path.rpartition("/")[2])


def _chunk(path: str) -> int | None:
    """The chunk number in the folders of a path; None if there is none."""
    folders = path.split("/")[:-1]
    found = [match for match in map(_CHUNK.fullmatch, folders) if match]
    return int(found[-1][1]) if found else None


def numbered(template: str, number: int, chunks_size: int, *, camera: str = "") -> str:
    """The path of the `number`-th file of its kind in a v3.0 dataset."""
    chunk, file = divmod(number, chunks_size)
    values: dict[str, int | str] = {"chunk_index": chunk, "file_index": file}
    return fill(template, **values, **({"video_key": camera} if camera else {}))
