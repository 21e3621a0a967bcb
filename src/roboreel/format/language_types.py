"""The Arrow types of lerobot's language columns (0.6 and later)."""

from __future__ import annotations

import pyarrow as pa

LANGUAGE_PERSISTENT, LANGUAGE_EVENTS = "language_persistent", "language_events"
PERSISTENT_FIELDS = ("role", "content", "style", "timestamp", "camera", "tool_calls")
EVENT_FIELDS = ("role", "content", "style", "camera", "tool_calls")
LANGUAGE_FIELDS = {LANGUAGE_PERSISTENT: PERSISTENT_FIELDS, LANGUAGE_EVENTS: EVENT_FIELDS}
"""The fields of an entry, by column."""


def language_entry_type(names: tuple[str, ...]) -> pa.StructType:
    """The type of one entry with these fields."""
    json = pa.json_(pa.string()) if hasattr(pa, "json_") else pa.string()
    types = {"timestamp": pa.float32(), "tool_calls": pa.list_(json)}
    required = ("role", "timestamp")
    return pa.struct(
        [pa.field(n, types.get(n, pa.string()), nullable=n not in required) for n in names]
    )


def language_type(column: str) -> pa.ListType | None:
    """The type of a language column; None for other names."""
    names = LANGUAGE_FIELDS.get(column)
    return None if names is None else pa.list_(language_entry_type(names))
