"""What the tests of conversion share: names in the datasets that they convert, and looks at the outcome."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import roboreel

TOP, WRIST = "observation.images.top", "observation.images.wrist"
LENGTHS = (5, 1, 8)
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"
Change = Callable[[Path], object]


def rules_of(report: roboreel.Report) -> set[str]:
    return {problem.rule for problem in report.problems}


def nothing_written(tmp_path: Path) -> bool:
    return {path.name for path in tmp_path.iterdir()} <= {"source"}
