"""Append episodes to a dataset: each is a few whole files and one commit, of a cost that never grows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

import pyarrow as pa

from roboreel.errors import UsageError
from roboreel.format.feature import Feature
from roboreel.format.model import INFO, Totals
from roboreel.format.version import FormatVersion, parse_version
from roboreel.stats.sampling import SamplingProfile
from roboreel.storage.fs import open_root
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import FileStat
from roboreel.types import Json, JsonObject
from roboreel.writing.commit_documents import NewEpisode, documents_of, field_columns
from roboreel.writing.dataset_state import DatasetState, merger_of, new_info, new_state, read_state
from roboreel.writing.episode_commit import RecoveredSave, commit, recover_commit
from roboreel.writing.episode_input import EpisodeInput
from roboreel.writing.partial_files import PartialFiles
from roboreel.writing.recording_folder import is_unused
from roboreel.writing.written_columns import require_names
from roboreel.writing.written_episode import write_episode


def create_dataset(
    path: str | os.PathLike[str],
    *,
    fps: float,
    features: Mapping[str, JsonObject],
    version: str | FormatVersion = FormatVersion.V30,
    robot_type: str | None = None,
) -> EpisodeWriter:
    """The writer of a new dataset in a new or empty folder.

    The first episode's commit writes its documents, and nothing is on the disk before: lerobot opens no
    dataset without episodes, of any version, and `roboreel.check` rightly misses its tasks and statistics.

    Args:
        path: the folder.
        fps: frames per second.
        features: `dtype`, `shape` and `names` by name, as in `info.json`; index columns are added.
        version: v3.0 or v2.1.
        robot_type: the robot.

    Raises:
        UsageError: the folder is not empty, the version or a feature is not one that can be written, or a
            feature is not declared as the format has it.
    """
    wanted = parse_version(version)
    if not wanted.has_episode_stats:
        raise UsageError(
            f"{wanted} has no statistics of single episodes: record a later version, and convert it"
        )
    location = os.fspath(path)
    if os.path.lexists(location) and not is_unused(location):
        holds = os.path.exists(os.path.join(location, INFO))
        hint = ": Recorder.resume adds episodes to the dataset in it" if holds else ""
        raise UsageError(f"'{location}' exists and is not an empty folder{hint}")
    info = new_info(fps=fps, features=features, version=wanted, robot_type=robot_type)
    return EpisodeWriter(LocalRoot(location), new_state(info), None)


def open_writer(path: str | os.PathLike[str]) -> EpisodeWriter:
    """The writer of a dataset that exists, v3.0 or v2.1.

    An interrupted append is finished first, or undone where files of it are gone; `recovered` tells of it.

    Raises:
        StorageError: there is no such folder.
        DatasetError: the dataset must be put in order first.
        UsageError: it is of a version, or in a place, where episodes cannot be appended.
    """
    root = open_root(path)
    if not isinstance(root, LocalRoot):
        raise UsageError(f"'{root.url}': episodes can only be appended on a local disk")
    recovered = recover_commit(root)
    seen = _stat_of_info(root)
    writer = EpisodeWriter(root, read_state(root), seen)
    writer.recovered = recovered
    return writer


class EpisodeWriter:
    """Appends episodes. Not to be shared by threads; one writer at a time for a dataset."""

    def __init__(self, root: LocalRoot, state: DatasetState, seen: FileStat | None) -> None:
        """Use `create_dataset` or `open_writer`."""
        self._root, self._begin = root, state
        self._seen = seen
        self._state: DatasetState | None = state
        self.recovered: RecoveredSave | None = None
        """The interrupted save that was found when the dataset was opened, and what became of it."""

    @property
    def episodes(self) -> int:
        """How many the dataset has."""
        return self._known().totals.episodes

    @property
    def features(self) -> Mapping[str, Feature]:
        """Declared features by name, index columns included."""
        return self._known().info.features

    @property
    def fps(self) -> Fraction:
        """Frames per second, exactly."""
        return self._known().info.fps

    @property
    def profile(self) -> SamplingProfile:
        """How the statistics of episodes are computed."""
        return self._known().profile

    @property
    def path(self) -> str:
        """The dataset's folder."""
        return self._root.url

    @property
    def field_names(self) -> frozenset[str] | None:
        """Further columns of the list of episodes; None before the first episode, which can bring any."""
        state = self._known()
        return frozenset(state.fields) if state.totals.episodes else None

    def read_again(self) -> None:
        """Go on from what is on the disk: the caller changed documents itself."""
        self._state = None

    def require_fields(self, fields: Mapping[str, Json | pa.Scalar]) -> None:
        """Raise `UsageError` where an episode with these further entries would be refused for them."""
        state = self._known()
        field_columns(state, fields, state.totals.episodes)

    def append(self, episode: EpisodeInput) -> int:
        """Write an episode and commit it; returns its number.

        When this returns, the episode is on the disk. When it raises, the dataset is as it was; or, where
        the disk failed in the middle of the commit, the next writer finishes it.

        Raises:
            UsageError: the episode does not fit the dataset (names the column or camera), or another writer
                has changed it.
            StorageError: a file cannot be read or written.
        """
        state = self._known()
        number = state.totals.episodes
        require_names(episode, state.info.features, number)
        fields = field_columns(state, episode.fields, number)
        files = PartialFiles(self._root)

        def begin() -> None:
            self._refuse_other_writer()
            self._state = None  # until the commit is done, only the disk knows

        with _discarded(files):
            new, features = write_episode(self._root, state, episode, fields, files)
            after = _state_with(state, new, features)
            documents = documents_of(after, new)
            commit(self._root, files, documents, ready=begin)
        after.files = {kind: number + 1 for kind, number in after.files.items()}
        self._state, self._seen = after, _stat_of_info(self._root)
        return number

    def _refuse_other_writer(self) -> None:
        """Raise `UsageError` where `info.json` is not the one that this writer read or wrote.

        Its files would take the names of the other's, and the other's episode would be lost.
        """
        if _stat_of_info(self._root) != self._seen:
            raise UsageError(
                f"'{self._root.url}' was changed by another writer: open it again, with one writer at a time"
            )

    def _known(self) -> DatasetState:
        if self._state is None:
            recover_commit(self._root)
            self._seen = _stat_of_info(self._root)
            self._state = read_state(self._root) if self._root.exists(INFO) else self._begin
        return self._state


def _stat_of_info(root: LocalRoot) -> FileStat | None:
    return root.stat(INFO) if root.exists(INFO) else None


def _state_with(
    state: DatasetState, new: NewEpisode, features: Mapping[str, Feature]
) -> DatasetState:
    """The state after one more episode, but for the numbers of the next files."""
    known = state.totals
    first = max(state.tasks.values(), default=-1) + 1
    tasks = state.tasks | {text: first + at for at, text in enumerate(new.new_tasks)}
    # a merger of its own: if the commit fails, `state` must not have the episode
    stats = merger_of(state.stats.result())
    stats.add_in_order(new.stats)
    return replace(
        state,
        info=replace(state.info, features=features),
        totals=Totals(known.episodes + 1, known.frames + new.rows, len(tasks)),
        tasks=tasks,
        splits=_extended(state.splits, known.episodes),
        stats=stats,
        fields={item.name: item for item in new.fields.schema},
    )


def _extended(splits: Mapping[str, str], episodes: int) -> dict[str, str]:
    """A split that has all episodes has the new one too; of several, which one is not for us to say."""
    ((name, value), *others) = splits.items()
    whole = value.replace(" ", "") == f"0:{episodes}" and not others
    return {name: f"0:{episodes + 1}"} if whole else dict(splits)


@contextmanager
def _discarded(files: PartialFiles) -> Iterator[None]:
    """Remove what is left of the files where the block ends badly."""
    try:
        yield
    except BaseException:
        files.discard()
        raise
