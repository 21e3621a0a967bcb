"""Names of the language columns, and the tool that datasets declare by default."""

from __future__ import annotations

from roboreel.torch.constants import LANGUAGE_COLUMNS, LANGUAGE_EVENTS, LANGUAGE_PERSISTENT
from roboreel.types import Json

__all__ = [
    "DEFAULT_TOOLS",
    "LANGUAGE_COLUMNS",
    "LANGUAGE_EVENTS",
    "LANGUAGE_PERSISTENT",
    "SAY_TOOL_SCHEMA",
    "is_language_column",
]

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


def is_language_column(key: str) -> bool:
    """True for the name of a language column."""
    return key in LANGUAGE_COLUMNS
