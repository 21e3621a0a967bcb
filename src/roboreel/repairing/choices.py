"""What the user decides where there are several ways to repair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from roboreel.dataset.dataset import Dataset
from roboreel.edit.tasks import TasksFrom, tasks_by_rows, tasks_of
from roboreel.edit.view import View
from roboreel.edit.write_options import require_choice
from roboreel.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairChoices:
    """Choices of the user.

    Args:
        tasks: the texts of the tasks by task index, where there is no task list.
        tasks_from: what counts where an episode lists other tasks than its rows have: `rows` or `episodes`.
        drop_missing_cameras: leave cameras out that have no video file.

    Raises:
        UsageError: a choice is unknown, or a text is given twice.
    """

    tasks: Sequence[str] = ()
    tasks_from: TasksFrom | None = None
    drop_missing_cameras: bool = False

    def __post_init__(self) -> None:
        if self.tasks_from is not None:
            require_choice("tasks_from", self.tasks_from, get_args(TasksFrom))
        if isinstance(self.tasks, str):
            raise UsageError(
                f"tasks is '{self.tasks}', expected a list of strings: ['{self.tasks}']"
            )
        if len(set(self.tasks)) < len(self.tasks):
            raise UsageError("two tasks have the same text")


def with_choices(dataset: Dataset, choices: RepairChoices) -> View:
    """The view of a dataset with the tasks and cameras that were chosen."""
    view = dataset.as_view()
    if choices.tasks_from == "episodes":
        view = _by_lists(view)
    if choices.drop_missing_cameras:
        missing = frozenset(dataset.missing_cameras)
        allowed = frozenset(view.options.allow_missing) | missing
        view = replace(view, options=replace(view.options, allow_missing=allowed))
    return view


def _by_lists(view: View) -> View:
    """The view with the task of the list in the rows, for episodes that list one."""
    numbers = view.numbers.tolist()
    pairs = zip(numbers, tasks_of(view), tasks_by_rows(view), strict=True)
    changed = {number: own[0] for number, own, rows in pairs if len(own) == 1 and own != rows}
    return view.set_tasks(episodes=changed) if changed else view
