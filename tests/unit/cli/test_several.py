"""Commands that look at several datasets, and what they print of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roboreel.cli.durations import duration, histogram
from tests.unit.cli.conftest import Roboreel


@pytest.mark.parametrize("command", ["info", "check", "stats"])
def test_several_are_a_list_and_the_worst_code_counts(
    roboreel: Roboreel, source: Path, tmp_path: Path, command: str
) -> None:
    both = roboreel(command, source, source, "--json")
    assert both.code == 0
    assert [one["path"] for one in json.loads(both.out)] == [str(source)] * 2
    lacking = roboreel(command, tmp_path / "none", source, "--json")
    assert lacking.code == 1
    first, second = json.loads(lacking.out)
    assert "none" in first["error"]
    assert second["path"] == str(source)
    assert roboreel(command, source, source).out.count("observation.state") % 2 == 0


def test_info_tells_durations_and_lengths(roboreel: Roboreel, source: Path) -> None:
    shown = roboreel("info", source).out
    assert "episodes  4: 19 frames at 30 fps, 0.6 s\n" in shown
    assert "lengths   0.0 s to 0.3 s, median 0.2 s (1 to 8 frames)  █" in shown
    told = json.loads(roboreel("info", source, "--json").out)
    assert told["episode_frames"] == {"min": 1, "median": 5.0, "max": 8}


def test_stats_name_joints_and_colours(roboreel: Roboreel, source: Path) -> None:
    shown = roboreel("stats", source).out
    assert "0  red" in shown
    names = json.loads(roboreel("info", source, "--json").out)["features"]["action"]["names"]
    flat = names if isinstance(names, list) else next(iter(names.values()))
    assert f"0  {flat[0]}" in shown


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.25, "0.2 s"), (59.9, "59.9 s"), (450, "7 min 30 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_histograms() -> None:
    assert histogram([5, 5, 5]) == ""
    assert histogram([1, 1, 1, 1, 5, 9, 9]) == "█▂▄"
