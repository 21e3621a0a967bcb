"""Errors and problems.

RoboreelError                  everything roboreel raises on purpose
├── UsageError                 the call itself is wrong (a bad argument, an output that exists)
├── StorageError               a file cannot be read or written
│   ├── VideoError             a file is not a readable video
│   │   └── FrameTimeError     no frame is near enough to a timestamp
│   └── ChangedInputError      a file has changed since the plan was made
├── DatasetError               the dataset is inconsistent and cannot be read safely
├── PlanError                  the request cannot be planned without a choice by the user
├── RunError                   an op failed or its output is not as planned
└── MissingDependencyError     an optional package is not installed
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]

_UNSEEN = re.compile(
    # control characters, line separators, marks that reverse text, lone surrogates
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LONGEST = 600  # most characters of a problem's part to show
_SHOWN = 20


def visible(text: str, *, keep: str = "") -> str:
    r"""Escape the control characters in `text`, as in `\x1b[31m`, so that a terminal does not execute them.

    Args:
        text: any text, even from a malicious dataset.
        keep: characters to leave as they are.
    """
    if text.isprintable():
        return text
    return _UNSEEN.sub(lambda found: found[0] if found[0] in keep else _spelled(found[0]), text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _shown(text: str) -> str:
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text)} characters)"
    return visible(short)


def listed(items: Sequence[object]) -> str:
    """Items for a message; only the first ones if there are many."""
    shown = ", ".join(repr(item) for item in items[:_SHOWN]) or "none"
    return shown + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error, warning or note about a dataset, as data."""

    rule: str
    """Id of the rule, as listed in `docs/format/`."""
    severity: Severity
    """`error`: not usable. `warning`: read in the only safe way. `note`: for information."""
    message: str
    path: str | None = None
    """File, relative to the dataset."""
    episode: int | None = None
    """Episode index as stored in the dataset."""
    column: str | None = None
    action: str | None = None
    """What roboreel does about it, or what the user can do."""
    amount: float = field(default=0.0, compare=False, repr=False)
    """Severity among problems of the same rule and column: larger is worse; without a fixed unit."""

    def __str__(self) -> str:
        position = [
            *([f"episode {self.episode}"] if self.episode is not None else []),
            *([f"'{_shown(self.column)}'"] if self.column else []),
            *([f"'{_shown(self.path)}'"] if self.path else []),
        ]
        where = f" [{', '.join(position)}]" if position else ""
        action = f" ({_shown(self.action)})" if self.action else ""
        return f"{self.rule}: {_shown(self.message)}{where}{action}"

    def __repr__(self) -> str:
        return f"<{self.severity}: {self}>"

    def to_json(self) -> dict[str, str | int | None]:
        """The problem as a JSON object; unknown fields are null."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "path": self.path,
            "episode": self.episode,
            "column": self.column,
            "action": self.action,
        }


class RoboreelError(Exception):
    """Base of all errors that roboreel raises on purpose."""

    def __str__(self) -> str:
        return visible(super().__str__(), keep="\n")


class UsageError(RoboreelError):
    """The call itself is wrong: a bad argument, an output that already exists."""


class StorageError(RoboreelError):
    """A file cannot be read or written."""


class VideoError(StorageError):
    """A file is not a video that roboreel can read."""


class FrameTimeError(VideoError):
    """No frame of a video is near enough to a timestamp."""


class ChangedInputError(StorageError):
    """A file has changed since the plan was made."""


class RunError(RoboreelError):
    """An op failed, or its output is not as planned."""


class HubError(RoboreelError):
    """The Hub cannot be reached, refuses a request, or sends something else than it promised."""


class MissingDependencyError(RoboreelError):
    """An optional package is needed but not installed."""

    def __init__(self, package: str, *, extra: str, purpose: str = "for this") -> None:
        """Name the package.

        Args:
            package: the package that cannot be imported.
            extra: the extra of roboreel that installs it.
            purpose: what needs it, as the end of "is needed …".
        """
        super().__init__(
            f"the package '{package}' is needed {purpose}: pip install 'roboreel[{extra}]'"
        )


class _ProblemsError(RoboreelError):
    _SHOWN = 20

    def __init__(self, summary: str, problems: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        lines = [summary, *(f"  - {problem}" for problem in self.problems[: self._SHOWN])]
        if len(self.problems) > self._SHOWN:
            lines.append(f"  … and {len(self.problems) - self._SHOWN} more")
        super().__init__("\n".join(lines))


class DatasetError(_ProblemsError):
    """The dataset is inconsistent and cannot be read safely; carries all problems that were found."""


class PlanError(_ProblemsError):
    """The request cannot be planned without a choice by the user; carries the reasons."""
