"""Remove staged files whose episodes are in a dataset."""

from __future__ import annotations

from collections.abc import Iterator

from roboreel.errors import StorageError
from roboreel.sink import staged_table as staged
from roboreel.sink.manifest import MANIFEST, SKIPPED
from roboreel.sink.staged_set import INDEXED, StagedSet
from roboreel.sink.staging_area import TABLE, staged_name
from roboreel.storage.local import LocalRoot


def remove_staged_files(root: LocalRoot, done: StagedSet) -> int:
    """Remove the files of the attempts that were listed; returns how many.

    What was staged since is not touched, and neither are episodes that the result does not have.

    Args:
        root: the staging folder.
        done: what the dataset was made of.

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
    whole = done.episodes[staged.TABLE].to_pylist()
    digests = {known.digest for name in whole if (known := staged_name(name)) is not None}
    listed = [*done.listed.superseded, *done.listed.whole, *done.listed.notes]
    for name in listed:
        known = staged_name(name)
        if known is None or known.digest not in digests:
            continue
        if known.kind != TABLE:
            yield name
            continue
        parts = [record for _, record in staged.records_of(root, [name])]
        records = [record for record in parts if not isinstance(record, StorageError)]
        if len(records) == len(parts):  # else what it consists of is not known
            yield from records[0].parts
            yield from (video.name for record in records for video in record.videos.values())
    yield from (*done.statistics, INDEXED, MANIFEST, SKIPPED)
