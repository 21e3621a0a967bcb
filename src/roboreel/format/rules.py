"""The list of rules: what each one requires, and its severity in `check` when it is violated.

This is the only list: `check --rules` prints it, `check` takes severities from it, and `docs/format/rules.md`
explains how conversions handle each rule. A test compares the page with this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roboreel.errors import Problem, Severity
from roboreel.format.version import FormatVersion

_RANK: Mapping[Severity, int] = {"note": 0, "warning": 1, "error": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A requirement for datasets."""

    id: str
    says: str
    check: Severity | None
    """The lowest severity in `check`; None if only writing can break the rule."""
    worst: Severity | None = None
    """The severity of its worst cases, if different."""
    fails_in: tuple[FormatVersion, ...] = ()
    """Versions whose readers fail or read something else if it is violated, which makes it an error."""

    @property
    def severities(self) -> str:
        """The severities in `check`, as text."""
        if self.check is None:
            return "–"
        text = f"{self.check} or {self.worst}" if self.worst else self.check
        return f"{text}; error in {', '.join(map(str, self.fails_in))}" if self.fails_in else text

    def severity(self, reported: Severity, version: FormatVersion | None) -> Severity:
        """The severity in `check` of a problem reported as `reported`."""
        least: Severity = "error" if version in self.fails_in else self.check or reported
        return max(least, reported, key=_RANK.__getitem__)


def judged(problem: Problem, version: FormatVersion | None) -> Severity:
    """The severity of a problem in `check` for a dataset's version, None if unknown."""
    return RULES[problem.rule].severity(problem.severity, version)


def _rule(
    rule: str,
    check: Severity | None,
    says: str,
    *,
    worst: Severity | None = None,
    fails_in: tuple[FormatVersion, ...] = (),
) -> Rule:
    return Rule(id=rule, says=says, check=check, worst=worst, fails_in=fails_in)


_V30 = (FormatVersion.V30,)
_ALL = (
    _rule(
        "document.missing",
        "error",
        "`info.json`, the list or table of episodes, and the task list exist",
    ),
    _rule(
        "document.readable",
        "error",
        "each document is UTF-8 JSON, nested at most 64 deep; each line of a list is a JSON object",
    ),
    _rule("document.keys", "warning", "no object in `info.json` has the same key twice"),
    _rule("info.version", "error", "`codebase_version` is `v2.0`, `v2.1` or `v3.0`"),
    _rule("info.storage-format", "error", "`storage_format`, if present, is `parquet`"),
    _rule("info.fps", "error", "`fps` is a positive number, at most 100000"),
    _rule("info.features", "error", "`features` is an object"),
    _rule("info.number", "warning", "`chunks_size` and the file sizes are positive"),
    _rule(
        "info.path-template", "error", "the path templates can be filled in and lead to the files"
    ),
    _rule("info.totals", "warning", "the `total_*` numbers match the files"),
    _rule("info.robot-type", "warning", "`robot_type` is a string or null"),
    _rule("info.splits", "warning", '`splits` are `"start:stop"` ranges of existing episodes'),
    _rule("recording.unfinished", "note", "no save of an episode is in progress or interrupted"),
    _rule(
        "file.unused", "warning", "every table and video file belongs to an episode", worst="error"
    ),
    _rule(
        "file.link",
        "warning",
        "links point inside the dataset, or from a Hugging Face cache snapshot to its blobs",
    ),
    _rule("file.name", "warning", "file names are UTF-8"),
    _rule(
        "feature.declaration",
        "error",
        "each feature has a `dtype` (a string), a `shape` of positive whole numbers, and a safe name",
    ),
    _rule(
        "feature.absent",
        "warning",
        "each declared feature has a column in the tables",
        fails_in=_V30,
    ),
    _rule(
        "feature.undeclared",
        "warning",
        "each column of the tables is declared as a feature",
        fails_in=_V30,
    ),
    _rule(
        "feature.unreadable", "warning", "lerobot can read each column (numbers, strings or images)"
    ),
    _rule("feature.names", "note", "the names of dimensions are one flat list"),
    _rule("feature.type", "error", "the stored type matches the declared kind (number or image)"),
    _rule("feature.dtype", "warning", "each column has its declared dtype"),
    _rule("feature.shape", "error", "each value has the declared shape"),
    _rule(
        "feature.frozen",
        "warning",
        "state and action change during each episode of ten or more rows",
    ),
    _rule(
        "feature.component",
        "note",
        "each component of state and action changes at least once in the dataset",
    ),
    _rule(
        "episode.entry",
        "error",
        "each episode has an `episode_index` of 0 or more and a `length` above 0",
    ),
    _rule(
        "episode.columns",
        "warning",
        "the table of episodes has all its columns, with valid whole numbers, and its files have the"
        " same columns",
        worst="error",
    ),
    _rule(
        "episode.fields",
        "note",
        "no extra episode field uses a name that v3.0 reserves for file positions and statistics",
        worst="warning",
    ),
    _rule("episode.unique", "error", "each episode is listed once"),
    _rule("episode.contiguous", "error", "episodes are numbered 0, 1, 2, …"),
    _rule("episode.length", "error", "the declared `length` equals the number of rows"),
    _rule("episode.tasks", "warning", "each episode lists its tasks"),
    _rule(
        "episode.range",
        "error",
        "`dataset_from_index` and `dataset_to_index` count rows continuously over all episodes",
    ),
    _rule("episode.unlisted", "error", "each row of a table belongs to a listed episode"),
    _rule("episode.duplicate", "note", "no two episodes have identical data"),
    _rule("task.entry", "error", "each task has a `task_index` of 0 or more and a `task` string"),
    _rule("task.fields", "warning", "each task has an index and a text, and nothing else"),
    _rule("task.unique", "error", "each task index has one text"),
    _rule("task.duplicate", "warning", "each task text has one index"),
    _rule("task.unlisted", "warning", "each task that an episode names is in the task list"),
    _rule("task.contiguous", "error", "task indexes are 0, 1, 2, … (needed to write v3.0)"),
    _rule(
        "task.by-rows",
        "warning",
        "there is a task list; without one, task texts are taken from episodes that have one index and"
        " one text",
    ),
    _rule(
        "task.resolves",
        "error",
        "each row's `task_index` is in the task list; without that column, the episode names a task",
    ),
    _rule(
        "task.rows",
        "note",
        "each episode lists exactly the tasks of its rows",
        worst="warning",
    ),
    _rule("table.missing", "error", "each episode's table file exists"),
    _rule("table.readable", "error", "each table file can be read"),
    _rule("table.empty", "error", "each episode's table has rows"),
    _rule("table.shared", "error", "no two episodes share a table file (v2.x)"),
    _rule(
        "table.episode-rows",
        "error",
        "the rows of an episode are consecutive, at the position that the documents give, and belong to"
        " it alone",
    ),
    _rule(
        "table.episode-index",
        "warning",
        "the rows of an episode's file have its number in `episode_index`",
        worst="error",
    ),
    _rule(
        "table.columns",
        "warning",
        "all tables have the same columns",
        worst="error",
    ),
    _rule("table.types", "warning", "each column has the same type in all tables", worst="error"),
    _rule("table.layout", "warning", "values are stored plainly (no dictionary or view types)"),
    _rule(
        "table.plain-images", "note", "images in tables are stored as structs of bytes and a path"
    ),
    _rule(
        "table.list-of-one",
        "warning",
        "numeric columns of shape `[1]` store plain values, not lists",
        fails_in=_V30,
    ),
    _rule(
        "table.index-columns",
        "warning",
        "the five index columns exist and are numeric",
        worst="error",
        fails_in=_V30,
    ),
    _rule("table.frame-index", "warning", "`frame_index` counts 0, 1, 2, … in each episode"),
    _rule(
        "table.row-order",
        "error",
        "rows are ordered by `frame_index` (or by timestamp without that column)",
    ),
    _rule("table.timestamps", "error", "the `timestamp` of frame k is k / fps, within 0.1 ms"),
    _rule(
        "table.index",
        "warning",
        "`index` counts the rows of the whole dataset: 0, 1, 2, …",
        fails_in=_V30,
    ),
    _rule("table.finite", "error", "no number is missing, NaN or infinite"),
    _rule("video.missing", "error", "the video files of each declared camera exist"),
    _rule(
        "video.readable",
        "error",
        "each video is a complete MP4 with one video track (in v3.0 it must exist)",
    ),
    _rule(
        "video.shared", "error", "no two cameras share a video file, and in v2.x no two episodes do"
    ),
    _rule(
        "video.segment",
        "error",
        "the declared start of an episode in its video matches the packets",
    ),
    _rule(
        "video.duration",
        "warning",
        "`to_timestamp` − `from_timestamp` is `length` / fps, within one frame",
    ),
    _rule("video.overlap", "error", "no video frame belongs to two episodes"),
    _rule("video.short", "error", "each row has a video frame"),
    _rule("video.long", "warning", "there are no more video frames than rows", worst="error"),
    _rule(
        "video.rate",
        "error",
        "a video with more or fewer frames than rows runs at the dataset's frame rate, within 5 %",
    ),
    _rule(
        "video.keyframe",
        "error",
        "the episode's first frame can be decoded from a keyframe that resets the decoder, or from the"
        " first packet",
    ),
    _rule(
        "video.joined",
        "error",
        "the frames of an episode decode the same inside a joined file as in a separate file",
    ),
    _rule(
        "video.order",
        "error",
        "where frames are shown in another order than they are decoded, their timestamps say so",
    ),
    _rule(
        "video.gop",
        None,
        "episodes can be cut at keyframes, without re-encoding (needed to write v2.x)",
    ),
    _rule("video.audio", "note", "the videos have no sound"),
    _rule("video.codec", "warning", "the declared codec matches the files"),
    _rule(
        "video.size",
        "error",
        "the declared shape matches the frame size, which is the same in all files",
    ),
    _rule("video.fps", "warning", "the declared `video.fps` equals the dataset's `fps`"),
    _rule("video.times", "error", "frame *n* of a video is shown at n / fps, within half a frame"),
    _rule("video.hidden", "note", "each video frame is used by an episode"),
    _rule("video.decodes", "error", "the sampled frames can be decoded"),
    _rule("video.black", "warning", "the sampled frames are not black"),
    _rule("video.frozen", "warning", "the sampled frames of each episode differ from each other"),
    _rule(
        "stats.usable",
        None,
        "the stored statistics of each episode are complete, have one shape, and count the right number"
        " of rows",
    ),
    _rule(
        "stats.agree",
        "warning",
        "the stored statistics match the data",
        worst="error",
    ),
    _rule("stats.missing", "warning", "each numeric feature and each camera has statistics"),
    _rule("stats.shape", "error", "statistics have the feature's shape, or (C, 1, 1) for a camera"),
    _rule("stats.finite", "error", "statistics are finite numbers"),
    _rule(
        "stats.order", "error", "min ≤ mean ≤ max, min ≤ q01 ≤ q10 ≤ q50 ≤ q90 ≤ q99 ≤ max, std ≥ 0"
    ),
    _rule(
        "stats.count",
        "warning",
        "`count` is the number of rows, or of sampled frames for a camera",
    ),
    _rule(
        "stats.camera-overflow",
        "error",
        "the std of a camera is free of the 8-bit overflow of lerobot 0.4.0 to 0.5.1",
    ),
    _rule(
        "stats.std-rounding",
        "warning",
        "std is free of the float32 rounding error of lerobot since 0.4.0",
    ),
    _rule(
        "stats.numbering",
        "warning",
        "the statistics of `index`, `episode_index` and `task_index` match the current numbering",
    ),
    _rule(
        "stats.like",
        None,
        "statistics recomputed as a release of lerobot does are also correct",
    ),
)
RULES: Mapping[str, Rule] = {rule.id: rule for rule in _ALL}
"""Rules by id, in the order of the page."""
