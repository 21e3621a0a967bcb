"""Fingerprints that tell whether work done for one plan is valid for another plan."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import get_args

import pyarrow as pa

from roboreel.plan.plan import (
    INPUT_ROW,
    INPUT_TABLE,
    ROW_RANGE,
    ROWS,
    SOURCE,
    CopyFile,
    MeasureCamera,
    Op,
    Plan,
    input_frame,
    input_video,
)
from roboreel.runner.work import inputs_column, inputs_of
from roboreel.types import Json

_LIBRARIES = ("roboreel", "pyarrow", "av", "numpy", "torchcodec", "decord")
"""Packages whose version may change the bytes of a result."""


def fingerprint(plan: Plan) -> str:
    """A digest of everything that determines the result's bytes: source, ops, inputs, layout, libraries."""
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
    for text in _op_strings(plan.ops):
        digest.update(text.encode())
    for table in (plan.inputs, plan.model.episodes, plan.supplied):
        if table is None:
            continue
        output = pa.BufferOutputStream()
        with pa.ipc.new_stream(output, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        digest.update(output.getvalue())
    return digest.hexdigest()


_FIELDS = {kind: tuple(one.name for one in dataclasses.fields(kind)) for kind in get_args(Op)}
_OPS = json.JSONEncoder(sort_keys=True, default=dataclasses.asdict)


def _op_strings(ops: Iterable[Op]) -> Iterator[str]:
    """Strings that identify the ops: an op's fields unless they equal the previous op's, then its episodes.

    A plan may measure one camera per episode, so this must be fast.
    """
    before: object = None
    for op in ops:
        parts = op.kind, _but(op, "episodes")
        if parts != before:
            before = parts
            yield _OPS.encode(parts)
        if not isinstance(op, CopyFile):
            yield f"{op.episodes.start}:{op.episodes.stop} "


def _but(op: Op, *left_out: str) -> dict[str, object]:
    """The fields of an op, without the named ones."""
    return {name: getattr(op, name) for name in _FIELDS[type(op)] if name not in left_out}


def _read_by_ops(plan: Plan) -> set[str]:
    """The names of all tables and videos."""
    strings = [item.name for item in plan.inputs.schema if pa.types.is_string(item.type)]
    return {name for column in strings for name in plan.inputs[column].unique().to_pylist()}


def _marks(plan: Plan, names: Iterable[str]) -> list[Json]:
    known = [(name, plan.files[name]) for name in sorted(names) if name in plan.files]
    return [[name, facts.size_bytes, facts.stamp] for name, facts in known]


def inputs_mark(plan: Plan, number: int) -> str:
    """A digest of the state of the files that an op reads, as the survey found them."""
    return sha256(json.dumps(_marks(plan, inputs_of(plan, number))).encode()).hexdigest()


def measurement(plan: Plan, number: int, inputs: str | None = None) -> str | None:
    """A digest of everything that determines an op's camera statistics; None for other ops.

    If another plan has an op with the same digest, its statistics are the same. Which episode of the result
    they describe does not matter, nor what else is written.

    Args:
        plan: the plan.
        number: number of the op.
        inputs: the op's `inputs_mark`, if known.
    """
    op = plan.ops[number]
    if not isinstance(op, MeasureCamera):
        return None
    columns = (
        (INPUT_TABLE, INPUT_ROW)
        if op.from_tables
        else (input_video(op.camera), input_frame(op.camera))
    )
    rows = [inputs_column(plan, name, op.episodes) for name in (*columns, ROWS, ROW_RANGE)]
    used = sorted(set(inputs_column(plan, SOURCE, op.episodes)))
    sources = [plan.sources[at] for at in used]
    parts = {
        "libraries": {name: _release(name) for name in _LIBRARIES},
        "op": _but(op, "episodes", "reason"),
        "rows": rows,
        "sources": [[source.url, dict(source.renamed)] for source in sources],
        "rules": [str(plan.table.steps[at]) for at in used],
        "files": inputs or inputs_mark(plan, number),
    }
    return sha256(_OPS.encode(parts).encode()).hexdigest()


@functools.cache
def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a source checkout
        return ""
