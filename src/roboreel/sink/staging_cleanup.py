"""Remove staged files whose episodes are in a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from roboreel.sink import staged_table as staged
from roboreel.sink.manifest import MANIFEST, SKIPPED
from roboreel.sink.staged_set import INDEXED, StagedSet
from roboreel.sink.staging_area import EPISODES, TABLE, VIDEOS, staged_name
from roboreel.storage.scratch import is_scratch
from roboreel.storage.write_root import WriteRoot


def remove_staged_files(root: WriteRoot, done: StagedSet) -> int:
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
    removed = 0
    for names in _groups(root, done):
        root.remove_all(names)
        removed += len(names)
    return removed


def staged_files(root: WriteRoot, done: StagedSet) -> list[str]:
    """What `remove_staged_files` removes, in its order.

    Raises:
        StorageError: a table cannot be read.
    """
    return [name for names in _groups(root, done) for name in names]


def _groups(root: WriteRoot, done: StagedSet) -> Iterator[list[str]]:
    """The files, in an order in which a kill brings no older attempt back, and leaves no broken episode.

    Within a group, the order does not matter.
    """
    written: dict[str, int] = {}
    for name in done.episodes[staged.TABLE].to_pylist():
        known = staged_name(name)
        if known is not None:
            written[known.digest] = known.attempt
    own: list[tuple[bool, int, str, str]] = []
    later = set()
    for folder in (EPISODES, VIDEOS):
        for name in root.below(folder):
            known = staged_name(name)
            if known is not None and known.attempt > written.get(known.digest, known.attempt):
                later.add(known.digest)
            elif known is not None and known.digest in written:
                is_whole = known.kind == TABLE and known.part == 0
                own.append((not is_whole, known.attempt, f"{folder}/{name}", known.digest))
            elif is_scratch(name.rpartition("/")[2]):
                own.append((True, 0, f"{folder}/{name}", ""))
    removable = sorted(one for one in own if one[3] not in later)
    for _, group in groupby(removable, key=lambda one: one[:2]):
        yield [name for _, _, name, _ in group]
    yield list(dict.fromkeys((*done.statistics, INDEXED, MANIFEST, SKIPPED)))
