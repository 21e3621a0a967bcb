"""What a view file says of a dataset it takes episodes of: where it is, what its documents were, its uids.

A document is the one that it was if it has the size and stamp of then, or else the same bytes: copies and
checkouts have other stamps.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from shlex import join

from roboreel.errors import ChangedInputError, DatasetError
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import FileStat, Root
from roboreel.storage.staging.originals import kept_beside
from roboreel.storage.stamped import refuse_changed_documents
from roboreel.types import Json

PATH, REFERENCE, VIEW = "path", "reference", "view"
"""A dataset by its path or its reference on the Hub, or another view file."""
DOCUMENTS = "documents"
UIDS, FRAMES, ROWS = "episodes", "frames", "rows"
"""The uids of all its episodes, their lengths, and which of them the view begins with where not with all."""
_BLOCK_BYTES = 1 << 20
SIZE, STAMP, HASH = "size", "stamp", "sha256"


def stamps_document(root: Root, documents: Mapping[str, FileStat]) -> dict[str, Json]:
    """Size, stamp and hash of each document, as a view file has them.

    Raises:
        ChangedInputError: one has changed since the dataset was opened.
    """
    hashes = {name: digest_of(root, name) for name in documents}
    refuse_changed_documents(root, documents)
    return {
        name: {SIZE: stat.size_bytes, STAMP: stat.stamp, HASH: hashes[name]}
        for name, stat in documents.items()
    }


def changed_document(
    root: Root, documents: Mapping[str, FileStat], noted: Mapping[str, Json]
) -> str | None:
    """The name of a document that is not the one that was noted; None where all are.

    Raises:
        DatasetError: what was noted has another form.
    """
    for name in sorted({*documents, *noted}):
        entry, stat = noted.get(name), documents.get(name)
        if stat is None or entry is None:
            return name
        if not isinstance(entry, Mapping):
            raise DatasetError(f"'{DOCUMENTS}' has no stamp of '{name[:80]}'")
        if stat.size_bytes != entry.get(SIZE):
            return name
        if stat.stamp != entry.get(STAMP) and digest_of(root, name) != entry.get(HASH):
            return name
    return None


def digest(data: bytes) -> str:
    """The hash of a file's content, as view files have it."""
    return sha256(data).hexdigest()


def digest_of(root: Root, name: str) -> str:
    """The hash of a file, which may be larger than memory."""
    found = sha256()
    with root.input(name) as file:
        while block := file.read(_BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()


def relative_path(url: str, folder: str) -> str:
    """The path of a dataset or file as a view file in a folder says it: relative where that can be."""
    if "://" in url:
        return url
    try:
        return os.path.relpath(url, folder).replace(os.sep, "/")
    except ValueError:  # another drive
        return os.path.abspath(url)


def path_from(said: str, folder: str) -> str:
    """The path that a view file in a folder says."""
    if "://" in said:
        return said
    return os.path.normpath(os.path.join(os.path.abspath(folder), said))


def changed(view: str, what: str, name: str) -> ChangedInputError:
    """The error of a source that is not what it was when the view file was made."""
    undo = undo_command(view, what)
    return ChangedInputError(
        f"'{what}' has changed since the view file '{view}' was made ('{name}' differs). Its edits could"
        f" mean other episodes now. Put the earlier version back{undo and f' ({undo})'}, take the change over"
        f" where every episode is still there (roboreel edit {view} refresh), or make the view again"
    )


def undo_command(view: str, what: str) -> str:
    """The command that brings back a dataset as it was before edits in place; empty if it had none since."""
    if "://" in what:
        return ""
    folder, name = os.path.split(os.path.abspath(view))
    made = int(LocalRoot(folder, follow_links=True).stat(name).stamp) // 10**9
    since = [
        one for one in kept_beside(what) if one.kind == "before" and one.time.timestamp() >= made
    ]
    version = ["--version", since[-1].name] if len(since) > 1 else []
    return join(["roboreel", "undo", what, "--restore", *version]) if since else ""
