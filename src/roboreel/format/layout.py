"""Where files are: path templates, and how an episode's files are found."""

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
    """The path that a template gives.

    Raises:
        DatasetError: the template has another field than those with a value, or does more than put them in.
    """
    return fill_each(template, [values])[0]


def fill_each(template: str, values: Sequence[Mapping[str, int | str]]) -> list[str]:
    """The paths that a template gives for many files: it is checked once.

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
        action=f"use only the fields {', '.join(f'{{{name}}}' for name in fields)}",
    )
    raise DatasetError("the dataset's layout cannot be read", [problem])


def _is_fillable(template: str, fields: Container[str]) -> bool:
    parts = [part for part in string.Formatter().parse(template) if part[1] is not None]
    return all(name in fields and _plain(spec, form) for _, name, spec, form in parts)


def _plain(spec: str | None, conversion: str | None) -> bool:
    """True for no format, or a width in digits: nothing that computes or grows."""
    return conversion is None and re.fullmatch(r"0?\d{0,2}d?", spec or "") is not None


class WantedFile(NamedTuple):
    """A file that an episode needs."""

    path: str
    """Where the template says it is."""
    usual: str
    """Where the format's own template says it is."""
    chunk: int | None
    """Its chunk, where file numbers begin again in each; None where a number is unique."""


class FileFinder:
    """Finds tables and videos among the files of a dataset, also where the path template is wrong.

    A file is taken from where the template says, else from where the format's own template says, else by its
    number: the one file with this extension and name (leading zeros aside), in a folder of the camera, and,
    where numbers begin again in each chunk, in a folder of that chunk or in none. Such a file is looked for
    below the top folder of the template; where that holds no file of the kind at all, below the others.
    What could be meant for two is taken for none.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._by_name: dict[str, list[str]] | None = None
        self._kinds: dict[tuple[frozenset[str], str, str], bool] = {}

    def find(
        self, template: str, wanted: Sequence[WantedFile], camera: str, problems: Problems
    ) -> list[str | None]:
        """The path of each file, None where it is not there; reports files found elsewhere.

        Args:
            template: names the template in the report.
            wanted: the files of one kind, each once.
            camera: the camera of videos; empty for tables.
            problems: grows.
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
                action=f"found elsewhere and read, e.g. '{found[first]}'",
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
        """Paths by file name; those below `meta` and in hidden folders are neither tables nor videos."""
        if self._by_name is None:
            self._by_name = {}
            for path in sorted(self._names):
                if _top(path) != "meta" and not path.startswith(".") and "/." not in path:
                    self._by_name.setdefault(_name(path), []).append(path)
        return self._by_name

    def _has_kind(self, tops: frozenset[str], extension: str, camera: str) -> bool:
        """True where there is any table, or any video of the camera, below these top folders."""
        key = (tops, extension, camera)
        if key not in self._kinds:
            self._kinds[key] = any(
                path.endswith(f".{extension}") and _top(path) in tops and _is_of(path, camera)
                for path in self._names
            )
        return self._kinds[key]


def _is_of(path: str, camera: str) -> bool:
    """True for a path in a folder of the camera; for tables, any."""
    return not camera or f"/{camera}/" in f"/{path.rpartition('/')[0]}/"


def _top(path: str) -> str:
    """The top folder, empty for a file at the top."""
    return path.partition("/")[0] if "/" in path else ""


def _name(path: str) -> str:
    """The file name, numbers without leading zeros."""
    return _NUMBER.sub(lambda found: found[0].lstrip("0") or "0", path.rpartition("/")[2])


def _chunk(path: str) -> int | None:
    """The chunk number in the folders of a path, None where they name none."""
    folders = path.split("/")[:-1]
    found = [match for match in map(_CHUNK.fullmatch, folders) if match]
    return int(found[-1][1]) if found else None


def numbered(template: str, number: int, chunks_size: int, *, camera: str = "") -> str:
    """The path of the `number`-th file of its kind in a v3.0 dataset."""
    chunk, file = divmod(number, chunks_size)
    values: dict[str, int | str] = {"chunk_index": chunk, "file_index": file}
    return fill(template, **values, **({"video_key": camera} if camera else {}))
