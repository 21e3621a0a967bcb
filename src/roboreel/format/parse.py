"""What parsing the documents of all versions shares: JSON, `info.json`, tasks."""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from roboreel.errors import DatasetError, Problem, Severity
from roboreel.format.feature import Feature, is_feature_name
from roboreel.format.fps import parse_fps
from roboreel.format.json_types import Json, is_deep
from roboreel.format.model import INFO, Info
from roboreel.format.version import VERSIONS, FormatVersion

_KNOWN_KEYS = {
    "codebase_version", "fps", "robot_type", "features", "chunks_size", "data_path", "video_path",
    "data_files_size_in_mb", "video_files_size_in_mb", "splits",
    "total_episodes", "total_frames", "total_tasks", "total_videos", "total_chunks",
}  # fmt: skip


_LARGEST = 1 << 53
"""Beyond this, JSON numbers are no longer exact, and nothing in a dataset is as large."""


_MOST_ALIKE = 100_000
"""Problems of one rule that are kept one by one: a list of a million bad lines is bad in one way."""


@dataclass(slots=True)
class Problems:
    """Collects problems while documents are parsed; all errors are raised at once."""

    found: list[Problem] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=dict)
    _rest: dict[str, int] = field(default_factory=dict)
    """Where in `found` it says how many more there are of a rule."""

    def add(
        self,
        rule: str,
        message: str,
        *,
        severity: Severity = "warning",
        path: str | None = None,
        episode: int | None = None,
        column: str | None = None,
        action: str | None = None,
    ) -> None:
        """Note a problem."""
        self._seen[rule] = self._seen.get(rule, 0) + 1
        if self._seen[rule] > _MOST_ALIKE:
            self._count(rule, severity)
            return
        self.found.append(
            Problem(
                rule=rule,
                severity=severity,
                message=message,
                path=path,
                episode=episode,
                column=column,
                action=action,
            )
        )

    def _count(self, rule: str, severity: Severity) -> None:
        message = f"{self._seen[rule] - _MOST_ALIKE} more of this kind"
        more = Problem(rule=rule, severity=severity, message=message)
        if rule not in self._rest:
            self._rest[rule] = len(self.found)
            self.found.append(more)
        self.found[self._rest[rule]] = more

    def error(self, rule: str, message: str, **place: str | int | None) -> None:
        """Note a problem that leaves no sane meaning."""
        self.add(rule, message, severity="error", **place)  # type: ignore[arg-type]

    def raise_errors(self, summary: str) -> None:
        """Raise `DatasetError` with every error noted so far, if there is one."""
        errors = [problem for problem in self.found if problem.severity == "error"]
        if errors:  # what is behind a link is missing for that reason
            links = [problem for problem in self.found if problem.rule == "file.link"]
            raise DatasetError(summary, [*links, *errors])


_LFS = b"version https://git-lfs"


def parse_json(data: bytes, path: str) -> Json:
    """A JSON document; NaN tokens are taken as Python's parser takes them.

    Raises:
        DatasetError: it is not UTF-8, or not JSON.
    """
    if is_deep(data):
        raise _unreadable(path, "lists and objects within each other, more than 64 deep")
    try:
        value = json.loads(data.removeprefix(BOM_UTF8).decode())
        if b"\\u" in data:  # escapes can spell half a character, which no file can hold
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _unreadable(path, "a text holds half of a surrogate pair") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        if data.startswith(_LFS):
            reason = "a git-LFS pointer, not the document: run 'git lfs pull'"
            raise _unreadable(path, reason) from error
        where = f"line {error.lineno}, column {error.colno}"
        raise _unreadable(path, f"not JSON: {error.msg} at {where}") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"not JSON that can be read: {error}") from error
    return value


def parse_lines(data: bytes, path: str) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """(line number, object) of a JSON-lines document; blank lines are passed over.

    Raises:
        DatasetError: a line is no JSON object.
    """
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            yield number, parse_line(line, path, number)


def parse_line(line: bytes, path: str, number: int) -> Mapping[str, Json]:
    """The object in one line of a JSON-lines document.

    Raises:
        DatasetError: it is no JSON object.
    """
    value = parse_json(line, f"{path}, line {number}")
    if not isinstance(value, Mapping):
        raise _unreadable(f"{path}, line {number}", "not a JSON object")
    return value


def _unreadable(path: str, message: str) -> DatasetError:
    problem = Problem(rule="document.readable", severity="error", message=message, path=path)
    return DatasetError("a document of the dataset cannot be read", [problem])


def parse_info(
    data: bytes, problems: Problems, *, defaults: Callable[[FormatVersion], tuple[str, str]]
) -> Info:
    """`meta/info.json` of any version.

    Args:
        data: the document.
        problems: collects what is odd.
        defaults: gives a version's usual data and video path templates.

    Raises:
        DatasetError: a part without which nothing can be read is missing or wrong.
    """
    document = parse_json(data, INFO)
    if not isinstance(document, Mapping):
        raise _unreadable(INFO, "not a JSON object")
    _report_twins(data, problems)
    version = _version(document)
    storage = document.get("storage_format", "parquet")
    if storage != "parquet":
        problems.error(
            "info.storage-format",
            f"storage_format is '{storage}'; roboreel reads 'parquet'",
            path=INFO,
        )
        problems.raise_errors("the dataset is stored in another format")
    data_path, video_path = defaults(version)
    fps = document.get("fps")
    try:
        rate = parse_fps(fps)
    except ValueError as error:
        problems.error("info.fps", str(error), path=INFO)
        problems.raise_errors("the dataset's frame rate cannot be read")
        raise
    features = _features(document.get("features"), problems)
    has_video = any(feature.is_video for feature in features.values())
    return Info(
        version=version,
        fps=rate,
        fps_value=fps if isinstance(fps, (int, float)) else float(rate),
        robot_type=_robot_type(document.get("robot_type"), problems),
        features=features,
        chunks_size=_positive(document, "chunks_size", 1000, problems) or 1000,
        data_path=_optional_text(document.get("data_path")) or data_path,
        video_path=(_optional_text(document.get("video_path")) or video_path)
        if has_video
        else None,
        data_file_mb=_size_limit(document, "data_files_size_in_mb", problems),
        video_file_mb=_size_limit(document, "video_files_size_in_mb", problems),
        splits=document.get("splits"),
        totals={key: value for key, value in document.items() if key.startswith("total_")},
        extra={key: value for key, value in document.items() if key not in _KNOWN_KEYS},
    )


def _report_twins(data: bytes, problems: Problems) -> None:
    """Report keys that an object has twice."""

    def checked(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        times = Counter(key for key, _ in pairs)
        for key in [key for key, count in times.items() if count > 1]:
            message = f"an object has the key '{key}' twice"
            problems.add("document.keys", message, path=INFO, action="the last one counts")
        return dict(pairs)

    json.loads(data.decode("utf-8-sig"), object_pairs_hook=checked)


def _version(document: Mapping[str, Json]) -> FormatVersion:
    text = document.get("codebase_version")
    for version in VERSIONS:
        if text in (version.value, version.value[1:]):
            return version
    known = ", ".join(version.value for version in VERSIONS)
    message = f"codebase_version is {text!r}; roboreel reads {known}"
    problem = Problem(rule="info.version", severity="error", message=message, path=INFO)
    raise DatasetError("the dataset's format version is not supported", [problem])


def _features(document: Json, problems: Problems) -> dict[str, Feature]:
    if not isinstance(document, Mapping):
        problems.error("info.features", "'features' is missing or no object", path=INFO)
        problems.raise_errors("the dataset declares no features")
        return {}
    features = {}
    for name, spec in document.items():
        feature = _feature(str(name), spec)
        if feature is None:
            problems.error(
                "feature.declaration",
                "dtype must be a string and shape a list of positive whole numbers",
                path=INFO,
                column=str(name),
            )
        else:
            features[feature.name] = feature
    problems.raise_errors("features are not declared as the format has them")
    return features


def _feature(name: str, spec: Json) -> Feature | None:
    if not isinstance(spec, Mapping) or not isinstance(spec.get("dtype"), str):
        return None
    shape = spec.get("shape")
    dims = [shape] if isinstance(shape, int) else shape
    if not isinstance(dims, list) or not all(_whole(dim) and dim > 0 for dim in dims):
        return None
    if not is_feature_name(name):
        return None
    return Feature(name=name, dtype=spec["dtype"], shape=tuple(int(dim) for dim in dims), spec=spec)


def _optional_text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _robot_type(value: Json, problems: Problems) -> str | None:
    if value is None or isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    message = f"'robot_type' is {text}, expected a text"
    problems.add("info.robot-type", message, path=INFO, action="taken as its JSON text")
    return text


def _positive(
    document: Mapping[str, Json], key: str, default: int | None, problems: Problems
) -> int | None:
    value = document.get(key, default)
    if value is None:
        return default
    if not _whole(value) or value <= 0:
        problems.add(
            "info.number",
            f"'{key}' is {value!r}, expected a positive whole number",
            path=INFO,
            action=f"taken as {default}" if default else "ignored",
        )
        return default
    return int(value)


def _size_limit(document: Mapping[str, Json], key: str, problems: Problems) -> int | float | None:
    value = document.get(key)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is None or (number and 0 < value < _LARGEST):
        return value
    message = f"'{key}' is {value!r}, expected a positive number"
    problems.add("info.number", message, path=INFO, action="ignored")
    return None


def _whole(value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return abs(value) < _LARGEST and value == int(value)


def whole_number(value: Json) -> int | None:
    """`value` as an int where it is a whole number, else None."""
    return int(value) if _whole(value) else None


def parse_tasks(
    entries: Iterable[tuple[str, Mapping[str, Json]]], problems: Problems
) -> dict[int, str]:
    """Task text by index, from (place, object) pairs; ascending by index."""
    tasks: dict[int, str] = {}
    extra: set[str] = set()
    for place, entry in entries:
        index, text = whole_number(entry.get("task_index")), entry.get("task")
        if index is None or index < 0 or not isinstance(text, str):
            problems.error("task.entry", "needs a 'task_index' and a 'task' text", path=place)
        elif tasks.get(index, text) != text:
            message = f"task index {index} stands for two texts: '{tasks[index]}' and '{text}'"
            problems.error("task.unique", message, path=place)
        else:
            tasks[index] = text
            extra |= entry.keys() - {"task_index", "task"}
    if extra:
        message = f"tasks have more than an index and a text: {', '.join(sorted(extra))}"
        problems.add("task.fields", message, action="left out")
    indexes: dict[str, list[int]] = {}
    for index, text in tasks.items():
        indexes.setdefault(text, []).append(index)
    for text, same in sorted(item for item in indexes.items() if len(item[1]) > 1):
        message = f"task indexes {same} have the same text '{text}'"
        problems.add("task.duplicate", message, action="kept: columns may refer to either")
    return dict(sorted(tasks.items()))


def with_missing_tasks(
    tasks: dict[int, str], episodes: Iterable[tuple[int, list[str]]], problems: Problems
) -> dict[int, str]:
    """`tasks`, and after them the texts that only episodes name."""
    known = set(tasks.values())
    result = dict(tasks)
    index = max(result, default=-1)
    for episode, texts in episodes:
        for text in texts:
            if text not in known:
                index += 1
                result[index] = text
                known.add(text)
                message = f"task '{text}' is not in the task list"
                action = f"added to it as task index {index}"
                problems.add("task.unlisted", message, episode=episode, action=action)
    return result


def check_totals(info: Info, counted: Mapping[str, int], problems: Problems) -> None:
    """Report declared totals that differ from what is there."""
    for key, value in counted.items():
        declared = info.totals.get(key)
        if declared is not None and declared != value:
            message = f"'{key}' is {declared!r}, but there are {value}"
            problems.add("info.totals", message, path=INFO, action=f"taken as {value}")


def usable_splits(splits: Json, episodes: int, problems: Problems) -> dict[str, str]:
    """The declared splits where they are ranges of the episodes there are, else all as `train`."""
    if (
        isinstance(splits, Mapping)
        and splits
        and all(_inside(s, episodes) for s in splits.values())
    ):
        return {str(name): str(value) for name, value in splits.items()}
    everything = {"train": f"0:{episodes}"}
    if splits not in (None, {}) and episodes:
        message = f"'splits' is {json.dumps(splits)}, which are no ranges of {episodes} episodes"
        action = f"taken as {json.dumps(everything)}"
        problems.add("info.splits", message, path=INFO, action=action)
    return everything


def _inside(value: Json, episodes: int) -> bool:
    start, colon, stop = str(value).partition(":")
    if not (colon and start.strip().isdecimal() and stop.strip().isdecimal() and len(value) < 40):
        return False
    return int(start) <= int(stop) <= episodes
