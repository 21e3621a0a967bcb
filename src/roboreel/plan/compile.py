"""The compiler: a view and an inventory in, a plan out. The only place that decides what lands where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.edit.losses import features_left_out, losses, refuse_missing
from roboreel.edit.relative_actions import relative_components
from roboreel.edit.stats_profile import not_followed
from roboreel.edit.view import View
from roboreel.edit.view_data import LeftOut
from roboreel.errors import PlanError, Problem
from roboreel.format.depth import DepthScale, depth_scale, has_camera_stats
from roboreel.format.feature import Feature
from roboreel.format.inventory import FileFacts, Inventory
from roboreel.format.model import (
    DATA_PATH,
    EPISODE,
    LENGTH,
    ROW_START,
    ROW_STOP,
    TASKS,
    Model,
    frame_start,
    frame_stop,
    video_path,
)
from roboreel.format.parse import Problems
from roboreel.plan.carried import carried_splits
from roboreel.plan.compile_encode import compile_recode, recoded, stored_as
from roboreel.plan.compile_rows import RowsPlan, compile_rows, table_bytes
from roboreel.plan.compile_tables import (
    columns_of,
    features_of,
    program_of,
    sampling_of,
)
from roboreel.plan.compile_video import (
    CameraPlan,
    compile_camera,
    refuse_audio,
    refuse_cuts,
    refuse_sizes,
    refuse_unused,
)
from roboreel.plan.extra_files import own_name, travelling_files
from roboreel.plan.merge_sources import MergedSources, merge_sources
from roboreel.plan.pack import runs
from roboreel.plan.plan import (
    DECLARED_ROWS,
    DEFAULT_TASK,
    FIRST_FRAME,
    FIRST_INDEX,
    FIRST_SUPPLIED,
    INPUT_ROW,
    INPUT_TABLE,
    ROW_RANGE,
    ROWS,
    SOURCE,
    SOURCE_EPISODE,
    TASK_MAP,
    MeasureCamera,
    Op,
    Plan,
    RelativeProgram,
    StatsProgram,
    TableProgram,
    input_frame,
    input_joined,
    input_packets,
    input_video,
    source_prefix,
)
from roboreel.plan.recoded import Recode
from roboreel.plan.trims import trimmed_episodes
from roboreel.plan.unreadable_columns import without_unreadable
from roboreel.plan.v20_stats import has_all_rows, old_stats
from roboreel.plan.video_info import lost_tracks, video_feature
from roboreel.plan.writable_episodes import sound_view
from roboreel.plan.wrong_stats import pooled_stds, tell_wrong_stats, with_lost_stds_recomputed
from roboreel.stats.feature_stats import QUANTILES
from roboreel.stats.sampling import OWN, RELEASES, SamplingProfile
from roboreel.types import Int64

_MEASURED_EPISODES = 1
"""Episodes of one camera that one op measures: one that kills or stops its decoder costs no other."""


def compile_view(of: View, inventories: Sequence[Inventory]) -> Plan:
    """The plan that writes a view.

    Args:
        of: the view.
        inventories: what the files of each of its sources hold, by the view's pieces of it.

    Raises:
        PlanError: episodes are broken and may not be skipped, or what was asked needs a choice; carries
            every reason.
    """
    problems = Problems()
    view = with_lost_stds_recomputed(merge_sources(of, inventories, problems))
    inventory = view.inventory
    view, skipped, refused = sound_view(view, inventory)
    refuse_audio(view, inventory)
    columns = columns_of(view, inventory, problems)
    view, columns, unreadable = without_unreadable(view, inventory, columns, problems)
    recodes = recoded(view, inventory, columns)
    copied = [n for n in inventory.cameras if n not in recodes and n not in of.images]
    refuse_sizes(view, inventory, copied)
    refuse_cuts(view, inventory, copied)
    features = features_of(view, inventory, columns, problems)
    lacking = features_left_out(of, view.model.info.features, features, columns.types)
    lacking += unreadable
    refuse_missing(of, lacking, frozenset(of.options.allow_missing))
    features = {
        name: video_feature(view, inventory, feature, problems) if feature.is_video else feature
        for name, feature in features.items()
    }
    columns, features = stored_as(view, inventory, columns, features, recodes)
    program, features = program_of(view, inventory, columns, features, problems)
    tables = compile_rows(view, inventory, program)
    cameras = {name: compile_camera(view, inventory, name) for name in copied}
    for name, recode in recodes.items():
        cameras[name] = compile_recode(view, inventory, features[name], recode)
    model = _result(view, inventory, features, tables, cameras)
    inputs = _inputs(view, inventory, cameras)
    ops = [*tables.ops, *(op for plan in cameras.values() for op in plan.ops)]
    ops += _measures(view, inventory, features, recodes)
    ops += travelling_files(view, model)
    kept_stats, lost_stats = old_stats(view)
    ops += kept_stats
    refuse_unused(of, ops)
    kept = np.zeros(len(of.slices), dtype=np.bool_)
    kept[view.rows] = True
    splits, torn = carried_splits(of, kept)
    return Plan(
        sources=view.sources,
        edits=of.edited,
        model=model,
        inputs=inputs,
        files=_used_files(view, inventory),
        ops=tuple(ops),
        table=program,
        stats=_stats(view, model, program, ops),
        supplied=view.supplied,
        splits=splits,
        input_bytes=_input_bytes(view, inventory),
        problems=(
            *view.model.problems,
            *inventory.problems,
            *problems.found,
            *tell_wrong_stats(of.recomputed, view),
            *_mismatch(view, features, inventory.rows[view.rows]),
        ),
        losses=(*_losses(view, inventory, lacking), *lost_stats, *view.lost, *torn),
        trimmed=trimmed_episodes(view),
        skipped=skipped,
        refused=refused,
    )


def _tasks_of_episodes(view: MergedSources, inventory: Inventory) -> pa.Array:
    strings = [list(inventory.tasks_of_episodes[row]) for row in view.rows.tolist()]
    return pa.array(strings, pa.list_(pa.string()))


def _result(
    view: MergedSources,
    inventory: Inventory,
    features: Mapping[str, Feature],
    tables: RowsPlan,
    cameras: Mapping[str, CameraPlan],
) -> Model:
    """The model of the dataset that the plan writes."""
    source = view.model.episodes.take(view.rows)
    frames = inventory.rows[view.rows]
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        EPISODE: pa.array(np.arange(len(frames), dtype=np.int64)),
        TASKS: _tasks_of_episodes(view, inventory),
        LENGTH: pa.array(frames),
        DATA_PATH: pa.array(tables.paths, pa.string()),
        ROW_START: pa.array(tables.start),
        ROW_STOP: pa.array(tables.start + frames),
    }
    for name, plan in cameras.items():
        columns[video_path(name)] = pa.array(plan.paths, pa.string())
        columns[frame_start(name)] = pa.array(plan.start)
        columns[frame_stop(name)] = pa.array(plan.start + frames)
    extra = view.model.extra_columns
    table = pa.table(columns)
    for name in extra:
        table = table.append_column(source.schema.field(name), source[name])
    info = replace(
        view.model.info,
        version=view.version,
        **_rate(view),
        features=features,
        data_file_mb=view.options.data_file_mb or view.model.info.data_file_mb,
        video_file_mb=view.options.video_file_mb or view.model.info.video_file_mb,
    )
    return Model(info=info, tasks=view.tasks.strings, episodes=table, extra_columns=extra)


def _rate(view: MergedSources) -> dict[str, Any]:
    """What changes with the frame rate."""
    fps = view.view.fps
    if fps is None:
        return {}
    return {"fps": fps, "fps_value": fps.numerator if fps.denominator == 1 else float(fps)}


def _inputs(
    view: MergedSources, inventory: Inventory, cameras: Mapping[str, CameraPlan]
) -> pa.Table:
    source = view.model.episodes.take(view.rows)
    rows = inventory.rows[view.rows]
    index_of_task = {text: index for index, text in reversed(list(view.tasks.strings.items()))}
    first = [
        index_of_task.get(strings[0], 0) if strings else 0
        for strings in _tasks_of_episodes(view, inventory).to_pylist()
    ]
    columns = {
        SOURCE_EPISODE: source[EPISODE],
        INPUT_TABLE: source[DATA_PATH],
        INPUT_ROW: pa.array(inventory.row_start[view.rows]),
        ROWS: pa.array(rows),
        DECLARED_ROWS: pa.array(view.declared[view.rows]),
        SOURCE: pa.array(view.source[view.rows]),
        ROW_RANGE: pa.array(view.row_range[view.rows]),
        FIRST_FRAME: pa.array(view.view.slices.start[view.rows]),
        TASK_MAP: pa.array(view.tasks.map_of_slice[view.rows]),
        FIRST_SUPPLIED: pa.array(view.first_supplied[view.rows]),
        FIRST_INDEX: pa.array(np.cumsum(rows) - rows),
        DEFAULT_TASK: pa.array(first, pa.int64()),
    }
    for name, facts in inventory.cameras.items():
        columns[input_video(name)] = source[video_path(name)]
        columns[input_frame(name)] = pa.array(facts.start[view.rows])
        if name in cameras:
            columns[input_packets(name)] = pa.array(cameras[name].packets)
            columns[input_joined(name)] = pa.array(cameras[name].joined)
    return pa.table(columns)


def _measures(
    view: MergedSources,
    inventory: Inventory,
    features: Mapping[str, Feature],
    recodes: Mapping[str, Recode],
) -> list[Op]:
    """Ops for the cameras and episodes that have no statistics, or are to get new ones.

    A camera that is encoded keeps those that it has, even where its pictures are scaled: they are of the
    range of values, which neither changes much. Pictures in the result's tables are measured with them.
    """
    ops: list[Op] = []
    anew = view.view.recomputed
    images = [n for n, f in features.items() if f.dtype == "image" and n in anew]
    cameras = dict.fromkeys([*inventory.cameras, *recodes, *images])
    for name in [name for name in cameras if name not in view.view.images]:
        known = None if name in anew else inventory.with_stats.get(name)
        lacking = [True] * len(view.rows) if known is None else (~known[view.rows]).tolist()
        feature = view.model.info.features[name]
        if not has_camera_stats(feature):
            continue
        depth = depth_scale(feature) or DepthScale() if feature.is_depth else None
        profile, video = _camera_profile(view, name), features[name].is_video
        lack = "asked to recompute them" if name in anew else "no statistics of these episodes"
        which = "all" if profile.every_frame(video=video) else "a sample of"
        reason = f"{lack}: computed from {which} their pictures"
        reason += f", like {view.view.like}" if view.view.like is not None else ""
        in_tables = np.full(len(view.rows), name in images)
        if name in recodes:
            in_tables = recodes[name].from_tables[view.rows]
        for kind in np.unique(in_tables).tolist():
            flags = [lacks and at == kind for lacks, at in zip(lacking, in_tables, strict=True)]
            ops += [
                MeasureCamera(
                    camera=name,
                    episodes=episodes,
                    from_tables=kind,
                    video=video,
                    profile=profile,
                    depth=depth,
                    backend=view.options.video_backend if depth is None else "pyav",
                    reason=reason,
                )
                for episodes in runs(flags, longest=_MEASURED_EPISODES)
            ]
    return ops


def _camera_profile(view: MergedSources, name: str) -> SamplingProfile:
    """How a camera is measured: one that only lacks statistics on a sample, or as a release does it."""
    profile, like = sampling_of(view), view.view.like
    if name in view.view.recomputed:
        return profile
    rules = OWN if like is None else RELEASES[like]
    return replace(
        profile, every_video_frame=rules.every_video_frame, every_image=rules.every_image
    )


def _stats(
    view: MergedSources, model: Model, program: TableProgram, ops: Sequence[Op]
) -> StatsProgram:
    _refuse_mismatched(view)
    features, source = model.info.features, view.model.info.version
    wanted = [n for n, feature in features.items() if feature.is_numeric or feature.is_camera]
    seen = {op.camera for op in ops if isinstance(op, MeasureCamera)} | {*program.measured}
    return StatsProgram(
        features=tuple(wanted),
        recomputed=tuple(n for n in wanted if n in view.view.recomputed and n in seen),
        relative=_relative(view, features),
        write_global=view.version.has_global_stats or view.options.with_global_stats,
        pooled_std=pooled_stds(view),
        reconcile_global=source.has_episode_stats
        and source.has_global_stats
        and has_all_rows(view),
        compare_global=not view.model.info.version.has_episode_stats and not view.view.edited,
    )


def _refuse_mismatched(view: MergedSources) -> None:
    """Raise `PlanError` where statistics are to be like those of a release that has none in this version."""
    like, version = view.view.like, view.version
    if view.view.sampling.quantiles != QUANTILES and not version.has_quantiles:
        raise PlanError(f"{version} has no place for quantiles: write v3.0")
    if like == "lerobot-0.3.3" and version.has_quantiles:
        raise PlanError(f"{like} has no quantiles, and {version} wants them: write v2.1")


def _mismatch(
    view: MergedSources, features: Mapping[str, Feature], rows: Int64
) -> Iterator[Problem]:
    """Where the release that is to be followed is not."""
    of = view.view
    if of.like is not None:
        wanted = {name: feature for name, feature in features.items() if name in of.recomputed}
        yield from not_followed(of.like, wanted, rows, sampled=not of.sampling.every_video_frame)


def _relative(view: MergedSources, features: Mapping[str, Feature]) -> RelativeProgram | None:
    asked, version = view.view.relative, view.version
    if asked is None:
        return None
    if version.has_episode_stats and not version.has_quantiles:
        raise PlanError(
            f"{version} has no place for statistics of relative actions: only v3.0 and v2.0"
        )
    return RelativeProgram(chunk=asked.chunk, relative=relative_components(asked, features))


def _used_files(view: MergedSources, inventory: Inventory) -> dict[str, FileFacts]:
    columns = [DATA_PATH, *(video_path(name) for name in inventory.cameras)]
    taken = view.model.episodes.take(view.rows)
    used = {path for column in columns for path in taken[column].unique().to_pylist()}
    return {
        path: facts
        for path, facts in inventory.files.items()
        if path in used or _beside(path, view)
    }


def _beside(path: str, view: MergedSources) -> bool:
    """True for documents with statistics and files that travel along: neither tables nor videos."""
    name = own_name(path, view)
    return name.startswith("meta/") or "/" not in name


def _input_bytes(view: MergedSources, inventory: Inventory) -> int:
    packets = sum(int(facts.size_bytes[view.rows].sum()) for facts in inventory.cameras.values())
    return packets + int(table_bytes(view, inventory).sum())


def _losses(
    view: MergedSources, inventory: Inventory, features: Sequence[LeftOut]
) -> Iterator[str]:
    """What the target cannot hold, and what stays behind."""
    source, target = view.model.info, view.version
    if source.version.has_episode_stats and not target.has_episode_stats:
        yield f"{target} has no statistics per episode: they are merged into one stats.json"
    roots = len(view.sources)
    urls = {source_prefix(number, roots): one.url for number, one in enumerate(view.sources)}
    yield from losses(view.model, features, view.tasks.left_out, urls)
    yield from lost_tracks(inventory)
