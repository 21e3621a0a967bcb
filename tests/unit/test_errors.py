"""Errors are also the built-in exceptions that users catch, and say the same in every process."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import (
    DatasetError,
    MissingDependencyError,
    MissingFileError,
    OutOfRangeError,
    PlanError,
    Problem,
    RoboreelError,
    UnknownNameError,
    UsageError,
    counted,
    known_episodes,
    ranged,
)
from roboreel.testing import make_dataset

PROBLEM = Problem(
    rule="video.short",
    severity="error",
    message="3 frames for 4 rows",
    episode=2,
    column="top",
    path="videos/a.mp4",
    action="record it again",
)


def test_a_problem_says_what_where_and_what_to_do_and_its_rule_last() -> None:
    said = "3 frames for 4 rows (episode 2, top, videos/a.mp4) → record it again [video.short]"
    assert str(PROBLEM) == said
    assert str(Problem(rule="a.b", severity="note", message="so")) == "so [a.b]"


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (UsageError("why"), ValueError),
        (UnknownNameError("why"), KeyError),
        (OutOfRangeError("why"), IndexError),
        (MissingFileError("why"), FileNotFoundError),
        (DatasetError("why"), ValueError),
        (PlanError("why"), ValueError),
        (MissingDependencyError("why", extra="hub"), ImportError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_errors_are_builtin_ones_too_and_survive_pickling(
    error: RoboreelError, builtin: type[Exception]
) -> None:
    assert isinstance(error, builtin)
    assert not str(error).startswith(("'why", '"'))  # KeyError shows quotes
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), str(error))


def test_problems_survive_pickling() -> None:
    copy = pickle.loads(pickle.dumps(PlanError("why", [PROBLEM])))
    assert copy.problems == (PROBLEM,)
    assert str(copy) == f"why\n  - {PROBLEM}"


def test_what_users_would_catch_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        roboreel.open(tmp_path / "nothing")
    dataset = roboreel.open(make_dataset(tmp_path / "a", episodes=(5, 4)))
    with pytest.raises(IndexError, match="no episode 7"):
        dataset.delete([7])
    with pytest.raises(KeyError, match="no feature 'acton'"):
        dataset.remove("acton")
    with pytest.raises(ValueError, match="9:3 is not a range of"):
        dataset.trim({0: (9, 3)})
    with pytest.raises(IndexError):
        roboreel.reader(dataset)[1000]


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 episodes"), (1, "1 episode"), (2500, "2,500 episodes")]
)
def test_counted(number: int, said: str) -> None:
    assert counted(number, "episode") == said
    assert counted(number, "entry", "entries").endswith("entry" if number == 1 else "entries")


def test_many_numbers_are_told_as_ranges() -> None:
    assert ranged([3, 1, *range(100, 157), 200]) == "1, 3, 100:157, 200"
    assert ranged(range(0, 100, 2)).endswith(", 36, 38 and 30 more")
    assert ranged([]) == ""


def test_one_call_names_what_is_expected(tmp_path: Path) -> None:
    dataset = roboreel.open(make_dataset(tmp_path / "a", episodes=(3, 2), cameras={}))
    wrong: Any = [0.8, 0.2]
    with pytest.raises(OutOfRangeError, match="no episode 2:50: the dataset has episodes 0 to 1"):
        dataset.keep(range(1, 50))
    with pytest.raises(UsageError, match=r"expected names: \{.train.: 0.8"):
        dataset.split(wrong)
    with pytest.raises(UsageError, match=r"check\(\) takes one dataset"):
        roboreel.check(wrong)
    with pytest.raises(
        UsageError, match=r"open\(\) takes the path, URL or reference of one dataset"
    ):
        roboreel.open(wrong)
    with pytest.raises(UnknownNameError, match="unknown column 'acton'"):
        roboreel.reader(dataset, columns=["acton"])


def test_names_of_commands_lead_to_functions() -> None:
    with pytest.raises(
        AttributeError, match=r"roboreel has no 'merge': use roboreel\.concat\(\[a, b\]\)"
    ):
        roboreel.merge  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'dif'"):
        roboreel.dif  # noqa: B018


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([], "no episodes"),
        ([3], "episode 3 only"),
        ([0, 1, 2], "episodes 0 to 2"),
        ([0, 2, 3, 4], "episodes 0, 2:5"),
        ([1, 0], "episodes 0, 1"),
    ],
)
def test_the_episodes_of_a_dataset_are_said_in_one_way(numbers: list[int], said: str) -> None:
    assert known_episodes(numbers) == said
