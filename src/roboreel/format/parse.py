"""Parsing that the documents of all versions share: problems, JSON, tasks, totals, splits."""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from roboreel.errors import DatasetError, Problem, Severity
from roboreel.format.json_depth import is_deep
from roboreel.format.model import INFO, Info
from roboreel.types import Json

LARGEST = 1 << 53
"""JSON numbers are not exact beyond this, and nothing in a dataset is as large."""


_MOST_ALIKE = 100_000
"""Most problems of one rule to keep individually; the rest is only counted."""


@dataclass(slots=True)
class Problems:
    """Collects problems while documents are parsed; all errors are raised at once."""

    found: list[Problem] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=dict)
    _rest: dict[str, int] = field(default_factory=dict)
    """Position in `found` of the problem that counts the rest, by rule."""

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
        amount: float = 0.0,
    ) -> None:
        """Add a problem; `amount` is its severity among others of its rule."""
        self.put(
            Problem(
                rule=rule,
                severity=severity,
                message=message,
                path=path,
                episode=episode,
                column=column,
                action=action,
                amount=amount,
            )
        )

    def put(self, problem: Problem) -> None:
        """Add a problem that was found elsewhere."""
        rule = problem.rule
        self._seen[rule] = self._seen.get(rule, 0) + 1
        if self._seen[rule] > _MOST_ALIKE:
            self._count(rule, problem.severity)
            return
        self.found.append(problem)

    def _count(self, rule: str, severity: Severity) -> None:
        message = f"{self._seen[rule] - _MOST_ALIKE} more of this kind"
        more = Problem(rule=rule, severity=severity, message=message)
        if rule not in self._rest:
            self._rest[rule] = len(self.found)
            self.found.append(more)
        self.found[self._rest[rule]] = more

    def error(self, rule: str, message: str, **position: str | float | None) -> None:
        """Add an error: the dataset cannot be read safely."""
        self.add(rule, message, severity="error", **position)  # type: ignore[arg-type]

    def raise_errors(self, summary: str) -> None:
        """Raise `DatasetError` with every error added so far, if there is one."""
        errors = [problem for problem in self.found if problem.severity == "error"]
        if errors:  # a link in its folder may be the reason why a file is missing
            folders = {(problem.path or "").partition("/")[0] for problem in errors}
            links = [
                problem
                for problem in self.found
                if problem.rule == "file.link" and (problem.path or "").partition("/")[0] in folders
            ]
            raise DatasetError(summary, [*links, *errors])


_LFS = b"version https://git-lfs"


def parse_json(data: bytes, path: str) -> Json:
    """Parse a JSON document; NaN tokens are read as in Python's parser.

    Raises:
        DatasetError: the document is not UTF-8, or not JSON.
    """
    if not data.strip():
        raise unreadable(path, "the document is empty")
    if is_deep(data):
        raise unreadable(path, "lists and objects are nested more than 64 deep")
    try:
        value = json.loads(data.removeprefix(BOM_UTF8).decode())
        if b"\\u" in data:  # escapes can encode half of a surrogate pair, which no file can store
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise unreadable(
            path, "a string has half of a surrogate pair, which UTF-8 cannot store"
        ) from error
    except UnicodeDecodeError as error:
        raise unreadable(path, f"not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        if data.startswith(_LFS):
            reason = "this is a git-LFS pointer, not the document: run 'git lfs pull'"
            raise unreadable(path, reason) from error
        where = f"line {error.lineno}, column {error.colno}"
        raise unreadable(path, f"not JSON: {error.msg.removesuffix(' at')} at {where}") from error
    except (ValueError, RecursionError) as error:
        raise unreadable(path, f"the JSON cannot be read: {error}") from error
    return value


def parse_lines(data: bytes, path: str) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Yield (line number, object) of a JSON Lines document; blank lines are skipped.

    Raises:
        DatasetError: a line is not a JSON object.
    """
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            yield number, parse_line(line, path, number)


def parse_line(line: bytes, path: str, number: int) -> Mapping[str, Json]:
    """Parse the object in one line of a JSON Lines document.

    Raises:
        DatasetError: the line is not a JSON object.
    """
    value = parse_json(line, f"{path}, line {number}")
    if not isinstance(value, Mapping):
        raise unreadable(f"{path}, line {number}", "not a JSON object")
    return value


def unreadable(path: str, message: str) -> DatasetError:
    """The error for a document that cannot be read."""
    problem = Problem(rule="document.readable", severity="error", message=message, path=path)
    return DatasetError("a document of the dataset cannot be read", [problem])


def is_whole(value: Json) -> bool:
    """True for a whole number, even if written as 3.0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return abs(value) < LARGEST and value == int(value)


def whole_number(value: Json) -> int | None:
    """`value` as an int if it is a whole number, else None."""
    return int(value) if is_whole(value) else None


def report_no_tasks(path: str, what: str, problems: Problems) -> None:
    """Report that the task list has no task."""
    action = "the tasks listed by the episodes are used instead"
    problems.add("document.missing", f"the task list {what}", path=path, action=action)


def parse_tasks(
    entries: Iterable[tuple[str, Mapping[str, Json]]], problems: Problems
) -> dict[int, str]:
    """Task text by index, from (position, object) pairs; ascending by index."""
    tasks: dict[int, str] = {}
    extra: set[str] = set()
    for position, entry in entries:
        index, text = whole_number(entry.get("task_index")), entry.get("task")
        if index is None or index < 0 or not isinstance(text, str):
            problems.error(
                "task.entry",
                "a task needs a 'task_index' (0 or more) and a 'task' string",
                path=position,
            )
        elif tasks.get(index, text) != text:
            message = f"task index {index} has two texts: '{tasks[index]}' and '{text}'"
            problems.error("task.unique", message, path=position)
        else:
            tasks[index] = text
            extra |= entry.keys() - {"task_index", "task"}
    if extra:
        message = f"tasks have more than an index and a text: {', '.join(sorted(extra))}"
        problems.add(
            "task.fields",
            message,
            action="the other fields are left out when the dataset is written",
        )
    indexes: dict[str, list[int]] = {}
    for index, text in tasks.items():
        indexes.setdefault(text, []).append(index)
    for text, same in sorted(item for item in indexes.items() if len(item[1]) > 1):
        message = f"task indexes {same} have the same text '{text}'"
        problems.add(
            "task.duplicate", message, action="both are kept, because rows may refer to either"
        )
    return dict(sorted(tasks.items()))


def with_missing_tasks(
    tasks: dict[int, str], episodes: Iterable[tuple[int, list[str]]], problems: Problems
) -> dict[int, str]:
    """`tasks`, followed by texts that only episodes list."""
    known = set(tasks.values())
    result = dict(tasks)
    index = max(result, default=-1)
    for episode, strings in episodes:
        for text in strings:
            if text not in known:
                index += 1
                result[index] = text
                known.add(text)
                message = f"task '{text}' is not in the task list"
                action = f"it gets task index {index}, and is added to the list when the dataset is written"
                problems.add("task.unlisted", message, episode=episode, action=action)
    return result


def check_totals(info: Info, counted: Mapping[str, int], problems: Problems) -> None:
    """Report declared totals that differ from the counted ones."""
    for key, value in counted.items():
        declared = info.totals.get(key)
        if declared is not None and declared != value:
            message = f"'{key}' is {declared!r}, but the dataset has {value}"
            off = whole_number(declared)
            problems.add(
                "info.totals",
                message,
                path=INFO,
                action=f"{value} is used",
                amount=abs(off - value) if off is not None else 0,
            )


def usable_splits(splits: Json, episodes: int, problems: Problems) -> dict[str, str]:
    """The declared splits if they are ranges of existing episodes, else one split `train` of all episodes."""
    if (
        isinstance(splits, Mapping)
        and splits
        and all(_inside(s, episodes) for s in splits.values())
    ):
        return {str(name): str(value) for name, value in splits.items()}
    everything = {"train": f"0:{episodes}"}
    if splits not in (None, {}) and episodes:
        message = f"'splits' is {json.dumps(splits)}, but the dataset has {episodes} episodes"
        action = f"{json.dumps(everything)} is used"
        problems.add("info.splits", message, path=INFO, action=action)
    return everything


def _inside(value: Json, episodes: int) -> bool:
    start, colon, stop = str(value).partition(":")
    if not (colon and start.strip().isdecimal() and stop.strip().isdecimal() and len(value) < 40):
        return False
    return int(start) <= int(stop) <= episodes
