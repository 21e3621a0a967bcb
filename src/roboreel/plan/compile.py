"""The compiler: makes a plan from a view and inventories. Only it decides what is written where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.edit.losses import features_left_out, refuse_missing
from roboreel.edit.view import View
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
from roboreel.plan.camera_features import refuse_sizes, video_feature
from roboreel.plan.carried import carried_splits
from roboreel.plan.columns import columns_of, features_of
from roboreel.plan.compile_encode import cameras_to_encode, compile_recode, with_changed_cameras
from roboreel.plan.compile_rows import RowsPlan, compile_rows, table_bytes
from roboreel.plan.compile_stats import differences_from_release, measure_ops, stats_program
from roboreel.plan.compile_tables import program_of
from roboreel.plan.compile_video import (
    CameraPlan,
    compile_camera,
    refuse_audio,
    refuse_cuts,
    refuse_unused,
)
from roboreel.plan.extra_files import extra_file_ops, own_name
from roboreel.plan.merge_sources import MergedSources, merge_sources
from roboreel.plan.op_sizes import op_sizes
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
    Plan,
    input_frame,
    input_joined,
    input_packets,
    input_video,
)
from roboreel.plan.result_losses import (
    old_stats,
    result_losses,
    trimmed_episodes,
    without_broken_episodes,
    without_unreadable,
)
from roboreel.plan.wrong_stats import with_lost_stds_recomputed, wrong_stats_warnings


def compile_view(view: View, inventories: Sequence[Inventory]) -> Plan:
    """The plan that writes a view.

    Args:
        view: the view.
        inventories: per source, the facts about its files, aligned with the view's slices of it.

    Raises:
        PlanError: episodes are broken and may not be skipped, or the user has to choose an option; carries
            every reason.
    """
    problems = Problems()
    merged = with_lost_stds_recomputed(merge_sources(view, inventories, problems))
    inventory = merged.inventory
    merged, skipped, refused = without_broken_episodes(merged, inventory)
    refuse_audio(merged, inventory)
    columns = columns_of(merged, inventory, problems)
    merged, columns, unreadable = without_unreadable(merged, inventory, columns, problems)
    recodes = cameras_to_encode(merged, inventory, columns)
    copied = [n for n in inventory.cameras if n not in recodes and n not in view.images]
    refuse_sizes(merged, inventory, recodes)
    refuse_cuts(merged, inventory, copied)
    features = features_of(merged, inventory, columns, problems)
    left_out = features_left_out(view, merged.model.info.features, features, columns.types)
    left_out += unreadable
    refuse_missing(view, left_out, frozenset(view.options.allow_missing))
    features = {
        name: video_feature(merged, inventory, feature, recodes.get(name), problems)
        if feature.is_video
        else feature
        for name, feature in features.items()
    }
    columns, features = with_changed_cameras(merged, inventory, columns, features, recodes)
    program, features = program_of(merged, inventory, columns, features, problems)
    tables = compile_rows(merged, inventory, program)
    cameras = {name: compile_camera(merged, inventory, name) for name in copied}
    for name, recode in recodes.items():
        cameras[name] = compile_recode(merged, inventory, features[name], recode)
    model = _result(merged, inventory, features, tables, cameras)
    inputs = _inputs(merged, inventory, cameras)
    ops = [*tables.ops, *(op for plan in cameras.values() for op in plan.ops)]
    ops += measure_ops(merged, inventory, features, recodes)
    ops += extra_file_ops(merged, model)
    kept_stats, lost_stats = old_stats(merged)
    ops += kept_stats
    refuse_unused(view, ops)
    kept = np.zeros(len(view.slices), dtype=np.bool_)
    kept[merged.rows] = True
    splits, lost_splits = carried_splits(view, kept)
    return Plan(
        sources=merged.sources,
        edits=view.edited,
        model=model,
        inputs=inputs,
        files=_used_files(merged, inventory),
        ops=tuple(ops),
        op_sizes=op_sizes(merged, inventory, ops),
        table=program,
        stats=stats_program(merged, model, program, ops),
        supplied=merged.supplied,
        splits=splits,
        input_bytes=_input_bytes(merged, inventory),
        problems=(
            *merged.model.problems,
            *inventory.problems,
            *problems.found,
            *wrong_stats_warnings(view.recomputed, merged),
            *differences_from_release(merged, features, inventory.rows[merged.rows]),
        ),
        losses=(
            *result_losses(merged, inventory, left_out),
            *lost_stats,
            *merged.lost,
            *lost_splits,
        ),
        trimmed=trimmed_episodes(merged),
        skipped=skipped,
        refused=refused,
    )


def _tasks_of_episodes(merged: MergedSources, inventory: Inventory) -> pa.Array:
    strings = [list(inventory.tasks_of_episodes[row]) for row in merged.rows.tolist()]
    return pa.array(strings, pa.list_(pa.string()))


def _result(
    merged: MergedSources,
    inventory: Inventory,
    features: Mapping[str, Feature],
    tables: RowsPlan,
    cameras: Mapping[str, CameraPlan],
) -> Model:
    """The model of the dataset that the plan writes."""
    source = merged.model.episodes.take(merged.rows)
    frames = inventory.rows[merged.rows]
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        EPISODE: pa.array(np.arange(len(frames), dtype=np.int64)),
        TASKS: _tasks_of_episodes(merged, inventory),
        LENGTH: pa.array(frames),
        DATA_PATH: pa.array(tables.paths, pa.string()),
        ROW_START: pa.array(tables.start),
        ROW_STOP: pa.array(tables.start + frames),
    }
    for name, plan in cameras.items():
        columns[video_path(name)] = pa.array(plan.paths, pa.string())
        columns[frame_start(name)] = pa.array(plan.start)
        columns[frame_stop(name)] = pa.array(plan.start + frames)
    extra = merged.model.extra_columns
    table = pa.table(columns)
    for name in extra:
        table = table.append_column(source.schema.field(name), source[name])
    info = replace(
        merged.model.info,
        version=merged.version,
        **_rate(merged),
        features=features,
        data_file_mb=merged.options.data_file_mb or merged.model.info.data_file_mb,
        video_file_mb=merged.options.video_file_mb or merged.model.info.video_file_mb,
    )
    return Model(info=info, tasks=merged.tasks.strings, episodes=table, extra_columns=extra)


def _rate(merged: MergedSources) -> dict[str, Any]:
    """Fields of `Info` that change with the frame rate."""
    fps = merged.view.new_fps
    if fps is None:
        return {}
    return {"fps": fps, "fps_value": fps.numerator if fps.denominator == 1 else float(fps)}


def _inputs(
    merged: MergedSources, inventory: Inventory, cameras: Mapping[str, CameraPlan]
) -> pa.Table:
    source = merged.model.episodes.take(merged.rows)
    rows = inventory.rows[merged.rows]
    # reversed: of equal texts, the first index counts
    index_of_task = {text: index for index, text in reversed(list(merged.tasks.strings.items()))}
    first = [
        index_of_task.get(strings[0], 0) if strings else 0
        for strings in _tasks_of_episodes(merged, inventory).to_pylist()
    ]
    columns = {
        SOURCE_EPISODE: source[EPISODE],
        INPUT_TABLE: source[DATA_PATH],
        INPUT_ROW: pa.array(inventory.row_start[merged.rows]),
        ROWS: pa.array(rows),
        DECLARED_ROWS: pa.array(merged.declared[merged.rows]),
        SOURCE: pa.array(merged.source[merged.rows]),
        ROW_RANGE: pa.array(merged.row_range[merged.rows]),
        FIRST_FRAME: pa.array(merged.view.slices.start[merged.rows]),
        TASK_MAP: pa.array(merged.tasks.map_of_slice[merged.rows]),
        FIRST_SUPPLIED: pa.array(merged.first_supplied[merged.rows]),
        FIRST_INDEX: pa.array(np.cumsum(rows) - rows),
        DEFAULT_TASK: pa.array(first, pa.int64()),
    }
    for name, facts in inventory.cameras.items():
        columns[input_video(name)] = source[video_path(name)]
        columns[input_frame(name)] = pa.array(facts.start[merged.rows])
        if name in cameras:
            columns[input_packets(name)] = pa.array(cameras[name].packets)
            columns[input_joined(name)] = pa.array(cameras[name].joined)
    return pa.table(columns)


def _used_files(merged: MergedSources, inventory: Inventory) -> dict[str, FileFacts]:
    columns = [DATA_PATH, *(video_path(name) for name in inventory.cameras)]
    episodes = merged.model.episodes.take(merged.rows)
    used = {path for column in columns for path in episodes[column].unique().to_pylist()}
    return {
        path: facts
        for path, facts in inventory.files.items()
        if path in used or _is_document_or_extra(own_name(path, merged))
    }


def _is_document_or_extra(name: str) -> bool:
    """True for documents with statistics and for extra files: neither tables nor videos."""
    return name.startswith("meta/") or "/" not in name


def _input_bytes(merged: MergedSources, inventory: Inventory) -> int:
    packets = sum(int(facts.size_bytes[merged.rows].sum()) for facts in inventory.cameras.values())
    return packets + int(table_bytes(merged, inventory).sum())
