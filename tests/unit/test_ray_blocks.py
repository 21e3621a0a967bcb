"""Which items the tasks and blocks of a Ray dataset have; no ray is needed for that."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import roboreel
from roboreel.ray import read_dataset, write_episodes
from roboreel.ray.ray_dataset import local_folders
from roboreel.ray.reading_blocks import block_items, item_bytes, items_per_block, task_episodes
from roboreel.testing import Camera, make_dataset

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=30)


@given(lengths=LENGTHS, tasks=st.integers(1, 40))
def test_tasks_have_every_episode_once_and_in_order(lengths: list[int], tasks: int) -> None:
    groups = task_episodes(np.array(lengths), tasks)
    assert [episode for group in groups for episode in group] == [*range(len(lengths))]
    assert len(groups) <= min(tasks, len(lengths))


def test_tasks_have_about_as_many_items_each() -> None:
    assert task_episodes(np.full(100, 7), 4) == [
        range(25), range(25, 50), range(50, 75), range(75, 100)
    ]  # fmt: skip
    assert [len(group) for group in task_episodes(np.array([90, 10, 10, 10]), 2)] == [1, 3]


@given(lengths=LENGTHS, most=st.integers(1, 60))
def test_blocks_have_every_item_once_and_cut_only_long_episodes(
    lengths: list[int], most: int
) -> None:
    bounds = np.cumsum([3, *lengths]).tolist()
    blocks = [*block_items(bounds, most)]
    assert [item for block in blocks for item in block] == [*range(3, bounds[-1])]
    assert all(0 < len(block) <= most for block in blocks)
    cut = {block.stop for block in blocks} - set(bounds)
    for start, stop in pairwise(bounds):
        assert stop - start > most or not any(start < at < stop for at in cut)


def test_a_block_has_one_item_even_if_that_is_large() -> None:
    assert items_per_block(1 << 40) == 1
    assert items_per_block(0) > 1


def test_the_size_of_an_item_is_that_of_its_arrays(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", episodes=(5,), cameras={"top": Camera(height=32)})
    dataset = roboreel.open(root)
    item = roboreel.reader(dataset, columns=["action"])[0]
    arrays = item["top"].nbytes + item["action"].nbytes
    assert item_bytes(roboreel.reader(dataset, columns=["action"]), {}) == arrays
    given = roboreel.reader(dataset, columns=["action"], size=(8, 8))
    assert item_bytes(given, {"size": (8, 8)}) == 8 * 8 * 3 + item["action"].nbytes


def test_all_folders_of_a_view_are_named(tmp_path: Path) -> None:
    parts = [make_dataset(tmp_path / name, episodes=(3,), cameras={}) for name in "ab"]
    view = roboreel.concat([roboreel.open(part) for part in parts])
    assert local_folders(view) == tuple(map(str, parts))


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(roboreel.MissingDependencyError, match=r"roboreel\[ray\]"):
        read_dataset(tmp_path)
    with pytest.raises(roboreel.MissingDependencyError, match=r"roboreel\[ray\]"):
        write_episodes(None, tmp_path / "staging", key="clip", fps=30, features={})
    assert not (tmp_path / "staging").exists()
