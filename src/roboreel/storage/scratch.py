"""Names of unfinished files, which cannot be names of dataset files."""

from __future__ import annotations

import re
import secrets

_SCRATCH = re.compile(r"\.roboreel-[0-9a-f]{32}")


def scratch_beside(name: str) -> str:
    """A new hidden name in the folder of `name`; hidden files are never copied to a result."""
    folder, slash, _ = name.rpartition("/")
    return f"{folder}{slash}.roboreel-{secrets.token_hex(16)}"


def is_scratch(name: str) -> bool:
    """True if the last part of a name was made by `scratch_beside`."""
    return _SCRATCH.fullmatch(name) is not None
