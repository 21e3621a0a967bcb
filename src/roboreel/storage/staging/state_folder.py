"""The folder on this machine that has the notes of a run whose result is on an object store."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from roboreel.storage.names import short_name


def state_folder(url: str) -> Path:
    """Path of the notes of a result: in `$XDG_STATE_HOME`, else in `~/.local/state`.

    It is like a staging folder on a disk (`staging_folder.py`), but has no `dataset/`.
    """
    chosen = os.environ.get("XDG_STATE_HOME", "")
    base = chosen if os.path.isabs(chosen) else os.path.expanduser("~/.local/state")
    url = url.rstrip("/")
    name = short_name(url.rpartition("/")[2])
    mark = sha256(url.encode(errors="surrogateescape")).hexdigest()[:16]
    return Path(base, "roboreel", "outputs", f".{name}-{mark}.roboreel-partial")
