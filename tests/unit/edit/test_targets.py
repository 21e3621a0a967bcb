"""What a view is written as, from what a user asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import roboreel
from tests.judge import faults
from tests.oracle import read


def test_files_stay_grouped_unless_the_version_or_a_limit_is_given(
    dataset: roboreel.Dataset,
) -> None:
    view = dataset.delete([0])
    asked: list[dict[str, Any]] = [{}, {"to": "v3.0"}, {"on_broken": "skip"}]
    assert [view.with_target(**one).options.regroup for one in asked] == [False] * 3
    packing: list[dict[str, Any]] = [{"to": "v2.1"}, {"video_file_mb": 5}, {"regroup": True}]
    assert [view.with_target(**one).options.regroup for one in packing] == [True] * 3


def test_irregular_timestamps_are_kept_where_the_version_stays(dataset: roboreel.Dataset) -> None:
    assert dataset.with_target().options.timestamps == "keep"
    assert dataset.with_target("v2.0").options.timestamps == "regular"
    assert dataset.with_target(timestamps="regular").options.timestamps == "regular"


def test_an_edit_may_change_the_version(dataset: roboreel.Dataset, tmp_path: Path) -> None:
    roboreel.write(dataset.keep([1, 2]).with_target("v2.1"), out=tmp_path / "out")
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert (result.version, [len(one.rows) for one in result.episodes]) == ("v2.1", [9, 1])


REFUSED: dict[str, tuple[Callable[[Any], object], str]] = {
    "an unknown version": (lambda d: d.with_target("v9"), r"v9"),
    "no limit": (
        lambda d: d.with_target(data_file_mb=0),
        r"data_file_mb is 0, expected a positive",
    ),
    "an endless limit": (
        lambda d: d.with_target(video_file_mb=float("inf")),
        r"video_file_mb is inf",
    ),
    "an unknown choice": (
        lambda d: d.with_target(timestamps="x"),
        r"expected one of regular, keep",
    ),
    "another one": (lambda d: d.with_target(on_broken="x"), r"expected one of fail, skip"),
}


@pytest.mark.parametrize(("edit", "says"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_message(
    dataset: roboreel.Dataset, edit: Callable[[Any], object], says: str
) -> None:
    with pytest.raises(roboreel.UsageError, match=says):
        edit(dataset)
