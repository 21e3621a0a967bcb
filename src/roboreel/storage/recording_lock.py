"""The hidden folder of a dataset that is being recorded, and its lock."""

from __future__ import annotations

from pathlib import Path

from roboreel.storage.lock import refuse_held

RECORDING = ".roboreel-recording"
"""The folder's name. Readers pass over it, because it begins with a dot."""
LOCK = "lock"


def refuse_recording(path: str) -> None:
    """Raise `UsageError` while a recorder holds the dataset in a folder: its next episode would be lost."""
    busy = f"'{path}' is being recorded: finish that recording first, or write to another folder"
    refuse_held(Path(path) / RECORDING / LOCK, timeout_s=0, busy=busy)
