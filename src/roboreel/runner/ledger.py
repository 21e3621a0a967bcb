"""What of a plan is done: a file of lines beside the result, for a run that is to go on from another.

The first line names the plan, by a digest of all that decides the bytes of the result but for the state of
the tables and videos. Each further line is an op that is done: what it did, a digest of the state of the
files that it read, those that it wrote with size and stamp, the statistics it computed. An op is done again
unless its files are still what the line says: a video that was mended costs the ops that read it. After a
restart of the machine, only lines count that were forced to the disk with their files: a `synced` line says
so of all before it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

import pyarrow as pa

from roboreel.edit.plan import CopyFile, CopyTables, MeasureCamera, Plan, WriteTables
from roboreel.errors import StorageError
from roboreel.format.json_types import Json
from roboreel.format.model import DATA_PATH, video_path
from roboreel.format.stats_block import StatsBlock, block_to_json, parse_block
from roboreel.runner.work import OpResult, inputs_of
from roboreel.storage.disk import boot
from roboreel.storage.fs import LocalRoot
from roboreel.storage.staging import LEDGER

_SYNC_EVERY_S = 30.0
_KEPT_BYTES = 64 << 20
"""What statistics of ops take in memory; those of further ops are read from the ledger again."""
_LIBRARIES = ("roboreel", "pyarrow", "av", "numpy")
"""Packages whose release may change the bytes of a result."""


def fingerprint(plan: Plan) -> str:
    """A digest of all that decides the result's bytes: source, ops, inputs, layout, libraries."""
    info = plan.model.info
    parts = {
        "libraries": {name: _release(name) for name in _LIBRARIES},
        "sources": [dataclasses.asdict(source) for source in plan.sources],
        "files": sorted(plan.files),
        "documents": _marks(plan, set(plan.files) - _read_by_ops(plan)),
        "info": dataclasses.asdict(info),
        "tasks": list(plan.model.tasks.items()),
        "table": dataclasses.asdict(plan.table),
        "stats": dataclasses.asdict(plan.stats),
        "splits": dict(plan.splits),
    }
    digest = sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    for op in plan.ops:  # one at a time: of cameras that are measured there is one per episode
        digest.update(json.dumps([op.kind, dataclasses.asdict(op)], sort_keys=True).encode())
    for table in (plan.inputs, plan.model.episodes, plan.supplied):
        if table is None:
            continue
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        digest.update(sink.getvalue())
    return digest.hexdigest()


def _read_by_ops(plan: Plan) -> set[str]:
    """The names of all tables and videos."""
    texts = [item.name for item in plan.inputs.schema if pa.types.is_string(item.type)]
    return {name for column in texts for name in plan.inputs[column].unique().to_pylist()}


def _marks(plan: Plan, names: Iterable[str]) -> list[Json]:
    known = [(name, plan.files[name]) for name in sorted(names) if name in plan.files]
    return [[name, facts.size_bytes, facts.stamp] for name, facts in known]


def inputs_mark(plan: Plan, number: int) -> str:
    """A digest of the state of the files that an op reads, as the survey found them."""
    return sha256(json.dumps(_marks(plan, inputs_of(plan, number))).encode()).hexdigest()


def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout
        return ""


def ops_noted(folder: str | os.PathLike[str]) -> int:
    """How many ops the ledger in a staging folder notes as done."""
    notes = LocalRoot(folder)
    if not notes.exists(LEDGER):
        return 0
    return sum("op" in line for _, line in _lines(notes.read(LEDGER)))


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
class _Place:
    start: int
    stop: int


@dataclass(slots=True)
class Ledger:
    """The ledger of one staging folder."""

    plan: Plan
    notes: LocalRoot
    """The staging folder: holds the ledger."""
    root: LocalRoot
    """The result."""
    same_plan: bool = True
    """False where what was read is of another plan."""
    of_use: bool = True
    """False where no later run can go on from it, as the dataset is another by now."""
    done: dict[int, OpResult] = field(default_factory=dict)
    """Results of the ops that are done, without their statistics."""
    _place: dict[int, _Place] = field(default_factory=dict)
    """Where the line of an op stands."""
    _kept: dict[int, tuple[StatsBlock, ...]] = field(default_factory=dict)
    """Statistics that are still in memory, by op."""
    _kept_bytes: int = 0
    _groups: dict[str, list[tuple[int, int]]] | None = None
    _size: int = 0
    _unsynced: list[str] = field(default_factory=list)
    _synced_at: float = field(default_factory=time.monotonic)

    @property
    def begun(self) -> bool:
        """True where an earlier run left a ledger."""
        return self.notes.exists(LEDGER)

    def begin(self) -> None:
        """Write the first line."""
        self._add({"plan": fingerprint(self.plan), "boot": boot()})

    def read(self) -> int:
        """Take in what an earlier run noted; returns how many ops it noted as done, of whatever plan."""
        if not self.notes.exists(LEDGER):
            return 0
        lines = list(_lines(self.notes.read(LEDGER)))
        self.same_plan = bool(lines) and lines[0][1].get("plan") == fingerprint(self.plan)
        if not self.same_plan:
            return sum("op" in line for _, line in lines)
        for place, line in _trusted(lines):
            if "op" in line and self._holds(line):
                changed = frozenset(line["result"]["changed"])
                self.done[line["op"]] = OpResult(
                    **{**line["result"], "changed": changed, "stats": ()}
                )
                self._place[line["op"]] = place
        return len(self.done)

    def reopen(self) -> None:
        """Cut off a last line that was not finished, and note that this run goes on."""
        last = self.notes.read(LEDGER)
        whole = last[: last.rfind(b"\n") + 1]
        if len(whole) < len(last):
            self.notes.put(LEDGER, whole)
        self._size = len(whole)
        self._add({"boot": boot()})

    def record(self, result: OpResult) -> None:
        """Note that an op is done."""
        names = outputs_of(self.plan, result.number)
        bare = dataclasses.replace(result, stats=(), sketches={})
        line: dict[str, Json] = {
            "op": result.number,
            "result": {**dataclasses.asdict(bare), "changed": sorted(result.changed)},
            "inputs": inputs_mark(self.plan, result.number),
            "files": {name: self._mark(name) for name in names},
            "stats": [block_to_json(block) for block in result.stats],
        }
        start = self._size
        self._add(line)
        self._place[result.number] = _Place(start, self._size)
        self.done[result.number] = bare
        if result.measured and self._kept_bytes < _KEPT_BYTES:
            self._keep(result.number, result.stats)
        self._unsynced += names
        if time.monotonic() - self._synced_at > _SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """Force what is noted, and the files it names, to the disk."""
        self.root.sync(self._unsynced)
        self._add({"synced": len(self.done)})
        self.notes.sync([LEDGER])
        self._unsynced, self._synced_at = [], time.monotonic()

    def stats_of(self, episodes: range) -> list[tuple[int, StatsBlock]]:
        """The statistics that the ops computed of episodes of the result, each with the first of its own.

        Args:
            episodes: numbers in the result; the first of them counts as 0.
        """
        found: list[tuple[int, StatsBlock]] = []
        for ranges in self._measured().values():
            begin = max(0, bisect_right(ranges, (episodes.start, len(self.plan.ops))) - 1)
            for first, number in ranges[begin:]:
                if first >= episodes.stop:
                    break
                found += _within(self._stats_in(number), first, episodes)
        return found

    def vouched(self) -> frozenset[str]:
        """The files of all ops that are done."""
        return frozenset(name for number in self.done for name in outputs_of(self.plan, number))

    def _measured(self) -> dict[str, list[tuple[int, int]]]:
        """By kind of op and camera: (first episode, op) of those that computed statistics, ascending."""
        if self._groups is None:
            self._groups = {}
            for number in sorted(self.done):
                op = self.plan.ops[number]
                if self.done[number].measured and not isinstance(op, CopyFile):
                    key = f"{op.kind} {getattr(op, 'camera', '')}"
                    self._groups.setdefault(key, []).append((op.episodes.start, number))
        return self._groups

    def _stats_in(self, number: int) -> tuple[StatsBlock, ...]:
        """The statistics that one op computed: from memory, else from the file."""
        if number not in self._kept:
            if self._kept_bytes >= _KEPT_BYTES:
                self._kept.clear()
                self._kept_bytes = 0
            with self.notes.input(LEDGER) as file:
                place = self._place[number]
                file.seek(place.start)
                line = json.loads(file.read(place.stop - place.start))
            self._keep(number, tuple(map(parse_block, line["stats"])))
        return self._kept[number]

    def _keep(self, number: int, stats: tuple[StatsBlock, ...]) -> None:
        self._kept[number] = stats
        self._kept_bytes += sum(block.nbytes for block in stats)

    def _mark(self, name: str) -> list[Json]:
        found = self.root.stat(name)
        return [found.size_bytes, found.stamp]

    def _holds(self, line: Mapping[str, Any]) -> bool:
        """True where what an op read and wrote is still as it was."""
        if line["inputs"] != inputs_mark(self.plan, line["op"]):
            return False
        try:
            return all(self._mark(name) == mark for name, mark in line["files"].items())
        except StorageError:
            return False

    def _add(self, line: Mapping[str, Json]) -> None:
        data = json.dumps(line).encode() + b"\n"
        self.notes.append(LEDGER, data)
        self._size += len(data)


def _within(
    blocks: Iterable[StatsBlock], first: int, episodes: range
) -> Iterator[tuple[int, StatsBlock]]:
    """What blocks that begin at an episode hold of others, with where these begin among those."""
    for block in blocks:
        start, stop = max(first, episodes.start), min(first + block.episodes, episodes.stop)
        if start < stop:
            yield start - episodes.start, block.take(slice(start - first, stop - first))
        first += block.episodes


_Line: TypeAlias = tuple[_Place, dict[str, Json]]


def _lines(data: bytes) -> Iterator[_Line]:
    """Place and content of each whole line; what follows a damaged one is not believed."""
    start = 0
    for line in data.splitlines(keepends=True):
        try:
            content = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            content = None
        if not isinstance(content, dict):
            return
        yield _Place(start, start + len(line)), content
        start += len(line)


def _trusted(lines: list[_Line]) -> Iterator[_Line]:
    """The lines whose files are on the disk: all of this run of the machine, of earlier ones the synced."""
    now = boot()
    waiting: list[_Line] = []
    current = False
    for place, line in lines:
        if "boot" in line:
            waiting, current = [], bool(now) and line["boot"] == now
        waiting.append((place, line))
        if current or "synced" in line:
            yield from waiting
            waiting = []
