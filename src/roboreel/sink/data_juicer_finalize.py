"""Make one dataset of the episodes that Data-Juicer workers staged."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from roboreel.errors import UsageError
from roboreel.format.version import FormatVersion
from roboreel.sink.data_juicer_features import modality_of
from roboreel.sink.data_juicer_publish import (
    FINISHED,
    discard_unpublished,
    finish_publishing,
    publish,
    remove_if_done,
    require_free,
)
from roboreel.sink.finalizing import (
    FinalizeKeywords,
    FinalizeReport,
    finalize_options,
    locked_staging,
    planned_finalize,
    recovered_report,
)
from roboreel.sink.manifest import SKIPPED
from roboreel.sink.staged_set import StagedSet, with_documents
from roboreel.sink.staging_area import local_staging_root
from roboreel.sink.staging_cleanup import staged_files
from roboreel.sink.staging_list import SkippedEpisode, list_staging, skipped_episode
from roboreel.storage.local import LocalRoot
from roboreel.storage.write_root import WriteRoot

if TYPE_CHECKING:
    from typing_extensions import Unpack

STAGING = "staging"
"""The folder of staged episodes, in the folder of the dataset."""
MODALITY = "meta/modality.json"
_LOCK = "finalize.lock"
_SHOWN = 20
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedDataset:
    """What the caller of `finalize_dataset` says of the dataset; None: as staged."""

    fps: float | None
    robot_type: str | None
    chunks_size: int

    def adapt(self, root: WriteRoot, found: StagedSet) -> StagedSet:
        """The staged set as the caller wants it, with `modality.json`.

        Raises:
            UsageError: it was staged at another rate.
        """
        info = found.dataset.model.info
        if self.fps is not None and float(info.fps_value) != float(self.fps):
            raise UsageError(
                f"fps is {self.fps:g}, but the episodes were staged at {info.fps_value:g}: pass the"
                " operator's fps"
            )
        robot = info.robot_type if self.robot_type is None else self.robot_type
        info = replace(info, chunks_size=self.chunks_size, robot_type=robot)
        model = replace(found.dataset.model, info=info)
        found = replace(found, dataset=replace(found.dataset, model=model))
        modality = modality_of({name: one.spec for name, one in info.features.items()})
        document = json.dumps(modality, indent=4).encode()
        if not root.exists(MODALITY) or root.read(MODALITY) != document:
            root.put(MODALITY, document)
        return with_documents(found, root, (MODALITY,))


def finalize_export(
    output_dir: str | os.PathLike[str],
    exported: ExportedDataset,
    *,
    version: str | FormatVersion,
    out: str | os.PathLike[str] | None,
    **options: Unpack[FinalizeKeywords],
) -> FinalizeReport | None:
    """Write the episodes staged below `output_dir`; see `ExportToLeRobotMapper.finalize_dataset`."""
    root = local_staging_root(os.path.join(output_dir, STAGING))
    output = root.path.parent
    what, how = finalize_options(version, {"on_broken": "skip", "leftovers": "resume", **options})
    if (recovered := _recovered(output, root)) is not None:
        return recovered
    if out is not None and how.leftovers == "resume" and (done := recovered_report(out)):
        return done
    if _nothing_staged(root):
        return None

    def adapt(root: WriteRoot, found: StagedSet) -> StagedSet:  # while the staging folder is locked
        if out is None:
            require_free(output)
            discard_unpublished(output)
        return exported.adapt(root, found)

    target = output / FINISHED if out is None else Path(out)
    with planned_finalize(root.path, target, what, workers=how, adapt=adapt) as plan:
        done = plan.run(how)
        if out is None:
            done = publish(output, root, done, [*staged_files(root, plan.staged), MODALITY])
    _warn(done)
    if out is None:
        _tidy(root)
    return done


def _recovered(output: Path, root: LocalRoot) -> FinalizeReport | None:
    """Finish a call that was killed while it published its result; None if there was none."""
    if not root.path.is_dir():
        return None
    with locked_staging(root.path):
        done = finish_publishing(output, root)
    if done is not None:
        _LOG.warning("'%s': an interrupted finalize_dataset is complete now", output)
        _tidy(root)
    return done


def _nothing_staged(root: LocalRoot) -> bool:
    """True, with a warning, where there is no episode; the warning says which could not be exported."""
    found = list_staging(root) if root.path.is_dir() else None
    if found is not None and found.whole:
        return False
    failed = [] if found is None else [skipped_episode(root, name) for name in found.given_up]
    _LOG.warning("no episode is staged in '%s': nothing to finalize%s", root.url, _listed(failed))
    return True


def _warn(done: FinalizeReport) -> None:
    """Warn of what the dataset lacks, and of what is odd about it."""
    for problem in done.report.problems:
        if problem.severity != "note":
            _LOG.warning("%s", problem)
    if done.skipped:
        _LOG.warning(
            "'%s' lacks %d episodes, which %s lists%s",
            done.report.out,
            len(done.skipped),
            SKIPPED,
            _listed(done.skipped),
        )


def _listed(skipped: Sequence[SkippedEpisode]) -> str:
    more = [f"\n  … and {len(skipped) - _SHOWN} more"] if len(skipped) > _SHOWN else []
    return "".join([*(f"\n  - {one}" for one in skipped[:_SHOWN]), *more])


def _tidy(root: LocalRoot) -> None:
    """Remove the staging folder, unless episodes that the result lacks are left in it."""
    left = list_staging(root)
    if left.whole:
        _LOG.warning("'%s' has %d episodes that are not in any dataset", root.url, len(left.whole))
    remove_if_done(root.path, [*left.given_up, *left.notes, _LOCK])
