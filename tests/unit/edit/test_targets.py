"""What a view is written as, from what a user asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.edit.replay import retargeted
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


def test_a_view_is_written_with_options_of_the_call(
    dataset: roboreel.Dataset, tmp_path: Path
) -> None:
    view = dataset.keep([1, 2]).with_target(drop_audio=True)
    roboreel.write(view, out=tmp_path / "out", to="v2.1", workers=1)
    assert read(tmp_path / "out").version == "v2.1"
    plan = roboreel.plan_write(view, out=tmp_path / "plan", on_broken="skip", video_file_mb=5)
    assert plan.model.info.video_file_mb == 5
    options = retargeted(view, {"to": "v2.1", "on_broken": "skip"}).options
    assert (options.drop_audio, options.on_broken, options.regroup) == (True, "skip", True)
    assert options.timestamps == "regular"
    kept = retargeted(view.with_target(timestamps="keep"), {"to": "v2.1"}).options
    assert kept.timestamps == "keep"


TYPO: Any = roboreel  # mypy finds these too
MISSPELLED: dict[str, tuple[Callable[..., object], str]] = {
    "write": (lambda d: TYPO.write(d, on_brokn="skip"), "on_broken"),
    "plan_write": (lambda d: TYPO.plan_write(d, timestamp="keep"), "timestamps"),
    "convert": (lambda d: TYPO.convert(d, to="v3.0", worker=2), "workers"),
    "with_target": (lambda d: d.with_target(drop_audi=True), "drop_audio"),
    "reader": (lambda d: TYPO.reader(d, column=["action"]), "columns"),
    "check": (lambda d: TYPO.check(d, worker=2), "workers"),
    "check_stats": (lambda d: TYPO.check_stats(d, worker=2), "workers"),
}


@pytest.mark.parametrize("function", MISSPELLED)
def test_an_unknown_argument_names_the_function_and_near_names(
    dataset: roboreel.Dataset, function: str
) -> None:
    call, meant = MISSPELLED[function]
    with pytest.raises(TypeError) as raised:
        call(dataset)
    told = str(raised.value)
    assert told.startswith(f"{function}() has no argument '")
    assert f"did you mean {meant}" in told
