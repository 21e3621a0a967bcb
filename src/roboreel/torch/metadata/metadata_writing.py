"""The writing methods of metadata. Every call leaves the documents valid: nothing waits in a buffer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from roboreel.errors import UsageError
from roboreel.format.layout import fill
from roboreel.format.model import EPISODE, INFO, LENGTH, TASKS
from roboreel.format.v30 import GLOBAL_STATS
from roboreel.format.v30_episodes import CHUNK_INDEX, FILE_INDEX, FROM_INDEX, TO_INDEX
from roboreel.format.version import FormatVersion, parse_version
from roboreel.storage.local import LocalRoot
from roboreel.torch.compute_stats import aggregate_stats
from roboreel.torch.errors import ArgumentError
from roboreel.torch.language import DEFAULT_TOOLS
from roboreel.torch.media.video_info import get_video_info
from roboreel.torch.metadata.document_files import (
    commit,
    info_bytes,
    local_root,
    parsed_stats,
    stats_documents,
    task_documents,
)
from roboreel.torch.metadata.loaded_metadata import LoadedMetadata
from roboreel.torch.metadata.saved_episode import (
    episode_file,
    episode_lines,
    episode_row,
    next_episode_file,
)
from roboreel.torch.metadata.task_list import tasks_frame, tasks_of_frame
from roboreel.torch.sources.given_source import refuse_source
from roboreel.types import Json
from roboreel.writing.dataset_state import complete_lines

_OWN = "meta/episodes/"


class MetadataWriting(LoadedMetadata):
    """The part of `LeRobotDatasetMetadata` that writes."""

    latest_episode: dict[str, list[Json]] | None = None
    """The row of the episode saved last, each value in a list of one."""
    _metadata_buffer: list[dict[str, Json]]
    _metadata_buffer_size: int
    _pq_writer: None = None
    _finalized: bool = False
    changes: int = 0
    """How often this object changed the documents; a recorder of the same dataset follows."""
    _next_file: int | None = None
    _next_row: int | None = None

    @property
    def format_version(self) -> FormatVersion:
        """The format version of the documents."""
        return parse_version(self.info.codebase_version)

    def take_saved(self) -> None:
        """Follow a recorder that saved an episode; see `LoadedMetadata.take_saved`."""
        super().take_saved()
        self._next_file = self._next_row = None
        self.latest_episode = None

    def get_task_index(self, task: str) -> int | None:
        """The index of a task; None where the dataset does not have it."""
        found = {text: index for index, text in self._known_tasks().items()}
        return found.get(task)

    def save_episode_tasks(self, tasks: Sequence[str]) -> None:
        """Add the tasks that the dataset does not have yet.

        Args:
            tasks: task texts, each once.

        Raises:
            ArgumentError: a text is there twice.
        """
        if len(set(tasks)) != len(tasks):
            raise ArgumentError(f"tasks must not have duplicates, got {list(tasks)}")
        known = self._known_tasks()
        first = max(known, default=-1) + 1
        texts = [text for text in tasks if text not in set(known.values())]
        new = dict(enumerate(texts, start=first))
        if new:
            whole, lines = task_documents(self.format_version, known | new, new)
            commit(self._writable(), whole, lines)
            self.changes += 1
            self.tasks = tasks_frame(known | new)

    def _known_tasks(self) -> dict[int, str]:
        return {} if self.tasks is None else tasks_of_frame(self.tasks)

    def save_episode(
        self,
        episode_index: int,
        episode_length: int,
        episode_tasks: Sequence[str],
        episode_stats: Mapping[str, Mapping[str, Any]],
        episode_metadata: Mapping[str, Json],
    ) -> None:
        """Add an episode to the documents: its row, the dataset's statistics and totals.

        Args:
            episode_index: its number.
            episode_length: its frames.
            episode_tasks: its task texts.
            episode_stats: its statistics by feature and name.
            episode_metadata: further columns of its row, such as `data/chunk_index`.

        Raises:
            UsageError: the dataset is of a version, or in a place, where episodes cannot be appended.
        """
        parts = parsed_stats(episode_stats)
        flat = {f"stats/{n}/{key}": v for n, part in parts.items() for key, v in part.items()}
        row = {EPISODE: episode_index, TASKS: list(episode_tasks), LENGTH: episode_length}
        root = self._writable()
        merged = aggregate_stats([self.stats, parts]) if self.stats else parts
        row = self._placed(root, {**row, **episode_metadata, **flat})
        before = vars(self.info).copy()
        try:
            self._count(episode_length)
            self._commit_episode(root, row, merged)
        except BaseException:
            vars(self.info).update(before)
            raise
        self.stats = merged

    def _commit_episode(
        self, root: LocalRoot, row: dict[str, Json], merged: Mapping[str, Mapping[str, Json]]
    ) -> None:
        there = root.exists(GLOBAL_STATS)
        whole = stats_documents(self.format_version, merged, there=there)
        self._write_row(root, row, whole, {INFO: info_bytes(self.info)})

    def _count(self, frames: int) -> None:
        info = self.info
        info.total_episodes += 1
        info.total_frames += frames
        info.total_tasks = len(self._known_tasks())
        info.splits = {"train": f"0:{info.total_episodes}"}
        if self.format_version.one_file_per_episode:
            info.extra["total_videos"] = info.total_episodes * len(self.video_keys)
            info.extra["total_chunks"] = -(-info.total_episodes // info.chunks_size)

    def _save_episode_metadata(self, episode_dict: Mapping[str, Json]) -> None:
        """Add a row to the list of episodes, and change nothing else.

        Args:
            episode_dict: values by column, statistics as `stats/{feature}/{name}`.
        """
        root = self._writable()
        self._write_row(root, self._placed(root, episode_dict), {}, {})

    def _write_row(
        self,
        root: LocalRoot,
        row: dict[str, Json],
        before: Mapping[str, bytes],
        after: Mapping[str, bytes],
    ) -> None:
        if self.format_version.one_file_per_episode:
            complete_lines(root)
            commit(root, {**before, **after}, episode_lines(row))
        else:
            number = row[f"{_OWN}{CHUNK_INDEX}"] * self.chunks_size + row[f"{_OWN}{FILE_INDEX}"]
            name = episode_file(number, self.chunks_size)
            commit(root, {**before, name: episode_row(row), **after})
            self._next_file = number + 1
        self._next_row = row[TO_INDEX]
        self.changes += 1
        self.latest_episode = {name: [value] for name, value in row.items()}
        self._forget()

    def _placed(self, root: LocalRoot, row: Mapping[str, Json]) -> dict[str, Json]:
        """The row with its rows of the dataset, and where it is itself."""
        first = self.total_frames if self._next_row is None else self._next_row
        if self._next_file is None:
            self._next_file = next_episode_file(root.list(), self.chunks_size)
        chunk, file = divmod(self._next_file, self.chunks_size)
        last = self.latest_episode or {}
        data = {
            f"data/{name}": last.get(f"data/{name}", [0])[0] for name in (CHUNK_INDEX, FILE_INDEX)
        }
        own = {f"{_OWN}{CHUNK_INDEX}": chunk, f"{_OWN}{FILE_INDEX}": file}
        span = {FROM_INDEX: first, TO_INDEX: first + row[LENGTH]}
        given = {name: value for name, value in row.items() if not name.startswith(_OWN)}
        begin = {name: given[name] for name in (EPISODE, TASKS, LENGTH)}
        return {**begin, **data, **given, **span, **own}

    def _writable(self) -> LocalRoot:
        if not self.format_version.has_episode_stats:
            raise UsageError(
                f"'{self.root}' has format version {self.format_version}, which cannot store statistics per"
                " episode: convert it to a later version before you append"
            )
        return self._folder()

    def _folder(self) -> LocalRoot:
        refuse_source(self._source, "changed")
        return local_root(self.root)

    def update_chunk_settings(
        self,
        chunks_size: int | None = None,
        data_files_size_in_mb: float | None = None,
        video_files_size_in_mb: float | None = None,
    ) -> None:
        """Set how many files a chunk folder has and how large files become; None leaves a setting as it is.

        Raises:
            ArgumentError: a setting is not positive.
        """
        given = {
            "chunks_size": chunks_size,
            "data_files_size_in_mb": data_files_size_in_mb,
            "video_files_size_in_mb": video_files_size_in_mb,
        }
        for name, value in given.items():
            if value is not None and value <= 0:
                raise ArgumentError(f"{name} must be positive, got {value}")
        self._write_info({name: value for name, value in given.items() if value is not None})

    def _write_info(self, changes: Mapping[str, Json]) -> None:
        """Set fields of `info`, and write `info.json`; where that fails, nothing is set."""
        after = replace(self.info, **changes)
        commit(self._folder(), {INFO: info_bytes(after)})
        self.changes += 1
        for name, value in changes.items():
            setattr(self.info, name, value)

    @property
    def tools(self) -> list[dict[str, Json]]:
        """The tools that `info.json` declares, else the usual one; a copy."""
        return [dict(tool) for tool in self.info.tools or DEFAULT_TOOLS]

    @tools.setter
    def tools(self, value: Iterable[Mapping[str, Json]] | None) -> None:
        """Declare tools in `info.json`; None or an empty list removes them."""
        self._write_info({"tools": [dict(tool) for tool in value or ()] or None})

    def update_video_info(
        self,
        video_key: str | None = None,
        video_encoder: Any = None,
        preserve_keys: Iterable[str] | None = None,
    ) -> None:
        """Take what `info` says of cameras from their first video file; `info.json` is not written.

        Args:
            video_key: only this camera; by default all.
            video_encoder: settings of the encoder that wrote the videos, to note as well.
            preserve_keys: keys whose present values stay.

        Raises:
            ArgumentError: there is no such camera.
            StorageError: the camera has no first video.
        """
        if video_key is not None and video_key not in self.video_keys:
            raise ArgumentError(
                f"'{video_key}' is not a video camera: expected one of {self.video_keys}"
            )
        keep = set(preserve_keys or ())
        for key in self.video_keys if video_key is None else [video_key]:
            known = self.features[key].get("info") or {}
            found = get_video_info(os.path.join(self.root, self._first_video(key)), video_encoder)
            merged = {**known, **{name: v for name, v in found.items() if name not in keep}}
            if "video.is_depth_map" in merged:
                merged.setdefault("is_depth_map", merged.pop("video.is_depth_map"))
            self.features[key]["info"] = merged

    def _first_video(self, camera: str) -> str:
        if self.total_episodes:
            return str(self.get_video_file_path(0, camera))
        numbers = {"episode_chunk": 0, "episode_index": 0, "chunk_index": 0, "file_index": 0}
        return fill(self.video_path or "", video_key=camera, **numbers)

    def _flush_metadata_buffer(self) -> None:
        """Do nothing: every episode is on the disk when `save_episode` returns."""

    def _close_writer(self) -> None:
        """Do nothing: no file stays open."""

    def finalize(self) -> None:
        """Note that writing is over; everything is on the disk already."""
        self._finalized = True
