"""How a result gets its statistics: which cameras are measured, and what is carried, merged or recomputed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from roboreel.edit.relative_actions import relative_components
from roboreel.edit.stats_profile import not_followed
from roboreel.errors import PlanError, Problem
from roboreel.format.depth import DepthScale, depth_scale, has_camera_stats
from roboreel.format.feature import Feature
from roboreel.format.inventory import Inventory
from roboreel.format.model import Model
from roboreel.plan.camera_features import Recode
from roboreel.plan.compile_tables import sampling_of
from roboreel.plan.merge_sources import MergedSources
from roboreel.plan.pack import runs
from roboreel.plan.plan import MeasureCamera, Op, RelativeProgram, StatsProgram, TableProgram
from roboreel.plan.result_losses import has_all_rows
from roboreel.plan.wrong_stats import pooled_stds
from roboreel.stats.feature_stats import QUANTILES
from roboreel.stats.sampling import OWN, RELEASES, SamplingProfile
from roboreel.types import Int64

_MEASURED_EPISODES = 1
"""Episodes of one camera per op: an episode that crashes or hangs its decoder costs no other one."""


def measure_ops(
    merged: MergedSources,
    inventory: Inventory,
    features: Mapping[str, Feature],
    recodes: Mapping[str, Recode],
) -> list[Op]:
    """Ops that measure the cameras and episodes without statistics, or whose statistics are recomputed.

    A re-encoded camera keeps its statistics, even if its frames are scaled: neither changes the distribution
    of values much. Images in the result's tables are measured while the tables are written.
    """
    ops: list[Op] = []
    recomputed = merged.view.recomputed
    images = [n for n, f in features.items() if f.dtype == "image" and n in recomputed]
    cameras = dict.fromkeys([*inventory.cameras, *recodes, *images])
    for name in [name for name in cameras if name not in merged.view.images]:
        known = None if name in recomputed else inventory.with_stats.get(name)
        lacking = [True] * len(merged.rows) if known is None else (~known[merged.rows]).tolist()
        feature = merged.model.info.features[name]
        if not has_camera_stats(feature):
            continue
        depth = depth_scale(feature) or DepthScale() if feature.is_depth else None
        profile, video = _camera_profile(merged, name), features[name].is_video
        why = "recomputed as requested" if name in recomputed else "no statistics to copy, computed"
        which = "all" if profile.every_frame(video=video) else "a sample of the"
        reason = f"{why} from {which} frames"
        reason += f", as {merged.view.like} does" if merged.view.like is not None else ""
        in_tables = np.full(len(merged.rows), name in images)
        if name in recodes:
            in_tables = recodes[name].from_tables[merged.rows]
        for kind in np.unique(in_tables).tolist():
            flags = [
                lacks and in_it == kind for lacks, in_it in zip(lacking, in_tables, strict=True)
            ]
            ops += [
                MeasureCamera(
                    camera=name,
                    episodes=episodes,
                    from_tables=kind,
                    video=video,
                    profile=profile,
                    depth=depth,
                    backend=merged.options.video_backend if depth is None else "pyav",
                    reason=reason,
                )
                for episodes in runs(flags, longest=_MEASURED_EPISODES)
            ]
    return ops


def _camera_profile(merged: MergedSources, name: str) -> SamplingProfile:
    """How a camera is measured; if it is not recomputed, sampled by the rules of the release, or ours."""
    profile, like = sampling_of(merged), merged.view.like
    if name in merged.view.recomputed:
        return profile
    rules = OWN if like is None else RELEASES[like]
    return replace(
        profile, every_video_frame=rules.every_video_frame, every_image=rules.every_image
    )


def stats_program(
    merged: MergedSources, model: Model, program: TableProgram, ops: Sequence[Op]
) -> StatsProgram:
    """Which statistics of a result are carried, recomputed and merged.

    Raises:
        PlanError: the target cannot store the statistics that the user asked for.
    """
    _refuse_unstorable(merged)
    features, source = model.info.features, merged.model.info.version
    wanted = [n for n, feature in features.items() if feature.is_numeric or feature.is_camera]
    measured = {op.camera for op in ops if isinstance(op, MeasureCamera)} | {*program.measured}
    return StatsProgram(
        features=tuple(wanted),
        recomputed=tuple(n for n in wanted if n in merged.view.recomputed and n in measured),
        relative=_relative(merged, features),
        write_global=merged.version.has_global_stats or merged.options.with_global_stats,
        pooled_std=pooled_stds(merged),
        reconcile_global=source.has_episode_stats
        and source.has_global_stats
        and has_all_rows(merged),
        compare_global=not source.has_episode_stats
        and not merged.view.edited
        and has_all_rows(merged),
    )


def _refuse_unstorable(merged: MergedSources) -> None:
    """Raise `PlanError` if the target cannot store the quantiles, or needs them and the release has none."""
    like, version = merged.view.like, merged.version
    if merged.view.sampling.quantiles != QUANTILES and not version.has_quantiles:
        raise PlanError(f"{version} cannot store quantiles: write v3.0")
    if like == "lerobot-0.3.3" and version.has_quantiles:
        raise PlanError(f"{like} computes no quantiles, but {version} needs them: write v2.1")


def differences_from_release(
    merged: MergedSources, features: Mapping[str, Feature], rows: Int64
) -> Iterator[Problem]:
    """Warnings where statistics differ from those of the release that `--like` names."""
    view = merged.view
    if view.like is not None:
        wanted = {name: feature for name, feature in features.items() if name in view.recomputed}
        yield from not_followed(
            view.like, wanted, rows, sampled=not view.sampling.every_video_frame
        )


def _relative(merged: MergedSources, features: Mapping[str, Feature]) -> RelativeProgram | None:
    asked, version = merged.view.relative, merged.version
    if asked is None:
        return None
    if version.has_episode_stats and not version.has_quantiles:
        raise PlanError(
            f"{version} cannot store statistics of relative actions: only v3.0 and v2.0 can"
        )
    return RelativeProgram(chunk=asked.chunk, relative=relative_components(asked, features))
