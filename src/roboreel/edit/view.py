"""A view: a dataset that is not written yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from roboreel.format.inventory import Int64
from roboreel.format.model import Model
from roboreel.format.version import FormatVersion

Timestamps: TypeAlias = Literal["regular", "keep"]
OnBroken: TypeAlias = Literal["fail", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to write, and what may be done for it."""

    version: FormatVersion
    data_file_mb: float | None = None
    """Soft limit of a table file in MiB of compressed input; None takes the dataset's, else 100."""
    video_file_mb: float | None = None
    """Soft limit of a video file in MiB; None takes the dataset's, else 200."""
    timestamps: Timestamps = "regular"
    """`regular`: irregular timestamps become k / fps, the originals are kept in a column beside."""
    on_broken: OnBroken = "fail"
    """What to do where episodes cannot be written: refuse with the list, or leave them out."""
    reencode: bool = False
    """Episodes of a camera that start inside a GOP may be re-encoded where nothing else is possible."""
    drop_audio: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An ordered choice of episodes, and the target they are to be written as."""

    source: str
    """Where the dataset lies."""
    model: Model = field(repr=False)
    rows: Int64 = field(repr=False)
    """Rows of `model.episodes`, in the order in which they are to be written."""
    target: Target

    def keep(self, rows: Int64) -> View:
        """The view of some of these episodes."""
        return replace(self, rows=rows)


def whole_view(source: str, model: Model, target: Target) -> View:
    """The view of a whole dataset: written with another target, it is a conversion."""
    return View(
        source=source,
        model=model,
        rows=np.arange(len(model.episodes), dtype=np.int64),
        target=target,
    )
