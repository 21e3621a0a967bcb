"""Commands that look at several datasets, and what they print of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roboreel.cli.text.durations import duration, histogram
from roboreel.testing import make_dataset
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
    assert first["ok"] is False
    assert second["path"] == str(source)
    assert roboreel(command, source, source).out.count("observation.state") % 2 == 0


def test_info_tells_durations_and_lengths(roboreel: Roboreel, source: Path) -> None:
    shown = roboreel("info", source).out
    assert "episodes  4: 19 frames at 30 fps, 0.6 s\n" in shown
    assert "lengths   0.0 s to 0.3 s, median 0.2 s (1 to 8 frames)\n            █" in shown
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


def test_a_check_of_several_names_the_bad_ones(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    bad = make_dataset(tmp_path / "bad", episodes=(3,), cameras={})
    table = next(bad.glob("data/*/*.parquet"))
    table.write_bytes(b"no table")
    shown = roboreel("check", source, bad)
    assert f"errors in {bad}" in shown.out.splitlines()
    assert shown.out.splitlines()[-1] == "1 of 2 datasets has errors"
    heading, line = roboreel("check", source, bad, "-q").out.splitlines()
    assert heading == f"errors in {bad}"
    assert line.count(table.name) == 1
    alone = roboreel("check", bad, "-q").out.splitlines()
    assert alone == [heading, line]
    assert roboreel("check", source, source).out.splitlines()[-1] == "none of 2 datasets has errors"
    sound = [make_dataset(tmp_path / name, version="v3.0", cameras={}) for name in "cd"]
    assert [one[:8] for one in roboreel("check", *sound).out.splitlines()] == [
        *["checked "] * 2,
        "",
        "none of ",
    ]
    assert "errors" in roboreel("check", bad).out.splitlines()


def test_an_episode_that_a_merge_leaves_out_names_its_dataset(
    roboreel: Roboreel, tmp_path: Path
) -> None:
    good, bad = (make_dataset(tmp_path / name, episodes=(3, 2), cameras={}) for name in "ab")
    sorted(bad.glob("data/*/*.parquet"))[1].write_bytes(b"no table")
    words = ("merge", good, bad, "--on-broken", "skip", "-o", tmp_path / "c")
    (skipped,) = json.loads(roboreel(*words, "--dry-run", "--json").out)["skipped"]
    assert (skipped["dataset"], skipped["episode"]) == (str(bad), 1)
    told = roboreel(*words, "-q").err.splitlines()
    assert told[0] == f"left out 1 episode: 1 of '{bad}'"
    assert f"(in '{bad}', episode 1)" in told[1]


def test_a_refusal_is_json_too(roboreel: Roboreel, tmp_path: Path) -> None:
    done = roboreel("info", tmp_path / "none", "--json")
    assert done.code == 1
    assert json.loads(done.out) == {
        "error": f"'{tmp_path / 'none'}': no such folder",
        "problems": [],
    }
    assert done.err.startswith("error: ")
    bad = make_dataset(tmp_path / "bad", episodes=(3,), cameras={})
    next(bad.glob("data/*/*.parquet")).write_bytes(b"no table")
    told = json.loads(
        roboreel("convert", bad, "--to", "v3.0", "-o", tmp_path / "out", "--json").out
    )
    assert [one["rule"] for one in told["problems"]] == ["table.readable"]
    assert "--on-broken" not in roboreel("convert", bad, "--too", "--json").out
