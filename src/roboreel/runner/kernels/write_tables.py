"""Write tables: rows of many episodes at once, into one or more files; or copy the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from roboreel.errors import RunError
from roboreel.format.model import DATA_PATH
from roboreel.plan.plan import INPUT_TABLE, CopyTables, WriteTables
from roboreel.progress.work_done import advance
from roboreel.runner.kernels.copy_files import copied
from roboreel.runner.kernels.episode_frames import decoded_images
from roboreel.runner.kernels.measure_rows import measured_stats
from roboreel.runner.kernels.result_rows import (
    COUNTED,
    changed_columns,
    refuse_named_images,
    transformed,
    with_counted,
)
from roboreel.runner.kernels.table_inputs import Batch, Inputs
from roboreel.runner.row_sketches import Sketches, empty_sketches
from roboreel.runner.work import OpResult, Work
from roboreel.stats.block import StatsBlock
from roboreel.stats.pixel_counts import CameraCounts
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import read_footer
from roboreel.storage.tables.tables_write import write_batches


def run_write_tables(work: Work, op: WriteTables) -> OpResult:
    """Write the op's table files and measure what the plan asks for."""
    source, staging = work.roots()
    schema, done = work.table.schema, _Done(empty_sketches(work.sketched))
    size = 0
    with Inputs(work, source) as inputs:
        stream = _Stream(_tables(work, inputs, schema, done))
        for path, members in work.by_output(DATA_PATH):
            written = write_batches(
                staging,
                path,
                stream.take(len(members)),
                schema=schema,
                plain_columns=work.table.images,
            )
            promised = int(inputs.members[members[0] : members[-1] + 1].rows.sum())
            found = read_footer(staging, path).rows
            if not written == found == promised:
                raise RunError(f"'{path}' has {found} rows, expected {promised}")
            done.rows += written
            size += staging.stat(path).size_bytes
    return done.result(work, op, size)


def run_copy_tables(work: Work, op: CopyTables) -> OpResult:
    """Copy table files unchanged, and compute statistics of their index columns.

    By the survey of the same bytes, the index columns already have the values that would be written. So only
    the tasks are read.
    """
    source, staging = work.roots()
    done, size = _Done(empty_sketches(work.sketched)), 0
    promised: dict[str, int] = {}
    read = [name for name in work.table.measured if name not in COUNTED]
    with Inputs(work, source, columns=read) as inputs:
        for path, members in work.by_output(DATA_PATH):
            name = work.inputs[INPUT_TABLE][members[0]].as_py()
            size += copied(work, source, staging, name, path)
            promised[name] = int(inputs.members[members[0] : members[-1] + 1].rows.sum())
            advance(frames=promised[name])
        for batch in inputs.batches(0, len(work.inputs)):
            rows = with_counted(batch, work.table)
            done.stats += measured_stats(
                rows, batch.members, work.table, pixels=done.pixels, sketches=done.sketches
            )
        for name, count in promised.items():
            if inputs.file_rows[name] != count:
                raise RunError(f"'{name}' has {inputs.file_rows[name]} rows, expected {count}")
    done.rows = sum(promised.values())
    return done.result(work, op, size)


@dataclass(slots=True)
class _Done:
    sketches: Sketches
    rows: int = 0
    stats: list[StatsBlock] = field(default_factory=list)
    pixels: CameraCounts = field(default_factory=CameraCounts)
    changed: set[str] = field(default_factory=set)

    def result(self, work: Work, op: WriteTables | CopyTables, size_bytes: int) -> OpResult:
        """What the op did."""
        # what still waits to be counted would be sent to the parent process as it is
        for sketch in self.sketches.values():
            if sketch is not None:
                sketch.count()
        return OpResult(
            number=work.number,
            rows=self.rows,
            files=op.files,
            size_bytes=size_bytes,
            measured=sum(int(block.described().sum()) for block in self.stats),
            stats=tuple(self.stats),
            pixels=self.pixels.by_camera(),
            changed=frozenset(self.changed),
            sketches=self.sketches,
        )


class _Stream:
    """A stream of rows that is read by numbers of episodes."""

    def __init__(self, tables: Iterator[tuple[pa.Table, list[int]]]) -> None:
        self._tables = tables
        self._rest: tuple[pa.Table, list[int]] | None = None

    def take(self, episodes: int) -> Iterator[tuple[pa.Table, Sequence[int]]]:
        """Yield the rows of the next episodes, with the number of rows of each."""
        while episodes:
            table, lengths = self._rest or next(self._tables)
            now, later = lengths[:episodes], lengths[episodes:]
            stop = sum(now)
            self._rest = (table.slice(stop), later) if later else None
            episodes -= len(now)
            yield table.slice(0, stop), now


def _tables(
    work: Work, inputs: Inputs, schema: pa.Schema, done: _Done
) -> Iterator[tuple[pa.Table, list[int]]]:
    for batch in inputs.batches(0, len(work.inputs)):
        refuse_named_images(batch.rows, work.table.images)
        decoded = {n: _decoded(work, inputs.root, batch, n) for n in work.table.decoded}
        table = transformed(batch, work.table, schema, decoded)
        done.changed |= changed_columns(batch.rows, table)
        done.stats += measured_stats(
            table, batch.members, work.table, pixels=done.pixels, sketches=done.sketches
        )
        yield table, batch.members.rows.tolist()
        advance(frames=len(table))


def _decoded(work: Work, root: Root, batch: Batch, camera: str) -> pa.ChunkedArray:
    positions = batch.members.at.tolist()
    return pa.chunked_array(
        [part for at in positions for part in decoded_images(work, root, at, camera)]
    )
