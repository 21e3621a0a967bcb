"""A file beside the result that lists the finished ops, so that a later run can resume.

The first line identifies the plan and the folder. The plan is identified by a digest of everything that
determines the result's bytes, except for the state of the tables and videos. In another folder the ledger is
not valid.

Each further line is a finished op: what it did, a digest of the state of the files that it read, the files
that it wrote with size and stamp, and the statistics it computed. An op is repeated if its files no longer
match its line: after a video is repaired, only the ops that read it run again.

After a restart of the machine, only lines count that were flushed to the disk together with their files. A
`synced` line says so for all lines before it.

From another plan's ledger, camera statistics are valid if everything that determines them is the same.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, TypeAlias, cast

import numpy as np

from roboreel.errors import StorageError
from roboreel.format.model import DATA_PATH, video_path
from roboreel.plan.plan import CopyFile, CopyTables, MeasureCamera, Plan, WriteTables
from roboreel.runner.fingerprint import fingerprint, inputs_mark, measurement
from roboreel.runner.work import OpResult
from roboreel.stats.block import StatsBlock, block_to_json, parse_block
from roboreel.stats.pixel_counts import CameraCounts, counted_to_json, parse_counted
from roboreel.storage.disk import boot
from roboreel.storage.local import LocalRoot
from roboreel.storage.staging.staging_folder import LEDGER, identity
from roboreel.storage.write_root import WriteRoot
from roboreel.types import Int64, Json

_SYNC_EVERY_S = 30.0
_KEPT_BYTES = 64 << 20
"""Memory limit for statistics of ops; beyond it they are read from the ledger again."""
_COLUMN_BYTES = 400
"""Memory that a column of statistics takes besides its numbers; for a single episode, that is most of it."""
_READ_BYTES = 1 << 20
_HEAD_BYTES = 1 << 16
"""The first line is short; a longer one was not written by this module."""
_NOT_PLAIN = ("stats", "changed", "pixels", "sketches")
_COUNTS = tuple(one.name for one in dataclasses.fields(OpResult) if one.name not in _NOT_PLAIN)
_EMPTY: dict[str, Any] = {"stats": (), "pixels": {}, "sketches": {}}
"""Shared by all results that are kept, because there may be very many."""


def ops_noted(folder: str | os.PathLike[str]) -> int:
    """Number of finished ops in the ledger of a staging folder."""
    notes = LocalRoot(folder)
    if not notes.exists(LEDGER):
        return 0
    with _opened(notes) as file:
        head = _head(file)
        if head is None or head.get("folder") != identity(notes.path):
            return 0
        return sum("op" in line for _, line in _lines(file))


def outputs_of(plan: Plan, number: int) -> list[str]:
    """The files that an op of the plan writes."""
    op = plan.ops[number]
    if isinstance(op, CopyFile):
        return [op.path]
    if isinstance(op, MeasureCamera):
        return []
    column = DATA_PATH if isinstance(op, WriteTables | CopyTables) else video_path(op.camera)
    paths = plan.model.episodes[column].slice(op.episodes.start, len(op.episodes))
    names: list[str] = paths.unique().to_pylist()
    return names


@dataclass(frozen=True, slots=True)
class _Position:
    start: int
    stop: int


@dataclass(slots=True)
class Ledger:
    """The ledger of one staging folder."""

    plan: Plan
    notes: LocalRoot
    """The staging folder, which contains the ledger."""
    root: WriteRoot
    """The result."""
    folder: str = ""
    """`staging_folder.identity` of the staging folder."""
    same_plan: bool = True
    """False if the ledger that was read belongs to another plan."""
    same_folder: bool = True
    """False if the ledger that was read was written in another folder, or by an older release."""
    of_use: bool = True
    """False if no later run can resume from it, because the dataset has changed."""
    done: dict[int, OpResult] = field(default_factory=dict)
    """Results of the finished ops, without their statistics."""
    pixels: CameraCounts = field(default_factory=CameraCounts)
    """Pixel counts of all finished ops."""
    adoptable: dict[int, _Position] = field(default_factory=dict)
    """Positions of lines in another plan's ledger that are valid for ops of this plan, by op."""
    _positions: Int64 = field(init=False, repr=False)
    """(ops, 2) where the line of each op begins and ends; an array, because there may be very many."""
    _kept: dict[int, tuple[StatsBlock, ...]] = field(default_factory=dict)
    """Statistics that are still in memory, by op."""
    _kept_bytes: int = 0
    _groups: dict[str, list[tuple[int, int]]] | None = None
    _size: int = 0
    _unsynced: list[str] = field(default_factory=list)
    _synced_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._positions = np.zeros((len(self.plan.ops), 2), dtype=np.int64)

    @property
    def begun(self) -> bool:
        """True if an earlier run left a ledger."""
        return self.notes.exists(LEDGER)

    def begin(self) -> None:
        """Write the first line."""
        self._add(self._first_line())

    def _first_line(self) -> dict[str, Json]:
        return {"plan": fingerprint(self.plan), "folder": self.folder, "boot": boot()}

    def read(self) -> int:
        """Read the ledger of an earlier run; return its number of finished ops, of this or another plan."""
        if not self.notes.exists(LEDGER):
            return 0
        with _opened(self.notes) as file:
            head = _head(file)
            self.same_folder = head is None or head.get("folder") == self.folder
            self.same_plan = head is not None and head.get("plan") == fingerprint(self.plan)
            if head is None or not self.same_folder:
                return 0
            if not self.same_plan:
                return self._look_through(_lines(file))
            for position, line in _trusted(_lines(file)):
                if "op" in line and self._holds(line):
                    self._take_in(position, line)
        return len(self.done)

    def _look_through(self, lines: Iterable[_Line]) -> int:
        """Find the valid lines of another plan's ledger; return its number of finished ops.

        If that plan has written files, no line is used: resuming, perhaps by mistake, would lose the files.
        """
        known = {measurement(self.plan, number): number for number in range(len(self.plan.ops))}
        noted = measured = 0
        for position, line in _trusted(lines):
            noted += "op" in line
            mark = cast("str | None", line.get("measurement"))
            measured += mark is not None
            if mark in known and mark is not None:
                self.adoptable[known[mark]] = position
        if measured < noted:
            self.adoptable.clear()
        return noted

    def adopt(self) -> int:
        """Keep only the valid lines of the other plan's ledger; return the number of ops."""
        with _opened(self.notes) as old, self.notes.create(LEDGER) as new:
            new.write(_encoded(self._first_line()))
            for number, position in self.adoptable.items():
                old.seek(position.start)
                line = json.loads(old.read(position.stop - position.start))
                result = {**line["result"], "number": number}
                new.write(_encoded({**line, "op": number, "result": result}))
        return self.read()

    def _take_in(self, position: _Position, line: Mapping[str, Any]) -> None:
        changed = frozenset(line["result"]["changed"])
        number = line["op"]
        bare = OpResult(**{**line["result"], "number": number, "changed": changed, **_EMPTY})
        self.done[number] = bare
        self._positions[number] = position.start, position.stop
        for camera, counted in line["pixels"].items():
            self.pixels.add(camera, parse_counted(counted))

    def reopen(self) -> None:
        """Cut off an incomplete last line, and record that this run continues."""
        size = self.notes.stat(LEDGER).size_bytes
        with self.notes.input(LEDGER) as file:
            self._size = _end_of_lines(file, size)
        if self._size < size:
            self.notes.cut(LEDGER, self._size)
        self._add({"boot": boot()})

    def record(self, result: OpResult) -> None:
        """Record that an op is done."""
        names = outputs_of(self.plan, result.number)
        bare = dataclasses.replace(result, **_EMPTY)
        inputs = inputs_mark(self.plan, result.number)
        line: dict[str, Json] = {
            "op": result.number,
            "result": {name: getattr(result, name) for name in _COUNTS}
            | {"changed": sorted(result.changed)},
            "inputs": inputs,
            "measurement": measurement(self.plan, result.number, inputs),
            "files": {name: self._mark(name) for name in names},
            "stats": [block_to_json(block) for block in result.stats],
            "pixels": {name: counted_to_json(one) for name, one in result.pixels.items()},
        }
        start = self._size
        self._add(line)
        self._positions[result.number] = start, self._size
        self.done[result.number] = bare
        for camera, counted in result.pixels.items():
            self.pixels.add(camera, counted)
        if result.measured and self._kept_bytes < _KEPT_BYTES:
            self._keep(result.number, result.stats)
        self._unsynced += names
        if time.monotonic() - self._synced_at > _SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """Flush the ledger and the files it names to the disk."""
        # files first: the line vouches for all that lines before it name
        self.root.sync(self._unsynced)
        self._add({"synced": len(self.done)})
        self.notes.sync([LEDGER])
        self._unsynced, self._synced_at = [], time.monotonic()

    def stats_of(self, episodes: range) -> list[tuple[int, StatsBlock]]:
        """The statistics that ops computed for episodes of the result, each with its position among them.

        Args:
            episodes: numbers in the result; the first of them counts as 0.
        """
        found: list[tuple[int, StatsBlock]] = []
        with self.notes.input(LEDGER) as file:
            for ranges in self._measured().values():
                # the last range that begins at or before the first episode may reach into it
                begin = max(0, bisect_right(ranges, (episodes.start, len(self.plan.ops))) - 1)
                for first, number in ranges[begin:]:
                    if first >= episodes.stop:
                        break
                    found += _within(self._stats_in(number, file), first, episodes)
        return found

    def vouched(self) -> frozenset[str]:
        """The files written by all finished ops."""
        return frozenset(name for number in self.done for name in outputs_of(self.plan, number))

    def _measured(self) -> dict[str, list[tuple[int, int]]]:
        """(first episode, op) of the ops that computed statistics, ascending, by kind of op and camera."""
        if self._groups is None:
            self._groups = {}
            for number in sorted(self.done):
                op = self.plan.ops[number]
                if self.done[number].measured and not isinstance(op, CopyFile):
                    key = f"{op.kind} {getattr(op, 'camera', '')}"
                    self._groups.setdefault(key, []).append((op.episodes.start, number))
        return self._groups

    def _stats_in(self, number: int, file: IO[bytes]) -> tuple[StatsBlock, ...]:
        """The statistics that one op computed: from memory, or else from the ledger's file."""
        if number not in self._kept:
            if self._kept_bytes >= _KEPT_BYTES:
                self._kept.clear()
                self._kept_bytes = 0
            start, stop = self._positions[number].tolist()
            file.seek(start)
            line = json.loads(file.read(stop - start))
            self._keep(number, tuple(map(parse_block, line["stats"])))
        return self._kept[number]

    def _keep(self, number: int, stats: tuple[StatsBlock, ...]) -> None:
        self._kept[number] = stats
        self._kept_bytes += sum(
            block.nbytes + _COLUMN_BYTES * len(block.columns) for block in stats
        )

    def _mark(self, name: str) -> list[Json]:
        found = self.root.stat(name)
        return [found.size_bytes, found.stamp]

    def _holds(self, line: Mapping[str, Any]) -> bool:
        """True if the files that an op read and wrote have not changed."""
        if line["inputs"] != inputs_mark(self.plan, line["op"]):
            return False
        if line["files"].keys() != {*outputs_of(self.plan, line["op"])}:
            return False
        try:
            return all(self._mark(name) == mark for name, mark in line["files"].items())
        except StorageError:
            return False

    def _add(self, line: Mapping[str, Json]) -> None:
        data = _encoded(line)
        self.notes.append(LEDGER, data)
        self._size += len(data)


def _encoded(line: Mapping[str, Json]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _within(
    blocks: Iterable[StatsBlock], first: int, episodes: range
) -> Iterator[tuple[int, StatsBlock]]:
    """The parts of consecutive blocks that belong to `episodes`, each with its position among these."""
    for block in blocks:
        start, stop = max(first, episodes.start), min(first + block.episodes, episodes.stop)
        if start < stop:
            yield start - episodes.start, block.take(slice(start - first, stop - first))
        first += block.episodes


_Line: TypeAlias = tuple[_Position, dict[str, Json]]


def _opened(notes: LocalRoot) -> io.BufferedReader:
    return io.BufferedReader(cast("io.RawIOBase", notes.input(LEDGER)), _READ_BYTES)


def _end_of_lines(file: IO[bytes], size: int) -> int:
    """The end of the last complete line in a file of `size` bytes; memory use stays small."""
    stop = size
    while stop:
        start = max(0, stop - _READ_BYTES)
        file.seek(start)
        end = file.read(stop - start).rfind(b"\n")
        if end >= 0:
            return start + end + 1
        stop = start
    return 0


def _head(file: IO[bytes]) -> dict[str, Json] | None:
    """The first line, if it is complete and written by a ledger; the file is rewound."""
    line = file.readline(_HEAD_BYTES)
    file.seek(0)
    try:
        content = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _lines(file: Iterable[bytes]) -> Iterator[_Line]:
    """Position and content of each complete line; stops at a damaged line, and trusts none after it."""
    start = 0
    for line in file:
        try:
            content = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            content = None
        if not isinstance(content, dict):
            return
        yield _Position(start, start + len(line)), content
        start += len(line)


def _trusted(lines: Iterable[_Line]) -> Iterator[_Line]:
    """The lines whose files are on the disk: all since the machine started, and earlier ones if synced."""
    now = boot()
    waiting: list[_Line] = []
    current = False
    for position, line in lines:
        # lines of an earlier boot may name files that a power cut took, unless they were synced
        if "boot" in line:
            waiting, current = [], bool(now) and line["boot"] == now
        waiting.append((position, line))
        if current or "synced" in line:
            yield from waiting
            waiting = []
