"""What the tests of conversion share: names in the datasets that they convert, and looks at the outcome."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel

TOP, WRIST = "observation.images.top", "observation.images.wrist"
LENGTHS = (5, 1, 8)
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"
Change = Callable[[Path], object]


def require_written(type_: pa.DataType) -> None:
    """Skip where this release of pyarrow cannot write a type, as older ones cannot write views."""
    table = pa.table({"column": pa.array([], type_)})
    try:
        pq.write_table(table, pa.BufferOutputStream())
    except pa.ArrowNotImplementedError:
        pytest.skip(f"this release of pyarrow does not write {type_}")


def rules_of(report: roboreel.Report) -> set[str]:
    return {problem.rule for problem in report.problems}


def nothing_written(tmp_path: Path) -> bool:
    return {path.name for path in tmp_path.iterdir()} <= {"source"}
