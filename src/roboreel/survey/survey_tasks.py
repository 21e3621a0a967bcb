"""Resolve the tasks of rows and episodes, also where the documents are incomplete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roboreel.dataset.row_tasks import tasks_by_index
from roboreel.format.model import TASKS
from roboreel.survey.findings import Findings
from roboreel.survey.survey_tables import TablesFound


@dataclass(frozen=True, slots=True)
class TasksFound:
    """The task list and the tasks of every episode, from rows and documents together."""

    tasks: Mapping[int, str]
    of_episodes: list[list[str]]


def survey_tasks(tables: TablesFound, findings: Findings) -> TasksFound:
    """Compare the rows' task indexes with the documents.

    Without a task list, an index gets the text of the episodes that have only this index and list only this
    text; episodes with other indexes are broken. An episode that lists no task gets the tasks of its rows.
    """
    dataset = findings.dataset
    listed: list[list[str]] = dataset.episodes[TASKS].to_pylist()
    tasks = dict(dataset.tasks)
    if not dataset.model.has_task_list:
        by_rows = any(tables.task_indexes)
        tasks = _tasks_by_rows(tables, listed, findings) if by_rows else tasks
    known = set(tasks)
    for row, indexes in enumerate(tables.task_indexes):
        if row in findings.broken:
            continue
        unknown = sorted(set(indexes) - known)
        if unknown:
            message = f"its rows have the task_index {unknown}, which is not in the task list"
            findings.add_broken([row], "task.resolves", message)
        elif not indexes and not listed[row]:
            message = "it has neither a task_index column nor a listed task"
            findings.add_broken([row], "task.resolves", message)
    return TasksFound(tasks, _tasks_of_episodes(tables, listed, tasks, findings))


def _tasks_by_rows(
    tables: TablesFound, listed: list[list[str]], findings: Findings
) -> dict[int, str]:
    found = tasks_by_index(tables.task_indexes, listed)
    if not found:
        return {}
    used = set(found.values())
    unused = [t for strings in listed for t in strings if t not in used]
    open_indexes = {i for indexes in tables.task_indexes for i in indexes} - set(found)
    top = max([*found, *open_indexes], default=-1)
    for offset, text in enumerate(dict.fromkeys(unused), start=1):
        found[top + offset] = text
    message = "there is no task list"
    action = "the text of each task_index is taken from the episodes that have only this one"
    findings.problems.add("task.by-rows", message, action=action)
    return dict(sorted(found.items()))


def _tasks_of_episodes(
    tables: TablesFound,
    listed: list[list[str]],
    tasks: Mapping[int, str],
    findings: Findings,
) -> list[list[str]]:
    result = []
    supplied = 0
    for indexes, strings in zip(tables.task_indexes, listed, strict=True):
        by_rows = [] if strings else [tasks[index] for index in indexes if index in tasks]
        supplied += bool(by_rows)
        result.append(strings or by_rows)
    if supplied:
        message = f"{supplied} episodes list no task"
        action = "the tasks of their rows are listed when the dataset is written"
        findings.problems.add("episode.tasks", message, action=action)
    return result
