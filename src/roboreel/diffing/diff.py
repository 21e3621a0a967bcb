"""`diff`: opens both sides and has each subject compared in turn."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.diffing.compare_documents import (
    compare_declared,
    compare_episodes,
    compare_extras,
    compare_features,
    compare_info,
    compare_tasks,
)
from roboreel.diffing.compare_files import compare_files
from roboreel.diffing.compare_rows import RowsJudge
from roboreel.diffing.compare_stats import compare_statistics
from roboreel.diffing.compare_videos import VideosJudge, tell_misplaced
from roboreel.diffing.diff_report import Difference, DiffLedger, DiffReport, FirstFoundError
from roboreel.diffing.side import Side
from roboreel.errors import UsageError
from roboreel.format.feature import INDEX_DTYPES
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
    """Compare what two datasets hold, whatever their versions and layouts. Nothing is written.

    `b` is judged as made from `a`: where it has what the format says instead of what `a` has (index columns
    counted, irregular timestamps as k / fps with the originals beside), that is a note. `docs/diff.md` lists
    what counts. Tables are read a row group at a time, packets in batches; statistics are only notes.

    Args:
        a: the first dataset, or where it lies.
        b: the second.
        decode: compare decoded pictures, pixel for pixel, instead of packets.
        renamed: by name in `b`, the name in `a` of features that are called otherwise.
        first_only: stop at the first difference.
        episodes: pairs of numbers, of an episode in `a` and of the one in `b` to compare it with; only these
            are compared, and nothing that is of the whole dataset (number of episodes, splits, task list).

    Raises:
        UsageError: `renamed` or `episodes` names what is not there, or one feature or episode twice.
        StorageError, DatasetError: one of the two cannot be opened, or a file has changed meanwhile.

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
        raise UsageError("no pair of episodes to compare is given")
    chosen = [None, None] if pairs is None else [[pair[side] for pair in pairs] for side in (0, 1)]
    first = Side(a if isinstance(a, Dataset) else open_dataset(a), "the first", chosen=chosen[0])
    second = Side(
        b if isinstance(b, Dataset) else open_dataset(b),
        "the second",
        dict(renamed or {}),
        chosen=chosen[1],
    )
    _check_names(first, second)
    ledger = DiffLedger(first_only=first_only)
    before = [_seen(side.dataset) for side in (first, second)]
    with contextlib.suppress(FirstFoundError):
        _compare(first, second, ledger, decode=decode)
    for side, files in zip((first, second), before, strict=True):
        told = f"in {side.called} has changed while it was compared: compare again"
        refuse_changed_files(side.dataset.root, files, told=told)
    return ledger.report(decoded=decode, pairs=pairs)


def _seen(dataset: Dataset) -> dict[str, Stamped | None]:
    """Size and stamp of every file, of documents as they were when the dataset was opened."""
    found = zip(dataset.files, dataset.root.stats(dataset.files), strict=True)
    return {**{n: s for n, s in found if isinstance(s, FileStat)}, **dataset.documents}


def _compare(first: Side, second: Side, ledger: DiffLedger, *, decode: bool) -> None:
    episodes = min(len(first.place), len(second.place))
    whole = first.chosen is None
    if whole:
        compare_episodes(first, second, ledger)
        ledger.done("episodes")
    compare_info(first, second, ledger)
    ledger.done("info")
    compare_features(first, second, ledger, decode=decode)
    if whole:
        compare_tasks(first, second, ledger)
    compare_extras(first, second, ledger)
    ledger.done("extras")
    compare_files(first, second, ledger)
    ledger.done("files")
    rows = RowsJudge(first, second, ledger, decode=decode)
    rows.compare(episodes)
    _ranges(first, second, ledger)
    tell_misplaced(first, second, "", ledger)
    seen = rows.columns[0] | {*first.cameras}, rows.columns[1] | {*second.cameras}
    compare_declared(first, second, seen, rows.widened, ledger)
    ledger.done("tasks", "rows", "columns", "values", "images", "index", "timestamps", "row-tasks")
    ledger.done("features")
    compare_statistics(first, second, ledger)
    ledger.done("statistics")
    VideosJudge(first, second, ledger, decode=decode).compare(episodes)
    ledger.done("cameras", "streams", "places", "pictures" if decode else "packets", "broken")


def _ranges(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Ranges of rows of the whole dataset, which v3.0 states beside the lengths, and rows of no episode."""
    told = [side.contradiction_of_ranges() for side in (first, second)]
    for side, what in zip((first, second), told, strict=True):
        if what:
            counts = side is second and not told[0]
            found = Difference(kind="places", what=f"in {side.called}, {what}")
            ledger.judge(found, counts=counts, fold=f"range {side.called}")
        for path, rows in side.strays.items():
            counts = side is second and not first.strays
            what = f"{rows} rows in {side.called} belong to no episode"
            found = Difference(kind="places", what=what, path=path)
            ledger.judge(found, counts=counts, fold=f"strays {side.called}")


def _check_names(first: Side, second: Side) -> None:
    """Refuse renamings that leave open which feature is which."""
    renamed = second.judged_name
    for new, old in renamed.items():
        if new in INDEX_DTYPES or old in INDEX_DTYPES:
            raise UsageError(f"'{new}={old}': index columns keep their names")
        for name, side in ((new, second), (old, first)):
            if name not in side.dataset.features:
                known = ", ".join(side.dataset.features)
                raise UsageError(f"'{new}={old}': {side.called} has no feature '{name}': {known}")
    judged = [second.judged(name) for name in second.dataset.features]
    twice = sorted({name for name in judged if judged.count(name) > 1})
    if twice:
        raise UsageError(f"two features of the second dataset stand for '{twice[0]}'")
