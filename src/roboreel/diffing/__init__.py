"""Compare two datasets by content, across versions and layouts.

Knows nothing of plans, executors and surveys, so that it can judge what they made.
"""

from __future__ import annotations

from roboreel.diffing.diff import diff
from roboreel.diffing.diff_report import KINDS, Difference, DiffReport

__all__ = ["KINDS", "DiffReport", "Difference", "diff"]
