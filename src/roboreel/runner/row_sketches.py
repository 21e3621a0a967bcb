"""Sketches of all rows, made while the ops run, so that quantiles need no second read of the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

import pyarrow as pa

from roboreel.format.values import column_values
from roboreel.plan.plan import ROWS, Plan
from roboreel.stats.quantiles import Quantiles, shared_budget

Sketches: TypeAlias = dict[str, Quantiles | None]
"""Sketches by column; None if values are missing."""


def sketched_features(plan: Plan) -> dict[str, int]:
    """The features whose rows the ops sketch, with the number of values that are described together.

    These are the recomputed features whose values do not all fit the budget. If all fit, quantiles are exact,
    and reading the few tables once more is cheap.
    """
    if not plan.table.profile.exact_quantiles:
        return {}
    features = plan.model.info.features
    shapes = {
        name: features[name].shape or (1,)
        for name in plan.stats.recomputed
        if features[name].is_numeric and name in plan.table.measured
    }
    widths = {
        name: shape[-1] if name in plan.table.per_last_axis else prod(shape)
        for name, shape in shapes.items()
    }
    rows: int = sum(plan.inputs[ROWS].to_pylist())
    fit = [
        rows * prod(shapes[name]) * 8 <= budget for name, budget in shared_budget(widths).items()
    ]
    return {} if all(fit) else widths


def empty_sketches(widths: Mapping[str, int]) -> Sketches:
    """A sketch without rows for each column."""
    return {name: Quantiles(width, budget_bytes=0) for name, width in widths.items()}


def with_rows(sketch: Quantiles | None, column: pa.ChunkedArray) -> Quantiles | None:
    """A sketch with the values of a column added; None if these or earlier ones are incomplete."""
    values = None if sketch is None else column_values(column)
    if sketch is None or values is None or values[0].size % sketch.width:
        return None
    sketch.add(values.reshape(-1, sketch.width))
    return sketch


@dataclass(slots=True)
class WholeSketches:
    """The sketches of all ops of this run, merged as the ops finish."""

    found: Sketches = field(default_factory=dict)
    ops: set[int] = field(default_factory=set)
    """The ops that made them."""

    def take(self, op: int, sketches: Mapping[str, Quantiles | None]) -> None:
        """Merge the sketches of an op."""
        if not sketches:
            return
        self.ops.add(op)
        for name, sketch in sketches.items():
            known = self.found.get(name, sketch)
            if known is not None and sketch is not None and known is not sketch:
                known.merge(sketch)
            self.found[name] = None if sketch is None else known
