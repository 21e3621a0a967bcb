"""Recover the rows of a parquet file that its writer did not finish: it has pages, but no footer.

A writer puts the pages of one row group after the other into the file, and at the end a footer that says
where they are. A killed writer leaves only the pages. Each begins with a header that says how long it is and
how many values it holds. With the schema, this tells which column a page belongs to: columns follow each
other in order, and all columns of a row group have the same rows. The footer is made again from that.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from roboreel.errors import StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import Root
from roboreel.storage.tables import thrift
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.tables.thrift import Struct, ThriftReader

_MAGIC = b"PAR1"
_HEADER_BYTES = 1 << 16
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_VALUES_IN = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
"""The field of a page header that describes a page of this kind."""
_CODECS = (1, 0, 6, 2, 4)
"""Snappy, none, zstd, gzip, brotli: by how often they are used."""
_ENCODINGS = [0, 3, 8]
"""Plain, run lengths, dictionary."""
_MOST_PAGES, _MOST_LEAVES = 1 << 20, 400
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class RecoveredRows:
    """What was recovered of a table file."""

    row_groups: tuple[int, ...]
    """Rows of each row group."""
    size_bytes: int
    """Bytes of the file that belong to these row groups."""
    lost_bytes: int
    """Bytes after them: pages of a row group that was not written to its end."""

    @property
    def rows(self) -> int:
        """All recovered rows."""
        return sum(self.row_groups)


class _Page(NamedTuple):
    start: int
    size: int
    """With its header, in the file."""
    full_size: int
    """With its header, uncompressed."""
    kind: int
    values: int


class _Leaf(NamedTuple):
    path: list[bytes]
    type: int
    per_row: int | None
    """Values of each row; None where rows differ."""


_Chunk = Sequence[_Page]


def recover_table(
    root: Root,
    name: str,
    schema: pa.Schema,
    *,
    into: LocalRoot,
    shapes: Mapping[str, Sequence[int]],
) -> RecoveredRows | None:
    """Write a copy of an unfinished table file with a footer; None if it has no whole row group.

    Args:
        root: has the file.
        name: the file.
        schema: the columns that its writer was given, in order.
        into: where to write the copy, under the same name.
        shapes: by column, the lengths of nested lists whose type does not say them.

    Raises:
        StorageError: the file cannot be read.
    """
    template = _template(schema)
    leaves = _leaves(schema, template, shapes)
    size = root.stat(name).size_bytes
    groups = _groups(_pages(root, name, size), leaves)
    for codec in _CODECS:
        whole = groups
        while whole:
            end = whole[-1][-1][-1].start + whole[-1][-1][-1].size
            _write(root, name, into, end, _footer(template, leaves, whole, codec))
            readable = _readable_groups(into, name)
            if readable == len(whole):
                rows = tuple(_rows(group, leaves) for group in whole)
                return RecoveredRows(rows, end, size - end)
            whole = whole[:readable]
    return None


def _template(schema: pa.Schema) -> Struct:
    """The footer of an empty file with this schema."""
    file = io.BytesIO()
    pq.write_table(schema.empty_table(), file)
    data = file.getvalue()
    size = int.from_bytes(data[-8:-4], "little")
    return ThriftReader(data[-8 - size : -8]).struct()


def _leaves(
    schema: pa.Schema, template: Struct, shapes: Mapping[str, Sequence[int]]
) -> list[_Leaf]:
    """The columns as parquet stores them, one for each innermost value, in order."""
    per_row = [n for item in schema for n in _values_per_row(item, shapes.get(item.name, ()))]
    stored = list(_stored_leaves(iter(template[2][1][1])))
    return [_Leaf(path, type_, n) for (path, type_), n in zip(stored, per_row, strict=True)]


def _values_per_row(item: pa.Field, lengths: Sequence[int]) -> list[int | None]:
    counts: int | None = 1
    type_, depth = item.type, 0
    while _is_list(type_):
        fixed = pa.types.is_fixed_size_list(type_)
        length = type_.list_size if fixed else lengths[depth] if depth < len(lengths) else None
        counts = None if counts is None or length is None else counts * length
        type_, depth = type_.value_type, depth + 1
    if not pa.types.is_struct(type_):
        return [counts]
    inner = [n for at in range(type_.num_fields) for n in _values_per_row(type_.field(at), ())]
    return [None if n is None or counts is None else n * counts for n in inner]


def _is_list(type_: pa.DataType) -> bool:
    kinds = (pa.types.is_list, pa.types.is_fixed_size_list, pa.types.is_large_list)
    return any(is_kind(type_) for is_kind in kinds)


def _stored_leaves(elements: Iterator[Struct]) -> Iterator[tuple[list[bytes], int]]:
    """(path, physical type) of the leaves below the next schema element, which is the root."""

    def below(count: int, above: list[bytes]) -> Iterator[tuple[list[bytes], int]]:
        for _ in range(count):
            element = next(elements)
            path = [*above, element[4][1]]
            if 5 in element:
                yield from below(element[5][1], path)
            else:
                yield path, element[1][1]

    yield from below(next(elements)[5][1], [])


def _pages(root: Root, name: str, size: int) -> list[_Page]:
    """The pages from the beginning of the file to the first one that is not whole."""
    (head,) = root.ranges(name, [(0, len(_MAGIC))])
    pages: list[_Page] = []
    at = len(_MAGIC)
    while head == _MAGIC and at < size and len(pages) < _MOST_PAGES:
        page = _page(root, name, at)
        if page is None or page.start + page.size > size:
            break
        pages.append(page)
        at += page.size
    return pages


def _page(root: Root, name: str, at: int) -> _Page | None:
    (data,) = root.ranges(name, [(at, _HEADER_BYTES)])
    reader = ThriftReader(data)
    try:
        header = reader.struct()
        kind, full, stored = (header[field][1] for field in (1, 2, 3))
        values = header[_VALUES_IN[kind]][1][1][1]
    except (ValueError, KeyError, TypeError):
        return None
    whole = all(isinstance(n, int) and n >= 0 for n in (full, stored, values))
    return _Page(at, reader.at + stored, reader.at + full, kind, values) if whole else None


def _groups(pages: Sequence[_Page], leaves: Sequence[_Leaf]) -> list[list[_Chunk]]:
    """The whole row groups, as a chunk of pages for each leaf."""
    groups: list[list[_Chunk]] = []
    at = 0
    while at < len(pages) and len(leaves) <= _MOST_LEAVES:
        group = next(_chunks(pages, at, leaves, None), None)
        if group is None:
            break
        groups.append(group)
        at += sum(map(len, group))
    return groups


def _chunks(
    pages: Sequence[_Page], at: int, leaves: Sequence[_Leaf], rows: int | None
) -> Iterator[list[_Chunk]]:
    """The ways to give the pages from `at` on to these leaves, so that all have the same rows."""
    if not leaves:
        yield []
        return
    leaf = leaves[0]
    stop = at + (at < len(pages) and pages[at].kind == _DICTIONARY)
    values = 0
    while stop < len(pages) and pages[stop].kind != _DICTIONARY:
        values += pages[stop].values
        stop += 1
        if rows is not None and leaf.per_row is not None and values >= rows * leaf.per_row:
            if values == rows * leaf.per_row:
                yield from (
                    [pages[at:stop], *rest] for rest in _chunks(pages, stop, leaves[1:], rows)
                )
            return
        if leaf.per_row is not None and (rows is not None or values % max(leaf.per_row, 1)):
            continue
        known = rows if leaf.per_row is None else values // leaf.per_row
        yield from ([pages[at:stop], *rest] for rest in _chunks(pages, stop, leaves[1:], known))


def _rows(group: Sequence[_Chunk], leaves: Sequence[_Leaf]) -> int:
    return next(
        sum(page.values for page in chunk if page.kind != _DICTIONARY) // leaf.per_row
        for chunk, leaf in zip(group, leaves, strict=True)
        if leaf.per_row
    )


def _footer(
    template: Struct, leaves: Sequence[_Leaf], groups: Sequence[Sequence[_Chunk]], codec: int
) -> bytes:
    made = [_row_group(group, leaves, codec) for group in groups]
    rows = sum(group[3][1] for group in made)
    footer = {
        **template,
        3: (thrift.I64, rows),
        4: (thrift.LIST, (thrift.STRUCT, made)),
    }
    data = thrift.written(footer)
    return data + len(data).to_bytes(4, "little") + _MAGIC


def _row_group(group: Sequence[_Chunk], leaves: Sequence[_Leaf], codec: int) -> Struct:
    columns = [
        {2: (thrift.I64, 0), 3: (thrift.STRUCT, _column(chunk, leaf, codec))}
        for chunk, leaf in zip(group, leaves, strict=True)
    ]
    return {
        1: (thrift.LIST, (thrift.STRUCT, columns)),
        2: (thrift.I64, sum(page.full_size for chunk in group for page in chunk)),
        3: (thrift.I64, _rows(group, leaves)),
    }


def _column(chunk: _Chunk, leaf: _Leaf, codec: int) -> Struct:
    """The metadata of a column in a row group (`ColumnMetaData`)."""
    data = [page for page in chunk if page.kind != _DICTIONARY]
    column: Struct = {
        1: (thrift.I32, leaf.type),
        2: (thrift.LIST, (thrift.I32, _ENCODINGS)),
        3: (thrift.LIST, (thrift.BINARY, leaf.path)),
        4: (thrift.I32, codec),
        5: (thrift.I64, sum(page.values for page in data)),
        6: (thrift.I64, sum(page.full_size for page in chunk)),
        7: (thrift.I64, sum(page.size for page in chunk)),
        9: (thrift.I64, data[0].start),
    }
    if chunk[0].kind == _DICTIONARY:
        column[11] = (thrift.I64, chunk[0].start)
    return column


def _write(root: Root, name: str, into: LocalRoot, end: int, footer: bytes) -> None:
    with root.input(name) as source, into.create(name) as output:
        output.copy(source, start=0, size=end)
        output.write(footer)


def _readable_groups(root: LocalRoot, name: str) -> int:
    """How many row groups can be read, counted from the first one."""
    read = 0
    try:
        with TableFile(root, name) as file:
            for rows in file.footer.row_group_rows:
                start = sum(file.footer.row_group_rows[:read])
                for at in range(start, start + rows, _ROWS_AT_ONCE):
                    file.rows(at, min(at + _ROWS_AT_ONCE, start + rows)).validate(full=True)
                read += 1
    except (StorageError, pa.ArrowException):
        pass
    return read
