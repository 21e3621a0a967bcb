"""What `roboreel repair` does about each rule that `check` knows.

This is the only list: `check` names repairs from it, `repair` decides by it, `docs/repair.md` shows it. Tests
hold that it has every rule, and that a repair leaves no problem of a rule that is always repaired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ON_BROKEN = "--on-broken skip leaves such episodes out"
DROP_CAMERAS = "--drop-missing-cameras leaves such cameras out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What `repair` does about the problems of a rule."""

    rule: str
    always: bool
    """True if there is only one way, so that it is done unasked."""
    how: str
    """What is done; else the choice that the user has, or why there is none."""


def _repaired(rule: str, how: str) -> Repair:
    return Repair(rule=rule, always=True, how=how)


def _left(rule: str, how: str) -> Repair:
    return Repair(rule=rule, always=False, how=how)


_RECOMPUTED = "recomputed"
_ALL = (
    _repaired(
        "document.missing",
        "episodes are listed from the tables, tasks from the episodes; `info.json` is made from all files",
    ),
    _repaired(
        "document.readable",
        "a torn last line is left out; statistics are recomputed; other documents are made again",
    ),
    _repaired("document.keys", "the last one is kept"),
    _left("info.version", "a newer version needs a newer roboreel"),
    _left("info.storage-format", "only parquet can be read"),
    _repaired("info.fps", "the rate of the videos, else that of the timestamps"),
    _repaired("info.features", "declared from the tables and videos"),
    _repaired("info.number", "the default"),
    _repaired("info.path-template", "files get their usual places"),
    _repaired("info.totals", "counted"),
    _repaired("info.robot-type", "its JSON text"),
    _repaired("info.splits", "one split `train` with all episodes"),
    _repaired("file.unused", "left out; it stays in the original"),
    _repaired("file.link", "left out; it stays in the original"),
    _repaired("file.name", "left out; it stays in the original"),
    _repaired("feature.declaration", "declared from the tables"),
    _left("feature.absent", "--allow-missing NAME leaves an action, a state or a camera out"),
    _repaired("feature.undeclared", "declared from the tables"),
    _left("feature.unreadable", "--drop-unreadable leaves such columns out"),
    _repaired("feature.type", "declared as the tables hold it"),
    _repaired("feature.dtype", "declared as the tables hold it"),
    _repaired("feature.shape", "declared as the tables hold it"),
    _left("feature.frozen", "recorded so: delete the episodes, or record again"),
    _left("feature.component", "recorded so"),
    _repaired("episode.entry", "made again from the tables"),
    _repaired("episode.columns", "made again from the tables"),
    _repaired("episode.fields", "left out; they stay in the original"),
    _left("episode.unique", "remove the wrong entry from the list by hand"),
    _repaired("episode.contiguous", "numbered 0, 1, 2, …"),
    _repaired("episode.length", "the number of rows"),
    _repaired("episode.tasks", "those of its rows"),
    _repaired("episode.range", "counted"),
    _repaired("episode.unlisted", "listed, where its rows and frames are whole"),
    _left("episode.duplicate", "roboreel delete leaves one of them out"),
    _left("task.entry", "give the entry an index and a text by hand"),
    _repaired("task.fields", "left out; they stay in the original"),
    _left("task.unique", "remove the wrong text from the list by hand"),
    _left("task.duplicate", "roboreel tasks joins them"),
    _repaired("task.unlisted", "added to the task list"),
    _repaired("task.contiguous", "numbered 0, 1, 2, …, in the rows too"),
    _repaired("task.by-rows", "written as the task list"),
    _left("task.resolves", ON_BROKEN),
    _left("task.rows", "--tasks-from rows or --tasks-from episodes says which of them is right"),
    _left("table.missing", ON_BROKEN),
    _repaired(
        "table.readable", "rows of an unfinished file are recovered; others are left out on request"
    ),
    _left("table.empty", ON_BROKEN),
    _left("table.shared", ON_BROKEN),
    _repaired("table.episode-rows", "the rows with its number"),
    _repaired("table.episode-index", "its number in the documents"),
    _left("table.columns", ON_BROKEN),
    _repaired("table.types", "the wider type, where it holds both exactly"),
    _repaired("table.layout", "stored plainly"),
    _left("table.list-of-one", "v2.x readers take both: convert --to v3.0 stores plain values"),
    _repaired("table.index-columns", "supplied"),
    _repaired("table.frame-index", "counted"),
    _left("table.row-order", ON_BROKEN),
    _repaired("table.timestamps", "k / fps; the recorded ones stay in `source_timestamp`"),
    _repaired("table.index", "counted"),
    _left(
        "table.finite", "nobody knows the values: --on-broken does not apply, roboreel delete does"
    ),
    _left("video.missing", f"{DROP_CAMERAS}; {ON_BROKEN}"),
    _repaired("video.readable", "a file without an index gets one; others are left out on request"),
    _left("video.shared", ON_BROKEN),
    _repaired("video.segment", "as the packets say"),
    _repaired("video.duration", "`length` / fps after the first frame"),
    _left("video.overlap", ON_BROKEN),
    _left("video.short", ON_BROKEN),
    _repaired("video.long", "frames after the last row are left out"),
    _left("video.rate", ON_BROKEN),
    _left("video.keyframe", ON_BROKEN),
    _repaired("video.joined", "written so that it decodes"),
    _left("video.order", "record again, or encode the camera from its source"),
    _left("video.gop", "only conversions can break it"),
    _left("video.audio", "--drop-audio leaves sound out"),
    _repaired("video.codec", "declared as the files have it"),
    _repaired("video.size", "declared as the files have it, where all have one size"),
    _repaired("video.fps", "declared as the rate of the dataset"),
    _repaired("video.times", "frame n at n / fps"),
    _repaired("video.hidden", "left out, but for frames that shown ones need"),
    _left("video.decodes", ON_BROKEN),
    _left("video.black", "recorded so"),
    _left("video.frozen", "recorded so"),
    _left("stats.usable", "only writing can break it"),
    _repaired("stats.agree", _RECOMPUTED),
    _repaired("stats.missing", _RECOMPUTED),
    _repaired("stats.shape", _RECOMPUTED),
    _repaired("stats.finite", _RECOMPUTED),
    _repaired("stats.order", _RECOMPUTED),
    _repaired("stats.count", _RECOMPUTED),
    _repaired("stats.camera-overflow", _RECOMPUTED),
    _repaired("stats.std-rounding", _RECOMPUTED),
    _repaired("stats.numbering", _RECOMPUTED),
    _left("stats.like", "only writing can break it"),
)
REPAIRS: Mapping[str, Repair] = {repair.rule: repair for repair in _ALL}
"""Repairs by rule, in the order of the rules."""
