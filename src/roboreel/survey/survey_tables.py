"""Survey the table files: probe them, and combine their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
import pyarrow as pa

from roboreel.format.feature import INDEX_DTYPES
from roboreel.format.model import DATA_PATH, LENGTH, ROW_START
from roboreel.probes.probe_request import findings_of, flat
from roboreel.probes.probe_tables import probe_tables
from roboreel.probes.probing import Probing
from roboreel.probes.table_requests import rows_by_path, table_requests
from roboreel.storage.tables.tables_layout import layouts_of, plain_schema
from roboreel.survey.findings import Findings
from roboreel.types import Bools, Floats, Int64


@dataclass(slots=True)
class TablesFound:
    """The combined answers of the table files; arrays are aligned with the episodes."""

    rows: Int64
    row_start: Int64
    timestamp_error_s: Floats
    gaps: Bools
    """True where frame_index or timestamps show that rows before the last one were removed."""
    task_indexes: list[tuple[int, ...]]
    """Distinct task indexes of each episode's rows; empty without a task_index column."""
    first_index: Int64
    """`index` of an episode's first row if its index columns are as roboreel would write them, else -1."""
    schemas: dict[str, pa.Schema] = field(default_factory=dict)
    """By table file, with plain types; see `storage/tables/tables_layout.py`."""
    layouts: dict[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)
    """By table file and column, where stored with another layout: (stored type, plain type)."""
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    file_rows: dict[str, int] = field(default_factory=dict)


def survey_tables(findings: Findings, probing: Probing) -> TablesFound:
    """Survey the table files of all episodes."""
    episodes = findings.dataset.episodes
    found = TablesFound(
        rows=episodes[LENGTH].to_numpy().astype(np.int64),
        row_start=episodes[ROW_START].to_numpy().astype(np.int64),
        timestamp_error_s=np.zeros(len(episodes)),
        gaps=np.zeros(len(episodes), dtype=np.bool_),
        task_indexes=[() for _ in range(len(episodes))],
        first_index=np.full(len(episodes), -1, dtype=np.int64),
    )
    groups = _readable(findings)
    request = table_requests(findings.dataset.model, groups, findings.files)
    _resolve(groups, probing.answers("tables", probe_tables, request), found, findings)
    _report_supplied(found, findings)
    return found


def _readable(findings: Findings) -> dict[str, list[int]]:
    """Rows of the episodes table by file that can be probed; episodes of other files become broken."""
    dataset = findings.dataset
    present = frozenset(dataset.files)
    alone = dataset.version.one_file_per_episode
    readable: dict[str, list[int]] = {}
    for path, members in rows_by_path(dataset.episodes[DATA_PATH]).items():
        if path is None or path not in present:
            findings.add_missing(members, "table.missing", "table file", path=path)
        elif alone and len(members) > 1:
            message = f"{len(members)} episodes share this file, but each needs its own"
            findings.add_broken(members, "table.shared", message, path=path)
        else:
            readable[path] = members
    for path, error in findings.add_files(list(readable)).items():
        findings.add_broken(readable.pop(path), "table.readable", str(error), path=path)
    return readable


def _resolve(
    groups: Mapping[str, Sequence[int]], answers: pa.Table, found: TablesFound, findings: Findings
) -> None:
    paths, members = list(groups), list(groups.values())
    order = [row for rows in members for row in rows]
    found.row_start[order] = flat(answers, "row_start")
    found.rows[order] = flat(answers, "rows")
    found.timestamp_error_s[order] = flat(answers, "timestamp_error_s")
    found.gaps[order] = flat(answers, "gaps")
    found.first_index[order] = flat(answers, "first_index")
    found.file_rows.update(zip(paths, answers["file_rows"].to_pylist(), strict=True))
    tasks = answers["tasks"].combine_chunks().flatten().to_pylist()
    for row, indexes in zip(order, tasks, strict=True):
        found.task_indexes[row] = tuple(indexes)
    for position, failure, found_here in findings_of(answers):
        path, rows = paths[position], members[position]
        if failure is not None:
            findings.add_broken(rows, "table.readable", failure, path=path)
        for finding in found_here:
            findings.add_finding(rows, finding, path=path)
    _resolve_schemas(paths, answers, found)
    _report_layouts(found, findings)


def _resolve_schemas(paths: Sequence[str], answers: pa.Table, found: TablesFound) -> None:
    column = answers["schema"].combine_chunks()
    stored = [pa.ipc.read_schema(pa.py_buffer(text)) for text in column.dictionary.to_pylist()]
    schemas, layouts = [*map(plain_schema, stored)], [*map(layouts_of, stored)]
    codes, shapes = column.indices.to_pylist(), answers["shapes"].to_pylist()
    for path, code, text in zip(paths, codes, shapes, strict=True):
        if text is not None:
            _merge_shapes(json.loads(text), found.shapes)
        if code is not None:
            found.schemas[path] = schemas[code]
            if layouts[code]:
                found.layouts[path] = layouts[code]


def _report_layouts(found: TablesFound, findings: Findings) -> None:
    first: dict[tuple[str, str, str], str] = {}
    for path, layouts in found.layouts.items():
        for name, (stored, plain) in layouts.items():
            first.setdefault((name, stored, plain), path)
    for (name, stored, plain), path in first.items():
        message = f"it is stored as {stored}, which other readers refuse"
        action = f"stored as {plain} when the dataset is written"
        findings.problems.add("table.layout", message, path=path, column=name, action=action)


def _merge_shapes(shapes: Mapping[str, Sequence[int]], known: dict[str, tuple[int, ...]]) -> None:
    """Add a file's list lengths; where files differ the longest is kept, at least 2."""
    for name, lengths in shapes.items():
        pairs = zip_longest(known.get(name, lengths), lengths, fillvalue=1)
        known[name] = tuple(a if a == b else max(2, a, b) for a, b in pairs)


def _report_supplied(found: TablesFound, findings: Findings) -> None:
    names_of = {id(schema): frozenset(schema.names) for schema in found.schemas.values()}
    for name in INDEX_DTYPES:
        without = [p for p, schema in found.schemas.items() if name not in names_of[id(schema)]]
        if without:
            message = f"{len(without)} table files do not have this column"
            findings.problems.add(
                "table.index-columns",
                message,
                path=without[0],
                column=name,
                action="added when the dataset is written",
            )
