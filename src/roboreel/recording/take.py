"""The episode in progress: its rows in memory, its videos in files."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.errors import RoboreelError, RunError, UsageError
from roboreel.format.feature import SOURCE_TIMESTAMP, TIMESTAMP, Feature
from roboreel.recording.camera_set import CameraSet, Gaps
from roboreel.recording.camera_types import SlowEncoderError
from roboreel.recording.frame_checks import CheckedFrame, FrameChecker, require_frame
from roboreel.recording.recorded_features import FRAME_REPEATED, INTERVENTION, own_features
from roboreel.recording.row_columns import RowColumn, row_column
from roboreel.storage.local import LocalRoot
from roboreel.storage.tables.tables_write import write_table
from roboreel.writing.recording_folder import RecordingFolder

_ROWS, _REASON = "rows.parquet", "reason.json"
_TOLERANCE_S = 1e-3
_NOTHING: Mapping[str, Any] = {}


class Take:
    """The episode in progress. A frame is taken whole or not at all."""

    def __init__(
        self,
        features: Mapping[str, Feature],
        cameras: CameraSet,
        folder: RecordingFolder,
        *,
        fps: float,
        gap_frames: int | None,
    ) -> None:
        """Prepare for frames of these features.

        Args:
            features: all features of the dataset.
            cameras: their cameras.
            folder: where videos are written.
            fps: frames per second.
            gap_frames: most frames in a row that a camera may lack; None: none.
        """
        own = own_features(features)
        self._checker = FrameChecker(own)
        self._columns: dict[str, RowColumn] = {
            name: row_column(f) for name, f in own.items() if not f.is_camera
        }
        self._fills = not {SOURCE_TIMESTAMP, INTERVENTION, FRAME_REPEATED}.isdisjoint(own)
        self._cameras, self._folder, self._fps = cameras, folder, fps
        names = [name for name, f in own.items() if f.is_camera]
        self.gaps = Gaps(0 if gap_frames is None else gap_frames, names)
        self.tasks: list[str] = []
        """The task of each row."""
        self.failed: RoboreelError | None = None
        """Why it cannot be saved."""
        self._episode = 0

    @property
    def rows(self) -> int:
        """Frames so far."""
        return len(self.tasks)

    def add(
        self,
        frame: Mapping[str, Any],
        *,
        episode: Callable[[], int],
        task: str | None,
        intervention: str,
    ) -> None:
        """Take a frame; `episode` gives the number of the episode that a first one begins.

        Raises:
            UsageError: it is not what the features declare; nothing was taken.
            SlowEncoderError: an encoder is too slow, with `raise`; nothing was taken.
            RunError, VideoError, StorageError: a camera fails: the take cannot be saved any more. Of a first
                frame nothing was taken.
        """
        rows = len(self.tasks)
        require_frame(frame, rows)
        missing = self.gaps.missing(frame)
        own = _NOTHING
        if self._fills or intervention or frame.get(TIMESTAMP) is not None:
            own = self._own_values(frame, missing, intervention)
        checked = self._checker.checked(frame, number=rows, task=task, own=own, may_lack=missing)
        try:
            if missing:
                self.gaps.require(missing, number=rows, episode=self._episode)
            if not rows:
                self._begin(episode())
            self._cameras.put(checked.values)
        except (UsageError, SlowEncoderError):
            if not rows:
                self.forget()
            raise  # no camera has taken the frame
        except BaseException as error:
            self._fail(error)
            raise
        try:
            self._cameras.send(checked.values)
            self._take_row(checked, missing)
        except BaseException as error:
            self._fail(error)
            raise
        self._cameras.warn_of_frozen(self._episode, rows + 1)

    def _begin(self, episode: int) -> None:
        self._episode = episode
        self._folder.begin()
        self._cameras.begin(self._folder.video, episode)

    def _fail(self, error: BaseException) -> None:
        """Some cameras may have the frame and others not: only a take without frames can go on."""
        if not self.rows:
            self.forget()
            return
        if isinstance(error, RoboreelError):
            self.failed = error
        else:
            self.failed = RunError(f"frame {self.rows} was interrupted: {error!r}")

    def _take_row(self, checked: CheckedFrame, missing: frozenset[str]) -> None:
        self.gaps.count(missing)
        for name, column in self._columns.items():
            column.add(checked.values[name])
        self.tasks.append(checked.task)

    def _own_values(
        self, frame: Mapping[str, Any], missing: frozenset[str], intervention: str
    ) -> dict[str, Any]:
        """Values of the columns that the recorder fills."""
        found: dict[str, Any] = {}
        given = frame.get(TIMESTAMP)
        seconds = None if given is None else _seconds(given, self.rows)
        expected = self.rows / self._fps
        if SOURCE_TIMESTAMP in self._columns:
            found[SOURCE_TIMESTAMP] = time.time() if seconds is None else seconds
        elif seconds is not None and abs(seconds - expected) > _TOLERANCE_S:
            raise UsageError(
                f"frame {self.rows}, 'timestamp': {seconds:g}, expected {expected:g} (frame / fps);"
                " source_timestamps=True keeps other times in a column of their own"
            )
        if INTERVENTION in self._columns:
            found[INTERVENTION] = intervention
        elif intervention:
            raise UsageError(
                f"frame {self.rows}: the dataset has no column '{INTERVENTION}':"
                " create it with interventions=True"
            )
        if FRAME_REPEATED in self._columns:
            found[FRAME_REPEATED] = np.array([name in missing for name in self.gaps.cameras])
        return found

    def require_whole(self) -> None:
        """Raise the error that keeps the take from being saved."""
        if self.failed is not None:
            raise self.failed

    def columns(self) -> dict[str, pa.Array]:
        """The values of every feature that is neither a camera nor an index column."""
        return {name: column.column() for name, column in self._columns.items()}

    def keep_aside(self, reason: str, why: str, episode: int) -> str | None:
        """Put what there is into a folder of its own, and forget it; returns the folder.

        It has the videos (those that could be finished with an index), the rows, and the reason.
        """
        self._cameras.finish_what_can_be()
        with suppress(Exception):  # on a full disk, or after a bug, the videos are what can be kept
            root = LocalRoot(self._folder.take)
            write_table(root, _ROWS, self._rows_to_keep())
            note = {"reason": why, "episode": episode, "frames": self.rows, "fps": self._fps}
            root.put(_REASON, json.dumps(note, indent=1).encode())
        kept = self._folder.keep(reason)
        self.forget()
        return kept

    def _rows_to_keep(self) -> pa.Table:
        """The rows with their tasks and images; an interrupted frame has no row in some columns."""
        columns: dict[str, Any] = {**self.columns(), "task": pa.array(self.tasks, pa.string())}
        for name, column in self._cameras.images.items():
            columns[name] = pa.array(column.images(), pa.binary())
        whole = min(len(column) for column in columns.values())
        return pa.table({name: column.slice(0, whole) for name, column in columns.items()})

    def forget(self) -> None:
        """Give up the take."""
        self._cameras.discard()
        self.clear()

    def clear(self) -> None:
        """Begin another take; the videos belong to the dataset now."""
        for column in self._columns.values():
            column.clear()
        self._cameras.clear()
        self.gaps.clear()
        self.tasks, self.failed = [], None


def _seconds(given: Any, number: int) -> float:
    """A frame's timestamp as a number."""
    try:
        seconds = float(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"frame {number}, 'timestamp': got {type(given).__name__}, expected seconds as a number"
        ) from error
    if not math.isfinite(seconds):
        raise UsageError(f"frame {number}, 'timestamp': {seconds:g}, expected seconds as a number")
    return seconds
