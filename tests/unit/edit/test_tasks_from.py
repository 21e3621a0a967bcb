"""Where episodes list other tasks than their rows have, choosing by task asks which counts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import roboreel
from roboreel.edit.tasks import TasksFrom, tasks_of_both
from roboreel.edit.view import View
from roboreel.testing import Version, make_dataset
from roboreel.testing.content import TASKS
from tests.mutate import edit_lines, edit_table
from tests.unit.cli.conftest import Roboreel
from tests.unit.cli.conftest import roboreel as command

__all__ = ["command"]
LENGTHS = (3, 2, 4, 1, 2, 2, 3)
"""Frames of the episodes; the last two have the first tasks again."""


def _list(root: Path, listed: dict[int, list[str]]) -> None:
    """Have episodes list other tasks than their rows have."""
    lines = root / "meta/episodes.jsonl"
    if lines.exists():
        edit_lines(
            lines,
            lambda all_: [
                {**line, "tasks": listed.get(line["episode_index"], line["tasks"])} for line in all_
            ],
        )
        return
    (path,) = (root / "meta/episodes").rglob("*.parquet")

    def told(table: pa.Table) -> pa.Table:
        strings = [listed.get(n, own) for n, own in enumerate(table["tasks"].to_pylist())]
        return table.set_column(table.column_names.index("tasks"), "tasks", pa.array(strings))

    edit_table(path, told)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tasks")
    return {
        version: make_dataset(folder / version, version=version, episodes=LENGTHS, cameras={})
        for version in ("v2.0", "v2.1", "v3.0")
    }


@pytest.fixture(params=["v2.0", "v2.1", "v3.0"])
def torn(request: pytest.FixtureRequest, sound: dict[str, Path], tmp_path: Path) -> Path:
    """A dataset whose first episode lists the task of the second, and its rows have their own."""
    shutil.copytree(sound[request.param], tmp_path / "source")
    _list(tmp_path / "source", {0: [TASKS[1]]})
    return tmp_path / "source"


def _rows(view: View) -> list[int]:
    return [int(row) for row in view.slices.row]


def _of_task(root: Path, task: str) -> list[int]:
    """Episodes whose rows have a task, by the tables alone."""
    dataset = roboreel.open(root)
    index = {text: at for at, text in dataset.tasks.items()}[task]
    spans = [(row, 0, -1) for row in range(len(LENGTHS))]
    tables = dataset.rows(spans, ["task_index"])
    return [row for row, table in enumerate(tables) if index in table["task_index"].to_pylist()]


CHOICES: dict[str, Callable[..., object]] = {
    "keep the task listed": lambda d, **by: d.keep(task=TASKS[1], **by),
    "keep the rows' task": lambda d, **by: d.keep(task=TASKS[0], **by),
    "delete": lambda d, **by: d.delete(task=TASKS[1], **by),
    "split": lambda d, **by: d.split_by_task(**by),
    "replace": lambda d, **by: d.set_tasks(replacing={TASKS[1]: "else"}, **by),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_by_task_is_refused(torn: Path, choice: str) -> None:
    with pytest.raises(roboreel.PlanError, match="tasks_from=") as caught:
        CHOICES[choice](roboreel.open(torn))
    (problem,) = caught.value.problems
    assert (problem.rule, problem.episode) == ("task.rows", 0)
    assert TASKS[0] in problem.message
    assert TASKS[1] in problem.message
    assert f"1 of {len(LENGTHS)} episodes" in str(caught.value)


def test_a_choice_goes_by_what_is_said_to_count(torn: Path) -> None:
    dataset, task = roboreel.open(torn), TASKS[1]
    by_rows = _of_task(torn, task)
    assert 0 not in by_rows
    assert _rows(dataset.keep(task=task, tasks_from="rows")) == by_rows
    assert _rows(dataset.keep(task=task, tasks_from="episodes")) == [0, *by_rows]
    rest = [row for row in range(len(LENGTHS)) if row not in by_rows]
    assert _rows(dataset.delete(task=task, tasks_from="rows")) == rest
    parts = dataset.split_by_task(tasks_from="rows")
    assert [_rows(view) for view in parts.values()] == [_of_task(torn, text) for text in TASKS]
    assert 0 in _rows(dataset.split_by_task(tasks_from="episodes")["fold_the_towel"])


def test_replaced_tasks_go_by_what_is_said_to_count(torn: Path, tmp_path: Path) -> None:
    dataset = roboreel.open(torn)
    by_choice: dict[TasksFrom, str] = {"rows": "else", "episodes": TASKS[0]}
    for counts, task in by_choice.items():
        view = dataset.set_tasks(replacing={TASKS[0]: "else"}, tasks_from=counts)
        roboreel.write(view, out=tmp_path / counts)
        found = roboreel.open(tmp_path / counts).tasks_of_rows()
        assert found[:2] == [[task], [TASKS[1]]]


def test_a_task_that_lists_and_rows_have_alike_can_be_chosen(torn: Path) -> None:
    dataset = roboreel.open(torn)
    assert _rows(dataset.keep(task=TASKS[2])) == _of_task(torn, TASKS[2])
    assert _rows(dataset.keep([0])) == [0]
    assert _rows(dataset.set_tasks("one").keep(task="one")) == [*range(len(LENGTHS))]


def test_a_task_that_only_lists_have_is_no_longer_there_by_rows(torn: Path) -> None:
    _list(torn, {0: ["never done"]})
    dataset = roboreel.open(torn)
    with pytest.raises(roboreel.PlanError, match="tasks_from="):
        dataset.keep(task="never done")
    with pytest.raises(roboreel.UsageError, match="no episode has the task 'never done'"):
        dataset.keep(task="never done", tasks_from="rows")
    with pytest.raises(roboreel.UsageError, match="tasks_from is 'lists'"):
        dataset.keep(task=TASKS[0], tasks_from="lists")  # type: ignore[arg-type]
    with pytest.raises(roboreel.UsageError, match="only makes sense with a task"):
        dataset.keep([0], tasks_from="rows")
    with pytest.raises(roboreel.UsageError, match="only makes sense with tasks to replace"):
        dataset.set_tasks("one", tasks_from="rows")


def test_a_further_text_of_a_list_only_counts_where_it_is_chosen(torn: Path) -> None:
    """As where other columns count in the list of tasks (`annotation.human.validity`)."""
    by_rows = roboreel.open(torn).tasks_of_rows()
    _list(torn, {n: [*own, "valid"] for n, own in enumerate(by_rows)})
    dataset = roboreel.open(torn)
    assert _rows(dataset.keep(task=TASKS[0])) == _of_task(torn, TASKS[0])
    assert len(dataset.split_by_task()) == len(TASKS)
    with pytest.raises(roboreel.PlanError, match="tasks_from="):
        dataset.keep(task="valid")


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_several_tasks_in_an_episode_agree_with_its_list(tmp_path: Path, version: Version) -> None:
    source = make_dataset(
        tmp_path / "a", version=version, episodes=(6, 6), cameras={}, tasks_per_episode=2
    )
    dataset = roboreel.open(source)
    for task in dataset.tasks.values():
        assert len(dataset.keep(task=task).slices) >= 1
    both = tasks_of_both(dataset.as_view())
    assert all(own == by_rows for own, by_rows in both)


def test_without_a_task_list_an_index_stands_for_what_episodes_say(torn: Path) -> None:
    for name in ("meta/tasks.jsonl", "meta/tasks.parquet"):
        (torn / name).unlink(missing_ok=True)
    dataset = roboreel.open(torn)
    by_rows = [[TASKS[n % len(TASKS)]] for n in range(len(LENGTHS))]
    assert dataset.tasks_of_rows() == [[], *by_rows[1:5], [], by_rows[6]]  # 0 and 5 contradict
    view = dataset.keep(task=TASKS[1])
    with pytest.raises(roboreel.PlanError, match="not in the task list"):
        roboreel.plan_write(view, out=torn.with_name("out"))


def test_rows_that_tell_nothing_leave_it_to_the_list(torn: Path) -> None:
    for path in (torn / "data").rglob("*.parquet"):
        path.write_bytes(b"no table")
    dataset = roboreel.open(torn)
    assert dataset.tasks_of_rows() == [[] for _ in LENGTHS]
    assert 0 in _rows(dataset.keep(task=TASKS[1]))


@pytest.mark.sample(1)
def test_commands_refuse_and_take_the_choice(command: Roboreel, torn: Path, tmp_path: Path) -> None:
    for words in (
        ["keep", torn, "--task", TASKS[1], "-o", tmp_path / "b"],
        ["split", torn, "--by-task", "-o", tmp_path / "b"],
        ["split", torn, "--by-task", "--as-splits", "-o", tmp_path / "b"],
        ["tasks", torn, "--replace", f"{TASKS[1]}=else", "-o", tmp_path / "b"],
        ["tasks", torn],
    ):
        refused = command(*words)
        assert refused.code == 1
        assert "--tasks-from" in refused.err
        assert not (tmp_path / "b").exists()
        for counts in ("rows", "episodes"):
            assert command(*words, "--tasks-from", counts).code == 0
            shutil.rmtree(tmp_path / "b", ignore_errors=True)


def test_tasks_and_episodes_are_listed_by_what_counts(command: Roboreel, torn: Path) -> None:
    def counts(by: str) -> dict[str, int]:
        out = command("tasks", torn, "--tasks-from", by, "--json").out
        return {one["task"]: one["episodes"] for one in json.loads(out)["tasks"]}

    by_rows = {text: len(_of_task(torn, text)) for text in TASKS}
    assert counts("rows") == by_rows
    moved = {TASKS[0]: by_rows[TASKS[0]] - 1, TASKS[1]: by_rows[TASKS[1]] + 1}
    assert counts("episodes") == {**by_rows, **moved}
    told = command("reorder", torn)
    assert told.code == 0
    assert f"rows: {TASKS[0]}; listed: {TASKS[1]}" in told.out
    assert "in 1 episode the episode list and the rows name different tasks" in told.err
    first = json.loads(command("keep", torn, "--json").out)["episodes"][0]
    assert (first["tasks"], first["tasks_of_rows"]) == ([TASKS[1]], [TASKS[0]])
    first = json.loads(command("keep", torn, "--json", "--tasks-from", "rows").out)["episodes"][0]
    assert first.pop("duration_s") == pytest.approx(LENGTHS[0] / 30, abs=1e-6)
    assert first == {"episode_index": 0, "length": LENGTHS[0], "tasks": [TASKS[0]]}
