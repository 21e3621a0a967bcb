"""Make one dataset of all staged episodes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from roboreel.edit.view import View
from roboreel.edit.write_options import OnBroken, WriteKeywords, WriteOptions, lists_options
from roboreel.errors import UsageError, counted
from roboreel.executors.worker_options import WorkerOptions
from roboreel.executors.worker_pool import cluster_session
from roboreel.format.version import FormatVersion
from roboreel.ops.output import recover
from roboreel.ops.write import plan_write, run
from roboreel.plan.plan import Plan
from roboreel.progress.choice import ProgressChoice, listening
from roboreel.runner.run_options import RunKeywords, RunOptions
from roboreel.runner.run_report import Report
from roboreel.sink.manifest import read_skipped
from roboreel.sink.staged_set import StagedSet, staged_set
from roboreel.sink.staging_area import staging_root
from roboreel.sink.staging_cleanup import remove_staged_files
from roboreel.sink.staging_list import SkippedEpisode
from roboreel.storage.disk import make_folders
from roboreel.storage.fs import open_output
from roboreel.storage.local import LocalRoot
from roboreel.storage.lock import hold
from roboreel.storage.staging.state_folder import state_folder
from roboreel.storage.write_root import WriteRoot
from roboreel.summary.summary import Summarized, Summary, by_rule, warned
from roboreel.types import Json

if TYPE_CHECKING:
    from typing_extensions import Unpack

_LOCK = "finalize.lock"
_LOCK_TIMEOUT_S = 1.0


class FinalizeKeywords(WriteKeywords, RunKeywords, total=False):
    """Arguments of `finalize` besides the version, for type checkers."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FinalizeReport(Summarized):
    """What became of the staged episodes."""

    report: Report
    """Of the dataset that was written."""
    skipped: tuple[SkippedEpisode, ...] = field(default=(), repr=False)
    """Episodes that were staged or tried, and are not in it."""
    superseded: int = 0
    """Whole attempts that later ones replaced."""
    removed: int = 0
    """Files that were removed from the staging folder."""

    @property
    def episodes(self) -> int:
        """Episodes of the result."""
        return self.report.episodes

    @property
    def frames(self) -> int:
        """Rows of the result."""
        return self.report.frames

    def to_json(self) -> dict[str, Json]:
        """The report as a JSON object."""
        return {
            **self.report.to_json(),
            "skipped_episodes": [one.to_json() for one in self.skipped],
            "superseded": self.superseded,
            "removed": self.removed,
        }

    def _summary(self) -> Summary:
        written = self.report
        return Summary(
            f"Finalized '{written.out}' ({written.version})",
            [
                ("result", f"{counted(self.episodes, 'episode')}, {counted(self.frames, 'frame')}"),
                ("skipped", counted(len(self.skipped), "episode") if self.skipped else ""),
                ("superseded", counted(self.superseded, "attempt") if self.superseded else ""),
                ("removed", counted(self.removed, "staged file") if self.removed else ""),
                ("warnings", by_rule(one for one in written.problems if one.severity != "note")),
            ],
            warned(written.problems),
        )


@dataclass(frozen=True, slots=True)
class PlannedFinalize:
    """What `finalize` is about to do; the staging folder is locked against another one."""

    root: WriteRoot
    staged: StagedSet
    plan: Plan

    def run(
        self,
        options: RunOptions,
        *,
        remove_staged: bool = False,
    ) -> FinalizeReport:
        """Write the dataset; see `finalize`."""
        sources = [self.staged.dataset]
        report = run(self.plan, options, sources=sources)
        report = replace(report, problems=(*report.problems, *self.staged.problems))
        removed = remove_staged_files(self.root, self.staged) if remove_staged else 0
        return FinalizeReport(
            report=report,
            skipped=self.staged.skipped,
            superseded=len(self.staged.listed.superseded),
            removed=removed,
        )


@lists_options(WriteOptions, RunOptions)
def finalize(
    staging: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    version: str | FormatVersion = FormatVersion.V30,
    remove_staged: bool = False,
    progress: ProgressChoice = None,
    **options: Unpack[FinalizeKeywords],
) -> FinalizeReport:
    """Write all staged episodes as one dataset, ordered by their keys.

    Packets are copied, files grouped as the version has them. The dataset appears complete or not at all,
    and its bytes depend only on what is staged. Staged files stay, so that more episodes can be added and
    all be written again.

    Args:
        staging: the folder that `EpisodeSink` wrote to.
        out: the folder to create.
        version: `v2.0`, `v2.1` or `v3.0`.
        remove_staged: remove the staged files once the dataset is verified and published. Only where no
            worker is at work any more. A run that was killed while publishing, and is finished by a later
            one, leaves them.
        progress: as in `roboreel.convert`.
        **options: the fields of `WriteOptions` and `RunOptions`.

    Raises:
        UsageError: an argument is wrong, nothing is staged, the output exists, or another `finalize` of
            this folder is running.
        DatasetError: an episode is damaged or does not go with the others (see `on_broken`).
        PlanError, RunError, StorageError: as `convert`.
    """
    what, how = finalize_options(version, options)
    if how.leftovers == "resume" and (done := recovered_report(out)) is not None:
        return done
    with (
        listening(progress),
        cluster_session(how),
        planned_finalize(staging, out, what, workers=how) as planned,
    ):
        return planned.run(how, remove_staged=remove_staged)


def finalize_options(
    version: str | FormatVersion, given: Mapping[str, Any]
) -> tuple[WriteOptions, RunOptions]:
    """Divide keyword arguments into what to write, with the defaults of `finalize`, and how to run."""
    names = {one.name for one in fields(RunOptions)}
    how = RunOptions(**{name: given[name] for name in given if name in names})
    defaults = {"timestamps": "regular", "regroup": True, "allow_reencode": True}
    own = {name: given[name] for name in given if name not in names}
    return WriteOptions(**{"with_uids": False, **defaults, **own, "to": version}), how


@contextmanager
def planned_finalize(
    staging: str | os.PathLike[str],
    out: str | os.PathLike[str],
    what: WriteOptions,
    *,
    workers: WorkerOptions,
    adapt: Callable[[WriteRoot, StagedSet], StagedSet] = lambda _, found: found,
) -> Iterator[PlannedFinalize]:
    """Lock the staging folder, survey it, and plan the dataset; the block runs the plan.

    Args:
        staging: as for `finalize`.
        out: as for `finalize`.
        what: what to write.
        workers: what may read.
        adapt: what an exporter says of the dataset beyond the episodes, such as documents of its own.

    Raises:
        UsageError, DatasetError, PlanError, StorageError: as `finalize`.
    """
    with locked_staging(staging) as root:
        found = adapt(root, staged_set(root, on_broken=what.on_broken, workers=workers))
        view = _sound_view(found).written_as(what)
        surveys = {found.dataset.url: found.inventory}
        plan = plan_write(view, out=out, workers=workers, surveys=surveys)
        yield PlannedFinalize(root, found, plan)


def open_staging(
    staging: str | os.PathLike[str], *, on_broken: OnBroken = "fail", workers: int = 1
) -> View:
    """The view of all staged episodes, as `finalize` would write them: to look at, or read by `reader`.

    Args:
        staging: the folder that `EpisodeSink` wrote to.
        on_broken: what to do where an episode is damaged or does not go with the others: `fail` or `skip`.
        workers: processes that may read the files, if there are many.

    Raises:
        UsageError, DatasetError, StorageError: as `finalize`.
    """
    with locked_staging(staging) as root:
        return _sound_view(
            staged_set(root, on_broken=on_broken, workers=WorkerOptions(workers=workers))
        )


def _sound_view(found: StagedSet) -> View:
    view = found.dataset.as_view()
    return view.having(slices=view.slices.take(found.sound))


@contextmanager
def locked_staging(staging: str | os.PathLike[str]) -> Iterator[WriteRoot]:
    """The staging folder, locked against another `finalize`; workers go on writing.

    Raises:
        UsageError: it is not a folder, or another `finalize` of this machine has locked it.
    """
    root = staging_root(staging)
    if isinstance(root, LocalRoot):
        folder = root.path
        if not folder.is_dir():
            raise UsageError(
                f"'{root.url}' is not a folder: give the one that EpisodeSink wrote to"
            )
    else:  # a store has no locks: this one is for other processes of this machine
        folder = state_folder(f"{root.url}/{_LOCK}")
        make_folders(folder)
    busy = f"another finalize of '{root.url}' is running: wait for it"
    with hold(folder / _LOCK, timeout_s=_LOCK_TIMEOUT_S, busy=busy):
        yield root


def recovered_report(out: str | os.PathLike[str]) -> FinalizeReport | None:
    """Finish a run that was killed while publishing its result; None if there was none."""
    report = recover(out)
    if report is None:
        return None
    return FinalizeReport(report=report, skipped=read_skipped(open_output(report.out)))
