"""Compare the rows of every episode: user columns bit for bit, index columns by meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.diffing.comparable_columns import ColumnTypes
from roboreel.diffing.compare_images import differing_images
from roboreel.diffing.compare_index_columns import (
    RowSlice,
    RowTasks,
    compare_counted,
    compare_timestamps,
)
from roboreel.diffing.compare_values import differing, first_values
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.diffing.episode_rows import EpisodeRows
from roboreel.diffing.side import Side
from roboreel.errors import StorageError, UsageError
from roboreel.format.feature import (
    INDEX_DTYPES,
    SOURCE_TIMESTAMP,
    TIMESTAMP,
    holds_images,
    is_image,
)

_KEPT_TIMES = re.compile(rf"{SOURCE_TIMESTAMP}(_\d+)?")


class RowComparer:
    """Compares the tables of two datasets, episode by episode."""

    def __init__(self, first: Side, second: Side, ledger: DiffLedger, *, decode: bool) -> None:
        self._sides, self._ledger, self._decode = (first, second), ledger, decode
        self._fps = float(first.dataset.fps)
        self._types = ColumnTypes()
        self._tasks = RowTasks(first, second, ledger)
        self._images = {
            name
            for side in self._sides
            for name, feature in side.features.items()
            if feature.dtype == "image"
        }
        self._before = 0
        self._known_before = (0, 0)
        """Position of an episode in the second dataset, and the number of rows before it."""
        self.columns: tuple[set[str], set[str]] = (set(), set())
        """Columns found on each side, by common name."""

    def compare(self, episodes: int) -> None:
        """Compare the rows of the first `episodes` pairs of episodes."""
        readers = (EpisodeRows(self._sides[0]), EpisodeRows(self._sides[1]))
        try:
            for episode in range(episodes):
                self._episode(episode, readers)
        finally:
            for reader in readers:
                reader.close()
        self._types.resolve(self._ledger)

    @property
    def widened(self) -> set[str]:
        """Columns with several types in the first dataset, and one in the second."""
        return self._types.widened

    def _episode(self, episode: int, readers: tuple[EpisodeRows, EpisodeRows]) -> None:
        row_ranges = []
        for side, reader in zip(self._sides, readers, strict=True):
            try:
                row_ranges.append(reader.locate(episode))
            except StorageError as error:
                self._broken(side, episode, error)
        if len(row_ranges) < 2:
            return
        self._before = self._rows_before(episode)
        rows = [stop - start for start, stop in row_ranges]
        self._tasks.start()
        slices = [
            self._renamed(side, episode, reader.slices(*row_range))
            for side, reader, row_range in zip(self._sides, readers, row_ranges, strict=True)
        ]
        try:
            for span in self._aligned(episode, *slices):
                self._compare(span)
                self._ledger.compared.rows += span.rows
                self._ledger.compared.columns = len(self.columns[0] & self.columns[1])
        except StorageError:  # reported by `_renamed`
            return
        self._ledger.compared.episodes += 1
        if rows[0] != rows[1]:
            what = f"{rows[0]} against {rows[1]} rows"
            row = min(rows)
            self._ledger.add_difference(
                Difference(kind="rows", what=what, episode=episode, row=row)
            )
        self._listed_tasks(episode)

    def _rows_before(self, episode: int) -> int:
        """Number of rows before this episode in the second dataset."""
        side, (known, before) = self._sides[1], self._known_before
        position = side.positions[episode]
        if position < known:
            known, before = 0, 0
        before += int(side.rows[known:position].sum())
        self._known_before = (position, before)
        return before

    def _broken(self, side: Side, episode: int, error: StorageError) -> None:
        side.broken.add(episode)
        what = f"cannot be read in {side.label}: {error}"
        self._ledger.add_difference(
            Difference(kind="broken", what=what, episode=episode), fold=side.label
        )

    def _renamed(
        self, side: Side, episode: int, batches: Iterator[pa.RecordBatch]
    ) -> Iterator[Mapping[str, pa.Array]]:
        """The columns of each batch, by common name."""
        seen = self.columns[side is self._sides[1]]
        try:
            for batch in batches:
                columns = {
                    side.common_name(name): column
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                }
                if len(columns) < len(batch.columns):
                    raise UsageError(f"two columns of {side.label} get the same name: rename both")
                seen.update(columns)
                yield columns
        except StorageError as error:
            self._broken(side, episode, error)
            raise

    def _aligned(
        self,
        episode: int,
        first: Iterator[Mapping[str, pa.Array]],
        second: Iterator[Mapping[str, pa.Array]],
    ) -> Iterator[RowSlice]:
        """Both sides' rows in slices of equal length, up to the end of the shorter one."""
        row = 0
        here: Mapping[str, pa.Array] = {}
        there: Mapping[str, pa.Array] = {}
        while True:
            here = here if _rows(here) else next(first, {})
            there = there if _rows(there) else next(second, {})
            rows = min(_rows(here), _rows(there))
            if not rows:
                return
            yield RowSlice(
                episode=episode,
                row=row,
                index=self._before + row,
                first={name: column[:rows] for name, column in here.items()},
                second={name: column[:rows] for name, column in there.items()},
            )
            here = {name: column[rows:] for name, column in here.items()}
            there = {name: column[rows:] for name, column in there.items()}
            row += rows

    def _compare(self, span: RowSlice) -> None:
        found = []
        kept = self._kept_times(span)
        for name, a in span.first.items():
            if name not in INDEX_DTYPES:
                found += self._column(span, name, a, span.second.get(name))
        for name, b in span.second.items():
            if name in kept:
                found += self._column(span, name, span.first[TIMESTAMP], b)
            elif name not in span.first and name not in INDEX_DTYPES:
                found += self._column(span, name, None, b)
        for difference in sorted(found, key=lambda each: each.row or 0):
            self._ledger.add_difference(difference)
        numbers = tuple(side.numbers[side.positions[span.episode]] for side in self._sides)
        compare_counted(span, numbers, self._ledger)
        compare_timestamps(span, self._fps, kept=bool(kept), ledger=self._ledger)
        self._tasks.compare(span)

    def _kept_times(self, span: RowSlice) -> list[str]:
        """Columns of the second dataset that keep the first one's timestamps."""
        if TIMESTAMP not in span.first:
            return []
        names = [n for n in span.second if n not in span.first and _KEPT_TIMES.fullmatch(n)]
        for name in names:
            what = "keeps the timestamps of the first"
            self._ledger.add_note(
                Difference(kind="columns", what=what, episode=span.episode, column=name)
            )
        return names

    def _column(
        self, span: RowSlice, name: str, a: pa.Array | None, b: pa.Array | None
    ) -> list[Difference]:
        """At most one difference: the first row of a user column that differs, with the count."""
        if a is None or b is None:
            return self._one_sided(span, name, a, b)
        if self._are_images(name, a, b):
            return differing_images(span, name, a, b, self._ledger, decode=self._decode)
        comparable = self._types.comparable(name, a, b, span.episode, self._ledger)
        if comparable is None:
            return []  # ColumnTypes reports it
        if is_image(comparable[0].type):
            return differing_images(span, name, *comparable, self._ledger, decode=self._decode)
        rows = np.flatnonzero(differing(*comparable))
        if not len(rows):
            return []
        at = int(rows[0])
        return [
            Difference(
                kind="values",
                what=first_values(*comparable, at),
                episode=span.episode,
                row=span.row + at,
                column=name,
                count=len(rows),
            )
        ]

    def _are_images(self, name: str, a: pa.Array, b: pa.Array) -> bool:
        """True if both hold encoded images: structs, or plain bytes if declared as image."""
        held = holds_images if name in self._images else is_image
        return held(a.type) and held(b.type)

    def _one_sided(
        self, span: RowSlice, name: str, a: pa.Array | None, b: pa.Array | None
    ) -> list[Difference]:
        """The difference for a column that one side lacks; only a note if it has no value here."""
        column, which = (a, "first") if a is not None else (b, "second")
        assert column is not None
        there = np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False))
        found = Difference(
            kind="columns",
            what=f"only the {which} has this column",
            episode=span.episode,
            row=span.row + int(there.argmax()) if there.any() else None,
            column=name,
        )
        if there.any():
            return [found]
        self._ledger.add_note(found, fold="empty")
        return []

    def _listed_tasks(self, episode: int) -> None:
        listed = [side.listed_tasks[side.positions[episode]] for side in self._sides]
        if listed[0] == listed[1]:
            return
        what = f"{listed[0]} against {listed[1]}"
        supplied = not listed[0] and set(listed[1]) == set(self._tasks.strings)
        what += ": those of its rows" if supplied else ""
        found = Difference(kind="tasks", what=what, episode=episode)
        self._ledger.add(found, counts=not supplied, fold="listed")


def _rows(columns: Mapping[str, pa.Array]) -> int:
    return len(next(iter(columns.values()))) if columns else 0
