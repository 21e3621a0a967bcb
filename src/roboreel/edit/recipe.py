"""How a view was made, as data: which datasets it begins with, and the verbs since.

A view file is a recipe in writing. What verbs choose by reading (a task's episodes, where a robot stands
still) is noted as what they found, so that following a recipe reads no rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from roboreel.edit.opened import Opened
from roboreel.types import Int64, Json


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One verb, with what it was given."""

    verb: str
    given: Mapping[str, Json | Int64]
    """Plain JSON; positions of episodes as arrays."""
    values: Mapping[str, pa.ChunkedArray] = field(default_factory=dict, repr=False)
    """Columns of values."""


@dataclass(frozen=True, slots=True, eq=False)
class JoinedParts:
    """Views that were put together."""

    parts: tuple[Recipe, ...]
    given: Mapping[str, Json]
    """The arguments of `concat`."""


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A beginning, and the verbs since, in order."""

    start: Opened | JoinedParts
    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> Recipe:
        """With one verb more."""
        return Recipe(self.start, (*self.steps, step))
