"""The ledger of an episode: what became of its frames, in columns of the table of episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from roboreel.errors import UsageError
from roboreel.recording.camera_types import RecordedVideo
from roboreel.types import Json

SUCCESS = "success"
_PREFIX = "recording/"


def require_success(success: object) -> None:
    """Raise `UsageError` unless it is True, False or None."""
    if success is not None and not isinstance(success, (bool, np.bool_)):
        raise UsageError(f"success is {success!r}, expected True, False or None")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeLedger:
    """What is noted of an episode beside its rows."""

    success: bool | None
    discarded_takes: int
    """Takes that were discarded since the episode before."""
    longest_gap_s: float
    """Longest time in which a camera gave no frame, and its last one was repeated."""
    previous_save_s: float
    """Seconds that saving the episode before took; 0 for the first one of a session."""

    def fields(self, videos: Mapping[str, RecordedVideo]) -> dict[str, pa.Scalar]:
        """The columns and their values.

        Args:
            videos: the finished video of each camera.
        """
        whole = {"discarded_takes": self.discarded_takes}
        seconds = {"longest_gap_s": self.longest_gap_s, "previous_save_s": self.previous_save_s}
        for name, video in videos.items():
            counts = video.counts
            whole[f"{name}/frames_given"] = counts.given
            whole[f"{name}/frames_encoded"] = counts.encoded
            whole[f"{name}/frames_repeated"] = counts.repeated
            whole[f"{name}/frames_spilled"] = counts.spilled
            whole[f"{name}/longest_identical"] = counts.longest_identical
            seconds[f"{name}/longest_wait_s"] = counts.longest_wait_s
        typed = {name: pa.scalar(value, pa.int64()) for name, value in whole.items()}
        typed |= {name: pa.scalar(value, pa.float64()) for name, value in seconds.items()}
        known = None if self.success is None else bool(self.success)
        success = {SUCCESS: pa.scalar(known, pa.bool_())}
        return success | {f"{_PREFIX}{name}": value for name, value in typed.items()}


def known_fields(
    fields: Mapping[str, pa.Scalar | Json], known: frozenset[str] | None
) -> dict[str, pa.Scalar | Json]:
    """The fields that the dataset's earlier episodes have too; all of them where it has no episode (None)."""
    return {name: v for name, v in fields.items() if known is None or name in known}
