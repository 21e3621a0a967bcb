"""Record a dataset frame by frame; each saved episode is complete on the disk."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from roboreel.edit.write_options import lists_options
from roboreel.errors import RoboreelError, RunError, UsageError, counted
from roboreel.format.feature import Feature
from roboreel.format.version import FormatVersion
from roboreel.recording.begin_recording import (
    cameras_of,
    local_folder,
    require_dataset_facts,
)
from roboreel.recording.camera_types import RecordedVideo
from roboreel.recording.compaction import Compact, compact_recording, require_compact
from roboreel.recording.episode_ledger import EpisodeLedger, known_fields, require_success
from roboreel.recording.record_options import RecordKeywords, RecordOptions
from roboreel.recording.recorded_features import FRAME_REPEATED, declared_features
from roboreel.recording.recorder_guard import OneCaller, close_at_exit
from roboreel.recording.take import Take
from roboreel.summary.summary import Summarized, Summary, named
from roboreel.types import Json, JsonObject
from roboreel.writing.append import EpisodeWriter, create_dataset, open_writer
from roboreel.writing.episode_commit import RecoveredSave
from roboreel.writing.episode_input import EpisodeInput, FinishedVideo
from roboreel.writing.recording_folder import RecordingFolder

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

_LOG = logging.getLogger(__name__)


class Recorder(Summarized):
    """Records episodes into one dataset, made by `create` or `resume`. One thread uses it.

    After each `save_episode` the dataset on the disk is complete; a killed process loses the episode in
    progress and no other. Another process can read the saved episodes at any time.

    Example:
        >>> import numpy, roboreel, tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp()) / "set"
        >>> features = {"action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]}}
        >>> with roboreel.Recorder.create(folder, fps=10, features=features) as recorder:
        ...     for _ in range(3):
        ...         recorder.add_frame({"action": numpy.zeros(2, "float32")}, task="pick")
        ...     recorder.save_episode(success=True)
        0
        >>> roboreel.open(folder).total_frames
        3
    """

    def __init__(
        self, folder: RecordingFolder, writer: EpisodeWriter, options: RecordOptions
    ) -> None:
        """Use `create` or `resume`."""
        self._folder, self._writer, self._options = folder, writer, options
        self._caller = OneCaller()
        features, fps = writer.features, float(writer.fps)
        gap = options.max_gap_s
        if gap is not None and FRAME_REPEATED not in features:
            raise UsageError(
                f"max_gap_s needs the column '{FRAME_REPEATED}', which a dataset only has if it was"
                " created with max_gap_s and a camera"
            )
        self._cameras = cameras_of(writer, options, folder)
        self._take = Take(
            features,
            self._cameras,
            folder,
            fps=fps,
            gap_frames=None if gap is None else math.floor(gap * fps + 1e-6),
        )
        self.interrupted_take = folder.keep("interrupted")
        """Where the frames of an episode are kept that a killed recording left; None where there are none."""
        self._discarded, self._largest_bytes = 0, 0
        self.last_save_s = 0.0
        """Seconds that the last `save_episode` took; 0 before the first."""
        self.last_sync_s = 0.0
        """Seconds of these that forcing the videos to the disk took."""
        self._open = True
        close_at_exit(self)

    @classmethod
    @lists_options(RecordOptions)
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        fps: float,
        features: Mapping[str, JsonObject],
        robot_type: str | None = None,
        version: str | FormatVersion = FormatVersion.V30,
        camera_info: Mapping[str, JsonObject] | None = None,
        source_timestamps: bool = False,
        interventions: bool = False,
        **options: Unpack[RecordKeywords],
    ) -> Self:
        """A recorder of a new dataset. The first `save_episode` makes it; before, there is none on the disk.

        Args:
            path: the folder; it is made, or is empty.
            fps: frames per second.
            features: `dtype`, `shape` and `names` by name, as in `info.json`. Cameras have the dtype `video`,
                or `image` to be stored as PNG in the table. Index columns are added.
            robot_type: the robot.
            version: v3.0 or v2.1.
            camera_info: what is known of cameras (intrinsics, extrinsics, anything else), by camera; kept in
                `info.json`, in the camera's `info` under `camera`.
            source_timestamps: add a column `source_timestamp` with each frame's `timestamp`, by default the
                time when it was added, in seconds. Otherwise timestamps are frame / fps.
            interventions: add a column `intervention` with who intervened in a frame.
            **options: the fields of `RecordOptions`.

        Raises:
            UsageError: the folder is not empty, it is being recorded, or an argument is wrong, such as a
                feature that is not declared as the format has it.
            StorageError: the folder cannot be made.
        """
        given, path = RecordOptions(**options), local_folder(path)
        require_dataset_facts(fps, robot_type)
        declared = declared_features(
            features,
            source_timestamps=source_timestamps,
            interventions=interventions,
            gaps=given.max_gap_s is not None,
            camera_info={} if camera_info is None else camera_info,
        )
        folder = RecordingFolder(path)
        with folder.released_on_error():
            writer = create_dataset(
                path, fps=fps, features=declared, version=version, robot_type=robot_type
            )
            return cls(folder, writer, given)

    @classmethod
    @lists_options(RecordOptions)
    def resume(cls, path: str | os.PathLike[str], **options: Unpack[RecordKeywords]) -> Self:
        """A recorder that adds episodes to an existing dataset, v3.0 or v2.1.

        An interrupted save is finished first: `recovered` tells of it.

        Args:
            path: the folder.
            **options: the fields of `RecordOptions`.

        Raises:
            UsageError: there is no dataset, it is being recorded, or episodes cannot be added to it.
            DatasetError: the dataset must be put in order first.
            StorageError: a file cannot be read or written.
        """
        given, path = RecordOptions(**options), local_folder(path)
        if not Path(path).is_dir():
            raise UsageError(f"'{path}': there is no dataset: make one with Recorder.create")
        folder = RecordingFolder(path)
        with folder.released_on_error():
            return cls(folder, open_writer(path), given)

    @property
    def features(self) -> Mapping[str, Feature]:
        """Declared features by name, index columns and the recorder's own included."""
        return self._writer.features

    @property
    def episodes(self) -> int:
        """Number of saved episodes in the dataset."""
        return self._writer.episodes

    @property
    def frames(self) -> int:
        """Frames of the episode in progress."""
        return self._take.rows

    @property
    def recovered(self) -> RecoveredSave | None:
        """The interrupted save that `resume` found, and what became of it."""
        return self._writer.recovered

    def add_frame(
        self,
        frame: Mapping[str, Any],
        *,
        task: str | None = None,
        intervention: str | None = None,
    ) -> None:
        """Add a frame to the episode in progress. Values are copied, and `frame` is not changed.

        Args:
            frame: a value per declared feature, index columns excluded. Images are NumPy arrays, torch
                tensors or PIL images, (H, W, C) or (C, H, W), uint8 or float from 0 to 1; or `EncodedFrame`s.
                With `max_gap_s` a camera may be missing or None. It may have `task` and `timestamp`.
            task: what the robot is told to do; by default `frame["task"]`.
            intervention: who intervened, in a dataset created with `interventions`.

        Raises:
            UsageError: the frame is not what the features declare; names the frame and the feature. Nothing
                of it was taken.
            SlowEncoderError: an encoder is too slow, with `when_slow="raise"`. Nothing was taken.
            RunError, VideoError: a camera fails, or was without a frame for too long.
            StorageError: the disk fails, or is nearly full before the first frame.
        """
        self._caller.enter()
        try:
            self._require_open()
            take = self._take
            if take.failed is not None:
                raise RunError(f"the episode cannot go on: {take.failed}") from take.failed
            if not take.rows:
                self._folder.require_room(self._options.min_free_mb * 1e6 + self._largest_bytes)
            take.add(frame, episode=self._number, task=task, intervention=intervention or "")
        finally:
            self._caller.leave()

    def _number(self) -> int:
        """The number of the episode in progress."""
        return self.episodes

    def save_episode(
        self, *, success: bool | None = None, fields: Mapping[str, Json] | None = None
    ) -> int:
        """Write the episode in progress and commit it; returns its number.

        When this returns, the episode is on the disk, and readers see it.

        Args:
            success: whether the episode is a success, for the column `success` of the table of episodes.
            fields: further columns of that table; all episodes have the same.

        Raises:
            UsageError: there is no frame, or a field cannot be stored or does not fit those of earlier
                episodes; the episode is still in progress.
            RunError: the episode cannot be saved, such as with a camera that lacks frames. It is kept aside,
                in a folder that the message names.
        """
        with self._caller.inside():
            self._require_open()
            if not self._take.rows:
                raise UsageError("there is no frame to save: call add_frame first")
            require_success(success)
            self._writer.require_fields(fields or {})  # before the cameras finish: the take goes on
            return self._save(success, fields or {})

    def _save(self, success: bool | None, fields: Mapping[str, Json]) -> int:
        begun, number = time.perf_counter(), self.episodes
        try:
            self._take.require_whole()
            videos = self._cameras.finish(self._take.rows)
            self._writer.append(self._episode(videos, success, fields))
        except Exception as error:  # a bug of ours must not cost the take either
            self._after_failure(error, number)
        except BaseException:  # Ctrl-C
            if self._saved() > number:
                self._take.clear()
            raise
        else:
            self._note_sizes(videos)
        self._take.clear()
        self._discarded = 0
        self.last_save_s = time.perf_counter() - begun
        return number

    def _episode(
        self,
        videos: Mapping[str, RecordedVideo],
        success: bool | None,
        fields: Mapping[str, Json],
    ) -> EpisodeInput:
        ledger = EpisodeLedger(
            success=success,
            discarded_takes=self._discarded,
            longest_gap_s=self._take.gaps.longest / float(self._writer.fps),
            previous_save_s=self.last_save_s,
        )
        known = self._writer.field_names
        own: dict[str, pa.Scalar | Json] = known_fields(ledger.fields(videos), known)
        images = self._cameras.images
        given = {name: video.stats for name, video in videos.items()}
        given |= {name: column.stats() for name, column in images.items()}
        measured = {name: stats for name, stats in given.items() if stats is not None}
        unmeasured = videos.keys() - measured.keys()
        return EpisodeInput(
            rows=self._take.rows,
            columns=self._take.columns(),
            videos={n: FinishedVideo(path=v.path, facts=v.facts) for n, v in videos.items()},
            images={name: column.images() for name, column in images.items()},
            task=self._take.tasks,
            stats=measured,
            unmeasured=frozenset() if self._options.measure_packets else frozenset(unmeasured),
            fields={**own, **fields},
        )

    def _after_failure(self, error: Exception, number: int) -> None:
        """Keep the take aside and raise, unless the episode was committed all the same."""
        if self._saved() > number:
            _LOG.warning("episode %d was saved in a second attempt: %s", number, error)
            return
        kept = self._take.keep_aside("refused", str(error), number)
        raise RunError(
            f"episode {number} is not saved: {error}; the take is kept in '{kept}'"
        ) from error

    def _saved(self) -> int:
        """How many episodes there are; the disk that failed may fail again."""
        try:
            return self.episodes
        except (RoboreelError, OSError):
            return -1

    def _note_sizes(self, videos: Mapping[str, RecordedVideo]) -> None:
        self._largest_bytes = max(self._largest_bytes, sum(v.size_bytes for v in videos.values()))
        self.last_sync_s = sum(video.sync_s for video in videos.values())

    def read_again(self) -> None:
        """Follow documents that the caller changed itself; features must be as they were."""
        self._writer.read_again()

    def discard_episode(self) -> None:
        """Give up the episode in progress; the next one's ledger counts it as a discarded take."""
        with self._caller.inside():
            self._require_open()
            if self._take.rows:
                self._discarded += 1
            self._take.forget()

    def finalize(self, compact: Compact = "auto") -> None:
        """End the recording, and join the small files of its episodes by copying packets and rows.

        Frames that were not saved are kept aside, with a warning. A second call does nothing.

        Args:
            compact: `auto` joins files where enough episodes came and the disk has room for a second copy;
                `always` joins them or raises; `never` leaves a file per episode and camera.

        Raises:
            UsageError: `compact` is something else.
            RoboreelError: with `always`: files cannot be joined. The recording is as it was.
        """
        require_compact(compact)
        with self._caller.inside():
            if not self._open:
                return
            self._open = False
            try:
                if self._take.rows:
                    kept = self._take.keep_aside("unsaved", "the recording ended", self._saved())
                    _LOG.warning("the frames of an episode that was not saved are in '%s'", kept)
            finally:
                self._cameras.close()
                self._folder.release()
        compact_recording(self._writer.path, compact)

    def abandon(self) -> None:
        """`finalize("never")` for a recorder that nobody finalized; raises nothing."""
        if getattr(self, "_open", False) and self._caller.at_home:
            with contextlib.suppress(Exception):
                self.finalize("never")

    __del__ = abandon

    def _require_open(self) -> None:
        if not self._open:
            raise UsageError("the recording is finalized: Recorder.resume goes on with it")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._caller.at_home:  # a forked process that leaves the block ends nothing
            self.finalize("auto" if error is None else "never")

    def _summary(self) -> Summary:
        cameras = [name for name, feature in self.features.items() if feature.is_camera]
        return Summary(
            f"Recorder of '{self._folder.path.parent}'",
            [
                ("saved", counted(self.episodes, "episode")),
                ("in progress", counted(self.frames, "frame")),
                ("cameras", named(cameras)),
            ],
        )
