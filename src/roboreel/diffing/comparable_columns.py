"""Convert two columns of one name to a common type, so that their bits can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from roboreel.diffing.compare_values import (
    list_lengths,
    logical_type,
    storage_array,
    without_single_lists,
)
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.format.feature import is_list


@dataclass(slots=True)
class ColumnTypes:
    """The types seen in each column, and the columns whose types differ between the sides."""

    first: dict[str, set[pa.DataType]] = field(default_factory=dict)
    mismatch: dict[str, tuple[pa.DataType, pa.DataType, int]] = field(default_factory=dict)
    """By column: both types, and the first episode where they differ."""

    def comparable(
        self, name: str, a: pa.Array, b: pa.Array, episode: int, ledger: DiffLedger
    ) -> tuple[pa.Array, pa.Array] | None:
        """Return both columns in one logical type; None if neither converts without loss."""
        a, b = storage_array(a), storage_array(b)
        self.first.setdefault(name, set()).add(a.type)
        if logical_type(a.type) == logical_type(b.type):
            return a, b
        if pa.types.is_null(a.type) or pa.types.is_null(b.type):
            return _nulls(a, b.type), _nulls(b, a.type)
        if is_list(a.type) != is_list(b.type):
            a, b = _unwrapped(name, a, b, episode, ledger)
        if logical_type(a.type) == logical_type(b.type):
            return a, b
        self.mismatch.setdefault(name, (a.type, b.type, episode))
        return _cast(a, b)

    @property
    def widened(self) -> set[str]:
        """Columns whose types differ among the tables of the first dataset itself."""
        return {
            n for n in self.mismatch if len({logical_type(type_) for type_ in self.first[n]}) > 1
        }

    def resolve(self, ledger: DiffLedger) -> None:
        """Report different types; a note for `widened` columns, as the second must use the wider type."""
        for name, (one, other, episode) in self.mismatch.items():
            found = Difference(
                kind="columns", what=f"{one} against {other}", episode=episode, column=name
            )
            ledger.add(found, counts=name not in self.widened, fold="type")


def _unwrapped(
    name: str, a: pa.Array, b: pa.Array, episode: int, ledger: DiffLedger
) -> tuple[pa.Array, pa.Array]:
    """Return both as plain values if one side stores them as lists of one value."""
    plain = [without_single_lists(part) if is_list(part.type) else part for part in (a, b)]
    if plain[0] is None or plain[1] is None:
        return a, b
    which = "first" if is_list(a.type) else "second"
    ledger.add_note(
        Difference(
            kind="columns",
            what=f"lists of one number in the {which}, plain numbers in the other",
            episode=episode,
            column=name,
        ),
        fold="lists-of-one",
    )
    return storage_array(plain[0]), storage_array(plain[1])


def _nulls(array: pa.Array, type_: pa.DataType) -> pa.Array:
    return pa.nulls(len(array), type_) if pa.types.is_null(array.type) else array


def _cast(a: pa.Array, b: pa.Array) -> tuple[pa.Array, pa.Array] | None:
    """Return both in the wider of their types; None if a value would change."""
    for one, other, turned in ((a, b, False), (b, a, True)):
        try:
            wide = one.cast(other.type)
            back = wide.cast(one.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            continue
        if back.equals(one) or _equal_except_nan(back, one):
            return (other, wide) if turned else (wide, other)
    return None


def _equal_except_nan(a: pa.Array, b: pa.Array) -> bool:
    """True if two arrays are equal when NaN counts as equal to NaN."""
    if is_list(a.type):
        same = (list_lengths(a) == list_lengths(b)).all()
        return bool(same) and _equal_except_nan(pc.list_flatten(a), pc.list_flatten(b))
    if not pa.types.is_floating(a.type):
        return bool(a.equals(b))
    filled = [pc.if_else(pc.is_nan(part), 0, part) for part in (a, b)]
    return bool(filled[0].equals(filled[1]))
