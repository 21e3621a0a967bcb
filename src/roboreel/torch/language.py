"""The language columns of lerobot 0.6: their names, types and styles, and the tool declared by default."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from roboreel.format.language_types import (
    EVENT_FIELDS,
    PERSISTENT_FIELDS,
    language_entry_type,
)
from roboreel.torch.compat.optional_packages import require_package
from roboreel.torch.constants import LANGUAGE_COLUMNS, LANGUAGE_EVENTS, LANGUAGE_PERSISTENT
from roboreel.torch.errors import ArgumentError
from roboreel.types import Json

__all__ = [
    "CORE_STYLES",
    "DEFAULT_TOOLS",
    "EVENT_ONLY_STYLES",
    "EVENT_ROW_FIELDS",
    "EXTENDED_STYLES",
    "LANGUAGE_COLUMNS",
    "LANGUAGE_EVENTS",
    "LANGUAGE_PERSISTENT",
    "PERSISTENT_ROW_FIELDS",
    "PERSISTENT_STYLES",
    "SAY_TOOL_SCHEMA",
    "STYLE_REGISTRY",
    "VIEW_DEPENDENT_STYLES",
    "column_for_style",
    "is_language_column",
    "is_view_dependent_style",
    "language_column_feature",
    "language_event_row_arrow_type",
    "language_events_arrow_type",
    "language_feature_info",
    "language_persistent_arrow_type",
    "language_persistent_row_arrow_type",
    "validate_camera_field",
]

PERSISTENT_ROW_FIELDS = PERSISTENT_FIELDS
EVENT_ROW_FIELDS = EVENT_FIELDS
PERSISTENT_STYLES = {"subtask", "plan", "memory", "motion", "task_aug"}
EVENT_ONLY_STYLES = {"interjection", "vqa", "trace"}
VIEW_DEPENDENT_STYLES = {"vqa", "trace"}
CORE_STYLES = PERSISTENT_STYLES | EVENT_ONLY_STYLES
EXTENDED_STYLES: set[str] = set()
STYLE_REGISTRY = CORE_STYLES | EXTENDED_STYLES

SAY_TOOL_SCHEMA: dict[str, Json] = {
    "type": "function",
    "function": {
        "name": "say",
        "description": "Say a short sentence to the user aloud.",
        "parameters": {
            "type": "object",
            "properties": {"text": {"type": "string", "description": "The words to say."}},
            "required": ["text"],
        },
    },
}
"""The function `say(text)`, as OpenAI's interface describes functions."""

DEFAULT_TOOLS: list[dict[str, Json]] = [SAY_TOOL_SCHEMA]
"""The tools of a dataset that declares none."""

_HF_TYPES = {"timestamp": "float32"}
"""Types of the fields that are no strings."""


def is_language_column(key: str) -> bool:
    """True for the name of a language column."""
    return key in LANGUAGE_COLUMNS


def column_for_style(style: str | None) -> str:
    """The column in which rows of a style are.

    Raises:
        ArgumentError: the style is unknown.
    """
    if style is None or style in EVENT_ONLY_STYLES:
        return LANGUAGE_EVENTS
    if style in PERSISTENT_STYLES:
        return LANGUAGE_PERSISTENT
    raise ArgumentError(
        f"unknown language style '{style}': expected one of {sorted(STYLE_REGISTRY)}"
    )


def is_view_dependent_style(style: str | None) -> bool:
    """True for a style whose rows are about what one camera sees."""
    return style in VIEW_DEPENDENT_STYLES


def validate_camera_field(style: str | None, camera: str | None) -> None:
    """Check that rows name a camera exactly where their style needs one.

    Raises:
        ArgumentError: they don't.
    """
    if is_view_dependent_style(style) and not camera:
        raise ArgumentError(
            f"rows of style '{style}' need a camera, such as 'observation.images.top'"
        )
    if camera is not None and not is_view_dependent_style(style):
        raise ArgumentError(f"rows of style '{style}' must not have a camera, got '{camera}'")


def language_feature_info() -> dict[str, dict[str, Json]]:
    """The declarations of both language columns."""
    return {n: {"dtype": "language", "shape": (1,), "names": None} for n in LANGUAGE_COLUMNS}


def language_persistent_row_arrow_type() -> pa.StructType:
    """The Arrow type of one entry that holds for a whole episode from its time on."""
    return language_entry_type(PERSISTENT_ROW_FIELDS)


def language_event_row_arrow_type() -> pa.StructType:
    """The Arrow type of one entry of the frame that it is in."""
    return language_entry_type(EVENT_ROW_FIELDS)


def language_persistent_arrow_type() -> pa.ListType:
    """The Arrow type of the column `language_persistent`."""
    return pa.list_(language_persistent_row_arrow_type())


def language_events_arrow_type() -> pa.ListType:
    """The Arrow type of the column `language_events`."""
    return pa.list_(language_event_row_arrow_type())


def language_column_feature(column: str) -> Any:
    """The type of a language column in `datasets`.

    Raises:
        MissingDependencyError: the package `datasets` is not installed.
    """
    datasets = require_package("datasets", "Features")
    persistent = column == LANGUAGE_PERSISTENT
    names = PERSISTENT_ROW_FIELDS if persistent else EVENT_ROW_FIELDS
    row = {name: datasets.Value(_HF_TYPES.get(name, "string")) for name in names}
    json = datasets.Json() if hasattr(datasets, "Json") else datasets.Value("string")
    return datasets.List({**row, "tool_calls": datasets.List(json)})
