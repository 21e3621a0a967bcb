"""What is sent to a worker, and what it returns."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any

import pyarrow as pa

from roboreel.executors.jobs import BYTES_PER_S, usable_s
from roboreel.format.inventory import FileFacts
from roboreel.plan.plan import (
    FIRST_SUPPLIED,
    INPUT_TABLE,
    ROW_RANGE,
    ROWS,
    SOURCE,
    SOURCE_EPISODE,
    CopyFile,
    CopyTables,
    EncodeVideo,
    EpisodeRange,
    MeasureCamera,
    Op,
    Plan,
    PlanSource,
    TableProgram,
    WriteTables,
    input_video,
    source_prefix,
)
from roboreel.runner.row_sketches import sketched_features
from roboreel.stats.block import StatsBlock
from roboreel.stats.pixel_counts import Counted
from roboreel.stats.quantiles import Quantiles
from roboreel.storage.fs import open_output, open_root
from roboreel.storage.joined import JoinedRoot
from roboreel.storage.modes import USUAL, Modes
from roboreel.storage.root import Root
from roboreel.storage.stamped import refuse_changed_files
from roboreel.storage.write_root import WriteRoot

_MEASURE_S, _MEASURED_FRAMES_PER_S = 30.0, 5.0
"""What `usable_s` says, for an op that measures a camera, which encodes and writes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An op with the rows of the plan's tables that it needs."""

    number: int
    """Position of the op in the plan."""
    op: Op
    sources: tuple[PlanSource, ...]
    staging: str
    inputs: pa.Table = field(repr=False)
    outputs: pa.Table = field(repr=False)
    files: Mapping[str, FileFacts] = field(repr=False)
    table: TableProgram = field(repr=False)
    supplied: Mapping[int, pa.Table] = field(default_factory=dict, repr=False)
    """Columns from memory instead of a file, for each episode's row range, by position in the op's tables."""
    modes: Modes = USUAL
    """Permissions of the result's folders."""
    unfinished: str = ""
    """The folder for unfinished files, if the result is on a disk: see `Staging.unfinished`."""
    sketched: Mapping[str, int] = field(default_factory=dict)
    """Columns whose rows a table op sketches: see `row_sketches.sketched_features`."""

    @property
    def size_bytes(self) -> int:
        """Upper limit of the bytes that the op reads from files."""
        return sum(facts.size_bytes for facts in self.files.values())

    @property
    def described(self) -> str:
        """The op in words, for messages."""
        op = self.op
        if isinstance(op, CopyFile):
            return f"{op.words} '{op.path}'"
        camera = "" if isinstance(op, WriteTables | CopyTables) else f" of '{op.camera}'"
        if len(self.files) == 1 and len(op.episodes) == 1:
            (name,), (episode,) = self.files, self.inputs[SOURCE_EPISODE].to_pylist()
            return f"{op.words}{camera}, episode {episode}, '{name}'"
        return f"{op.words}{camera}, episodes {op.episodes.start}:{op.episodes.stop}"

    @property
    def encodes(self) -> bool:
        """True where the op runs a video encoder."""
        return isinstance(self.op, EncodeVideo)

    @property
    def timeout_s(self) -> float:
        """Timeout of the op in seconds, which grows with the bytes it reads and the frames it decodes."""
        frames: int = sum(self.inputs[ROWS].to_pylist())
        if isinstance(self.op, MeasureCamera):
            return _MEASURE_S + self.size_bytes / BYTES_PER_S + frames / _MEASURED_FRAMES_PER_S
        decodes = self.encodes or bool(self.table.decoded)
        return usable_s(self.size_bytes, frames if decodes else 0)

    def roots(self) -> tuple[Root, WriteRoot]:
        """(root to read from, root to write to); written files are as private as those that the op reads."""
        source = input_root(self.sources)
        modes = self.modes.for_files(source.mode(name) for name in self._reads())
        return source, open_output(self.staging, modes=modes, unfinished=self.unfinished)

    def _reads(self) -> Iterable[str]:
        """The files that the op's outputs are made from."""
        if isinstance(self.op, MeasureCamera):
            return ()
        return [self.op.source] if isinstance(self.op, CopyFile) else self.files

    def names_in(self, at: int) -> PlanSource:
        """The source of the episode at a position, with its names of columns and cameras."""
        number: int = self.inputs[SOURCE][at].as_py()
        return self.sources[number]

    def __reduce__(self) -> tuple[object, ...]:
        """Send only these rows of the tables to a process; a pickled slice would contain the whole table."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        given |= {"inputs": _packed(self.inputs), "outputs": _packed(self.outputs)}
        given["supplied"] = {at: _packed(table) for at, table in self.supplied.items()}
        return _sent, (given,)

    def check_input(self, root: Root, name: str) -> None:
        """Raise `ChangedInputError` if an input has changed since the survey."""
        check_unchanged(root, [name], self.files)

    def check_inputs(self) -> None:
        """Raise `ChangedInputError` if any input has changed since the survey.

        A file may change while it is read, so an op calls this after reading everything.
        """
        check_unchanged(self.roots()[0], self.files, self.files)

    def by_output(self, column: str) -> Iterator[tuple[str, list[int]]]:
        """(output file, positions of its episodes in the op's tables), in order."""
        paths = self.outputs[column].to_pylist()
        for path, members in groupby(range(len(paths)), key=paths.__getitem__):
            yield path, list(members)


def input_root(sources: Sequence[PlanSource]) -> Root:
    """The root that a plan with these sources reads from."""
    roots = [open_root(one.url, follow_links=one.follow_links) for one in sources]
    if len(roots) == 1:
        return roots[0]
    prefixes = [source_prefix(number, len(roots)) for number in range(len(roots))]
    return JoinedRoot(dict(zip(prefixes, roots, strict=True)))


def _packed(table: pa.Table) -> bytes:
    output = pa.BufferOutputStream()
    with pa.ipc.new_stream(output, table.schema) as writer:
        writer.write_table(table)
    data: bytes = output.getvalue().to_pybytes()
    return data


def _unpacked(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()


def _sent(given: Mapping[str, Any]) -> Work:
    """The work that was sent to a process."""
    tables = {name: _unpacked(given[name]) for name in ("inputs", "outputs")}
    supplied = {at: _unpacked(data) for at, data in given["supplied"].items()}
    return Work(**{**given, **tables, "supplied": supplied})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpResult:
    """What an op did, after its output was checked."""

    number: int
    rows: int = 0
    packets: int = 0
    frames: int = 0
    files: int = 0
    size_bytes: int = 0
    encoded: int = 0
    measured: int = 0
    """Number of episodes whose statistics were computed."""
    stats: tuple[StatsBlock, ...] = field(default=(), repr=False)
    """Computed statistics of the op's episodes, in order; empty if none were computed."""
    pixels: Mapping[str, Counted] = field(default_factory=dict, repr=False)
    """How often each value occurs in the measured images, by camera, if they have 8 bits."""
    changed: frozenset[str] = frozenset()
    """Index columns whose values differ from the source."""
    sketches: Mapping[str, Quantiles | None] = field(default_factory=dict, repr=False)
    """Sketches of the rows that a table op wrote, by column; None if values are missing. Not kept in a
    ledger."""


def check_unchanged(root: Root, names: Iterable[str], files: Mapping[str, FileFacts]) -> None:
    """Raise `ChangedInputError` if a file no longer matches `files`."""
    known = {name: files.get(name) for name in names}
    refuse_changed_files(
        root, known, reason="has changed since the plan was made: run the command again"
    )


def work_of(
    plan: Plan,
    staging: str,
    *,
    done: Container[int] = (),
    modes: Modes = USUAL,
    unfinished: str = "",
) -> Iterator[Work]:
    """Yield the plan's unfinished ops, each with what it needs.

    Args:
        plan: the plan.
        staging: the folder to write into.
        done: numbers of the finished ops.
        modes: permissions of the result's folders.
        unfinished: the folder for unfinished files, if there is one.
    """
    sketched = sketched_features(plan)
    for number, op in enumerate(plan.ops):
        if number in done:
            continue
        if isinstance(op, CopyFile):
            inputs, outputs = plan.inputs.slice(0, 0), plan.model.episodes.slice(0, 0)
            known = plan.files.get(op.source)
            files: Mapping[str, FileFacts] = {} if known is None else {op.source: known}
        else:
            start, count = op.episodes.start, len(op.episodes)
            inputs = plan.inputs.slice(start, count).combine_chunks()
            outputs = plan.model.episodes.slice(start, count).combine_chunks()
            names = inputs_of(plan, number)
            files = {name: plan.files[name] for name in names if name in plan.files}
        yield Work(
            number=number,
            op=op,
            sources=plan.sources,
            staging=staging,
            modes=modes,
            unfinished=unfinished,
            inputs=inputs,
            outputs=outputs,
            files=files,
            table=plan.table,
            supplied=_supplied(plan, op, inputs),
            sketched=sketched if isinstance(op, WriteTables | CopyTables) else {},
        )


def _supplied(plan: Plan, op: Op, inputs: pa.Table) -> dict[int, pa.Table]:
    if plan.supplied is None or not isinstance(op, WriteTables):
        return {}
    spans = zip(inputs[FIRST_SUPPLIED].to_pylist(), inputs[ROW_RANGE].to_pylist(), strict=True)
    return {at: plan.supplied.slice(*span) for at, span in enumerate(spans)}


def inputs_of(plan: Plan, number: int) -> list[str]:
    """The tables and videos, or the file, that an op of the plan reads."""
    op = plan.ops[number]
    if isinstance(op, CopyFile):
        return [op.source]
    in_tables = getattr(op, "from_tables", isinstance(op, WriteTables | CopyTables))
    columns = [INPUT_TABLE] if in_tables else [input_video(getattr(op, "camera", ""))]
    if isinstance(op, WriteTables):
        columns += map(input_video, plan.table.decoded)
    found = {name for column in columns for name in inputs_column(plan, column, op.episodes)}
    return sorted(name for name in found if name)


def inputs_column(plan: Plan, column: str, episodes: EpisodeRange) -> list[Any]:
    """A column of the plan's inputs for some episodes; fast for a single one."""
    values = plan.inputs[column]
    if len(episodes) == 1:
        return [values[episodes.start].as_py()]
    found: list[Any] = values.slice(episodes.start, len(episodes)).to_pylist()
    return found
