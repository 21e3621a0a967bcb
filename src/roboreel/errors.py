"""Errors and problems.

RoboreelError                  everything roboreel raises on purpose
├── UsageError                 the call itself is wrong (also a ValueError)
│   ├── UnknownNameError       no such feature, column or camera (also a KeyError)
│   └── OutOfRangeError        no such episode, frame or item (also an IndexError)
├── StorageError               a file cannot be read or written
│   ├── MissingFileError       a file or folder does not exist (also a FileNotFoundError)
│   ├── VideoError             a file is not a readable video
│   │   └── FrameTimeError     no frame is near enough to a timestamp
│   └── ChangedInputError      a file has changed since the plan was made
├── DatasetError               the dataset is inconsistent and cannot be read safely (also a ValueError)
├── PlanError                  the request needs a choice by the user (also a ValueError)
├── RunError                   an operation failed, or its output is not as planned
├── HubError                   the Hub cannot be reached, or refuses
└── MissingDependencyError     an optional package is not installed (also an ImportError)

Messages name options as Python has them (`allow_reencode=True`); the command line shows what is typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning", "note"]

_UNSEEN = re.compile(
    # control characters, line separators, marks that reverse text, lone surrogates
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_RENAMED = {"delta_timestamps": "offsets"}
"""Keywords of lerobot, by those that mean the same here."""
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


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: `1 episode`, `2,500 episodes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(items: Sequence[object]) -> str:
    """Items for a message; only the first ones if there are many."""
    shown = ", ".join(repr(item) for item in items[:_SHOWN]) or "none"
    return shown + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")


def known_episodes(numbers: Sequence[int]) -> str:
    """Which episodes a dataset has, for messages: `episodes 0 to 5`, or `episodes 0, 2:5`."""
    if not len(numbers):
        return "no episodes"
    if len(numbers) == 1:
        return f"episode {numbers[0]} only"
    joined = numbers[-1] - numbers[0] + 1 == len(numbers) and sorted(numbers) == [*numbers]
    return f"episodes {numbers[0]} to {numbers[-1]}" if joined else f"episodes {ranged(numbers)}"


def ranged(numbers: Iterable[int]) -> str:
    """Numbers for a message, as half-open ranges: `3, 100:157` are 3 and 100 to 156; of many, the first."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1]:
            found[-1][1] += 1
        else:
            found.append([number, number + 1])
    shown = [
        f"{a}:{b}" if b - a > 2 else ", ".join(map(str, range(a, b))) for a, b in found[:_SHOWN]
    ]
    left = sum(b - a for a, b in found[_SHOWN:])
    return ", ".join(shown) + (f" and {left} more" if left else "")


def require_keywords(function: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise `TypeError`, as Python does, if a function has no argument of a name; suggests near ones.

    Args:
        function: its name, for the message.
        given: names of keyword arguments.
        known: those that it has.
    """
    names = sorted(known)
    for name in given:
        if name not in names:
            meant = [one for one in (_RENAMED.get(name),) if one in names]
            near = " or ".join(meant or get_close_matches(name, names, 2))
            advice = f"did you mean {near}?" if near else f"it takes {', '.join(names)}"
            raise TypeError(f"{function}() has no argument '{name}': {advice}")


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
    dataset: str | None = None
    """Path or URL of the dataset, if several are merged."""

    @property
    def where(self) -> str:
        """Dataset, episode, column and file, as far as they are known: `episode 3, observation.state`.

        A file that the message names is left out.
        """
        path = None if self.path and repr(self.path) in self.message else self.path
        parts = [
            *([f"in {_shown(repr(self.dataset))}"] if self.dataset else []),
            *([f"episode {self.episode}"] if self.episode is not None else []),
            *([_shown(self.column)] if self.column else []),
            *([_shown(path)] if path else []),
        ]
        return ", ".join(parts)

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        action = f" → {_shown(self.action)}" if self.action else ""
        return f"{_shown(self.message)}{where}{action} [{self.rule}]"

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
            "dataset": self.dataset,
        }


class RoboreelError(Exception):
    """Base of all errors that roboreel raises on purpose."""

    def __str__(self) -> str:
        # not super(): that of KeyError would show quotes
        return visible(Exception.__str__(self), keep="\n")


class UsageError(RoboreelError, ValueError):
    """The call itself is wrong: a bad argument, an output that already exists."""


class UnknownNameError(UsageError, KeyError):
    """There is no such feature, column or camera."""


class OutOfRangeError(UsageError, IndexError):
    """There is no such episode, frame or item."""


class StorageError(RoboreelError):
    """A file cannot be read or written."""


class MissingFileError(StorageError, FileNotFoundError):
    """A file or folder does not exist."""


class VideoError(StorageError):
    """A file is not a video that roboreel can read."""


class FrameTimeError(VideoError):
    """No frame of a video is near enough to a timestamp."""


class ChangedInputError(StorageError):
    """A file has changed since the plan was made."""


class RunError(RoboreelError):
    """An operation failed, or its output is not as planned."""


class HubError(RoboreelError):
    """The Hub cannot be reached, refuses a request, or sends something else than it promised."""


class MissingDependencyError(RoboreelError, ImportError):
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

    def __reduce__(self) -> tuple[Callable[..., BaseException], tuple[str]]:
        return _as_it_was, (str(self),)


def _as_it_was(message: str) -> MissingDependencyError:
    """The error with its message, in another process."""
    error = MissingDependencyError.__new__(MissingDependencyError, message)
    error.args = (message,)
    return error


class _ProblemsError(RoboreelError, ValueError):
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
