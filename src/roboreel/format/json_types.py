"""JSON values as types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

# Documents are open: any value may be JSON of any shape until it is parsed.
Json: TypeAlias = Any
JsonObject: TypeAlias = Mapping[str, Json]
