"""The lengths of the lists in columns that no document declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format.feature import is_list
from roboreel.storage.tables import TableFile

_ROWS = 1 << 16
"""Rows that are read at once, at most."""


class _Lengths(NamedTuple):
    """The lengths of lists at one level; None where there is no list."""

    shortest: int | None
    longest: int | None
    missing: bool
    """True where a list is null."""

    @property
    def length(self) -> int:
        """The one that all have; where they differ the longest, but never one."""
        same = self.shortest == self.longest and not self.missing
        return max(self.longest or 0, 1 if same else 2)

    def joined(self, other: _Lengths) -> _Lengths:
        """Those of these lists and of others."""
        shortest = [length for length in (self.shortest, other.shortest) if length is not None]
        longest = [length for length in (self.longest, other.longest) if length is not None]
        missing = self.missing or other.missing
        return _Lengths(min(shortest, default=None), max(longest, default=None), missing)


def undeclared_shapes(file: TableFile, declared: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Lengths of the lists at each level, by column of lists that is not declared.

    Raises:
        StorageError: the file cannot be read.
    """
    schema = file.footer.schema
    types = {f.name: f.type for f in schema if f.name not in declared and is_list(f.type)}
    found = {name: list(_levels(pa.array([], type_))) for name, type_ in types.items()}
    if not found:
        return {}
    for table in file.batches([*types], rows=_ROWS):
        for name, known in found.items():
            for chunk in table[name].chunks:
                levels = zip(known, _levels(chunk), strict=True)
                known[:] = [lengths.joined(more) for lengths, more in levels]
    return {name: tuple(lengths.length for lengths in known) for name, known in found.items()}


def _levels(column: pa.Array) -> Iterator[_Lengths]:
    """The lengths of the lists at each level."""
    while is_list(column.type):
        bounds = pc.min_max(pc.list_value_length(column)).as_py()
        yield _Lengths(bounds["min"], bounds["max"], column.null_count > 0)
        column = pc.list_flatten(column)
