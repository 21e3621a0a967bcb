"""The staging folder: which files it has, and how attempts at one episode keep out of each other's way.

Every attempt at an episode has a number, and each of its files has a name that no other attempt uses. An
attempt is whole once its table has its name; of several whole ones the highest number wins. So no attempt
can damage another, and one that wakes late has a lower number. The reasons: docs/design/0024.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from roboreel.errors import UsageError
from roboreel.sink.episode_key import EpisodeKey
from roboreel.storage.fs import open_output
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import is_url, local_path
from roboreel.storage.staging.store_staging import refuse_url
from roboreel.storage.write_root import WriteRoot
from roboreel.types import Json

EPISODES, VIDEOS = "episodes", "videos"
TABLE, BEGUN, FAILED = "parquet", "begun", "failed"
"""What is known of an attempt: it is whole, it was claimed, or it was given up."""
_NAME = re.compile(
    r"(?P<digest>[0-9a-f]{32})\.(?P<attempt>\d{6,})\.((?P<token>[0-9a-f]{8})-(?P<part>\d+)\.)?(?P<kind>\w+)"
)
_FOLDERS = re.compile(r"'/(?:[^'/]*/)*([^'/]*)'")
_MOST_ATTEMPTS = 100_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at an episode."""

    key: EpisodeKey
    number: int
    token: str
    """Tells apart the files of several tries with one number."""

    @property
    def table(self) -> str:
        """The name of its table; of several parts that of the first, which is published last."""
        return attempt_file(self.key, self.number, TABLE)

    def part_table(self, part: int) -> str:
        """The name of the table of a part."""
        if part == 0:
            return self.table
        return f"{EPISODES}/{self.key.folder}/{self._stem(part)}.{TABLE}"

    def video(self, part: int, camera: str) -> str:
        """The name of a camera's video."""
        return f"{VIDEOS}/{camera}/{self.key.folder}/{self._stem(part)}.mp4"

    def _stem(self, part: int) -> str:
        return f"{self.key.digest}.{self.number:06d}.{self.token}-{part}"


@dataclass(frozen=True, slots=True)
class StagedName:
    """What the name of a file in `episodes/` says."""

    digest: str
    attempt: int
    kind: str
    part: int
    """0 for the file that makes the attempt whole."""


def staged_name(name: str) -> StagedName | None:
    """What a file's name says; None for files that no sink made."""
    found = _NAME.fullmatch(name.rpartition("/")[2])
    if found is None:
        return None
    return StagedName(
        found["digest"], int(found["attempt"]), found["kind"], int(found["part"] or 0)
    )


def attempt_file(key: EpisodeKey, number: int, kind: str) -> str:
    """The name of the file that says of an attempt that it is whole, begun or given up."""
    return f"{EPISODES}/{key.folder}/{key.digest}.{number:06d}.{kind}"


def staging_root(staging: str | os.PathLike[str]) -> WriteRoot:
    """The staging folder, on a disk or in a bucket; it need not exist.

    Raises:
        UsageError: it is no path of a folder, and no URL that can be written to.
        MissingDependencyError: the client of the store is not installed.
    """
    path = _path_of(staging)
    if not is_url(path):
        return local_staging_root(path)
    refuse_url(path, what="staging folder")
    return open_output(path)


def local_staging_root(staging: str | os.PathLike[str]) -> LocalRoot:
    """The staging folder on a disk, which need not exist.

    Raises:
        UsageError: it is a URL, or no path of a folder.
    """
    path = _path_of(staging)
    if is_url(path):
        raise UsageError(
            f"the staging folder '{path}' is a URL: give a folder that all workers share"
        )
    if os.path.exists(path) and not os.path.isdir(path):
        raise UsageError(f"the staging folder '{path}' is a file: give a folder that workers share")
    return LocalRoot(os.path.abspath(path))


def _path_of(staging: str | os.PathLike[str]) -> str:
    given: Any = staging
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise UsageError(f"the staging folder is {staging!r}: give the path of a folder")
    return local_path(staging)


def claim(root: WriteRoot, key: EpisodeKey) -> int:
    """Take the next number for an attempt: higher than any that was taken before.

    The file is made exclusively, so two workers never get one number, on network disks too. A number stays
    taken: the claim goes only when the attempt is whole or given up, which is looked at again afterwards.

    Raises:
        StorageError: the claim cannot be written.
    """
    for number in range(1, _MOST_ATTEMPTS):
        if any(root.exists(attempt_file(key, number, kind)) for kind in (TABLE, FAILED, BEGUN)):
            continue
        if not root.put_new(attempt_file(key, number, BEGUN), document(key)):
            continue
        if not any(root.exists(attempt_file(key, number, kind)) for kind in (TABLE, FAILED)):
            return number
        release(root, key, number)
    raise UsageError(f"episode of {key}: {_MOST_ATTEMPTS} attempts in '{root.url}': move them away")


def attempt_of(root: WriteRoot, key: EpisodeKey, number: int | None) -> Attempt:
    """An attempt with a number that was claimed, else with a new one.

    Raises:
        UsageError: the number was never claimed for this episode.
    """
    if number is None:
        return Attempt(key, claim(root, key), token_hex(4))
    if not isinstance(number, int):
        raise UsageError(f"episode of {key}: attempt is {number!r}: pass the number from claim()")
    known = (BEGUN, TABLE, FAILED)
    if not any(root.exists(attempt_file(key, number, kind)) for kind in known):
        raise UsageError(f"episode of {key}: attempt {number} was not claimed: call claim() first")
    return Attempt(key, number, token_hex(4))


def release(root: WriteRoot, key: EpisodeKey, number: int) -> None:
    """Remove the claim of an attempt that is whole, given up, or numbered again."""
    root.remove(attempt_file(key, number, BEGUN))


def give_up(root: WriteRoot, key: EpisodeKey, number: int, reason: str) -> None:
    """Record why an attempt was given up.

    Raises:
        StorageError: the record cannot be written.
    """
    name = attempt_file(key, number, FAILED)
    root.put(name, document(key, reason=reason))
    root.sync([name])
    release(root, key, number)


def without_folders(text: str) -> str:
    """A message with only the names of files: the skip report is published, and folders are private."""
    return _FOLDERS.sub(r"'\1'", text)


def is_whole(root: WriteRoot, key: EpisodeKey) -> bool:
    """True where an attempt at the episode is whole."""
    for number in range(1, _MOST_ATTEMPTS):
        kinds = [k for k in (TABLE, FAILED, BEGUN) if root.exists(attempt_file(key, number, k))]
        if TABLE in kinds:
            return True
        if not kinds:
            return False
    return False


def document(key: EpisodeKey, **more: Json) -> bytes:
    """A small document about a key."""
    return json.dumps({"source": key.source, "segment": key.segment, **more}).encode()
