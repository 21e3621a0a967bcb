"""Earlier versions of a dataset, kept in folders beside it.

NAME.before-TIME    the original of an edit in place
NAME.undone-TIME    the result that was replaced when an original was restored
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, get_args

from roboreel.errors import StorageError, UsageError
from roboreel.storage.names import is_utf8, limit_bytes

Kind = Literal["before", "undone"]
_TIME = "%Y%m%dT%H%M%SZ"
_KEPT = re.compile(
    rf"(.+)\.({'|'.join(get_args(Kind))})-(\d{{8}}T\d{{6}}Z)(?:-(\d{{1,9}}))?", re.DOTALL
)
_LONGEST_NUMBER = "-99"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVersion:
    """An earlier version of a dataset, in a folder beside it."""

    name: str
    """The folder's name."""
    path: str
    kind: Kind
    """`before`: the original of an edit in place. `undone`: the result that a restored original replaced."""
    time: datetime
    """When it was put aside, in UTC, to the second."""
    number: int = 1
    """Distinguishes versions that were put aside in the same second."""


def kept_beside(final: str | os.PathLike[str]) -> tuple[KeptVersion, ...]:
    """List the earlier versions beside a dataset's path, newest first; links are ignored.

    Raises:
        StorageError: the parent folder cannot be listed.
    """
    path = Path(os.path.abspath(final))
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StorageError(f"'{path.parent}' cannot be listed: {error.strerror}") from error
    found = [_kept(path, name) for name in names if is_utf8(name)]
    kept = [one for one in found if one is not None]
    return tuple(sorted(kept, key=lambda one: (one.time, one.number, one.kind), reverse=True))


def name_before(name: str) -> str | None:
    """The dataset's name in the folder name of an earlier version; None for other folder names."""
    match = _KEPT.fullmatch(name)
    return None if match is None else match[1]


def free_name(final: Path, kind: Kind = "before") -> str:
    """An unused name to keep the present dataset: `NAME.before-` and the time in UTC."""
    moment = datetime.now(timezone.utc).strftime(_TIME)
    plain = name = f"{final.name}.{kind}-{moment}"
    number = 1
    while os.path.lexists(final.with_name(name)):
        number += 1
        name = f"{plain}-{number}"
    return name


def require_room_for_original(final: str | os.PathLike[str]) -> None:
    """Raise `UsageError` if a dataset's name is too long to add `.before-` and the time."""
    path = Path(os.path.abspath(final))
    longest = len(os.fsencode(free_name(path) + _LONGEST_NUMBER))
    limit = limit_bytes(path.parent)
    if longest > limit:
        raise UsageError(
            f"'{final}' cannot be replaced in place: the original would be kept as NAME.before-TIME,"
            f" a name of {longest} bytes, and the disk takes {limit}; rename the folder, or write to"
            " another one (-o)"
        )


def _kept(final: Path, name: str) -> KeptVersion | None:
    match = _KEPT.fullmatch(name)
    if match is None or match[1] != final.name:
        return None
    try:
        time = datetime.strptime(match[3], _TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    kind: Kind = "before" if match[2] == "before" else "undone"
    number = int(match[4] or 1)
    return KeptVersion(
        name=name, path=str(final.with_name(name)), kind=kind, time=time, number=number
    )
