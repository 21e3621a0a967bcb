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
        "`info.json`, and the list or table of episodes, are there; so is the task list",
    ),
    _rule(
        "document.readable",
        "error",
        "a document is UTF-8 and JSON, at most 64 deep, a line of a list is a JSON object",
    ),
    _rule("document.keys", "warning", "an object in `info.json` has a key once"),
    _rule("info.version", "error", "`codebase_version` is `v2.0`, `v2.1` or `v3.0`"),
    _rule("info.storage-format", "error", "`storage_format`, where there, is `parquet`"),
    _rule("info.fps", "error", "`fps` is a positive number, at most 100000"),
    _rule("info.features", "error", "`features` is an object"),
    _rule("info.number", "warning", "`chunks_size` and the file sizes are positive"),
    _rule("info.path-template", "error", "a path template can be filled, and leads to the files"),
    _rule("info.totals", "warning", "the `total_*` numbers are those of what is there"),
    _rule("info.robot-type", "warning", "`robot_type` is a text or null"),
    _rule("info.splits", "warning", '`splits` are `"start:stop"` ranges of the episodes there are'),
    _rule("recording.unfinished", "note", "no save of an episode is under way or interrupted"),
    _rule("file.unused", "warning", "a table or video file belongs to an episode", worst="error"),
    _rule(
        "file.link",
        "warning",
        "links stay inside the dataset, or lead from a snapshot in a Hugging Face cache to its blobs",
    ),
    _rule("file.name", "warning", "names of files are UTF-8"),
    _rule(
        "feature.declaration",
        "error",
        "a feature has a `dtype` text, a `shape` of positive whole numbers and a safe name",
    ),
    _rule(
        "feature.absent", "warning", "a declared feature has a column in some table", fails_in=_V30
    ),
    _rule("feature.undeclared", "warning", "a column of a table is declared", fails_in=_V30),
    _rule("feature.unreadable", "warning", "lerobot can read a column: numbers, strings or images"),
    _rule("feature.names", "note", "names of dimensions are no lists in a list"),
    _rule("feature.type", "error", "a declared number or picture is one in the tables"),
    _rule("feature.dtype", "warning", "a column has the declared dtype"),
    _rule("feature.shape", "error", "every value has the declared shape"),
    _rule(
        "feature.frozen", "warning", "state and action change in each episode of ten rows and more"
    ),
    _rule(
        "feature.component",
        "note",
        "each component of state and action changes somewhere in the dataset",
    ),
    _rule(
        "episode.entry",
        "error",
        "an entry has an `episode_index` of 0 or more and a `length` above 0",
    ),
    _rule(
        "episode.columns",
        "warning",
        "the table of episodes has its columns, sane whole numbers in them, and its files fit together",
        worst="error",
    ),
    _rule(
        "episode.fields",
        "note",
        "a field of an episode has no name that v3.0 uses for places and statistics",
        worst="warning",
    ),
    _rule("episode.unique", "error", "an episode is listed once"),
    _rule("episode.contiguous", "error", "episodes are numbered 0, 1, 2, …"),
    _rule("episode.length", "error", "the stated `length` is the number of rows"),
    _rule("episode.tasks", "warning", "an episode lists its tasks"),
    _rule(
        "episode.range",
        "error",
        "`dataset_from_index` and `dataset_to_index` count the rows of all episodes on",
    ),
    _rule("episode.unlisted", "error", "every row of a table is one of a listed episode"),
    _rule("episode.duplicate", "note", "no two episodes hold the same numbers"),
    _rule("task.entry", "error", "an entry has a `task_index` of 0 or more and a `task` text"),
    _rule("task.fields", "warning", "a task has an index and a text, nothing else"),
    _rule("task.unique", "error", "a task index stands for one text"),
    _rule("task.duplicate", "warning", "a text has one index"),
    _rule("task.unlisted", "warning", "a text that an episode names is in the task list"),
    _rule("task.contiguous", "error", "task indexes are 0, 1, 2, … where v3.0 is written"),
    _rule(
        "task.by-rows",
        "warning",
        "where there is no task list, episodes with one index and one text tell what an index stands for",
    ),
    _rule(
        "task.resolves",
        "error",
        "every row's `task_index` is in the task list; without that column the episode names a task",
    ),
    _rule(
        "task.rows",
        "note",
        "an episode lists the tasks of its rows, and no others",
        worst="warning",
    ),
    _rule("table.missing", "error", "the episode's table file is there"),
    _rule("table.readable", "error", "the table file can be read"),
    _rule("table.empty", "error", "the table of an episode has rows"),
    _rule("table.shared", "error", "each episode has a table file of its own"),
    _rule(
        "table.episode-rows",
        "error",
        "the episode's rows are one unbroken run, where the documents say, and no other episode's",
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
        "a column that some tables have is in every table",
        worst="error",
    ),
    _rule("table.types", "warning", "a column has one type in all tables", worst="error"),
    _rule(
        "table.layout", "warning", "values are stored plainly: as no dictionary, and as no views"
    ),
    _rule("table.plain-images", "note", "images in tables are structs of bytes and a path"),
    _rule(
        "table.list-of-one",
        "warning",
        "a column of numbers of shape `[1]` holds plain values",
        fails_in=_V30,
    ),
    _rule(
        "table.index-columns",
        "warning",
        "the five index columns are there, and hold numbers",
        worst="error",
        fails_in=_V30,
    ),
    _rule("table.frame-index", "warning", "`frame_index` counts 0, 1, 2, … in each episode"),
    _rule(
        "table.row-order",
        "error",
        "rows stand in the order of their `frame_index`, or of their timestamps where there is none",
    ),
    _rule("table.timestamps", "error", "`timestamp` is k / fps within 0.1 ms"),
    _rule(
        "table.index",
        "warning",
        "`index` counts on over the rows of the whole dataset",
        fails_in=_V30,
    ),
    _rule("table.finite", "error", "numbers are there and finite"),
    _rule("video.missing", "error", "declared cameras have their files"),
    _rule(
        "video.readable",
        "error",
        "a video file is an MP4 with one video track, whole; in v3.0 also: is there",
    ),
    _rule(
        "video.shared", "error", "no two cameras share a video file, and in v2.x no two episodes"
    ),
    _rule(
        "video.segment",
        "error",
        "the stated first frame of an episode is the one that the packets give",
    ),
    _rule(
        "video.duration",
        "warning",
        "`to_timestamp` − `from_timestamp` is `length` / fps, within a frame",
    ),
    _rule("video.overlap", "error", "a frame belongs to one episode"),
    _rule("video.short", "error", "there is a frame for every row"),
    _rule("video.long", "warning", "there is no frame more than rows", worst="error"),
    _rule(
        "video.rate",
        "error",
        "a file whose number of frames is not that of the rows runs at the dataset's rate, within 5 %",
    ),
    _rule(
        "video.keyframe",
        "error",
        "a keyframe that resets the decoder, or the first packet, is at or before the episode's first frame",
    ),
    _rule(
        "video.joined",
        "error",
        "an episode's frames decode after those before it in the file as they do in a file of their own",
    ),
    _rule(
        "video.order",
        "error",
        "frames that the stream shows in another order than it decodes them have times that say so",
    ),
    _rule(
        "video.gop",
        None,
        "an episode can be cut out by whole packets where the target has a file per episode",
    ),
    _rule("video.audio", "note", "videos have no sound"),
    _rule("video.codec", "warning", "the declared codec is that of the files"),
    _rule(
        "video.size", "error", "the declared shape is that of the pictures, the same in all files"
    ),
    _rule("video.fps", "warning", "the declared `video.fps` is the rate of the dataset"),
    _rule("video.times", "error", "frame *n* of a file is shown at n / fps, to half a frame"),
    _rule("video.hidden", "note", "a file holds no frame that no episode shows"),
    _rule("video.decodes", "error", "the sampled pictures can be decoded"),
    _rule("video.black", "warning", "the sampled pictures are not black"),
    _rule("video.frozen", "warning", "the sampled pictures of an episode change"),
    _rule(
        "stats.usable",
        None,
        "the stored statistics of an episode are whole, of one shape, and of as many rows as there are",
    ),
    _rule(
        "stats.agree",
        "warning",
        "stored statistics of the whole dataset are those of the data",
        worst="error",
    ),
    _rule("stats.missing", "warning", "every numeric feature and every camera has statistics"),
    _rule("stats.shape", "error", "statistics have the shape of the feature, cameras (C, 1, 1)"),
    _rule("stats.finite", "error", "statistics are finite numbers"),
    _rule(
        "stats.order", "error", "min ≤ mean ≤ max, min ≤ q01 ≤ q10 ≤ q50 ≤ q90 ≤ q99 ≤ max, std ≥ 0"
    ),
    _rule(
        "stats.count",
        "warning",
        "`count` is the number of rows, of a camera that of its sampled pictures",
    ),
    _rule(
        "stats.camera-overflow",
        "error",
        "the std of a camera is not that of wrapped 8-bit squares, as lerobot 0.4.0 to 0.5.1 has it",
    ),
    _rule(
        "stats.std-rounding",
        "warning",
        "std is not what float32 leaves of a difference of squares, as lerobot has it since 0.4.0",
    ),
    _rule(
        "stats.numbering",
        "warning",
        "statistics of `index`, `episode_index`, `task_index` are of the numbers there are",
    ),
    _rule(
        "stats.like",
        None,
        "the release of lerobot that recomputed statistics are to be like is right about them",
    ),
)
RULES: Mapping[str, Rule] = {rule.id: rule for rule in _ALL}
"""Rules by id, in the order of the page."""
