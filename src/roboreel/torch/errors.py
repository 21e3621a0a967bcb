"""Errors of calls that the reference answers with builtin exceptions: they are both."""

from __future__ import annotations

from roboreel.errors import (
    MissingDependencyError,
    RoboreelError,
    RunError,
    UsageError,
)


class ArgumentError(UsageError):
    """An argument has a wrong value."""


class ExistsError(UsageError, FileExistsError):
    """A file or folder that is to be made exists already."""


class MissingPackageError(MissingDependencyError):
    """A package that no extra of roboreel installs is needed and not installed."""

    def __init__(self, package: str) -> None:
        RoboreelError.__init__(self, f"the package '{package}' is required: pip install {package}")


class WrongTypeError(UsageError, TypeError):
    """An argument has a wrong type."""


class ReadOnlyError(UsageError, RuntimeError):
    """A method that writes was called on a dataset that was opened for reading."""


class RecordingError(RunError, RuntimeError):
    """An episode cannot be continued or saved, for example because the process of a camera died."""
