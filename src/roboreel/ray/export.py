"""Write a Ray dataset as episodes of a dataset: staged by the workers, made one dataset at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from roboreel.edit.write_options import OnBroken, lists_options, require_choice
from roboreel.errors import RunError, UsageError, counted
from roboreel.executors.ray_library import ray_library
from roboreel.format.encoding import Encoding
from roboreel.format.version import FormatVersion
from roboreel.progress.choice import ProgressChoice
from roboreel.ray.staged_rows import EpisodeColumns, StagedRow, episode_row, taken
from roboreel.runner.run_options import RunKeywords, RunOptions
from roboreel.sink.episode_sink import EpisodeSink, Gaps
from roboreel.sink.finalizing import FinalizeReport, finalize
from roboreel.sink.staging_area import staging_root
from roboreel.sink.staging_list import SkippedEpisode
from roboreel.storage.disk import make_folders
from roboreel.storage.local import LocalRoot
from roboreel.types import JsonObject

if TYPE_CHECKING:
    from typing_extensions import Unpack

RowsAre: TypeAlias = Literal["episodes", "frames"]
"""What a row of the Ray dataset is."""
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RayExport:
    """What became of the rows of a Ray dataset."""

    episodes: int
    """Episodes that are staged now."""
    frames: int
    failed: tuple[SkippedEpisode, ...] = field(default=(), repr=False)
    """Episodes that could not be staged, and why."""
    finalized: FinalizeReport | None = None
    """Of the dataset, where `out` was given."""


@lists_options(RunOptions)
def write_episodes(
    ds: Any,
    staging: str | os.PathLike[str],
    *,
    key: str | tuple[str, str],
    fps: float,
    features: Mapping[str, JsonObject],
    rows: RowsAre = "episodes",
    order: str | None = "frame_index",
    task: str | None = "task",
    frames: str | None = None,
    fields: Sequence[str] = (),
    robot_type: str | None = None,
    gaps: Gaps = "encode",
    encoding: Encoding | None = None,
    on_broken: OnBroken = "fail",
    out: str | os.PathLike[str] | None = None,
    version: str | FormatVersion = FormatVersion.V30,
    remove_staged: bool = False,
    concurrency: int | None = None,
    ray_remote_args: Mapping[str, Any] | None = None,
    progress: ProgressChoice = None,
    **options: Unpack[RunKeywords],
) -> RayExport:
    """Stage what a `ray.data.Dataset` holds, episode by episode, as `EpisodeSink.write` does; then finalize.

    Workers write to the staging folder, and nothing goes through this program. A task that runs again
    replaces what it staged. Columns that are no feature are left out.

    Args:
        ds: the Ray dataset.
        staging: a folder that all nodes share, or one in a bucket; it is made when it is missing.
        key: the column that names an episode, or those of (source, segment). Whole numbers give the order.
        fps: frames per second.
        features: `dtype`, `shape` and `names` by name, as for `EpisodeSink`: the columns to take. That of a
            camera has what `EpisodeSink.write` takes: paths, bytes or arrays.
        rows: what a row is. `episodes`: each column has the values of all frames. `frames`: rows with one key
            are brought together first, which moves all rows through the cluster.
        order: with `rows="frames"`, the column by which the frames of an episode are sorted, if there is one.
        task: the column with the task of the episode, or of each frame; None: there is none.
        frames: the column with the frame number of each row in its videos; None: row k is frame k.
        fields: columns that become columns of the list of episodes.
        robot_type: the robot.
        gaps: as for `EpisodeSink`.
        encoding: how to encode frames; by default as `EpisodeSink` does.
        on_broken: if an episode cannot be staged: `fail` when all others are staged, or `skip` it.
        out: the folder of the dataset to create once all are staged; None: none, `roboreel.sink.finalize` can
            make it later.
        version: the version of the dataset.
        remove_staged: as in `finalize`.
        concurrency: as in `ray.data.Dataset.write_datasink`: write tasks at a time.
        ray_remote_args: as in `ray.data.Dataset.write_datasink`: options of the write tasks.
        progress: as in `finalize`.
        **options: the fields of `RunOptions`, for `finalize`.

    Raises:
        MissingDependencyError: the extra `ray` is not installed.
        UsageError: an argument is wrong, or a column is missing.
        RunError: an episode could not be staged, with `on_broken="fail"`.
        DatasetError, PlanError, StorageError: as `finalize`.
    """
    ray_library("ray.data", purpose="to write a Ray dataset")
    require_choice("rows", rows, ("episodes", "frames"))
    require_choice("on_broken", on_broken, ("fail", "skip"))
    columns = EpisodeColumns(key=_key_columns(key), task=task, frames=frames, fields=tuple(fields))
    root = staging_root(staging)
    folder = root.url  # absolute: workers have other working folders
    sink = EpisodeSink(
        staging=folder,
        fps=fps,
        features=features,
        robot_type=robot_type,
        gaps=gaps,
        encoding=encoding or Encoding(),
    )
    if isinstance(root, LocalRoot):
        make_folders(folder)
    if rows == "frames":
        gather = partial(episode_row, columns, tuple(taken(features)), order)
        ds = ds.groupby(list(columns.key)).map_groups(gather, batch_format="numpy")
    remote = None if ray_remote_args is None else dict(ray_remote_args)
    found = _staged(ds, sink, columns, concurrency, remote)
    failed = [one for one in found if one.error is not None]
    if failed and on_broken == "fail":
        raise RunError(_failure(failed, len(found)))
    report = None
    if out is not None:
        report = finalize(
            folder,
            out,
            version=version,
            remove_staged=remove_staged,
            progress=progress,
            on_broken=on_broken,
            **options,
        )
    return RayExport(
        episodes=sum(one.episodes for one in found),
        frames=sum(one.frames for one in found),
        failed=tuple(SkippedEpisode(key=one.key, reason=str(one.error)) for one in failed),
        finalized=report,
    )


def _key_columns(key: Any) -> tuple[str, ...]:
    names = (key,) if isinstance(key, str) else tuple(key) if isinstance(key, tuple | list) else ()
    if len(names) not in (1, 2) or not all(isinstance(name, str) and name for name in names):
        raise UsageError(
            f"key is {key!r}, expected the name of a column, or those of the source and the segment"
        )
    return names


def _staged(
    ds: Any, sink: EpisodeSink, columns: EpisodeColumns, concurrency: int | None, remote: Any
) -> list[StagedRow]:
    """What became of each row, in the order of the keys."""
    from roboreel.ray.episode_datasink import EpisodeDatasink

    datasink = EpisodeDatasink(sink, columns)
    ds.write_datasink(datasink, concurrency=concurrency, ray_remote_args=remote)
    if datasink.refused is not None:
        raise datasink.refused
    return sorted(datasink.results, key=lambda one: one.key.order)


def _failure(failed: Sequence[StagedRow], tried: int) -> str:
    reasons = [str(one.error) for one in failed[:_SHOWN]]
    rest = len(failed) - len(reasons)
    more = f"; and {rest:,} more" if rest else ""
    return (
        f"{len(failed):,} of {counted(tried, 'episode')} could not be staged, the others are"
        f' (on_broken="skip" leaves them out): {"; ".join(reasons)}{more}'
    )
