"""What a peer must return for a dataset found in the wild, taken from its own files alone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cases import Source
from readings import Column, Reading, lengths_differ, numbers_differ, pictures_differ, tasks_differ

REGENERATED = ("timestamp", "frame_index", "episode_index", "index")
KEPT = "source_timestamp"
"""The column in which roboreel keeps the timestamps that it made regular."""
TOLERANCE_S = 1e-4
"""lerobot's default `tolerance_s`."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A source's rows and picture files in the order of its episodes."""

    source: Source

    @cached_property
    def info(self) -> dict[str, Any]:  # Any: JSON
        text = (self.source.path / "meta" / "info.json").read_text(encoding="utf-8")
        loaded: dict[str, Any] = json.loads(text)  # Any: JSON
        return loaded

    @cached_property
    def tables(self) -> list[Path]:
        return sorted((self.source.path / "data").rglob("*.parquet"))

    @cached_property
    def rows(self) -> pa.Table:
        return pa.concat_tables(
            [pq.read_table(path).replace_schema_metadata(None) for path in self.tables]
        )

    @cached_property
    def cameras(self) -> dict[str, list[Path]]:
        """The files of every camera that has any: a declared camera without files is nobody's."""
        found = {}
        for name, feature in self.info["features"].items():
            if feature["dtype"] == "image":
                found[name] = self.tables
            elif feature["dtype"] == "video":
                videos = [p for p in self.source.path.rglob("*.mp4") if name in p.parts]
                found[name] = sorted(videos)
        return {name: files for name, files in found.items() if files}

    def rows_per_file(self, camera: str) -> list[int]:
        """One video per episode and table, or one video of a whole v3.0 dataset."""
        counts = [pq.read_metadata(path).num_rows for path in self.tables]
        return counts if len(self.cameras[camera]) == len(counts) else [sum(counts)]

    def numbers(self) -> dict[str, Column]:
        """Numeric columns as [rows, width]; the index columns as the format defines them."""
        names = [n for n in self.rows.column_names if n not in (*self.cameras, *REGENERATED)]
        columns = {n: as_matrix(self.rows[n]) for n in names if is_numeric(self.rows[n])}
        return columns | self._index_columns()

    def is_irregular(self) -> bool:
        """Whether any timestamp is further from k / fps than lerobot tolerates."""
        given = as_matrix(self.rows["timestamp"]).astype(np.float64)
        return bool(np.abs(given - self._index_columns()["timestamp"]).max() > TOLERANCE_S)

    def _index_columns(self) -> dict[str, Column]:
        episode = self.rows["episode_index"].to_numpy()
        starts = np.flatnonzero(np.diff(episode, prepend=episode[0] - 1))
        ordinal = np.searchsorted(starts, np.arange(len(episode)), side="right") - 1
        frame = np.arange(len(episode)) - starts[ordinal]
        fps = float(Fraction(str(self.info["fps"])))
        columns = {
            "timestamp": (frame / fps).astype(np.float32),
            "frame_index": frame,
            "episode_index": ordinal,
            "index": np.arange(len(episode)),
        }
        return {name: column.reshape(-1, 1) for name, column in columns.items()}

    def tasks(self, indices: Sequence[int]) -> list[str]:
        strings = self._task_strings()
        task = self.rows["task_index"].to_pylist()
        return [strings[task[index]] for index in indices]

    def _task_strings(self) -> dict[int, str]:
        meta = self.source.path / "meta"
        if self.source.version == "v3.0":
            table = pq.read_table(meta / "tasks.parquet")
            (text,) = (name for name in table.column_names if name != "task_index")
            index, strings = table["task_index"].to_pylist(), table[text].to_pylist()
            return dict(zip(index, strings, strict=True))
        lines = (meta / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
        return {row["task_index"]: row["task"] for row in map(json.loads, lines) if row}


def is_numeric(column: pa.ChunkedArray) -> bool:
    """Whether it holds numbers, or lists of numbers."""
    kind = column.type
    nested = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)
    item = kind.value_type if nested else kind
    return bool(
        pa.types.is_integer(item) or pa.types.is_floating(item) or pa.types.is_boolean(item)
    )


def as_matrix(column: pa.ChunkedArray) -> Column:
    """[rows, width] of a numeric column, or of one of lists of equal length."""
    nested = pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type)
    flat = column.combine_chunks().flatten() if nested else column.combine_chunks()
    values: Column = flat.to_numpy(zero_copy_only=False)
    return values.reshape(len(column), -1)


def against_truth(
    reading: Reading, truth: Truth, *, pictures: dict[str, dict[str, str]]
) -> list[str]:
    """`pictures`: by camera and index, the hashes that `decode_with_pyav.py` found."""
    expected = Reading(
        length=truth.rows.num_rows,
        numbers={name: as_returned(column) for name, column in truth.numbers().items()},
        tasks=truth.tasks(reading.indices),
        indices=reading.indices,
        pictures={
            camera: [found.get(str(index), "no such frame") for index in reading.indices]
            for camera, found in pictures.items()
        },
    )
    returned = {n: as_returned(c.reshape(len(c), -1)) for n, c in reading.numbers.items()}
    if KEPT in returned or truth.is_irregular():
        # Times that `timestamp` no longer tells must be told by a column of their own.
        expected.numbers[KEPT] = as_returned(as_matrix(truth.rows["timestamp"]))
    found = lengths_differ(reading, expected) + numbers_differ(returned, expected.numbers)
    return [
        *found,
        *tasks_differ(reading, expected),
        *pictures_differ(reading, expected, tolerance=0),
    ]


def as_returned(column: Column) -> Column:
    """Older lerobot releases make float32 of every float; the values are compared at that width."""
    if np.issubdtype(column.dtype, np.floating):
        return column.astype(np.float32)
    return column.astype(np.int64)
