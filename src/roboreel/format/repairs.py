"""What `roboreel repair` does about each rule that `check` knows.

This is the only list: `check` names repairs from it, `repair` decides by it, `docs/repair.md` shows it. Tests
hold that it has every rule, and that a repair leaves no problem of a rule that is always repaired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from roboreel.errors import Problem

Way: TypeAlias = Literal["yes", "where possible", "on request", "no"]
"""Whether problems of a rule are repaired: `yes`, by writing the dataset again; `where possible`, before
that, those for which there is only one way; `on request`, by an option."""

ON_BROKEN = "--on-broken skip leaves such episodes out"
DROP_CAMERAS = "--drop-missing-cameras leaves such cameras out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What `repair` does about the problems of a rule."""

    rule: str
    repaired: Way
    how: str
    """What is done; else the choice that the user has, or why there is none."""


def repair_of(problem: Problem) -> str | None:
    """What `roboreel repair` does about a problem, for `check`; None if nothing."""
    known = REPAIRS[problem.rule]
    return None if known.repaired == "no" else known.how


def _yes(rule: str, how: str) -> Repair:
    return Repair(rule=rule, repaired="yes", how=how)


def _some(rule: str, how: str) -> Repair:
    return Repair(rule=rule, repaired="where possible", how=how)


def _asked(rule: str, how: str) -> Repair:
    return Repair(rule=rule, repaired="on request", how=how)


def _no(rule: str, how: str) -> Repair:
    return Repair(rule=rule, repaired="no", how=how)


_RECOMPUTED = "recomputed"
_ALL = (
    _some(
        "document.missing",
        "episodes are listed from the tables, tasks from the episodes; `info.json` is made from all files",
    ),
    _some(
        "document.readable",
        "a torn last line is left out; statistics are recomputed; other documents are made again",
    ),
    _yes("document.keys", "the last one is kept"),
    _some("info.version", "a missing one is told by the files; a newer one needs a newer roboreel"),
    _no("info.storage-format", "only parquet can be read"),
    _some("info.fps", "the rate of the videos, else that of the timestamps"),
    _some("info.features", "declared from the tables and videos"),
    _yes("info.number", "the default"),
    _yes("info.path-template", "files get their usual places"),
    _yes("info.totals", "counted"),
    _yes("info.robot-type", "its JSON text"),
    _yes("info.splits", "one split `train` with all episodes"),
    _some("recording.unfinished", "finished, where its files are there"),
    _yes("file.unused", "left out; it stays in the original"),
    _yes("file.link", "left out; it stays in the original"),
    _yes("file.name", "left out; it stays in the original"),
    _some("feature.declaration", "declared from the tables"),
    _asked("feature.absent", "--allow-missing NAME leaves an action, a state or a camera out"),
    _yes("feature.undeclared", "declared from the tables"),
    _asked("feature.unreadable", "--drop-unreadable leaves such columns out"),
    _some("feature.names", "one list"),
    _some("feature.type", "declared as the tables hold it"),
    _yes("feature.dtype", "declared as the tables hold it"),
    _some("feature.shape", "declared as the tables hold it"),
    _no("feature.frozen", "recorded so: delete the episodes, or record again"),
    _no("feature.component", "recorded so"),
    _some("episode.entry", "made again from the tables"),
    _some("episode.columns", "made again from the tables"),
    _yes("episode.fields", "left out; they stay in the original"),
    _no("episode.unique", "remove the wrong entry from the list by hand"),
    _yes("episode.contiguous", "numbered 0, 1, 2, …"),
    _yes("episode.length", "the number of rows"),
    _yes("episode.tasks", "those of its rows"),
    _yes("episode.range", "counted"),
    _yes("episode.unlisted", "listed where its rows and frames are whole, else left out"),
    _no("episode.duplicate", "roboreel delete leaves one of them out"),
    _no("task.entry", "give the entry an index and a text by hand"),
    _yes("task.fields", "left out; they stay in the original"),
    _no("task.unique", "remove the wrong text from the list by hand"),
    _no("task.duplicate", "roboreel tasks joins them"),
    _yes("task.unlisted", "added to the task list"),
    _yes("task.contiguous", "numbered 0, 1, 2, …, in the rows too"),
    _yes("task.by-rows", "written as the task list"),
    _asked("task.resolves", ON_BROKEN),
    _asked("task.rows", "--tasks-from rows or --tasks-from episodes says which of them is right"),
    _asked("table.missing", ON_BROKEN),
    _some("table.readable", f"rows of an unfinished file are recovered; of others, {ON_BROKEN}"),
    _asked("table.empty", ON_BROKEN),
    _asked("table.shared", ON_BROKEN),
    _yes(
        "table.episode-rows", f"the rows with its number, where they are one run; else {ON_BROKEN}"
    ),
    _yes("table.episode-index", f"its number in the documents; of swapped files, {ON_BROKEN}"),
    _asked("table.columns", ON_BROKEN),
    _yes("table.types", "the wider type; where none holds both exactly, the repair is refused"),
    _yes("table.layout", "stored plainly"),
    _some("table.plain-images", "structs without a path"),
    _no("table.list-of-one", "v2.x readers take both: convert --to v3.0 stores plain values"),
    _yes("table.index-columns", "supplied"),
    _yes("table.frame-index", "counted"),
    _asked("table.row-order", ON_BROKEN),
    _yes("table.timestamps", "k / fps; the recorded ones stay in `source_timestamp`"),
    _yes("table.index", "counted"),
    _no("table.finite", "nobody knows the values: roboreel delete leaves episodes out"),
    _asked(
        "video.missing",
        f"frames that wait elsewhere are added; else {DROP_CAMERAS}, or {ON_BROKEN}",
    ),
    _some("video.readable", f"a file without an index gets one; of others, {ON_BROKEN}"),
    _asked("video.shared", ON_BROKEN),
    _yes("video.segment", "as the packets say"),
    _yes("video.duration", "`length` / fps after the first frame"),
    _asked("video.overlap", ON_BROKEN),
    _asked("video.short", ON_BROKEN),
    _yes(
        "video.long",
        f"frames after the last row are left out; where rows are missing before it, {ON_BROKEN}",
    ),
    _asked("video.rate", ON_BROKEN),
    _asked("video.keyframe", ON_BROKEN),
    _yes("video.joined", "written so that it decodes"),
    _no("video.order", "record again, or encode the camera from its source"),
    _no("video.gop", "only conversions can break it"),
    _asked("video.audio", "--drop-audio leaves sound out"),
    _yes("video.codec", "declared as the files have it"),
    _some("video.size", "declared as the files have it, where all have one size"),
    _yes("video.fps", "declared as the rate of the dataset"),
    _yes("video.times", "frame n at n / fps"),
    _yes("video.hidden", "left out, but for frames that shown ones need"),
    _asked("video.decodes", ON_BROKEN),
    _no("video.black", "recorded so"),
    _no("video.frozen", "recorded so"),
    _no("stats.usable", "only writing can break it"),
    _yes("stats.agree", _RECOMPUTED),
    _yes("stats.missing", _RECOMPUTED),
    _yes("stats.shape", _RECOMPUTED),
    _yes("stats.finite", _RECOMPUTED),
    _yes("stats.order", _RECOMPUTED),
    _yes("stats.count", _RECOMPUTED),
    _yes("stats.camera-overflow", _RECOMPUTED),
    _yes("stats.std-rounding", _RECOMPUTED),
    _yes("stats.numbering", _RECOMPUTED),
    _no("stats.like", "only writing can break it"),
)
REPAIRS: Mapping[str, Repair] = {repair.rule: repair for repair in _ALL}
"""Repairs by rule, in the order of the rules."""
