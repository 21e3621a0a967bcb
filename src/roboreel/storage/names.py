"""Check and shorten names and paths that users pass."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from roboreel.errors import StorageError, UsageError

_LONGEST_NAME_BYTES = 100
_USUAL_LIMIT_BYTES = 255
"""Longest file name on common file systems, in bytes, if the file system cannot be queried."""


def local_path(path: str | os.PathLike[str]) -> str:
    """Return `path` as text, with `~` expanded.

    Raises:
        UsageError: it is not UTF-8, or has a NUL character.
        StorageError: it is relative, and the current folder no longer exists.
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


def is_url(location: str | os.PathLike[str]) -> bool:
    """True for a URL with a scheme, such as `s3://bucket/prefix`."""
    return "://" in os.fspath(location)


def _require_utf8(path: str) -> None:
    if not is_utf8(path):
        raise UsageError(f"the path '{path}' is not UTF-8: rename the file or folder")


def is_utf8(text: str) -> bool:
    """True if text can be encoded as UTF-8; False with lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def short_name(name: str) -> str:
    """Return `name`, or its beginning and a digest if it is longer than 100 bytes."""
    data = os.fsencode(name)
    if len(data) <= _LONGEST_NAME_BYTES:
        return name
    beginning = data[:40].decode(errors="ignore")
    return f"{beginning}-{sha256(data).hexdigest()[:16]}"


def limit_bytes(folder: Path) -> int:
    """Longest file name in a folder, in bytes."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return _USUAL_LIMIT_BYTES
