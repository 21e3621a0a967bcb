"""Errors of calls that the reference answers with builtin exceptions: they are both."""

from __future__ import annotations

from roboreel.errors import StorageError, UsageError


class ArgumentError(UsageError, ValueError):
    """An argument has a wrong value."""


class MissingFileError(StorageError, FileNotFoundError):
    """A file that was asked for does not exist."""


class ExistsError(UsageError, FileExistsError):
    """A file or folder that is to be made exists already."""
