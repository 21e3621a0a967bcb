"""Fetch files into a folder: each is verified beside its final path, then appears there by a rename."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from stat import S_ISLNK

from roboreel.dataset.pull_record import PulledFile
from roboreel.errors import HubError, StorageError, UsageError
from roboreel.hub.client import BrokenConnectionError, Token, asking, library
from roboreel.hub.environment import client_cache, endpoint, host
from roboreel.hub.reference import HubReference
from roboreel.hub.remote_files import RemoteFile
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot

_STAGING = ".cache/huggingface/roboreel-pull"
_THREADS = 8
_TRIES = 3
"""Attempts to fetch a file if connections break."""


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """A commit of a repository, to fetch from."""

    reference: HubReference
    commit: str
    token: Token = None


def present_files(
    target: LocalRoot, files: Iterable[RemoteFile], known: Mapping[str, PulledFile]
) -> dict[str, PulledFile]:
    """The files that a folder has already, with the content that the repository has.

    Args:
        target: the folder.
        files: the files that are wanted.
        known: those that an earlier pull verified: only their sizes and stamps are compared.

    Raises:
        UsageError: a file has other content, or a link leads out of the folder.
    """
    found: dict[str, PulledFile] = {}
    for file in files:
        refuse_links(target, file.name)
        if not os.path.lexists(target.path / file.name):
            continue
        before = known.get(file.name)
        stat = target.stat(file.name)
        if before is not None and before.digest == file.digest and before.is_unchanged(stat):
            found[file.name] = before
            continue
        with target.input(file.name) as content:
            if not file.is_content(content):
                raise UsageError(
                    f"'{target.path / file.name}' already exists and differs from the file on {host()}:"
                    " pull into another folder, or move this file away"
                )
        found[file.name] = _pulled(file, stat.stamp)
    return found


def fetch(
    source: RemoteSource,
    files: Iterable[RemoteFile],
    target: LocalRoot,
    arrived: Callable[[RemoteFile, PulledFile], None],
) -> None:
    """Fetch files that a folder doesn't have, several at once.

    Args:
        source: where they are.
        files: the files.
        target: the folder.
        arrived: called in this thread for each file that is in its place.

    Raises:
        HubError: the Hub can't be reached or refused, or sent other content than it promised.
        StorageError: the disk failed.
    """
    due = list(files)
    if not due:
        return
    with ThreadPoolExecutor(min(_THREADS, len(due))) as pool:
        running = {pool.submit(_fetch_one, source, file, target): file for file in due}
        try:
            _collect(running, arrived)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def remove_staging(target: LocalRoot) -> None:
    """Remove what fetching left beside the files."""
    with contextlib.suppress(FileNotFoundError):
        disk.remove_folder(target.path / _STAGING)


def _collect(
    running: dict[Future[PulledFile], RemoteFile],
    arrived: Callable[[RemoteFile, PulledFile], None],
) -> None:
    for future in as_completed(running):
        arrived(running[future], future.result())


def _fetch_one(source: RemoteSource, file: RemoteFile, target: LocalRoot) -> PulledFile:
    staging = LocalRoot(target.path / _STAGING)
    disk.make_folders(staging.path)
    for left in reversed(range(_TRIES)):  # not every release of the client goes on by itself
        try:
            _download(source, file.name, staging)
        except BrokenConnectionError:
            if not left:
                raise
        else:
            break
    with staging.input(file.name) as content:
        intact = file.is_content(content)
    if not intact:
        staging.remove(file.name)
        raise HubError(
            f"'{file.name}' of '{source.reference}' arrived damaged: expected {file.size_bytes} bytes with"
            f" digest {file.digest}, as {host()} states. Try again"
        )
    refuse_links(target, file.name)
    target.take(staging.path / file.name, file.name)
    return _pulled(file, target.stat(file.name).stamp)


def _download(source: RemoteSource, name: str, staging: LocalRoot) -> None:
    with asking(source.reference):
        library().hf_hub_download(
            source.reference.repo_id,
            name,
            repo_type="dataset",
            revision=source.commit,
            local_dir=str(staging.path),
            cache_dir=str(client_cache(source.reference.repo_id)),
            endpoint=endpoint(),
            token=source.token,
        )


def _pulled(file: RemoteFile, stamp: str) -> PulledFile:
    return PulledFile(size_bytes=file.size_bytes, digest=file.digest, stamp=stamp)


def refuse_links(target: LocalRoot, name: str) -> None:
    """Raise `UsageError` if a folder on the way to a file is a link: the file would land elsewhere."""
    at = target.path
    for part in name.split("/"):
        at = at / part
        try:
            mode = os.lstat(at).st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"'{at}': {error.strerror}") from error
        if S_ISLNK(mode):
            raise UsageError(
                f"'{at}' is a symbolic link, and a pull writes only inside its own folder: remove the link"
            )
