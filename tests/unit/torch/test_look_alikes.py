from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from roboreel.torch.metadata import episode_list, task_list
from roboreel.torch.metadata.episode_list import EpisodeList
from roboreel.torch.metadata.task_list import TaskList, tasks_frame, tasks_of_frame

TASKS = {0: "push", 2: "pull"}


def test_tasks_have_the_access_of_a_frame() -> None:
    tasks = tasks_frame(TASKS)
    assert isinstance(tasks, TaskList)
    assert len(tasks) == 2
    assert "pull" in tasks.index
    assert tasks.index.tolist() == ["push", "pull"]
    assert tasks.iloc[1].name == "pull"
    assert tasks.iloc[1]["task_index"] == tasks.loc["pull"].task_index == 2
    assert tasks.loc["pull", "task_index"] == 2
    assert tasks["task_index"].tolist() == tasks.task_index.tolist() == [0, 2]
    assert [text for text, _ in tasks.iterrows()] == ["push", "pull"]
    assert not tasks.empty
    assert tasks_of_frame(tasks) == TASKS


def test_a_task_or_column_that_is_not_there_is_a_key_error() -> None:
    tasks = tasks_frame(TASKS)
    with pytest.raises(KeyError, match="no task 'lift'"):
        tasks.loc["lift"]
    with pytest.raises(KeyError, match="no column 'text'"):
        tasks["text"]


def test_tasks_are_a_pandas_frame_where_pandas_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def frame(columns: dict[str, Any], index: Any) -> tuple[dict[str, Any], Any]:
        return columns, index

    pandas = SimpleNamespace(DataFrame=frame, Index=lambda texts, name: (name, texts))
    monkeypatch.setattr(task_list, "optional_package", lambda *_: pandas)
    assert tasks_frame(TASKS) == ({"task_index": [0, 2]}, ("task", ["push", "pull"]))


@pytest.fixture
def episodes() -> EpisodeList:
    return EpisodeList(pa.table({"length": [3, 4, 5], "tasks": [["a"], ["a", "b"], []]}))


def test_episodes_have_the_access_of_a_dataset(episodes: EpisodeList) -> None:
    assert episodes[1] == {"length": 4, "tasks": ["a", "b"]}
    assert episodes[-1]["length"] == 5
    assert episodes["length"] == [3, 4, 5]
    assert episodes[:2] == {"length": [3, 4], "tasks": [["a"], ["a", "b"]]}
    assert episodes[::-1]["length"] == [5, 4, 3]
    assert episodes[[2, 0]]["length"] == [5, 3]
    assert [row["length"] for row in episodes] == [3, 4, 5]
    assert (len(episodes), episodes.shape, episodes.num_columns) == (3, (3, 2), 2)
    assert episodes.column_names == ["length", "tasks"]


def test_episodes_are_chosen_and_filtered(episodes: EpisodeList) -> None:
    assert episodes.select([2, 2])["length"] == [5, 5]
    assert episodes.select_columns("length").column_names == ["length"]
    found = episodes.filter(lambda row: row["length"] > 3, keep_in_memory=True)
    assert found["length"] == [4, 5]
    assert found.to_list()[0]["tasks"] == ["a", "b"]


def test_an_episode_out_of_range_or_unknown_column_is_named(episodes: EpisodeList) -> None:
    with pytest.raises(IndexError, match="episode 3 is out of range: total_episodes is 3"):
        episodes[3]
    with pytest.raises(KeyError, match="no column 'weight'"):
        episodes["weight"]


def test_episodes_are_a_dataset_where_datasets_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = SimpleNamespace(
        Dataset=lambda table: ("dataset", table),
        table=SimpleNamespace(InMemoryTable=lambda table: ("memory", table.num_rows)),
    )
    monkeypatch.setattr(episode_list, "optional_package", lambda *_: made)
    table = pa.table({"length": [1, 2]})
    assert episode_list.episodes_dataset(table) == ("dataset", ("memory", 2))


def test_an_unknown_task_is_told_in_plain_text() -> None:
    tasks = TaskList([0], ["pull"])
    with pytest.raises(KeyError) as told:
        _ = tasks.loc["push"]
    assert str(told.value) == "the dataset has no task 'push'"
