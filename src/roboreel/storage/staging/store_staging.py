"""Make a result at its final URL on an object store, and publish it by its last file.

A store has no rename, so the files get their names at once. Until `meta/info.json` is written, they are no
dataset. An object beside the result, `.NAME.roboreel-partial`, says which run writes there: only one run can
make it. It names the run's files too: only those are ever removed. The ledger of that run is on its machine
(`state_folder`), so that the run can be resumed there. The reasons: docs/design/0027.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import zlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

from roboreel.errors import StorageError, UsageError, counted
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.modes import PRIVATE
from roboreel.storage.names import short_name
from roboreel.storage.remote.store_root import HoldingRoot, StoreRoot
from roboreel.storage.root import FileStat
from roboreel.storage.scratch import is_scratch
from roboreel.storage.staging import recovery
from roboreel.storage.staging.recovery import Recovered
from roboreel.storage.staging.staging_folder import (
    LEDGER,
    LOCK,
    SWAP,
    identity,
    read_note,
    take,
    write_note,
)
from roboreel.storage.staging.state_folder import state_folder

LAST = "meta/info.json"
_TIMEOUT_S = 1.0
_RECOVERY_TIMEOUT_S = 0.2
_SHOWN = 3
_WRITABLE = ("s3", "s3a", "gs", "gcs", "memory")


def refuse_url(url: str, *, what: str = "output") -> None:
    """Raise `UsageError` if no files can be written to a URL, whatever is there.

    Args:
        url: the URL.
        what: what is to be written there, for messages.
    """
    scheme, _, path = url.partition("://")
    if scheme == "hf":
        raise UsageError(f"the {what} '{url}' is on the Hub: write to a folder, and push it")
    if scheme not in _WRITABLE:
        raise UsageError(
            f"the {what} '{url}' is a URL that cannot be written to: give a folder, s3://BUCKET/PREFIX or"
            " gs://BUCKET/PREFIX"
        )
    if "/" not in path.strip("/"):
        raise UsageError(f"the {what} '{url}' is a whole bucket: add a prefix, such as '{url}/set'")


def refuse_taken(url: str, *, is_document: Callable[[str], bool]) -> None:
    """Raise `UsageError` if there is something at a URL that no interrupted run has left there.

    Args:
        url: the URL.
        is_document: tells which names documents of a result have.

    Raises:
        StorageError: the store cannot be reached, or refuses.
    """
    _refuse_files(url, StoreRoot(url).stats_of_all(), _Marker(url).files(), is_document)


class StoreStaging:
    """The result at a URL, reserved for this run."""

    def __init__(
        self,
        final: str,
        *,
        files: Collection[str],
        is_document: Callable[[str], bool],
        takes_over: bool,
        removes: bool,
    ) -> None:
        """Lock the state folder of the result, and look at what is there. Nothing is written to the store.

        Args:
            final: URL of the result.
            files: names of all tables, videos and other files of the result.
            is_document: tells which names its documents have.
            takes_over: True to begin also where a run of another machine has left something.
            removes: True if files that no ledger knows may be removed: they can be of someone else.

        Raises:
            UsageError: another run is writing there, or something else is there.
            StorageError: the store cannot be reached, or refuses.
        """
        self.final = final.rstrip("/")
        recover(self.final)
        self.folder = state_folder(self.final)
        try:
            self._lock = take(self.folder, timeout_s=_TIMEOUT_S)
        except OSError as error:
            raise StorageError(f"cannot write '{self.folder}': {error.strerror}") from error
        self.identity = identity(self.folder)
        self.notes = LocalRoot(self.folder, modes=PRIVATE)
        self._marker = _Marker(self.final)
        self._is_ours, self._takes_over, self._removes = False, takes_over, removes
        self._files, self._is_document = frozenset(files), is_document
        try:
            self.root = HoldingRoot(self.final, LAST)
            self._look()
        except BaseException:
            self.leave()
            raise

    unfinished = ""

    def end_attempts(self) -> None:
        """Do nothing: files that are not whole are on the workers' machines."""

    @property
    def location(self) -> str:
        """Where the finished part of a run is, for messages."""
        return self.final

    def begin(self) -> None:
        """Start with an empty result.

        Raises:
            UsageError: there are files, and nobody has said that they may be removed.
        """
        left = self.root.stats_of_all()
        if left and not self._removes:
            raise UsageError(
                f"'{self.final}' holds {_some(left)}, which an interrupted run may have left. Look at them,"
                " then pass"
                ' leftovers="clean" to remove them and start over, or choose another URL'
            )
        self._reserve()
        self.remove_all_but(frozenset())
        with self._explained():
            scratch = [name for name in os.listdir(self.folder) if is_scratch(name)]
            for name in (LEDGER, SWAP, *scratch):
                disk.unlink(self.folder / name)

    def reopen(self) -> None:
        """Reserve the URL again for a run that goes on."""
        self._reserve()

    def files(self) -> Iterator[tuple[str, int]]:
        """(name, size in bytes) of every file written so far."""
        for name, stat in sorted(self.root.stats_of_all().items()):
            yield name, stat.size_bytes

    def remove_all_but(self, names: frozenset[str]) -> None:
        """Remove what a killed run did not note, and its documents; files of others stay."""
        left = self.root.stats_of_all().keys() - names
        own = (name for name in left if name in self._files or self._is_document(name))
        self.root.remove_all(sorted(name for name in own if name != LAST))

    def publish(self, report: object) -> None:
        """Write `info.json`, by which the files become a dataset.

        Args:
            report: JSON that a later run shows if this one is killed right afterwards.

        Raises:
            UsageError: another run has taken over.
            StorageError: it cannot be written.
        """
        if self._marker.run() != self.identity:
            raise UsageError(
                f"another run has taken over '{self.final}' meanwhile: nothing is published"
            )
        write_note(self.notes, SWAP, {"name": self.final, "kept": None, "report": report})
        self._is_ours = False  # from here on the files may be a dataset
        self.root.publish()
        _tidy(self.folder, self._marker)
        self.release()

    def discard(self) -> None:
        """Remove what this run has written, and unlock the folder."""
        if self._is_ours:
            with contextlib.suppress(StorageError):
                self.remove_all_but(frozenset())
                self._marker.remove()
        with contextlib.suppress(OSError, UsageError):
            recovery.remove(self.folder)
        self.release()

    def leave(self) -> None:
        """Unlock the folder as it was found; remove it if this run made it."""
        with contextlib.suppress(OSError):
            if os.listdir(self.folder) == [LOCK]:
                recovery.remove(self.folder)
        self.release()

    def release(self) -> None:
        """Unlock the folder for other runs."""
        self._lock.close()

    def _look(self) -> None:
        known, found = self._marker.files(), self.root.stats_of_all()
        _refuse_files(self.final, found, known, self._is_document)
        if known is not None and self._marker.run() != self.identity and not self._takes_over:
            raise UsageError(_held_elsewhere(self.final))

    def _reserve(self) -> None:
        if not self._marker.reserve(self.identity, self._files):
            run, known = self._marker.run(), self._marker.files() or frozenset()
            if run != self.identity and not self._takes_over:  # it has begun since `_look`
                raise UsageError(_held_elsewhere(self.final))
            if run != self.identity or known != self._files:
                self._files |= known  # those of the run before are not removed yet
                self._marker.overwrite(self.identity, self._files)
        self._is_ours = True

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"cannot write '{self.folder}': {error.strerror}") from error


class _Marker:
    """The object beside a result that says which run writes it, and which files."""

    def __init__(self, final: str) -> None:
        above, _, name = final.rstrip("/").rpartition("/")
        self._root = StoreRoot(above)
        self._name = f".{short_name(name)}.roboreel-partial"
        self.url = f"{above}/{self._name}"

    def run(self) -> str | None:
        """The identity of the run that made it; None where there is none, empty if it is not readable."""
        content = self._content()
        return None if content is None else str(content.get("run", ""))

    def files(self) -> frozenset[str] | None:
        """Names of the files that the run writes, without documents; None where there is no run."""
        content = self._content()
        if content is None:
            return None
        try:
            packed = zlib.decompress(base64.b64decode(content["files"]))
            return frozenset(map(str, json.loads(packed)))
        except (ValueError, KeyError, TypeError, zlib.error):
            return frozenset()

    def reserve(self, run: str, files: Collection[str]) -> bool:
        """Make it; False if there is one."""
        return self._root.put_new(self._name, _rendered(run, files))

    def overwrite(self, run: str, files: Collection[str]) -> None:
        """Make it this run's."""
        self._root.put(self._name, _rendered(run, files))

    def remove(self) -> None:
        """Remove it."""
        self._root.remove(self._name)

    def _content(self) -> dict[str, Any] | None:
        if not self._root.exists(self._name):
            return None
        try:
            content = json.loads(self._root.read(self._name))
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


def recover(final: str) -> Recovered | None:
    """Finish a run of this machine that was killed while publishing; None if there is none."""
    folder = state_folder(final)
    if not os.path.lexists(folder):
        return None
    try:
        lock = take(folder, timeout_s=_RECOVERY_TIMEOUT_S)
    except (OSError, UsageError):
        return None
    with lock:
        note = read_note(folder, SWAP)
        if note is None or note.get("name") != final.rstrip("/"):
            return None
        if not StoreRoot(final).exists(LAST):
            return None
        _tidy(folder, _Marker(final))
    return Recovered(original=None, report=note["report"])


def _tidy(folder: os.PathLike[str], marker: _Marker) -> None:
    """Remove what a published run no longer needs."""
    marker.remove()
    with contextlib.suppress(OSError):
        recovery.remove(LocalRoot(folder).path)


def _rendered(run: str, files: Collection[str]) -> bytes:
    packed = zlib.compress(json.dumps(sorted(files)).encode())
    return json.dumps({"run": run, "files": base64.b64encode(packed).decode()}).encode()


def _refuse_files(
    url: str,
    found: dict[str, FileStat],
    known: frozenset[str] | None,
    is_document: Callable[[str], bool],
) -> None:
    if LAST in found:
        raise UsageError(f"the output '{url}' is a dataset already: choose another URL")
    others = {name for name in found if known is None or not (name in known or is_document(name))}
    if others:
        raise UsageError(
            f"the output '{url}' holds {_some(others)}, which no interrupted run has left there: move what"
            " you need away, or choose another URL"
        )


def _some(names: Collection[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in sorted(names)[:_SHOWN])
    return f"{counted(len(names), 'file')}, such as {shown}"


def _held_elsewhere(url: str) -> str:
    return (
        f"a run of another machine or user is writing '{url}', or was interrupted: wait, or resume it there."
        ' If it is dead, pass leftovers="clean" to remove what it left and start over'
    )
