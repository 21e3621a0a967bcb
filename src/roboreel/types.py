"""Type aliases that all layers share: arrays, and JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Int64: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]

Json: TypeAlias = Any
"""Documents are open: any value may be JSON of any shape until it is parsed."""
JsonObject: TypeAlias = Mapping[str, Json]
