"""Names of files that are not finished: nothing else has them, and no file of a dataset can."""

from __future__ import annotations

import re
import secrets

_SCRATCH = re.compile(r"\.roboreel-[0-9a-f]{32}")


def scratch_beside(name: str) -> str:
    """A new name in the folder of `name`. It is hidden, and no hidden file travels along."""
    folder, slash, _ = name.rpartition("/")
    return f"{folder}{slash}.roboreel-{secrets.token_hex(16)}"


def is_scratch(name: str) -> bool:
    """True for the last part of a name from `scratch_beside`."""
    return _SCRATCH.fullmatch(name) is not None
