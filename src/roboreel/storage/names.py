"""Names and paths that a user gives: what a disk, and every document, can take."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from roboreel.errors import StorageError, UsageError

_LONGEST_NAME_BYTES = 100
_USUAL_LIMIT_BYTES = 255
"""Bytes that a name may have on every usual disk, where the disk itself cannot be asked."""


def local_path(path: str | os.PathLike[str]) -> str:
    """`path` as text, with the home folder in place of `~`.

    Raises:
        UsageError: it is not UTF-8, which every document is, or has a NUL character.
        StorageError: it is relative, and the current folder is gone.
    """
    text = os.fspath(path)
    if "\x00" in text:
        raise UsageError(f"the path '{text}' has a NUL character, which no disk can store")
    _require_utf8(text)
    text = os.path.expanduser(text)
    try:
        _require_utf8(os.path.abspath(text))
    except OSError as error:
        raise StorageError(
            f"'{text}' is a relative path, and the current folder no longer exists: change to another one"
        ) from error
    return text


def _require_utf8(path: str) -> None:
    if not is_utf8(path):
        raise UsageError(f"the path '{path}' is not UTF-8: rename the file or folder")


def is_utf8(text: str) -> bool:
    """True for text that UTF-8 can spell; False where it holds half characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def short_name(name: str) -> str:
    """`name`, or its beginning and a digest where it is so long that nothing could be added to it."""
    data = os.fsencode(name)
    if len(data) <= _LONGEST_NAME_BYTES:
        return name
    beginning = data[:40].decode(errors="ignore")
    return f"{beginning}-{sha256(data).hexdigest()[:16]}"


def limit_bytes(folder: Path) -> int:
    """How many bytes a name in a folder may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return _USUAL_LIMIT_BYTES
