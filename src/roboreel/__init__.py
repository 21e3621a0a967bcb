"""roboreel: the toolkit for robot datasets in the LeRobot format.

    >>> import roboreel
    >>> dataset = roboreel.open("path/to/dataset")              # doctest: +SKIP
    >>> roboreel.check(dataset).problems                        # doctest: +SKIP
    >>> roboreel.convert(dataset, to="v3.0", out="elsewhere")   # doctest: +SKIP

Names are loaded when they are first used, so that `import roboreel` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roboreel.dataset.check.check import check
    from roboreel.dataset.check.report import CheckReport
    from roboreel.dataset.check.stats_report import StatsReport
    from roboreel.dataset.dataset import Dataset
    from roboreel.dataset.diff import Difference, DiffReport, diff
    from roboreel.dataset.open import open_dataset as open
    from roboreel.edit.concat import concat
    from roboreel.edit.encoding import Encoding, Reencoding
    from roboreel.edit.plan import Plan
    from roboreel.edit.view import View
    from roboreel.errors import (
        DatasetError,
        MissingDependencyError,
        PlanError,
        Problem,
        RoboreelError,
        RunError,
        StorageError,
        UsageError,
        VideoError,
    )
    from roboreel.format.feature import Feature
    from roboreel.format.version import FormatVersion
    from roboreel.measuring import check_stats
    from roboreel.ops import convert, plan_convert, plan_write, recover, run, write
    from roboreel.planning import add_video
    from roboreel.runner.report import Report
    from roboreel.scripts import convert_dataset
    from roboreel.storage.video.by_time import decode_video_frames
    from roboreel.undoing import KeptVersion, Undone, kept_versions, remove_kept, undo

__version__ = "0.1.0"

__all__ = [
    "CheckReport",
    "Dataset",
    "DatasetError",
    "DiffReport",
    "Difference",
    "Encoding",
    "Feature",
    "FormatVersion",
    "KeptVersion",
    "MissingDependencyError",
    "Plan",
    "PlanError",
    "Problem",
    "Reencoding",
    "Report",
    "RoboreelError",
    "RunError",
    "StatsReport",
    "StorageError",
    "Undone",
    "UsageError",
    "VideoError",
    "View",
    "__version__",
    "add_video",
    "check",
    "check_stats",
    "concat",
    "convert",
    "convert_dataset",
    "decode_video_frames",
    "diff",
    "kept_versions",
    "open",
    "plan_convert",
    "plan_write",
    "recover",
    "remove_kept",
    "run",
    "undo",
    "write",
]

_HOME = {
    "CheckReport": "dataset.check.report",
    "Dataset": "dataset.dataset",
    "DiffReport": "dataset.diff.report",
    "Difference": "dataset.diff.report",
    "Encoding": "edit.encoding",
    "Feature": "format.feature",
    "FormatVersion": "format.version",
    "KeptVersion": "undoing",
    "Plan": "edit.plan",
    "Reencoding": "edit.encoding",
    "Report": "runner.report",
    "StatsReport": "dataset.check.stats_report",
    "Undone": "undoing",
    "View": "edit.view",
    "add_video": "planning",
    "check": "dataset.check.check",
    "check_stats": "measuring",
    "concat": "edit.concat",
    "convert": "ops",
    "convert_dataset": "scripts",
    "decode_video_frames": "storage.video.by_time",
    "diff": "dataset.diff.compare",
    "kept_versions": "undoing",
    "open": "dataset.open",
    "plan_convert": "ops",
    "plan_write": "ops",
    "recover": "ops",
    "remove_kept": "undoing",
    "run": "ops",
    "undo": "undoing",
    "write": "ops",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'roboreel' has no attribute '{name}'")
    module = importlib.import_module(f"roboreel.{_HOME.get(name, 'errors')}")
    value = getattr(module, "open_dataset" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
