"""Remove staged files whose episodes are in a dataset."""

from __future__ import annotations

from collections.abc import Iterator

from roboreel.sink import staged_table as staged
from roboreel.sink.manifest import MANIFEST, SKIPPED
from roboreel.sink.staged_set import INDEXED, StagedSet
from roboreel.sink.staging_area import EPISODES, TABLE, VIDEOS, staged_name
from roboreel.storage.local import LocalRoot
from roboreel.storage.scratch import is_scratch


def remove_staged_files(root: LocalRoot, done: StagedSet) -> int:
    """Remove the staged files of written episodes, of all their attempts, and what killed workers left.

    An episode at which another attempt was begun since keeps all of its files, so that numbers go on rising.
    Episodes that the result does not have stay, and so do files that no sink made.

    Args:
        root: the staging folder.
        done: what the dataset was made of.

    Returns:
        How many files were removed.

    Raises:
        StorageError: a file cannot be removed.
    """
    names = staged_files(root, done)
    for name in names:
        root.remove(name)
    return len(names)


def staged_files(root: LocalRoot, done: StagedSet) -> list[str]:
    """What `remove_staged_files` removes, in its order.

    Raises:
        StorageError: a table cannot be read.
    """
    return list(dict.fromkeys(_files(root, done)))


def _files(root: LocalRoot, done: StagedSet) -> Iterator[str]:
    """The files, in an order in which a kill brings no older attempt back, and leaves no broken episode."""
    written: dict[str, int] = {}
    for name in done.episodes[staged.TABLE].to_pylist():
        known = staged_name(name)
        if known is not None:
            written[known.digest] = known.attempt
    own: list[tuple[bool, int, str, str]] = []
    later = set()
    for folder in (EPISODES, VIDEOS):
        path = root.path / folder
        for name in LocalRoot(path).list() if path.is_dir() else ():
            known = staged_name(name)
            if known is not None and known.attempt > written.get(known.digest, known.attempt):
                later.add(known.digest)
            elif known is not None and known.digest in written:
                is_whole = known.kind == TABLE and known.part == 0
                own.append((not is_whole, known.attempt, f"{folder}/{name}", known.digest))
            elif is_scratch(name.rpartition("/")[2]):
                own.append((True, 0, f"{folder}/{name}", ""))
    yield from (name for _, _, name, digest in sorted(own) if digest not in later)
    yield from (*done.statistics, INDEXED, MANIFEST, SKIPPED)
