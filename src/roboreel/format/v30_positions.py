"""Locate rows and frames by the table of episodes of v3.0: files, ranges, time spans."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.errors import counted
from roboreel.format.layout import FileFinder, WantedFile, fill
from roboreel.format.model import (
    DATA_PATH,
    EPISODE,
    LENGTH,
    ROW_START,
    ROW_STOP,
    Info,
    frame_start,
    frame_stop,
    video_path,
)
from roboreel.format.parse import Problems
from roboreel.format.v30_episodes import (
    CHUNK_INDEX,
    EPISODES_FOLDER,
    FILE_INDEX,
    FROM_INDEX,
    is_number,
)
from roboreel.types import Floats, Int64

_ROUNDING_FRAMES = 0.05
"""Precision in frames of times late in a long file, even in float32."""

Columns = dict[str, "pa.Array | pa.ChunkedArray"]


def locate_rows(
    info: Info, episodes: pa.Table, usual: str, finder: FileFinder, problems: Problems
) -> Columns:
    """The columns of `Model.episodes` that locate an episode's rows.

    Args:
        info: has the path template.
        episodes: the table of episodes.
        usual: the format's own path template.
        finder: finds files that are not where the template says.
        problems: collects warnings and errors.
    """
    lengths = episodes[LENGTH].to_numpy().astype(np.int64)
    file_key = _file_keys(episodes, "data/")
    if FROM_INDEX in episodes.column_names and not episodes[FROM_INDEX].null_count:
        start = episodes[FROM_INDEX].to_numpy().astype(np.int64)
    else:
        start = np.cumsum(lengths) - lengths
    keys, position = np.unique(file_key, return_inverse=True)
    first_of_file = np.full(len(keys), np.iinfo(np.int64).max)
    np.minimum.at(first_of_file, position.reshape(-1), start)
    base = first_of_file[position.reshape(-1)]
    return {
        LENGTH: pa.array(lengths),
        DATA_PATH: _paths(info.data_path, usual, episodes, "", finder, problems),
        ROW_START: pa.array(start - base),
        ROW_STOP: pa.array(start - base + lengths),
    }


def locate_frames(
    info: Info, episodes: pa.Table, usual: str, finder: FileFinder, problems: Problems
) -> Columns:
    """The columns of `Model.episodes` that locate each camera's frames of an episode.

    Args: as for `locate_rows`.
    """
    lengths = episodes[LENGTH].to_numpy().astype(np.int64)
    columns: Columns = {}
    spans: dict[str, Floats] = {}
    for camera in info.cameras:
        prefix = f"videos/{camera}/"
        wanted = (f"{prefix}{CHUNK_INDEX}", f"{prefix}{FILE_INDEX}", f"{prefix}from_timestamp")
        absent = [name for name in wanted if name not in episodes.column_names]
        if absent:
            message = f"the table of episodes has no column {', '.join(absent)}"
            problems.add("episode.columns", message, path=EPISODES_FOLDER, column=camera)
            columns[video_path(camera)] = pa.nulls(len(episodes), pa.string())
            columns[frame_start(camera)] = pa.nulls(len(episodes), pa.int64())
            columns[frame_stop(camera)] = pa.nulls(len(episodes), pa.int64())
            continue
        begin = _seconds(episodes[wanted[2]])
        sound = np.isfinite(begin) & (begin >= 0) & (begin < 1e9)
        start = np.rint(np.where(sound, begin, 0) * float(info.fps)).astype(np.int64)
        paths = _paths(info.video_path or usual, usual, episodes, camera, finder, problems)
        columns[video_path(camera)] = pc.if_else(pa.array(sound), paths, None)
        columns[frame_start(camera)] = pa.array(start)
        columns[frame_stop(camera)] = pa.array(start + lengths)
        end = f"{prefix}to_timestamp"
        if end in episodes.column_names and is_number(episodes[end].type):
            spans[camera] = _seconds(episodes[end]) - begin
    _compare_spans(info, episodes, spans, lengths, problems)
    return columns


def _seconds(column: pa.ChunkedArray) -> Floats:
    return np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy())


def _compare_spans(
    info: Info,
    episodes: pa.Table,
    spans: Mapping[str, Floats],
    lengths: npt.NDArray[np.int64],
    problems: Problems,
) -> None:
    """Report time spans in the videos, in seconds, that differ from the episodes' lengths.

    If a whole dataset follows another convention, that is one problem: some writers state the time of the
    last frame as the end.
    """
    fps = float(info.fps)
    action = "the length and the start are used"
    off = {camera: span * fps - lengths for camera, span in spans.items()}
    lasts = [camera for camera, frames in off.items() if _ends_at_last_frame(frames)]
    if lasts:
        cameras = "" if len(info.cameras) == 1 else f" (cameras {', '.join(lasts)})"
        message = (
            f"in all {len(episodes)} episodes, to_timestamp is the time of the last frame, (n − 1) / fps,"
            f" instead of the end of the episode, n / fps{cameras}"
        )
        column = lasts[0] if len(lasts) == 1 else None
        problems.add("video.duration", message, column=column, action=action)
    for camera in [camera for camera in off if camera not in lasts]:
        with np.errstate(invalid="ignore"):
            wrong = np.abs(off[camera]) > 1 + _ROUNDING_FRAMES
        if wrong.any():
            worst = int(np.where(wrong, np.abs(off[camera]), 0).argmax())
            message = (
                f"the declared duration does not match the number of frames in"
                f" {counted(int(wrong.sum()), 'episode')}: worst is"
                f" {spans[camera][worst]:.4g} s for {lengths[worst]} frames"
            )
            episode = int(episodes[EPISODE][worst].as_py())
            problems.add("video.duration", message, episode=episode, column=camera, action=action)


def _ends_at_last_frame(frames_off: Floats) -> bool:
    """True if each known end is one frame short."""
    known = frames_off[~np.isnan(frames_off)]
    return len(known) > 0 and bool((np.abs(known + 1) <= _ROUNDING_FRAMES).all())


def _file_keys(episodes: pa.Table, prefix: str) -> Int64:
    chunk, file = (
        pc.fill_null(episodes[prefix + name].cast(pa.int64()), -1).to_numpy()
        for name in (CHUNK_INDEX, FILE_INDEX)
    )
    return np.asarray(chunk << 32 | file, dtype=np.int64)


def _paths(
    template: str,
    usual: str,
    episodes: pa.Table,
    camera: str,
    finder: FileFinder,
    problems: Problems,
) -> pa.Array:
    """(episodes,) path of each file: from the template, or where it was found instead."""
    prefix = f"videos/{camera}/" if camera else "data/"
    keys, position = np.unique(_file_keys(episodes, prefix), return_inverse=True)
    wanted = []
    for key in keys[keys >= 0].tolist():
        values: dict[str, int | str] = {"chunk_index": key >> 32, "file_index": key & 0xFFFFFFFF}
        if camera:
            values["video_key"] = camera
        wanted.append(WantedFile(fill(template, **values), fill(usual, **values), key >> 32))
    found = finder.find(template, wanted, camera, problems)
    named: list[str | None] = [None] * int((keys < 0).sum())  # keys are sorted
    named += [path or asked.path for path, asked in zip(found, wanted, strict=True)]
    return pa.array(named, pa.string()).take(pa.array(position.reshape(-1)))
