"""`diff`: open both datasets and compare them, subject by subject."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping

from roboreel.dataset.dataset import Dataset
from roboreel.diffing.compare_documents import (
    compare_declared,
    compare_episodes,
    compare_extras,
    compare_features,
    compare_files,
    compare_info,
    compare_tasks,
)
from roboreel.diffing.compare_rows import RowComparer
from roboreel.diffing.compare_stats import compare_statistics
from roboreel.diffing.compare_videos import VideoComparer, report_misplaced
from roboreel.diffing.diff_report import Difference, DiffLedger, DiffReport, FirstFoundError
from roboreel.diffing.side import Side
from roboreel.errors import UsageError
from roboreel.format.feature import INDEX_DTYPES
from roboreel.hub.open_reference import open_reference
from roboreel.storage.root import FileStat
from roboreel.storage.stamped import Stamped, refuse_changed_files


def diff(
    a: Dataset | str | os.PathLike[str],
    b: Dataset | str | os.PathLike[str],
    *,
    decode: bool = False,
    renamed: Mapping[str, str] | None = None,
    first_only: bool = False,
    episodes: Iterable[tuple[int, int]] | None = None,
) -> DiffReport:
    """Compare the content of two datasets, whatever their versions and layouts. Nothing is written.

    `b` is compared as a result made from `a`: changes that the format prescribes (index columns counted from
    0, irregular timestamps replaced by k / fps with the originals kept in another column) are only notes, and
    so are statistics. `docs/diff.md` lists what counts. Tables are read a row group at a time, packets in
    batches.

    Args:
        a: the first dataset, or its path or URL.
        b: the second.
        decode: compare decoded frames, pixel for pixel, instead of packets.
        renamed: names in `a` of features that have another name in `b`, by their name in `b`.
        first_only: stop at the first difference.
        episodes: pairs of episode indexes, in `a` and in `b`. Only these are compared, and nothing about the
            whole dataset (number of episodes, splits, task list).

    Raises:
        UsageError: `renamed` or `episodes` has an unknown name or index, or one twice.
        StorageError, DatasetError: a dataset cannot be opened, or a file has changed meanwhile.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> source = roboreel.testing.make_dataset(folder / "a", version="v2.1", episodes=(5, 3))
        >>> _ = roboreel.convert(source, to="v3.0", out=folder / "b")
        >>> roboreel.diff(source, folder / "b").same
        True
    """
    pairs = None if episodes is None else [*episodes]
    if pairs == []:
        raise UsageError("give at least one pair of episodes to compare")
    chosen = [None, None] if pairs is None else [[pair[side] for pair in pairs] for side in (0, 1)]
    first = Side(a if isinstance(a, Dataset) else open_reference(a), "the first", chosen=chosen[0])
    second = Side(
        b if isinstance(b, Dataset) else open_reference(b),
        "the second",
        dict(renamed or {}),
        chosen=chosen[1],
    )
    _check_names(first, second)
    ledger = DiffLedger(first_only=first_only)
    before = [_file_stats(side.dataset) for side in (first, second)]
    with contextlib.suppress(FirstFoundError):
        _compare(first, second, ledger, decode=decode)
    for side, files in zip((first, second), before, strict=True):
        reason = f"in {side.label} changed during the comparison: run it again"
        refuse_changed_files(side.dataset.root, files, reason=reason)
    return ledger.report(decoded=decode, pairs=pairs)


def _file_stats(dataset: Dataset) -> dict[str, Stamped | None]:
    """Size and stamp of every file; of documents, from when the dataset was opened."""
    found = zip(dataset.files, dataset.root.stats(dataset.files), strict=True)
    return {**{n: s for n, s in found if isinstance(s, FileStat)}, **dataset.documents}


def _compare(first: Side, second: Side, ledger: DiffLedger, *, decode: bool) -> None:
    episodes = min(len(first.positions), len(second.positions))
    all_episodes = first.chosen is None
    if all_episodes:
        compare_episodes(first, second, ledger)
        ledger.mark_compared("episodes")
    compare_info(first, second, ledger)
    ledger.mark_compared("info")
    compare_features(first, second, ledger, decode=decode)
    if all_episodes:
        compare_tasks(first, second, ledger)
    compare_extras(first, second, ledger)
    ledger.mark_compared("extras")
    compare_files(first, second, ledger)
    ledger.mark_compared("files")
    rows = RowComparer(first, second, ledger, decode=decode)
    rows.compare(episodes)
    _report_row_ranges(first, second, ledger)
    report_misplaced(first, second, "", ledger)
    seen = rows.columns[0] | {*first.cameras}, rows.columns[1] | {*second.cameras}
    compare_declared(first, second, seen, rows.widened, ledger)
    ledger.mark_compared(
        "tasks", "rows", "columns", "values", "images", "index", "timestamps", "row-tasks"
    )
    ledger.mark_compared("features")
    compare_statistics(first, second, ledger)
    ledger.mark_compared("statistics")
    VideoComparer(first, second, ledger, decode=decode).compare(episodes)
    ledger.mark_compared(
        "cameras", "streams", "places", "pictures" if decode else "packets", "broken"
    )


def _report_row_ranges(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Report v3.0 row ranges that contradict the episode lengths, and rows that belong to no episode."""
    wrong = [side.wrong_row_range() for side in (first, second)]
    for side, what in zip((first, second), wrong, strict=True):
        if what:
            counts = side is second and not wrong[0]
            found = Difference(kind="places", what=f"in {side.label}, {what}")
            ledger.add(found, counts=counts, fold=f"range {side.label}")
        for path, rows in side.strays.items():
            counts = side is second and not first.strays
            what = f"{rows} rows in {side.label} belong to no episode"
            found = Difference(kind="places", what=what, path=path)
            ledger.add(found, counts=counts, fold=f"strays {side.label}")


def _check_names(first: Side, second: Side) -> None:
    """Raise `UsageError` if `renamed` is ambiguous or names unknown features."""
    renamed = second.common_names
    for new, old in renamed.items():
        if new in INDEX_DTYPES or old in INDEX_DTYPES:
            raise UsageError(f"'{new}={old}': index columns keep their names")
        for name, side in ((new, second), (old, first)):
            if name not in side.dataset.features:
                known = ", ".join(side.dataset.features)
                swapped = {new, old} <= set(first.dataset.features) | set(second.dataset.features)
                hint = f"; names are NEW=OLD, so swap them: {old}={new}" if swapped else ""
                raise UsageError(
                    f"'{new}={old}': {side.label} has no feature '{name}': {known}{hint}"
                )
    names = [second.common_name(name) for name in second.dataset.features]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two features of the second dataset are renamed to '{twice[0]}'")
