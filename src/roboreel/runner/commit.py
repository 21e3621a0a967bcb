"""Write the result's documents, `info.json` last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from roboreel.errors import Problem
from roboreel.format import v20, v21, v30_documents
from roboreel.format.version import FormatVersion
from roboreel.plan.plan import Plan
from roboreel.runner.resolve_stats import with_pooled_std
from roboreel.runner.row_sketches import WholeSketches
from roboreel.runner.whole_quantiles import with_camera_quantiles, with_whole_quantiles
from roboreel.runner.whole_relative import with_relative_actions
from roboreel.runner.whole_stats import reconciled, reconciled_part
from roboreel.stats.block import StatsBlock
from roboreel.stats.feature_stats import Stats
from roboreel.stats.merge import StatsMerger
from roboreel.stats.pixel_counts import CameraCounts
from roboreel.storage.tables.tables_write import write_table
from roboreel.storage.write_root import WriteRoot


def write_documents(
    root: WriteRoot,
    plan: Plan,
    episode_stats: Iterable[StatsBlock],
    pixels: CameraCounts,
    sketches: WholeSketches,
    stored: Stats | None = None,
    contradictions: Mapping[str, str] | None = None,
) -> tuple[dict[str, int], Stats, list[Problem]]:
    """Write every document of the result; return their sizes in bytes, the merged statistics, and warnings.

    Args:
        root: the staged result, complete except for its documents.
        plan: the plan that was run.
        episode_stats: the statistics of the episodes in order, in blocks; iterated once.
        pixels: the pixel counts of the cameras, collected while episodes were measured.
        sketches: the sketches that the ops made of the rows.
        stored: the source's statistics of the whole dataset, if they must be reconciled.
        contradictions: how a source's statistics contradict each other, by feature; used if the result
            lacks some of its rows.
    """
    merger = StatsMerger()
    written: dict[str, int] = {}
    merged = _Merged(root, plan, merger, pixels, sketches, stored or {}, contradictions or {})
    for name, content in _documents(plan, _merging(plan, episode_stats, merger), merged):
        if isinstance(content, pa.Table):
            write_table(root, name, content)
        else:
            _put(root, name, [content] if isinstance(content, bytes) else content)
        written[name] = root.stat(name).size_bytes
    return written, merger.result(), merged.problems()


@dataclass(slots=True)
class _Merged:
    """The statistics of all episodes, available once all have been added."""

    root: WriteRoot
    plan: Plan
    merger: StatsMerger
    pixels: CameraCounts
    sketches: WholeSketches
    stored: Stats
    contradictions: Mapping[str, str]
    _reconciled: tuple[Stats, list[Problem]] | None = None

    def problems(self) -> list[Problem]:
        """The contradictions that were found between statistics."""
        return self._basis()[1]

    def result(self) -> Stats:
        """The statistics to write."""
        merged = with_camera_quantiles(self.plan, self.pixels, self._basis()[0])
        merged = with_whole_quantiles(self.root, self.plan, merged, self.sketches)
        return with_relative_actions(self.root, self.plan, merged)

    def _basis(self) -> tuple[Stats, list[Problem]]:
        if self._reconciled is None:
            merged = self.merger.result()
            self._reconciled = merged, []
            if self.plan.stats.reconcile_global:
                self._reconciled = reconciled(self.root, self.plan, self.stored, merged)
            elif self.contradictions:
                self._reconciled = reconciled_part(
                    self.root, self.plan, self.contradictions, merged
                )
        return self._reconciled


def _put(root: WriteRoot, name: str, slices: Iterable[bytes]) -> None:
    with root.create(name) as output:
        for span in slices:
            output.write(span)


def _documents(
    plan: Plan, stats: Iterator[StatsBlock], merged: _Merged
) -> Iterator[tuple[str, bytes | Iterator[bytes] | pa.Table]]:
    version, splits = plan.model.info.version, plan.splits
    if version is FormatVersion.V30:
        return v30_documents.documents(plan.model, stats, merged.result, splits=splits)
    if version is FormatVersion.V21:
        whole = merged.result if plan.stats.write_global else None
        return v21.documents(plan.model, stats, whole, splits=splits)
    # v2.0 stores no statistics of episodes; the merger must see them all the same
    for _ in stats:
        pass
    return v20.documents(plan.model, merged.result(), splits=splits)


def _merging(plan: Plan, stats: Iterable[StatsBlock], merger: StatsMerger) -> Iterator[StatsBlock]:
    first = 0
    for block in stats:
        merger.add(with_pooled_std(plan, block, first))
        first += block.episodes
        yield block


__all__ = ["write_documents"]
