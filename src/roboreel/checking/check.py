"""Check a dataset: open, survey, read, judge."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from roboreel.checking.agreement_rules import check_agreement
from roboreel.checking.check_report import CheckReport
from roboreel.checking.check_view import view_report
from roboreel.checking.column_rules import check_columns
from roboreel.checking.document_rules import check_documents
from roboreel.checking.frame_rules import check_frames
from roboreel.checking.known_bugs import check_camera_std
from roboreel.checking.row_rules import check_rows
from roboreel.checking.scan import scan_tables
from roboreel.checking.stats_rules import check_statistics
from roboreel.checking.stored_matrices import read_stored
from roboreel.checking.video_rules import check_videos, read_videos
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.dataset.view_file import is_view_file
from roboreel.edit.view import View
from roboreel.errors import DatasetError, Problem, StorageError, UsageError, require_keywords
from roboreel.executors.make_executor import make_executor
from roboreel.executors.worker_options import WorkerChoice, WorkerKeywords, WorkerOptions
from roboreel.executors.worker_pool import cluster_session
from roboreel.format import v2
from roboreel.format.inventory import Inventory
from roboreel.format.parse import Problems
from roboreel.format.rules import RULES, judged
from roboreel.format.version import FormatVersion
from roboreel.hub.open_reference import local_copy
from roboreel.hub.open_source import open_view
from roboreel.progress.choice import ProgressChoice, listening
from roboreel.progress.reporter import begin_phase
from roboreel.storage.fs import open_root
from roboreel.storage.stamped import Stamped, refuse_changed_files
from roboreel.survey.survey import survey

if TYPE_CHECKING:
    from typing_extensions import Unpack

_FINER = {"stats.usable", "table.episode-index"}
"""Rules of the survey that the check applies in more detail."""
_SHOWN_FIRST = ("error", "warning", "note")


def check(
    dataset: Dataset | View | str | os.PathLike[str],
    *,
    decode: bool = False,
    follow_links: bool = False,
    progress: ProgressChoice = None,
    **options: Unpack[WorkerKeywords],
) -> CheckReport:
    """Check a dataset of any version: documents, tables, videos, statistics. Nothing is written.

    Problems are data: a dataset that cannot even be opened gives a report too. Every numeric column is read
    once, in chunks; of videos, the packet indexes. Memory grows with episodes, not with frames.

    Args:
        dataset: an open dataset, a view, or the path of a dataset or view file. Of a view, the datasets are
            checked whole, and problems of episodes and features that it leaves out are not told.
        decode: look at images too: decode a sample of each episode and camera, and every frame of video files
            that hold several episodes.
        follow_links: read what links out of the folder lead to, as in `open`.
        progress: True shows a bar on the terminal or in the notebook; a function is called with a
            `ProgressEvent` up to ten times a second, and stops the check by raising an exception.
        **options: `workers`, `executor`, `timeout_factor` and `ray_address`, as in `RunOptions`. With several
            workers, a file whose decoding hangs or kills its process is a problem of the report. One worker,
            the default, is this process.

    Raises:
        UsageError: an option is wrong.
        StorageError: the folder does not exist, or a file changed during the check.
        RunError: a worker died while it read tables or packet indexes, or the cluster cannot be used.

    Example:
        >>> import roboreel, roboreel.testing, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> source = roboreel.testing.make_dataset(folder / "a", episodes=(12, 15))
        >>> roboreel.check(source).problems
        ()
    """
    require_keywords("check", options, WorkerKeywords.__annotations__)
    if not isinstance(dataset, (Dataset, View, str, os.PathLike)):
        raise UsageError(f"check() takes one dataset, a view or a path, got {dataset!r}")
    how = _How(decode, WorkerOptions(**options))
    with listening(progress), cluster_session(how.workers):
        return _check(dataset, how, follow_links=follow_links)


@dataclass(frozen=True, slots=True)
class _How:
    """How to check."""

    decode: bool
    workers: WorkerOptions


def _check(
    dataset: Dataset | View | str | os.PathLike[str], how: _How, *, follow_links: bool
) -> CheckReport:
    if isinstance(dataset, Dataset):
        return _checked(dataset, how)
    if isinstance(dataset, View):
        return _checked_view(dataset, dataset.name, how)
    if is_view_file(dataset):
        view = open_view(dataset, follow_links=follow_links)
        return _checked_view(view, os.fspath(dataset), how)
    location = local_copy(dataset)
    try:
        opened = open_dataset(location, follow_links=follow_links)
    except (DatasetError, StorageError) as error:
        try:
            root = open_root(location, follow_links=follow_links)
        except StorageError:
            raise error from None
        files = len(root.list())
        said = str(error).removeprefix(f"'{os.fspath(location)}': ")  # the report names the dataset
        problem = Problem(rule="document.readable", severity="error", message=said)
        found = error.problems if isinstance(error, DatasetError) else [problem]
        return _report(root.url, None, found, files=files)
    return _checked(opened, how)


def _checked_view(view: View, path: str, how: _How) -> CheckReport:
    datasets = {one.dataset.url: cast("Dataset", one.dataset) for one in view.sources}
    reports = {url: _checked(one, how) for url, one in datasets.items()}
    return view_report(view, path, reports)


def _checked(dataset: Dataset, how: _How) -> CheckReport:
    problems = Problems(list(dataset.problems))
    executor = make_executor(how.workers, decodes=False)
    inventory = surveyed_anyway(dataset, problems, workers=how.workers)
    if inventory is None:
        _refuse_changed(dataset, dataset.documents)
        return _report(dataset.url, dataset.version, problems.found, files=len(dataset.files))
    for found in (inventory.problems, *inventory.broken.values()):
        problems.found += [problem for problem in found if problem.rule not in _FINER]
    check_documents(dataset, inventory, problems)
    check_columns(dataset, inventory, problems)
    scan = scan_tables(dataset, inventory, executor)
    check_rows(dataset, inventory, scan, problems)
    videos = read_videos(dataset, inventory, executor)
    check_videos(dataset, inventory, videos, problems)
    begin_phase("comparing statistics")
    stored = read_stored(dataset)
    check_statistics(dataset, inventory, stored, problems)
    check_agreement(dataset, scan, stored, problems)
    check_camera_std(dataset, stored, problems)
    pictures = 0
    if how.decode:
        pictures = check_frames(dataset, inventory, stored, problems, executor)
    _refuse_changed(dataset, {**dataset.documents, **inventory.files})
    return replace(
        _report(dataset.url, dataset.version, problems.found, files=len(dataset.files)),
        episodes=dataset.total_episodes,
        rows=int(inventory.rows[scan.scanned].sum()),
        packets=sum(video.packets for video in videos),
        pictures=pictures,
    )


def _refuse_changed(dataset: Dataset, known: Mapping[str, Stamped]) -> None:
    """Raise if a file changed during the check: the findings could mix its old and new content."""
    reason = "changed during the check: run the check again"
    refuse_changed_files(dataset.root, known, reason=reason)


def surveyed_anyway(
    dataset: Dataset, problems: Problems, *, workers: WorkerChoice = 1
) -> Inventory | None:
    """Survey the dataset even if all videos are missing or the statistics cannot be read.

    A survey for a conversion refuses both; the check reports them as problems.
    """
    known = [replace(p, severity="warning") for p in dataset.problems]
    lenient = replace(dataset, model=replace(dataset.model, problems=tuple(known)))
    without = replace(lenient, files=tuple(n for n in dataset.files if n != v2.EPISODE_STATS))
    for attempt in (lenient, without):
        try:
            return survey(attempt, workers=workers)
        except (DatasetError, StorageError) as error:
            failure = error
    if isinstance(failure, DatasetError):
        problems.found += failure.problems
    else:
        problems.error("document.readable", str(failure))
    return None


def _report(
    path: str, version: FormatVersion | None, found: Iterable[Problem], *, files: int
) -> CheckReport:
    order = {rule: rank for rank, rule in enumerate(RULES)}
    weighed = [replace(problem, severity=judged(problem, version)) for problem in found]
    unique = dict.fromkeys(weighed)
    ranked = sorted(unique, key=lambda p: (_SHOWN_FIRST.index(p.severity), order[p.rule]))
    return CheckReport(path=path, version=version, files=files, problems=tuple(ranked))
