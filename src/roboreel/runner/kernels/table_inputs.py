"""Read the rows of episodes from table files: many episodes at once, columns by their names in the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from roboreel.edit.frame_rate import taken_frames
from roboreel.format.feature import INDEX_DTYPES
from roboreel.format.model import EPISODE
from roboreel.plan.plan import (
    DECLARED_ROWS,
    DEFAULT_TASK,
    FIRST_FRAME,
    FIRST_INDEX,
    INPUT_ROW,
    INPUT_TABLE,
    ROW_RANGE,
    ROWS,
    SOURCE,
    TASK_MAP,
)
from roboreel.runner.work import Work
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.tables.tables_forward import Forward
from roboreel.storage.tables.tables_memory import as_one, take_ascending
from roboreel.types import Bools, Int64

_BATCH_BYTES = 8 << 20
"""Approximate memory size of the rows that are handled together, at least one episode."""
_BATCH_ROWS = 1 << 17


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Some of an op's episodes, as arrays."""

    at: Int64
    """Positions in the op's tables."""
    episode: Int64
    """Episode numbers in the result."""
    rows: Int64
    first_index: Int64
    default_task: Int64
    task_map: Int64
    whole: Bools
    """True if the complete source episode is taken."""
    source: Int64
    file: Int64
    """Positions in `Inputs.names`."""
    row: Int64
    """First row of each row range in the input."""
    row_range: Int64
    first_frame: Int64
    """Frame of the source episode where the row range begins."""

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, part: slice | Int64) -> Members:
        names = self.__dataclass_fields__
        return replace(self, **{name: getattr(self, name)[part] for name in names})


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of consecutive episodes in a file of the result."""

    members: Members
    rows: pa.Table
    """The rows taken from each row range, episode after episode."""


class Inputs:
    """The table files of an op; one is open at a time."""

    def __init__(self, work: Work, root: Root, columns: Sequence[str] | None = None) -> None:
        self._work, self.root, self._columns = work, root, columns
        self._open: TableFile | None = None
        self._forward: Forward | None = None
        self.file_rows: dict[str, int] = {}
        """Number of rows of the opened files, by name."""
        self._used = {*work.table.schema.names, *INDEX_DTYPES} - {*work.table.decoded}
        paths = work.inputs[INPUT_TABLE].combine_chunks().dictionary_encode()
        self.names: list[str] = paths.dictionary.to_pylist()
        rows = _numbers(work, ROWS)
        self.members = Members(
            at=np.arange(len(rows), dtype=np.int64),
            episode=work.outputs[EPISODE].to_numpy(),
            rows=rows,
            first_index=_numbers(work, FIRST_INDEX),
            default_task=_numbers(work, DEFAULT_TASK),
            task_map=_numbers(work, TASK_MAP),
            whole=rows == _numbers(work, DECLARED_ROWS),
            source=_numbers(work, SOURCE),
            file=paths.indices.to_numpy().astype(np.int64),
            row=_numbers(work, INPUT_ROW),
            row_range=_numbers(work, ROW_RANGE),
            first_frame=_numbers(work, FIRST_FRAME),
        )

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """The rows of the op's episodes `[start, stop)`, in order."""
        at = start
        while at < stop:
            members = self.members[at:stop]
            members = members[: self._fitting(members)]
            at += len(members)
            yield from self._read(members)

    def _fitting(self, members: Members) -> int:
        """How many of the first episodes are from one dataset and together not too large."""
        # the images of an episode's videos are large, and rows do not say how large
        if self._work.table.decoded:
            return 1
        file = self._file(int(members.file[0]))
        row_bytes = file.row_bytes(self._wanted(file, int(members.source[0])))
        most = min(_BATCH_ROWS, max(1, _BATCH_BYTES // row_bytes))
        fit = np.searchsorted(np.cumsum(members.row_range), most, side="right")
        others = np.flatnonzero(members.source != members.source[0])
        same = int(others[0]) if len(others) else len(members)
        return max(1, min(int(fit), same))

    def _read(self, members: Members) -> Iterator[Batch]:
        """Yield the rows of episodes of one dataset, in one batch if the tables have the same schema."""
        # files are read from front to back, each once; `_positions` restores the order of the view
        order = np.lexsort((members.row, members.file))
        runs = list(self._runs(members[order]))
        if any(not run.schema.equals(runs[0].schema) for run in runs):
            for one in range(len(members)):
                alone = members[one : one + 1]
                yield self._batch(alone, next(self._runs(alone)))
            return
        rows = pa.concat_tables(runs)
        if not bool((np.diff(order) == 1).all()):
            rows = rows.take(pa.array(_positions(members.row_range, order)))
        yield self._batch(members, rows)

    def _runs(self, members: Members) -> Iterator[pa.Table]:
        """Yield the episode slices one after another; slices that adjoin in a file come from one read."""
        goes_on = np.zeros(len(members), dtype=np.bool_)
        goes_on[1:] = np.diff(members.file) == 0
        goes_on[1:] &= members.row[1:] == members.row[:-1] + members.row_range[:-1]
        starts = np.flatnonzero(~goes_on)
        ends = [*starts[1:].tolist(), len(members)]
        for first, end in zip(starts.tolist(), ends, strict=True):
            file = self._file(int(members.file[first]))
            stop = int(members.row[end - 1] + members.row_range[end - 1])
            columns = self._wanted(file, int(members.source[first]))
            yield self._forward_in(file, columns).rows(int(members.row[first]), stop)

    def _forward_in(self, file: TableFile, columns: Sequence[str] | None) -> Forward:
        """The reader that continues with these columns, or a new one."""
        known, names = self._forward, None if columns is None else tuple(columns)
        if known is None or known.file is not file or known.columns != names:
            self._forward = known = Forward(file, names)
        return known

    def _wanted(self, file: TableFile, source: int) -> Sequence[str] | None:
        """The columns of a file that the result or its index columns need; None for all columns."""
        if self._columns is not None:
            return self._columns
        own = self._work.sources[source]
        names = file.footer.schema.names
        kept = [
            name
            for name in names
            if name not in own.removed and own.renamed.get(name, name) in self._used
        ]
        return None if len(kept) == len(names) else kept

    def _batch(self, members: Members, rows: pa.Table) -> Batch:
        """The rows by the result's column names and frame rate, with supplied columns added."""
        work = self._work
        source = work.sources[int(members.source[0])]
        kept = [name for name in rows.column_names if name not in source.removed]
        rows = rows.select(kept).rename_columns([source.renamed.get(name, name) for name in kept])
        if source.supplied:
            parts = [work.supplied[at] for at in members.at.tolist()]
            more = pa.concat_tables(parts).select(source.supplied)
            for name, column in zip(more.column_names, more.columns, strict=True):
                rows = rows.append_column(name, column)
        if work.table.steps[int(members.source[0])] != 1:
            rows = take_ascending(rows, self._taken(members))
        return Batch(members, as_one(rows) if len(members) > 1 else rows)

    def _taken(self, members: Members) -> Int64:
        """Positions of the rows, in all row ranges, that become rows of the result."""
        begin = np.cumsum(members.row_range) - members.row_range
        step = self._work.table.steps[int(members.source[0])]
        triples = zip(
            begin.tolist(), members.rows.tolist(), members.row_range.tolist(), strict=True
        )
        taken = [first + taken_frames(rows, row_range, step) for first, rows, row_range in triples]
        return np.concatenate(taken)

    def _file(self, number: int) -> TableFile:
        name = self.names[number]
        if self._open is None or self._open.name != name:
            self.close()
            self._work.check_input(self.root, name)
            self._open = TableFile(self.root, name)
            self.file_rows[name] = self._open.footer.rows
        return self._open

    def close(self) -> None:
        """Close the open file."""
        if self._open is not None:
            self._open.close()
            self._open = self._forward = None

    def __enter__(self) -> Inputs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _numbers(work: Work, column: str) -> Int64:
    return np.asarray(work.inputs[column].to_numpy(), dtype=np.int64)


def _positions(row_range: Int64, order: Int64) -> Int64:
    """Positions of the rows of episodes that were read in another order."""
    begin = np.empty_like(row_range)
    begin[order] = np.cumsum(row_range[order]) - row_range[order]
    first = np.cumsum(row_range) - row_range
    return np.repeat(begin - first, row_range) + np.arange(int(row_range.sum()))


def counted(rows: Sequence[int] | Int64) -> Int64:
    """0, 1, 2, … within each of some consecutive row ranges."""
    lengths = np.asarray(rows, dtype=np.int64)
    first = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(first, lengths)
