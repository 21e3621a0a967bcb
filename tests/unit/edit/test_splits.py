"""Every episode goes to one part, in order, and what cannot be divided so is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import roboreel
from roboreel.edit.view import View
from roboreel.testing import make_dataset
from tests.unit.edit.conftest import TASKS


def _rows(views: dict[str, View]) -> dict[str, list[int]]:
    return {name: [int(row) for row in view.slices.row] for name, view in views.items()}


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> roboreel.Dataset:
    folder = tmp_path_factory.mktemp("ten") / "a"
    return roboreel.open(make_dataset(folder, episodes=(2,) * 10, cameras={}))


def _by_lerobot(fractions: dict[str, float], count: int) -> dict[str, list[int]]:
    """What lerobot 0.6.1 does, for fractions that floats hold exactly."""
    found, start = {}, 0
    for number, (name, fraction) in enumerate(fractions.items()):
        stop = count if number == len(fractions) - 1 else start + int(count * fraction)
        found[name] = list(range(start, stop))
        start = stop
    return found


@given(st.lists(st.integers(2, 8), min_size=1, max_size=4))
def test_fractions_are_divided_as_lerobot_does(ten: roboreel.Dataset, eighths: list[int]) -> None:
    total = sum(eighths)
    whole = 1 << (total - 1).bit_length()
    shares = {f"p{at}": part / whole for at, part in enumerate(eighths)}
    wanted = _by_lerobot(shares, 10)
    if all(wanted.values()):
        assert _rows(ten.split(shares, fractions="lerobot")) == wanted
    else:
        with pytest.raises(roboreel.UsageError, match="would get none"):
            ten.split(shares, fractions="lerobot")


def test_lerobots_rule_truncates_as_lerobot_does(tmp_path: Path) -> None:
    hundred = roboreel.open(make_dataset(tmp_path / "a", episodes=(1,) * 100, cameras={}))
    shares = {"a": 0.29, "b": 0.71}  # 0.29 * 100 is 28.999… in floats
    assert len(hundred.split(shares, fractions="lerobot")["a"].slices) == 28
    assert len(hundred.split(shares)["a"].slices) == 29


@pytest.mark.parametrize("shares", [{"a": 0.5, "b": 0.2}, {"a": 0.8}])
@pytest.mark.parametrize("verb", ["split", "as_splits"])
def test_fractions_below_one_are_refused_with_the_remedies(
    ten: roboreel.Dataset, verb: str, shares: dict[str, float]
) -> None:
    total = sum(shares.values())
    says = (
        rf"fractions sum to {total:g}, so {1 - total:.3g} of the 10 episodes would be in no part:"
        rf" add a part 'rest' of {1 - total:.3g}, or .* rest=\"rest\""
    )
    with pytest.raises(roboreel.UsageError, match=says):
        getattr(ten, verb)(shares)


def test_one_part_takes_the_rest(ten: roboreel.Dataset) -> None:
    shares = {"a": 0.5, "b": 0.2}
    new = _rows(ten.split(shares, rest="c"))
    assert new == {"a": [0, 1, 2, 3, 4], "b": [5, 6], "c": [7, 8, 9]}
    first = _rows(ten.split(shares, rest="a"))
    assert first == {"a": [*range(8)], "b": [8, 9]}
    assert _rows(ten.split(shares, rest="b")) == _rows(ten.split(shares, fractions="lerobot"))
    assert _rows(ten.split({"a": [3, 1]}, rest="b"))["b"] == [0, 2, 4, 5, 6, 7, 8, 9]
    assert _rows(ten.split({"a": [3, 1], "b": [5]}, rest="b"))["b"] == [5, 0, 2, 4, 6, 7, 8, 9]
    shuffled = _rows(ten.split(shares, rest="c", seed=3))
    assert sorted(row for rows in shuffled.values() for row in rows) == [*range(10)]


def test_fractions_that_floats_only_nearly_hold_are_taken_as_written(ten: roboreel.Dataset) -> None:
    parts = _rows(ten.split({"a": 0.7, "b": 0.1, "c": 0.2}))
    assert {name: len(rows) for name, rows in parts.items()} == {"a": 7, "b": 1, "c": 2}


def test_a_seed_shuffles_what_goes_where_but_not_the_order_within(ten: roboreel.Dataset) -> None:
    found = [_rows(ten.split({"a": 0.5, "b": 0.5}, seed=seed)) for seed in range(10)]
    for parts in found:
        assert sorted(parts["a"] + parts["b"]) == list(range(10))
        assert parts["a"] == sorted(parts["a"])
    assert len({tuple(parts["a"]) for parts in found}) > 5
    assert _rows(ten.split({"a": 0.5, "b": 0.5}, seed=3)) == found[3]


def test_parts_may_name_their_episodes(ten: roboreel.Dataset) -> None:
    parts = ten.split({"a": range(3, 10), "b": np.array([2, 0, 1])})
    assert _rows(parts) == {"a": [3, 4, 5, 6, 7, 8, 9], "b": [2, 0, 1]}


def test_a_part_for_each_task(dataset: roboreel.Dataset) -> None:
    parts = _rows(dataset.split_by_task())
    assert list(parts) == [task.replace(" ", "_") for task in TASKS]
    assert list(parts.values()) == [[0], [1], [2], [3]]


def test_tasks_whose_folders_would_be_one_are_told_apart(ten: roboreel.Dataset) -> None:
    strings = {0: "Pick", 1: "pick", 2: "pick?", 3: "pick_", 4: "..", 5: "a/b", 6: " Pick"}
    parts = ten.set_tasks("rest", episodes=strings).split_by_task()
    assert len(parts) == 8
    assert len({name.casefold() for name in parts}) == 8
    assert not any("/" in name or name.startswith(".") for name in parts)


def test_as_splits_names_ranges_of_one_dataset(ten: roboreel.Dataset) -> None:
    view = ten.as_splits({"train": [5, 6, 7, 8, 9], "val": [0, 1], "test": [2, 3, 4]})
    assert view.splits == {"train": "0:5", "val": "5:7", "test": "7:10"}
    assert view.slices.row.tolist() == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]


Edit = Callable[[Any], object]
REFUSED: dict[str, tuple[Edit, str]] = {
    "no part": (lambda d: d.split({}), r"name the parts"),
    "too much": (lambda d: d.split({"a": 0.8, "b": 0.3}), r"sum to 1.1, expected at most 1"),
    "nothing for one": (lambda d: d.split({"a": 0.0, "b": 1.0}), r"fraction of 'a' is 0"),
    "below nothing": (lambda d: d.split({"a": -0.5, "b": 1.0}), r"fraction of 'a' is -0.5"),
    "not a number": (lambda d: d.split({"a": float("nan")}), r"fraction of 'a' is nan"),
    "a number of an episode": (lambda d: d.split({"a": 3}), r"give a list: \[3\]"),
    "text": (lambda d: d.split({"a": "0:3"}), r"'0' .*is not the number|':' is not the number"),
    "nothing at all": (lambda d: d.split({"a": None}), r"'a' gets None"),
    "a share of nobody": (
        lambda d: d.split({"a": 0.01, "b": 0.99}),
        r"'a' would get none of the 10",
    ),
    "both forms": (lambda d: d.split({"a": 0.5, "b": [1]}), r"either a fraction for every part"),
    "no rule": (lambda d: d.split({"a": 1.0}, fractions="x"), r"fractions is 'x', expected one of"),
    "a rule for numbers": (
        lambda d: d.split({"a": range(10)}, fractions="lerobot"),
        r"this needs fractions",
    ),
    "nothing for the rest": (lambda d: d.split({"a": 1.0}, rest="b"), r"'b' would get none"),
    "no episode for the rest": (
        lambda d: d.split({"a": range(10)}, rest="b"),
        r"'b' would get no episode",
    ),
    "a path for the rest": (lambda d: d.split({"a": 0.5}, rest="b/c"), r"'b/c' cannot be the name"),
    "a rest like a part": (
        lambda d: d.split({"a": 0.5}, rest="A"),
        r"'a' and 'A' would be the same",
    ),
    "overlap": (lambda d: d.split({"a": range(6), "b": range(5, 10)}), r"episode 5 is in 'a' and"),
    "left out": (lambda d: d.split({"a": range(6), "b": [8, 9]}), r"no part has episode 6, 7"),
    "unknown": (
        lambda d: d.split({"a": range(11)}),
        r"no episode 10: the dataset has episodes 0 to 9",
    ),
    "an empty part": (lambda d: d.split({"a": range(10), "b": []}), r"'b' would get no episode"),
    "a seed for numbers": (lambda d: d.split({"a": range(10)}, seed=1), r"a seed only makes sense"),
    "a folder above": (lambda d: d.split({"..": 1.0}), r"cannot be the name of a part"),
    "a path": (lambda d: d.split({"a/b": 1.0}), r"'a/b' cannot be the name"),
    "a hidden folder": (lambda d: d.split({".a": 1.0}), r"'.a' cannot be the name"),
    "no name": (lambda d: d.split({"": 1.0}), r"'' cannot be the name"),
    "one folder on some disks": (
        lambda d: d.split({"a": 0.5, "A": 0.5}),
        r"'a' and 'A' would be the same",
    ),
}


@pytest.mark.parametrize(("edit", "says"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_message(ten: roboreel.Dataset, edit: Edit, says: str) -> None:
    with pytest.raises(roboreel.UsageError, match=says):
        edit(ten)


def test_numbers_with_gaps_are_those_of_the_documents(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "a", version="v2.1", episodes=(2, 3, 4), cameras={})
    episodes = folder / "meta/episodes.jsonl"
    lines = episodes.read_text("utf-8").splitlines(keepends=True)
    episodes.write_text("".join([lines[0], lines[2]]), "utf-8")
    gaps = roboreel.open(folder)
    assert _rows(gaps.split({"a": [2], "b": [0]})) == {"a": [1], "b": [0]}
    with pytest.raises(roboreel.UsageError, match=r"no episode 1: the dataset has episodes 0, 2"):
        gaps.delete([1])
