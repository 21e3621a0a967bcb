"""One way and more to break each rule, and what a check must say of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from roboreel.errors import Severity
from roboreel.testing import Version
from tests.mutate import LFS_POINTER, add_track, drop_columns
from tests.unit.check.breaks import (
    DATA_FILE,
    EPISODES_FILE,
    TOP,
    Change,
    as_category,
    as_lists,
    badly_named,
    cast,
    cells,
    column,
    constant,
    copy,
    each,
    feature,
    feature_stats,
    fewer_rows,
    filmed,
    flat_std,
    in_each,
    info,
    large_and_close,
    late_keyframes,
    late_segment,
    lines,
    linked_out,
    moved_tasks,
    other_number,
    overlapping,
    removed,
    reversed_rows,
    rows,
    shifted,
    spoiled_packets,
    stats,
    still_component,
    swapped,
    table,
    twin_keys,
    unfinished_save,
    unlike_recordings,
    unordered,
    video_fact,
    with_bytes,
    with_nan,
    with_null,
    with_plain_images,
    without_feature,
    without_last_entry,
    written,
)


class Break(NamedTuple):
    """A change that breaks a rule, and how its problem is to look."""

    rule: str
    version: Version
    change: Change
    severity: Severity
    episode: int | None = None
    """An episode that must be named, where the rule is one of episodes."""
    decode: bool = False


_T0, _T1 = "data/chunk-000/episode_000000.parquet", "data/chunk-000/episode_000001.parquet"
_V0 = f"videos/chunk-000/{TOP}/episode_000000.mp4"
_V1 = f"videos/chunk-000/{TOP}/episode_000001.mp4"
_V2 = f"videos/chunk-000/{TOP}/episode_000002.mp4"
_ONE_CAMERA = f"videos/chunk-000/{TOP}/episode_{{episode_index:06d}}.mp4"
_EPISODES = "episodes.jsonl"


def _without(*names: str) -> Any:
    return lambda found: found.drop_columns([*names])


def _set(place: int, value: Any) -> Any:
    return lambda values: values.__setitem__(place, value)


def _later(values: list[float]) -> None:
    values[1] += 1


def _no_folder(name: str) -> Change:
    def change(root: Path) -> None:
        shutil.rmtree(root / name)

    return change


def _of_three_numbers(of_all: dict[str, Any]) -> None:
    of_all[TOP].update({key: [0.5] * 3 for key in ("min", "max", "mean", "std")})


DOCUMENTS = (
    Break("document.missing", "v2.1", removed("meta/tasks.jsonl"), "error"),
    Break("document.missing", "v2.1", removed("meta/episodes.jsonl"), "error"),
    Break("document.missing", "v3.0", removed(EPISODES_FILE), "error"),
    Break("document.readable", "v2.1", written("meta/info.json", b"{"), "error"),
    Break("document.readable", "v2.1", written("meta/episodes_stats.jsonl", b"{\n"), "error"),
    Break("document.readable", "v2.0", written("meta/stats.json", b"{"), "error"),
    Break("document.readable", "v3.0", written(EPISODES_FILE, b"PAR1"), "error"),
    Break("info.version", "v2.1", info(codebase_version="v9.0"), "error"),
    Break("info.storage-format", "v3.0", info(storage_format="zarr"), "error"),
    Break("info.fps", "v2.1", info(fps=0), "error"),
    Break("info.features", "v2.1", info(features=None), "error"),
    Break("info.number", "v3.0", info(chunks_size=-1), "warning"),
    Break("info.path-template", "v2.1", info(data_path="x/{episode_index}"), "error"),
    Break("info.totals", "v3.0", info(total_frames=1), "warning"),
    Break("info.robot-type", "v2.0", info(robot_type=5), "warning"),
    Break("info.splits", "v2.1", info(splits={"train": "0:99"}), "warning"),
    Break("recording.unfinished", "v2.1", unfinished_save, "note"),
    Break("file.unused", "v3.0", copy(DATA_FILE, "data/chunk-000/file-007.parquet"), "error"),
    Break("file.unused", "v2.1", copy(_V0, _V0.replace("000000.", "000099.")), "warning"),
)
FEATURES = (
    Break("feature.declaration", "v2.1", feature("action", dtype=None), "error"),
    Break("feature.absent", "v2.1", in_each(lambda e: rows(e, _without("action"))), "warning"),
    Break("feature.absent", "v3.0", table(DATA_FILE, _without("action")), "error"),
    Break("feature.undeclared", "v2.1", without_feature("next.reward"), "warning"),
    Break("feature.undeclared", "v3.0", without_feature("next.reward"), "error"),
    Break("feature.unreadable", "v2.1", in_each(lambda e: rows(e, with_bytes)), "warning"),
    Break("feature.unreadable", "v3.0", table(DATA_FILE, with_bytes), "warning"),
    Break("feature.names", "v2.1", feature("action", names=[["a", "b", "c"]]), "note"),
    Break("feature.type", "v2.1", feature("observation.note", dtype="float32"), "error"),
    Break("feature.dtype", "v2.1", feature("action", dtype="float64"), "warning"),
    Break("feature.shape", "v2.1", feature("action", shape=[7]), "error", 0),
    Break("feature.frozen", "v2.1", column(1, "action", constant), "warning", 1),
    Break(
        "feature.frozen", "v2.1", in_each(lambda e: column(e, "action", np.zeros_like)), "warning"
    ),
    Break(
        "feature.component", "v2.1", in_each(lambda e: column(e, "action", still_component)), "note"
    ),
)
EPISODES = (
    Break("episode.entry", "v2.1", lines(_EPISODES, lambda x: x[0].update(length=0)), "error"),
    Break("episode.columns", "v3.0", table(EPISODES_FILE, _without("tasks")), "warning"),
    Break("episode.columns", "v3.0", table(EPISODES_FILE, _without("length")), "error"),
    Break(
        "episode.fields", "v2.1", lines(_EPISODES, lambda x: x[0].update({"stats/x": 1})), "warning"
    ),
    Break(
        "episode.unique",
        "v2.1",
        lines(_EPISODES, lambda x: x.append({**x[1], "length": 7})),
        "error",
        1,
    ),
    Break("episode.contiguous", "v2.1", other_number, "error"),
    Break("episode.length", "v2.1", lines(_EPISODES, lambda x: x[1].update(length=9)), "error", 1),
    Break("episode.tasks", "v2.1", lines(_EPISODES, lambda x: x[1].update(tasks=[])), "warning"),
    Break(
        "episode.range", "v3.0", cells(EPISODES_FILE, "dataset_to_index", _set(1, 24)), "error", 1
    ),
    Break("episode.unlisted", "v3.0", without_last_entry, "error"),
    Break("episode.duplicate", "v2.1", copy(_T1, _T0), "note", 1),
    Break("task.entry", "v2.1", lines("tasks.jsonl", lambda x: x[0].pop("task")), "error"),
    Break("task.fields", "v2.1", lines("tasks.jsonl", lambda x: x[0].update(more=1)), "warning"),
    Break(
        "task.unique", "v2.1", lines("tasks.jsonl", lambda x: x[1].update(task_index=0)), "error"
    ),
    Break(
        "task.duplicate",
        "v2.1",
        lines("tasks.jsonl", lambda x: x.append({**x[0], "task_index": 9})),
        "warning",
    ),
    Break(
        "task.unlisted",
        "v2.1",
        lines(_EPISODES, lambda x: x[1].update(tasks=["wipe"])),
        "warning",
        1,
    ),
    Break("task.contiguous", "v3.0", table("meta/tasks.parquet", moved_tasks), "error"),
    Break("task.by-rows", "v2.1", removed("meta/tasks.jsonl"), "warning"),
    Break(
        "task.rows",
        "v2.1",
        lines(_EPISODES, lambda x: x[1]["tasks"].append(x[0]["tasks"][0] + " again")),
        "note",
        1,
    ),
    Break(
        "task.rows",
        "v2.1",
        lines(_EPISODES, lambda x: x[1].update(tasks=["wipe"])),
        "warning",
        1,
    ),
    Break("task.resolves", "v2.1", column(1, "task_index", lambda x: x + 70), "error", 1),
)
TABLES = (
    Break("table.missing", "v2.1", removed(_T1), "error", 1),
    Break("table.readable", "v2.1", written(_T1, LFS_POINTER), "error", 1),
    Break("table.readable", "v3.0", written(DATA_FILE, b""), "error", 2),
    Break("table.empty", "v2.1", rows(1, lambda t: t.slice(0, 0)), "error", 1),
    Break("table.shared", "v2.1", info(data_path=_T0), "error", 1),
    Break(
        "table.episode-rows",
        "v3.0",
        cells(EPISODES_FILE, "dataset_from_index", _set(1, 13)),
        "error",
        1,
    ),
    Break("table.episode-index", "v2.1", lambda root: swapped(root / _T0, root / _T1), "error", 1),
    Break("table.episode-index", "v2.1", copy(_T0, _T1), "error", 1),
    Break(
        "table.episode-index",
        "v2.1",
        column(1, "episode_index", lambda x: x + np.arange(11)),
        "error",
        1,
    ),
    Break(
        "table.episode-index",
        "v2.1",
        in_each(lambda e: column(e, "episode_index", lambda x: x + (x > 0))),
        "warning",
        1,
    ),
    Break("table.columns", "v2.1", lambda root: drop_columns(root / _T1, "action"), "error", 1),
    Break("table.types", "v2.1", rows(1, cast("next.reward", pa.float64())), "warning"),
    Break("table.types", "v2.1", rows(1, cast("next.reward", pa.string())), "error"),
    Break("table.layout", "v2.1", rows(1, as_category), "warning"),
    Break("table.plain-images", "v3.0", table(DATA_FILE, with_plain_images), "note"),
    Break("table.list-of-one", "v2.1", in_each(lambda e: rows(e, as_lists)), "warning"),
    Break("table.list-of-one", "v3.0", table(DATA_FILE, as_lists), "error"),
    Break(
        "table.index-columns",
        "v2.1",
        lambda root: drop_columns(root / _T1, "frame_index"),
        "warning",
    ),
    Break(
        "table.index-columns", "v3.0", lambda root: drop_columns(root / DATA_FILE, "index"), "error"
    ),
    Break("table.frame-index", "v2.1", column(1, "frame_index", lambda x: x + 1), "warning", 1),
    Break("table.index", "v2.1", column(1, "index", lambda x: x + 1), "warning", 1),
    Break("table.index", "v2.1", column(1, "index", lambda x: x + (x > 15)), "warning", 1),
    Break("table.index", "v3.0", cells(DATA_FILE, "index", _set(20, 0)), "error", 1),
    Break("table.finite", "v2.1", column(1, "action", with_nan), "error", 1),
    Break("table.finite", "v2.1", rows(1, with_null), "error", 1),
    Break("table.row-order", "v2.1", rows(1, reversed_rows), "error", 1),
    Break("table.timestamps", "v2.1", column(1, "timestamp", lambda x: x + 0.05), "error", 1),
)
VIDEOS = (
    Break("video.missing", "v2.1", removed(_V1), "error", 1),
    Break("video.missing", "v2.1", _no_folder(f"videos/chunk-000/{TOP}"), "error"),
    Break("video.missing", "v2.1", _no_folder("videos"), "error"),
    Break("video.readable", "v2.1", written(_V1, LFS_POINTER), "error", 1),
    Break("video.shared", "v2.1", info(video_path=_ONE_CAMERA), "error", 1),
    Break("video.segment", "v3.0", late_segment, "error", 1),
    Break(
        "video.duration",
        "v3.0",
        cells(EPISODES_FILE, f"videos/{TOP}/to_timestamp", _later),
        "warning",
    ),
    Break("video.overlap", "v3.0", overlapping, "error", 2),
    Break("video.short", "v2.1", copy(_V1, _V0), "error", 0),
    Break("video.long", "v2.1", copy(_V2, _V0), "warning", 0),
    Break("video.rate", "v2.1", each(copy(_V2, _V0), info(fps=10)), "error", 0),
    Break("video.keyframe", "v2.1", late_keyframes, "error", 0),
    Break("video.joined", "v3.0", unlike_recordings, "error", 2),
    Break("video.order", "v2.1", unordered, "error", 0),
    Break("video.audio", "v2.1", lambda root: add_track(root / _V1, "audio"), "note"),
    Break("video.codec", "v2.1", video_fact("video.codec", "hevc"), "warning"),
    Break("video.size", "v2.1", feature(TOP, shape=[64, 160, 3]), "error"),
    Break("video.fps", "v2.1", video_fact("video.fps", 15), "warning"),
    Break("video.times", "v2.1", info(fps=15), "error", 1),
    Break("video.hidden", "v3.0", fewer_rows, "note"),
    Break("video.decodes", "v2.1", spoiled_packets, "error", 0, decode=True),
    Break("video.black", "v2.1", filmed(1, lambda _: 4), "warning", 1, decode=True),
    Break("video.frozen", "v2.1", filmed(1, lambda _: 120), "warning", 1, decode=True),
    Break(
        "video.frozen",
        "v2.1",
        filmed(1, lambda n: min(80 + 10 * n, 120)),
        "warning",
        1,
        decode=True,
    ),
)
STATISTICS = (
    Break("stats.missing", "v2.1", removed("meta/episodes_stats.jsonl"), "warning"),
    Break("stats.missing", "v2.1", stats(lambda s: s.pop("action")), "warning"),
    Break("stats.missing", "v2.0", removed("meta/stats.json"), "warning"),
    Break("stats.missing", "v3.0", removed("meta/stats.json"), "warning"),
    Break("stats.shape", "v2.1", feature_stats("action", mean=[0.0]), "error", 1),
    Break("stats.shape", "v2.1", stats(_of_three_numbers), "error", 1),
    Break("stats.finite", "v2.1", feature_stats("action", mean=[float("nan")] * 6), "error", 1),
    Break("stats.order", "v2.1", feature_stats("action", max=[-9.0] * 6), "error", 1),
    Break("stats.order", "v2.1", feature_stats("action", std=[-1.0] * 6), "error", 1),
    Break("stats.count", "v2.1", feature_stats("action", count=[10]), "warning", 1),
    Break("stats.count", "v2.1", feature_stats(TOP, count=[11 * 32 * 160]), "warning", 1),
    Break("stats.agree", "v2.1", shifted("next.reward", "mean", 0.01), "warning", 1),
    Break("stats.agree", "v2.1", shifted("action", "std", 3.0), "error", 1),
    Break("stats.agree", "v2.1", filmed(1, lambda n: 10 + n * 20), "error", 1, decode=True),
    Break("stats.camera-overflow", "v2.1", stats(flat_std), "error", 1),
    Break("stats.std-rounding", "v2.1", large_and_close, "warning", 1),
    Break(
        "stats.numbering",
        "v2.1",
        each(*(shifted("index", key, 5) for key in ("min", "max", "mean"))),
        "warning",
        1,
    ),
)
PLACES: tuple[Break, ...] = (
    Break("file.link", "v2.1", linked_out, "warning"),
    Break("file.name", "v2.1", badly_named, "warning"),
    Break("document.keys", "v2.1", twin_keys, "warning"),
)
BREAKS: tuple[Break, ...] = (
    *PLACES,
    *DOCUMENTS,
    *FEATURES,
    *EPISODES,
    *TABLES,
    *VIDEOS,
    *STATISTICS,
)
