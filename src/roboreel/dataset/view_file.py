"""View files on a disk: their text, and the columns of values beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pyarrow as pa

from roboreel.dataset.view_source import HASH, digest
from roboreel.edit.view_data import ViewData
from roboreel.edit.view_document import START, VERBS
from roboreel.errors import DatasetError, StorageError, UsageError
from roboreel.format.parse import parse_json
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import local_path
from roboreel.storage.tables.tables import read_table
from roboreel.storage.tables.tables_write import write_table
from roboreel.types import Json, JsonObject

ENDING = ".view.json"
FORMAT, SOURCES = "roboreel_view", "sources"
_VERSION = 1
_LARGEST = 1 << 30
"""Bytes of a view file; that of a million episodes has a twentieth."""
_FILE, _COLUMN = "file", "values"


def is_view_file(location: str | os.PathLike[str]) -> bool:
    """True for what names a view file: a name with its ending that is no folder."""
    path = os.fspath(location)
    return path.endswith(ENDING) and "://" not in path and not os.path.isdir(path)


def refuse_view(location: Any) -> None:
    """Raise `UsageError` where a view, or a view file, is given for the location of a dataset."""
    if isinstance(location, ViewData):
        raise UsageError(
            "a dataset is needed here, not a view: write the view first (roboreel.write)"
        )
    if is_view_file(location):
        raise UsageError(
            f"'{location}' is a view file, but a dataset is needed here: write one first with roboreel write"
            f" {location} -o DST"
        )


class ViewFile:
    """A view file at a path, which need not exist yet."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raise `UsageError` where the name has not the ending of view files."""
        self.path = local_path(path)
        full = os.path.abspath(self.path)
        self.folder, self.name = os.path.split(full)
        if not self.name.endswith(ENDING) or self.name == ENDING:
            raise UsageError(f"'{self.path}': the name of a view file ends in {ENDING}")

    @property
    def key(self) -> str:
        """Its path with links resolved: the same for the same file."""
        return os.path.realpath(self.path)

    @property
    def exists(self) -> bool:
        """True where something is there."""
        return os.path.lexists(self.path)

    def read(self) -> tuple[dict[str, Json], str]:
        """Its content, and the hash of that.

        Raises:
            StorageError: it cannot be read.
            DatasetError: it is no view file, or one of a later roboreel.
        """
        root = self._root()
        if not self.exists:
            raise StorageError(
                f"'{self.path}': no such view file; begin one with roboreel edit {self.path} from SRC"
            )
        if root.stat(self.name).size_bytes > _LARGEST:
            raise self.unreadable(f"it is larger than {_LARGEST >> 20} MiB")
        data = root.read(self.name)
        try:
            document = parse_json(data, self.path)
        except DatasetError as error:
            raise self.unreadable(error.problems[0].message) from error
        if not isinstance(document, dict) or FORMAT not in document:
            raise self.unreadable(f"it has no '{FORMAT}'")
        version = document[FORMAT]
        if type(version) is not int or version < 1:
            raise self.unreadable(f"'{FORMAT}' is {str(version)[:40]!r}, expected {_VERSION}")
        if version > _VERSION:
            raise self.unreadable(
                f"it was written by a later release of roboreel (form {str(version)[:40]})"
            )
        unknown = document.keys() - {FORMAT, SOURCES, START, VERBS}
        if unknown:
            raise self.unreadable(f"unknown fields {', '.join(sorted(map(repr, unknown)))[:200]}")
        return document, digest(data)

    def write(self, document: JsonObject) -> None:
        """Make the file, or replace it, in one rename.

        Raises:
            StorageError: the disk refuses.
            UsageError: the edits are nested more deeply than a view file can hold.
        """
        data = _text({FORMAT: _VERSION, **document}).encode()
        try:
            parse_json(data, self.path)
        except DatasetError as error:
            raise UsageError(
                f"'{self.path}' cannot hold this view: {error.problems[0].message}"
            ) from error
        root = self._root()
        root.put(self.name, data)
        root.sync([self.name])

    def replace(self, content: str, document: JsonObject) -> None:
        """Write other content in one rename, where the file still has the content of that hash.

        Raises:
            StorageError: it was edited meanwhile, or the disk refuses.
        """
        if self.read()[1] != content:
            raise StorageError(
                f"'{self.path}' was edited by someone else meanwhile: run this again"
            )
        self.write(document)

    def objects(self, document: JsonObject, key: str) -> list[JsonObject]:
        """The list of objects that a content has by this name.

        Raises:
            DatasetError: it has none.
        """
        found = document.get(key)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.unreadable(f"'{key}' is not a list of objects")
        return found

    def put_column(self, column: pa.ChunkedArray) -> dict[str, Json]:
        """Keep a column of values in a table beside the file; returns what the file says of it."""
        root, table = self._root(), pa.table({_COLUMN: column}).combine_chunks()
        stem = self.name.removesuffix(ENDING)
        name = f"{stem}.{digest(_bytes(table))[:16]}.parquet"
        if not root.exists(name):
            write_table(root, name, table)
            root.sync([name])
        return {_FILE: name, HASH: digest(root.read(name))}

    def column(self, said: Mapping[str, Json]) -> pa.ChunkedArray:
        """The column of values that the file speaks of.

        Raises:
            DatasetError: the table is not the one that was written.
            StorageError: it cannot be read.
        """
        name = said.get(_FILE)
        if (
            not isinstance(name, str)
            or "/" in name
            or "\\" in name
            or not name.endswith(".parquet")
        ):
            raise DatasetError(f"its values are in {str(name)[:80]!r}, expected a table beside it")
        root = self._root()
        try:
            data = root.read(name)
        except StorageError as error:
            raise DatasetError(
                f"'{name}' must be in the same folder as the view file: {error}"
            ) from error
        if digest(data) != said.get(HASH):
            raise DatasetError(f"'{name}' is not the table that was written with the view file")
        table = read_table(root, name)
        if table.column_names != [_COLUMN]:
            raise DatasetError(f"'{name}' must have exactly the column '{_COLUMN}'")
        return table[_COLUMN]

    def unreadable(self, why: object) -> DatasetError:
        """The error of a file that is no view file, or not one that can be used."""
        return DatasetError(f"'{self.path}' cannot be read as a view file: {why}")

    def _root(self) -> LocalRoot:
        if not os.path.isdir(self.folder):
            raise StorageError(f"'{self.folder}': no such folder")
        return LocalRoot(self.folder, follow_links=True)


def _bytes(table: pa.Table) -> bytes:
    """A table's content, the same for equal tables."""
    buffer = BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def _text(document: JsonObject) -> str:
    """The document with a line for each source and verb, so that a difference shows what was edited."""
    parts = []
    for key, value in document.items():
        if isinstance(value, list):
            lines = ",\n".join(_line(one) for one in value)
            parts.append(f'"{key}": [\n{lines}\n]' if value else f'"{key}": []')
        else:
            parts.append(f'"{key}": {_line(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
