"""What `roboreel repair` does about each rule that `check` knows.

This is the only list: `check` names repairs from it, `repair` decides by it, `docs/repair.md` shows it. Tests
check that it has every rule, and that a repair leaves no problem of a rule that is always repaired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from roboreel.errors import Problem

Way: TypeAlias = Literal["yes", "where possible", "on request", "no"]
"""Whether a repair removes the problems of a rule. `yes`: always, because the dataset is written again.
`where possible`: those that can be repaired in only one way. `on request`: with an option. `no`: never."""

SKIP = 'on_broken="skip" leaves such episodes out'
DROP_CAMERAS = "drop_missing_cameras=True leaves such cameras out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What `repair` does about the problems of a rule."""

    rule: str
    repaired: Way
    does: str = ""
    """What is done unasked; empty if nothing is."""
    choice: str = ""
    """What the user can do about problems that are left; empty if none is left, or nothing helps."""

    @property
    def summary(self) -> str:
        """What is done, and what the user can do otherwise, in one line."""
        return "; otherwise ".join(part for part in (self.does, self.choice) if part)


def repair_of(problem: Problem) -> str | None:
    """What `roboreel repair` does about a problem, for `check`; None if nothing."""
    known = REPAIRS[problem.rule]
    return None if known.repaired == "no" else known.summary


def _always(rule: str, does: str, *, otherwise: str = "") -> Repair:
    return Repair(rule=rule, repaired="yes", does=does, choice=otherwise)


def _possible(rule: str, does: str, *, otherwise: str = "") -> Repair:
    return Repair(rule=rule, repaired="where possible", does=does, choice=otherwise)


def _asked(rule: str, choice: str) -> Repair:
    return Repair(rule=rule, repaired="on request", choice=choice)


def _never(rule: str, choice: str) -> Repair:
    return Repair(rule=rule, repaired="no", choice=choice)


_RECOMPUTED = "recomputed"
_STAYS = "left out of the result; the original keeps it"
_STAY = "left out of the result; the original keeps them"
_COUNTED = "recomputed"
_NEW_NUMBERS = "numbered 0, 1, 2, …"
_DECLARED = "declared as the tables store it"
_NOT_UNIFORM = "make the tables agree first: they store different types or shapes"
_RECORDED = "cannot be repaired: it was recorded like this"
_NOT_FOUND = "only reported by conversions"
_ALL = (
    _possible(
        "document.missing",
        "rebuilt: episodes from the tables, tasks from the episodes, `info.json` from all files",
        otherwise="tasks=[TEXT] gives the texts of a lost task list",
    ),
    _possible(
        "document.readable",
        "rebuilt from the other files; of a list, only an incomplete last line is left out",
        otherwise="fix the document by hand",
    ),
    _always("document.keys", "the last value is kept"),
    _possible(
        "info.version",
        "a missing version is detected from the files",
        otherwise="install a newer roboreel for a newer version",
    ),
    _never("info.storage-format", "only parquet can be read"),
    _possible(
        "info.fps",
        "set to the frame rate of the videos, or of the timestamps",
        otherwise="write the frame rate into meta/info.json",
    ),
    _possible("info.features", "declared from the tables and videos"),
    _always("info.number", "set to the default"),
    _always("info.path-template", "files are moved to their usual paths"),
    _always("info.totals", _COUNTED),
    _always("info.robot-type", "kept as its JSON text"),
    _always("info.splits", "one split `train` with all episodes"),
    _possible(
        "recording.unfinished",
        "the interrupted save is finished",
        otherwise="the episode in progress is lost if its files are gone",
    ),
    _always("file.unused", _STAYS),
    _always("file.link", _STAYS),
    _always("file.name", _STAYS),
    _possible(
        "feature.declaration",
        "declared from the tables",
        otherwise="correct the declaration in meta/info.json",
    ),
    _asked("feature.absent", "allow_missing=[NAME] leaves out an action, a state or a camera"),
    _always("feature.undeclared", "declared from the tables"),
    _asked("feature.unreadable", "drop_unreadable=True leaves out such columns"),
    _possible("feature.names", "flattened into one list"),
    _possible("feature.type", _DECLARED, otherwise=_NOT_UNIFORM),
    _always("feature.dtype", _DECLARED),
    _possible("feature.shape", _DECLARED, otherwise=_NOT_UNIFORM),
    _never("feature.frozen", f"{_RECORDED}; roboreel delete leaves episodes out"),
    _never("feature.component", _RECORDED),
    _possible("episode.entry", "rebuilt from the tables", otherwise="correct the entry by hand"),
    _possible("episode.columns", "rebuilt from the tables", otherwise="correct the table by hand"),
    _always("episode.fields", _STAY),
    _never("episode.unique", "remove the wrong entry from the list by hand"),
    _always("episode.contiguous", _NEW_NUMBERS),
    _always("episode.length", "set to the number of rows"),
    _always("episode.tasks", "taken from the rows"),
    _always("episode.range", _COUNTED),
    _always(
        "episode.unlisted",
        "added to the list if its rows and frames are complete; other rows are left out",
    ),
    _never("episode.duplicate", "roboreel delete leaves one of them out"),
    _never("task.entry", "give the entry an index and a text by hand"),
    _always("task.fields", _STAY),
    _never("task.unique", "remove the wrong text from the list by hand"),
    _never("task.duplicate", "roboreel tasks merges them"),
    _always("task.unlisted", "added to the task list"),
    _always("task.contiguous", f"{_NEW_NUMBERS}, in the rows too"),
    _always("task.by-rows", "written as the task list"),
    _asked("task.resolves", SKIP),
    _asked("task.rows", 'tasks_from="rows" or tasks_from="episodes" says which one is right'),
    _asked("table.missing", SKIP),
    _possible("table.readable", "the rows of an unfinished file are recovered", otherwise=SKIP),
    _asked("table.empty", SKIP),
    _asked("table.shared", SKIP),
    _always(
        "table.episode-rows",
        "the rows with its number are used if they are consecutive",
        otherwise=SKIP,
    ),
    _always("table.episode-index", "set to its number in the documents", otherwise=SKIP),
    _asked("table.columns", SKIP),
    _always(
        "table.types",
        "converted to the wider type",
        otherwise="make the types of the tables agree first",
    ),
    _always("table.layout", "stored as plain values"),
    _possible("table.plain-images", "stored as structs of bytes and path"),
    _never(
        "table.list-of-one",
        "v2.x readers accept both; roboreel convert --to v3.0 stores plain values",
    ),
    _always("table.index-columns", "added"),
    _always("table.frame-index", _COUNTED),
    _asked("table.row-order", SKIP),
    _always(
        "table.timestamps", "set to k / fps; the recorded times are kept in `source_timestamp`"
    ),
    _always("table.index", _COUNTED),
    _never("table.finite", "the values are lost: roboreel delete leaves episodes out"),
    _asked("video.missing", f"{SKIP}; {DROP_CAMERAS}"),
    _possible("video.readable", "the index of a cut-off video is rebuilt", otherwise=SKIP),
    _asked("video.shared", SKIP),
    _always("video.segment", "set to where the packets are"),
    _always("video.duration", "set to the episode's length"),
    _asked("video.overlap", SKIP),
    _asked("video.short", SKIP),
    _always("video.long", "frames after the last row are left out", otherwise=SKIP),
    _asked("video.rate", SKIP),
    _asked("video.keyframe", SKIP),
    _always("video.joined", "joined again so that every frame decodes"),
    _never("video.order", "record again, or encode the camera from its source"),
    _never("video.gop", _NOT_FOUND),
    _asked("video.audio", "drop_audio=True leaves out the sound"),
    _always("video.codec", "set to what the videos have"),
    _possible(
        "video.size",
        "set to what the videos have",
        otherwise="the videos of the camera differ in size: scale them with `roboreel encode SRC --size WxH`",
    ),
    _always("video.fps", "set to the frame rate of the dataset"),
    _always("video.times", "timestamps are set so that frame k is shown at k / fps"),
    _always("video.hidden", "left out, unless a used frame needs them for decoding"),
    _asked("video.decodes", f"decode=True with {SKIP}"),
    _never("video.black", _RECORDED),
    _never("video.frozen", _RECORDED),
    _never("stats.usable", _NOT_FOUND),
    _always("stats.agree", _RECOMPUTED),
    _always("stats.missing", "computed"),
    _always("stats.shape", _RECOMPUTED),
    _always("stats.finite", _RECOMPUTED),
    _always("stats.order", _RECOMPUTED),
    _always("stats.count", _RECOMPUTED),
    _always("stats.camera-overflow", _RECOMPUTED),
    _always("stats.std-rounding", _RECOMPUTED),
    _always("stats.numbering", _RECOMPUTED),
    _never("stats.like", _NOT_FOUND),
)
REPAIRS: Mapping[str, Repair] = {repair.rule: repair for repair in _ALL}
"""Repairs by rule, in the order of the rules."""
