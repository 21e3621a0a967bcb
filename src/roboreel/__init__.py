"""roboreel: the toolkit for robot datasets in the LeRobot format.

>>> import roboreel
>>> dataset = roboreel.open("path/to/dataset")              # doctest: +SKIP
>>> roboreel.convert(dataset, to="v3.0", out="elsewhere")   # doctest: +SKIP
"""

from __future__ import annotations

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset as open
from roboreel.edit.plan import Plan
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
from roboreel.ops import convert, plan_convert, run
from roboreel.run.report import Report

__version__ = "0.1.0"

__all__ = [
    "Dataset",
    "DatasetError",
    "Feature",
    "FormatVersion",
    "MissingDependencyError",
    "Plan",
    "PlanError",
    "Problem",
    "Report",
    "RoboreelError",
    "RunError",
    "StorageError",
    "UsageError",
    "VideoError",
    "__version__",
    "convert",
    "open",
    "plan_convert",
    "run",
]
