"""Which tasks the episodes of a view have, by their lists or their rows; and other tasks in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np

from roboreel.edit.episode_slices import Retask
from roboreel.edit.view_data import AnyView, ViewData
from roboreel.edit.write_options import require_choice
from roboreel.errors import PlanError, Problem, UsageError, listed
from roboreel.format.model import TASKS
from roboreel.types import Int64

TasksFrom: TypeAlias = Literal["rows", "episodes"]
"""What counts where an episode lists other tasks than its rows have: the rows, or the list."""

_Strings: TypeAlias = Sequence[Sequence[str]]


def tasks_of(view: ViewData) -> list[list[str]]:
    """(n,) texts of the tasks that each episode lists."""
    return _of_slices(view, [s.model.episodes[TASKS].to_pylist() for s in view.sources])


def tasks_by_rows(view: ViewData) -> list[list[str]]:
    """(n,) texts of the tasks that the rows of each episode have; those listed where they tell nothing.

    Where an episode has several, those that it lists come first, in the order of its list. Reads the
    rows' `task_index`.
    """
    by_rows = _of_slices(view, [source.dataset.tasks_of_rows() for source in view.sources])
    found = []
    for own, strings in zip(tasks_of(view), by_rows, strict=True):
        first = [text for text in own if text in strings]
        found.append([*first, *(text for text in strings if text not in first)] or own)
    return found


def retold(strings: Sequence[str], chain: Sequence[Retask]) -> list[str]:
    """Texts after changes of tasks, each once."""
    for change in chain:
        strings = [change.of(text) for text in strings]
    return list(dict.fromkeys(strings))


def having_task(view: ViewData, task: str, tasks_from: TasksFrom | None) -> list[bool]:
    """(n,) True for the episodes with a task.

    Raises:
        UsageError: no episode has it.
        PlanError: lists and rows choose other episodes, and `tasks_from` does not say which counts.
    """
    strings = _resolved(view, tasks_from, lambda own: task in own)
    require_tasks(strings, [task])
    return [task in own for own in strings]


def first_tasks(view: ViewData, tasks_from: TasksFrom | None) -> list[str | None]:
    """(n,) the first task of each episode; None where it has none.

    Raises:
        PlanError: a list begins with a task that the rows do not have, and `tasks_from` does not say
            which counts.
    """
    strings = _resolved(view, tasks_from, lambda own: own[:1])
    return [own[0] if own else None for own in strings]


def tasks_of_both(view: ViewData) -> list[tuple[list[str], list[str]]]:
    """(n,) the tasks that each episode lists, and those of its rows: see `tasks_by_rows`."""
    strings = tasks_of(view)
    return list(zip(strings, tasks_by_rows(view) if _can_differ(view) else strings, strict=True))


def tasks_told(view: ViewData, tasks_from: TasksFrom | None) -> list[list[str]]:
    """(n,) the tasks of each episode, to be shown.

    Raises:
        PlanError: rows have a task that their episode does not list, and `tasks_from` does not say
            which counts.
    """
    _require_choice(tasks_from)
    if tasks_from == "episodes":
        return tasks_of(view)
    both = tasks_of_both(view)
    if tasks_from is None:
        _refuse(view, both, [not set(b) <= set(a) for a, b in both])
    return [by_rows if tasks_from == "rows" else own for own, by_rows in both]


def task_changes(
    view: ViewData,
    every: str | None,
    replacing: Mapping[str, str],
    episodes: Mapping[int, str],
    tasks_from: TasksFrom | None,
) -> list[tuple[Retask, Int64]]:
    """Changes of tasks, each with the positions of the episodes that get it: see `Verbs.set_tasks`."""
    if every is None and not replacing and not episodes:
        raise UsageError("give the tasks to set")
    for text in [every, *replacing.values(), *episodes.values()]:
        if text is not None and not _is_string(text):
            raise UsageError(f"a task must be a string, got {text!r}")
    if not replacing:
        refuse_tasks_from(tasks_from, "tasks to replace")
    strings: _Strings = [()] * len(view.slices)
    single = dict(zip(view.positions(episodes).tolist(), episodes.values(), strict=True))
    if replacing:
        strings = _resolved(
            view, tasks_from, lambda own: {text for text in own if text in replacing}
        )
        require_tasks(strings, replacing)
    replaced, same = Retask(strings=tuple(replacing.items())), Retask(every=every)
    changes: dict[Retask, list[int]] = {}
    for position, own in enumerate(strings):
        if position in single:
            changes.setdefault(Retask(every=single[position]), []).append(position)
        elif any(text in replacing for text in own):
            changes.setdefault(replaced, []).append(position)
        elif every is not None:
            changes.setdefault(same, []).append(position)
    return [(one, np.array(at, dtype=np.int64)) for one, at in changes.items()]


def with_tasks(view: AnyView, changes: Sequence[tuple[Retask, Int64]]) -> AnyView:
    """The view with other tasks: each change with the positions of the episodes that get it."""
    noted = [
        {
            "positions": at,
            **({"task": one.every} if one.every is not None else {"replacing": dict(one.strings)}),
        }
        for one, at in changes
    ]
    return view.having(slices=view.slices.retask(changes)).noting(view, "tasks", changes=noted)


def require_tasks(strings: _Strings, wanted: Iterable[str]) -> None:
    """Raise `UsageError` where no episode has a task."""
    known = list(dict.fromkeys(text for own in strings for text in own))
    unknown = [text for text in wanted if text not in known]
    if unknown:
        raise UsageError(
            f"no episode has the task {listed(unknown)}: the tasks are {listed(known)}"
        )


def refuse_tasks_from(tasks_from: TasksFrom | None, chooser: str) -> None:
    """Raise `UsageError` if it is given: without `chooser` no episode is chosen by its task."""
    if tasks_from is not None:
        raise UsageError(f'tasks_from="{tasks_from}" only makes sense with {chooser}')


def _require_choice(tasks_from: TasksFrom | None) -> None:
    if tasks_from is not None:
        require_choice("tasks_from", tasks_from, get_args(TasksFrom))


def _resolved(
    view: ViewData, tasks_from: TasksFrom | None, chosen: Callable[[Sequence[str]], object]
) -> list[list[str]]:
    """(n,) texts of each episode, by what counts; where nothing is said, `chosen` of both must agree."""
    _require_choice(tasks_from)
    if tasks_from == "episodes":
        return tasks_of(view)
    both = tasks_of_both(view)
    if tasks_from is None:
        _refuse(view, both, [chosen(a) != chosen(b) for a, b in both])
    return [by_rows if tasks_from == "rows" else own for own, by_rows in both]


def _refuse(
    view: ViewData, both: Sequence[tuple[list[str], list[str]]], differ: Sequence[bool]
) -> None:
    """Raise `PlanError` where lists and rows differ."""
    differing = [at for at, differs in enumerate(differ) if differs]
    if not differing:
        return
    numbers = view.numbers.tolist()
    problems = [
        Problem(
            rule="task.rows",
            severity="error",
            message=f"it lists {listed(both[at][0])}, but its rows have {listed(both[at][1])}",
            episode=numbers[at],
        )
        for at in differing
    ]
    raise PlanError(
        f"{len(differing)} of {len(view.slices)} episodes list other tasks than their rows have: say which"
        ' to use, with tasks_from="rows" or tasks_from="episodes"',
        problems,
    )


def _can_differ(view: ViewData) -> bool:
    """False where there is but one task, which every episode lists: rows are not read then."""
    for source in view.sources:
        strings = list(dict.fromkeys(source.model.tasks.values()))
        column = source.model.episodes[TASKS].to_pylist()
        if len(strings) != 1 or any(own != strings for own in column):
            return True
    return False


def _of_slices(view: ViewData, own: Sequence[_Strings]) -> list[list[str]]:
    """(n,) texts by piece, from those of each source's episodes, after changes of tasks."""
    slices = view.slices
    return [
        retold(own[source][row], chain)
        for source, row, chain in zip(
            slices.source.tolist(), slices.row.tolist(), slices.retasked, strict=True
        )
    ]


def _is_string(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())
