"""`roboreel stats`: shown, checked, computed anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.mutate import copied, set_column
from tests.unit.cli.conftest import LENGTHS, TOP, Roboreel

META = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture
def wrong(source: Path, tmp_path: Path) -> Path:
    """The mean of `action` is another in all episodes."""
    path = copied(source, tmp_path / "wrong")
    column = "stats/action/mean"
    values = pq.read_table(path / META)[column]
    other = [(np.asarray(v) + 0.1).tolist() for v in values.to_pylist()]
    set_column(path / META, column, pa.array(other, values.type))
    return path


def test_it_shows_what_is_stored(roboreel: Roboreel, source: Path) -> None:
    stored = json.loads((source / "meta/stats.json").read_text("utf-8"))
    done = roboreel("stats", source, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["stats"].keys() == stored.keys()
    assert json.loads(done.out)["stats"]["action"] == stored["action"]
    done = roboreel("stats", source, "--feature", "action", "--feature", TOP)
    assert f"action ({sum(LENGTHS)} values)" in done.out
    assert f"{stored['action']['mean'][0]:.6g}" in done.out
    assert "timestamp" not in done.out


def test_a_check_that_finds_nothing_unexplained(roboreel: Roboreel, source: Path) -> None:
    done = roboreel("stats", source, "--check", "--cameras", "sample")
    assert done.code == 0
    assert done.out.rstrip().endswith((", explained above", "no difference"))


def test_a_check_that_does(roboreel: Roboreel, wrong: Path) -> None:
    done = roboreel("stats", wrong, "--check")
    assert done.code == 1
    first, second = done.out.splitlines()[:2]
    assert first == "not explained"
    assert second == f"  action: mean by up to 0.1, {len(LENGTHS)} episodes from 0"
    done = roboreel("stats", wrong, "--check", "--json")
    assert done.code == 1
    found = [one for one in json.loads(done.out)["differences"] if one["why"] is None]
    assert [(one["feature"], one["episodes"]) for one in found] == [("action", [0, 1, 2, 3])]
    assert roboreel("stats", wrong, "--check", "--feature", "timestamp").code == 0


def test_recomputed_ones_are_right(roboreel: Roboreel, wrong: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = roboreel("stats", wrong, "--recompute", "--features", "action", "-o", out)
    assert done.code == 0, done.err
    assert roboreel("stats", out, "--check").code == 0
    done = roboreel("stats", wrong, "--recompute", "--cameras", "none", "--in-place")
    assert done.code == 0, done.err
    assert roboreel("stats", wrong, "--check").code == 0


def test_further_quantiles_are_stored_and_shown(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = roboreel("stats", source, "--recompute", "--quantiles", "0.05, 0.975", "-o", out)
    assert done.code == 0, done.err
    heading = roboreel("stats", out, "--feature", "action").out.splitlines()[1].split()
    names = ["q01", "q05", "q10", "q50", "q90", "q97.5", "q99"]
    assert heading == ["min", "max", "mean", "std", *names]
    assert roboreel("stats", out, "--check").code == 0
    values = pq.read_table(out / META)["stats/action/q97.5"]
    other = [(np.asarray(v) + 0.01).tolist() for v in values.to_pylist()]
    set_column(out / META, "stats/action/q97.5", pa.array(other, values.type))
    done = roboreel("stats", out, "--check")
    assert done.code == 1
    assert "action: q97.5 by up to 0.01" in done.out


def test_a_plan_says_what_is_measured(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = roboreel("stats", source, "--recompute", "--cameras", "all", "-o", out, "--dry-run")
    assert done.code == 0
    assert "recomputed as requested from all frames" in done.out
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--check", "--recompute"], "give only one of them"),
        (["--features", "action,nothing"], "no feature 'nothing'"),
        (["--cameras", "all"], "--cameras needs --check or --recompute"),
        (["--quantiles", "0.3"], "--relative-actions, --quantiles and --like need --recompute"),
        (["--recompute", "--quantiles", "5%", "-o", "x"], "--quantiles '5%': expected numbers"),
        (["--recompute", "--quantiles", "5", "-o", "x"], "5.0 is not a quantile"),
        (["-o", "x"], "nothing to write: no edit was given"),
        (["--feature", "nothing"], "no feature 'nothing'"),
        (["--recompute"], "the output is missing: give -o DST"),
    ],
)
def test_what_makes_no_sense(roboreel: Roboreel, source: Path, words: list[str], says: str) -> None:
    done = roboreel("stats", source, *words)
    assert done.code == 2
    assert says in done.err


def test_features_are_chosen_by_a_list_too(roboreel: Roboreel, source: Path) -> None:
    done = roboreel("stats", source, "--features", f"action,{TOP}")
    assert done.code == 0
    assert [line for line in done.out.splitlines() if "value" in line and line[0] != " "] == [
        line for line in done.out.splitlines() if line.startswith(("action", TOP))
    ]
    assert "observation.state" not in done.out


def test_what_is_not_followed_of_a_release_is_said(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    command = ["stats", source, "--recompute", "--like", "lerobot-0.3.3", "--dry-run"]
    done = roboreel(*command, "--features", f"action,{TOP}", "--to", "v2.1", "-o", tmp_path / "b")
    assert done.code == 0
    assert done.out.count("stats.like") == 4
    assert "longer than the first (6): 1 of 4 episodes, the first 3" in done.out
    assert not (tmp_path / "b").exists()


def test_what_is_no_number_is_null(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    path = copied(source, tmp_path / "nan")
    document = json.loads((path / "meta/stats.json").read_text("utf-8"))
    document["action"]["mean"][0] = float("nan")
    (path / "meta/stats.json").write_text(json.dumps(document), "utf-8")
    done = roboreel("stats", path, "--json")
    assert "NaN" not in done.out
    assert json.loads(done.out)["stats"]["action"]["mean"][0] is None
    assert roboreel("stats", path, "--check").code == 1
