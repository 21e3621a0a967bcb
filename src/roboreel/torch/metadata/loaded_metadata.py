"""What metadata reads of a dataset: tasks, episodes, statistics and paths, when they are first used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset, usual_templates
from roboreel.edit.view import View
from roboreel.errors import UnknownNameError
from roboreel.format.info import parse_info
from roboreel.format.layout import fill
from roboreel.format.model import DATA_PATH, EPISODE, INFO, Info, video_path
from roboreel.format.parse import Problems, whole_number
from roboreel.stats.feature_stats import Array
from roboreel.storage.fs import open_root
from roboreel.storage.local import LocalRoot
from roboreel.torch.constants import DEPTH_METER_UNIT
from roboreel.torch.metadata.dataset_info import DatasetInfo
from roboreel.torch.metadata.episode_columns import episode_columns
from roboreel.torch.metadata.episode_list import EpisodeList, episodes_dataset
from roboreel.torch.metadata.metadata_facts import MetadataFacts
from roboreel.torch.metadata.task_list import tasks_frame
from roboreel.torch.sources.given_source import refuse_source
from roboreel.torch.sources.view_dataset import ViewDataset
from roboreel.types import Json
from roboreel.writing.dataset_state import started_info

_LOG = logging.getLogger(__name__)
_MM_PER_M = 1000.0


class Unread(Enum):
    """In place of what has not been read yet."""

    UNREAD = "unread"


UNREAD: Final = Unread.UNREAD


class LoadedMetadata(MetadataFacts):
    """The part of `LeRobotDatasetMetadata` that reads."""

    _source: Dataset | None = None
    """What was given in place of a folder: a view, or an open dataset."""
    _dataset: Dataset | None = None
    _tasks: Any = UNREAD
    _episodes: Any = UNREAD
    _stats: Any = UNREAD
    _columns: pa.Table | None = None
    _listed: Any = None
    """What `episodes` gives, as long as nothing was assigned to it."""

    def _load_metadata(self) -> None:
        """Read the documents; tasks, episodes and statistics follow when they are used."""
        started = self._started() if self._source is None else None
        if started is None:
            self._load(self._opened())
        else:
            self._load_started(started)

    def _opened(self) -> Dataset:
        return open_dataset(self.root) if self._source is None else self._source

    @property
    def view(self) -> View | None:
        """The view that is read in place of a dataset; None for a dataset."""
        return self._source.view if isinstance(self._source, ViewDataset) else None

    def _started(self) -> Info | None:
        root = open_root(self.root)
        return started_info(root) if isinstance(root, LocalRoot) else None

    def _load_started(self, info: Info) -> None:
        """Take over a dataset without episodes: it has nothing but `info.json`."""
        self._forget()
        self.info = DatasetInfo.from_info(info)
        self._tasks = self._episodes = self._stats = None

    def take_saved(self) -> None:
        """Follow a recorder that saved an episode: read `info.json` now, the rest when it is used.

        Raises:
            DatasetError: `info.json` cannot be read safely.
        """
        data = LocalRoot(self.root).read(INFO)
        self._forget()
        self._tasks = self._stats = UNREAD
        info = parse_info(data, Problems(), defaults=usual_templates, files=())
        self.info = DatasetInfo.from_info(info)
        for name in ("total_episodes", "total_frames", "total_tasks"):
            setattr(self.info, name, whole_number(info.totals.get(name)) or 0)

    load_metadata = _load_metadata

    def _load(self, dataset: Dataset) -> None:
        self._forget()
        self._dataset = dataset
        self._tasks = self._stats = UNREAD
        self.info = DatasetInfo.from_info(dataset.model.info)
        self.info.total_episodes = dataset.total_episodes
        self.info.total_frames = dataset.total_frames
        self.info.total_tasks = len(dataset.tasks)

    def _forget(self) -> None:
        """Read episodes again when they are used next."""
        self._dataset = self._columns = self._listed = None
        self._episodes = UNREAD

    def __getstate__(self) -> dict[str, Any]:
        """What is small: the documents are read again where they are needed."""
        large = ("_dataset", "_columns", "_listed")
        return {name: value for name, value in vars(self).items() if name not in large}

    def ensure_readable(self) -> None:
        """Read what was written since the last reading."""
        if self._dataset is None:
            self._load_metadata()

    @property
    def dataset(self) -> Dataset:
        """The opened dataset; opened again after an episode was saved."""
        if self._dataset is None:
            self._dataset = self._opened()
        return self._dataset

    @property
    def episode_table(self) -> pa.Table:
        """One row per episode: v3.0's table of episodes without statistics, for any version."""
        if self._columns is None:
            self._columns = episode_columns(self.dataset)
        return self._columns

    @property
    def tasks(self) -> Any:
        """Texts as the index and a column `task_index`, as a DataFrame or `TaskList`; None without tasks."""
        if self._tasks is UNREAD:
            self._tasks = tasks_frame(self.dataset.tasks) if self.dataset.tasks else None
        return self._tasks

    @tasks.setter
    def tasks(self, value: Any) -> None:
        self._tasks = value

    @property
    def episodes(self) -> Any:
        """One row per episode: a `datasets.Dataset`, or an `EpisodeList`; None without episodes."""
        if self._episodes is not UNREAD:
            return self._episodes
        if self._listed is None and len(self.episode_table):
            self._listed = episodes_dataset(self.episode_table)
        return self._listed

    @episodes.setter
    def episodes(self, value: Any) -> None:
        self._episodes = value

    @property
    def stats(self) -> dict[str, dict[str, Array]] | None:
        """Statistics of the whole dataset by feature and name; None where none are stored."""
        if self._stats is UNREAD:
            self._stats = dict(self.dataset.stats()) or None
        found: dict[str, dict[str, Array]] | None = self._stats
        return found

    @stats.setter
    def stats(self, value: dict[str, dict[str, Array]] | None) -> None:
        self._stats = value

    def get_data_file_path(self, ep_index: int) -> Path:
        """The path of an episode's table, relative to the root.

        Raises:
            IndexError: there is no such episode.
        """
        return self._path(ep_index, DATA_PATH, self.info.data_path)

    def get_video_file_path(self, ep_index: int, vid_key: str) -> Path:
        """The path of an episode's video of a camera, relative to the root.

        Raises:
            IndexError: there is no such episode.
            KeyError: there is no such camera.
        """
        if vid_key not in self.video_keys:
            raise UnknownNameError(
                f"'{vid_key}' is not a video camera: expected one of {self.video_keys}"
            )
        return self._path(ep_index, video_path(vid_key), self.info.video_path or "", vid_key)

    def _path(self, episode: int, column: str, template: str, camera: str = "") -> Path:
        count = self.total_episodes
        if not -count <= episode < count:
            raise IndexError(f"episode {episode} is out of range: total_episodes is {count}")
        refuse_source(self._source, "asked for files, as it has none of its own")
        found = self.dataset.episodes[column][episode % count].as_py()
        return Path(
            found if found is not None else self._expected(episode % count, template, camera)
        )

    def _expected(self, episode: int, template: str, camera: str) -> str:
        """Where a file should be that is not there, such as before its download."""
        prefix = f"videos/{camera}" if camera else "data"
        numbers = self.episode_table.slice(episode, 1)
        chunk, file = (numbers[f"{prefix}/{n}_index"][0].as_py() for n in ("chunk", "file"))
        names = {"episode_chunk": chunk, "episode_index": file, "chunk_index": chunk}
        return fill(template, file_index=file, video_key=camera, **names)

    def filter_episodes(
        self, predicate: Callable[[dict[str, Json]], bool], candidates: Iterable[int] | None = None
    ) -> list[int]:
        """Indices of the episodes for which a function of the episode's row is true, ascending.

        Args:
            predicate: takes a row of `episodes`.
            candidates: look only at these episodes.
        """
        self.ensure_readable()
        among = None if candidates is None else {int(index) for index in candidates}
        rows = EpisodeList(self.episode_table)
        return [
            int(row[EPISODE])
            for row in rows
            if (among is None or row[EPISODE] in among) and predicate(row)
        ]

    def rescale_depth_stats(self, output_unit: str) -> None:
        """Convert statistics of depth cameras from the unit they were recorded in.

        A camera without a recorded unit keeps its statistics, with a warning.

        Args:
            output_unit: `m` or `mm`.
        """
        unknown = []
        for name in self.depth_keys:
            stored = (self.features[name].get("info") or {}).get("depth_unit")
            if stored is None:
                unknown.append(name)
            elif stored != output_unit and self.stats is not None and name in self.stats:
                factor = _MM_PER_M if stored == DEPTH_METER_UNIT else 1 / _MM_PER_M
                self.stats[name] = {
                    key: value if key == "count" else np.asarray(value * factor)
                    for key, value in self.stats[name].items()
                }
        if unknown:
            _LOG.warning(
                "the depth cameras %s have no 'depth_unit', so their frames and statistics are not"
                " converted. Set 'depth_unit' to 'm' or 'mm' in their 'info' in meta/info.json",
                unknown,
            )
