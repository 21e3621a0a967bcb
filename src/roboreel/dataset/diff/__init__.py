"""Compare two datasets by content, across versions and layouts.

Knows nothing of plans, executors and surveys, so that it can judge what they made.
"""

from __future__ import annotations

from roboreel.dataset.diff.compare import diff
from roboreel.dataset.diff.report import KINDS, Difference, DiffReport

__all__ = ["KINDS", "DiffReport", "Difference", "diff"]
