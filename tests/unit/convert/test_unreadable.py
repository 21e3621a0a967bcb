"""Columns that lerobot cannot read: reported, kept, or left out by an option that says what goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import roboreel
from roboreel.cli.main import app
from tests.judge import faults
from tests.mutate import edit_json, episode_table, set_column
from tests.oracle import read
from tests.unit.convert.sources import LENGTHS, rules_of

KINDS: dict[str, pa.Array] = {
    "bytes": pa.array([b"\x80\x04N."]),
    "date": pa.array([date(2024, 1, 1)]),
    "struct": pa.array([{"x": 1}]),
    "structs": pa.array([[{"x": 1}]]),
    "texts": pa.array([["a", "b"]]),
    "list of bytes": pa.array([[b"a"]]),
}
READ: dict[str, pa.Array] = {
    "text": pa.array(["a"]),
    "number": pa.array([1.5]),
    "truth": pa.array([True]),
    "vector": pa.array([[1, 2]]),
    "nothing": pa.array([None]),
}


def with_columns(root: Path, columns: dict[str, pa.Array]) -> Path:
    for episode, length in enumerate(LENGTHS):
        for name, value in columns.items():
            column = pa.concat_arrays([value] * length)
            set_column(episode_table(root, episode), name, column)
    return root


def told(report: roboreel.Report | roboreel.CheckReport) -> dict[str | None, str]:
    found = [problem for problem in report.problems if problem.rule == "feature.unreadable"]
    return {problem.column: problem.message for problem in found}


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_a_conversion_and_a_check_say_which(v21: Path, tmp_path: Path, version: str) -> None:
    """[`feature.unreadable`]"""
    with_columns(v21, {**KINDS, **READ})
    report = roboreel.convert(v21, to=version, out=tmp_path / "out")
    assert set(told(report)) == set(KINDS)
    assert told(report)["bytes"] == "lerobot reads numbers, strings and images, but not binary"
    assert told(report)["texts"].endswith("not lists of strings")
    assert set(told(roboreel.check(v21))) == set(KINDS)
    assert set(told(roboreel.check(tmp_path / "out"))) == set(KINDS)
    assert not any(loss.startswith("feature") for loss in report.losses)
    assert set(KINDS) <= set(read(tmp_path / "out").info["features"])


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_they_are_left_out_where_that_is_asked_for(
    v21: Path, bases: Path, tmp_path: Path, version: str
) -> None:
    with_columns(v21, {**KINDS, **READ})
    plan = roboreel.plan_convert(v21, to=version, out=tmp_path / "out", drop_unreadable=True)
    lost = [loss for loss in plan.losses if loss.startswith("feature")]
    assert len(lost) == len(KINDS)
    assert "feature 'bytes': lerobot reads numbers, strings and images, but not binary" in lost
    report = roboreel.run(plan)
    assert report.losses == plan.losses
    assert told(report) == {}
    assert {p.column for p in report.problems if p.rule == "feature.undeclared"} == set(READ)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert not set(KINDS) & set(result.info["features"])
    assert set(READ) <= set(result.info["features"])
    assert not set(KINDS) & set(result.episodes[0].rows.column_names)
    assert told(roboreel.check(tmp_path / "out")) == {}


def test_declared_ones_go_from_the_documents_too(v21: Path, tmp_path: Path) -> None:
    with_columns(v21, {"raw": KINDS["bytes"]})
    declared = {"dtype": "binary", "shape": [1], "names": None}
    edit_json(v21 / "meta/info.json", lambda info: info["features"].update(raw=declared))
    assert set(told(roboreel.check(v21))) == {"raw"}
    view = roboreel.open(v21).keep([2, 0]).with_target(drop_unreadable=True)
    report = roboreel.write(view, out=tmp_path / "out")
    wanted = "feature 'raw': lerobot reads numbers, strings and images, but not binary"
    assert wanted in report.losses
    assert not rules_of(report) & {"feature.absent", "feature.undeclared", "feature.unreadable"}
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert "raw" not in result.info["features"]
    assert "raw" not in result.episodes[0].rows.column_names


def test_an_action_goes_only_where_that_is_allowed_by_name(v21: Path, tmp_path: Path) -> None:
    with_columns(v21, {"action": KINDS["bytes"]})
    (v21 / "meta/episodes_stats.jsonl").unlink()
    with pytest.raises(roboreel.PlanError, match=r'allow_missing=\["action"'):
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out", drop_unreadable=True)
    report = roboreel.convert(
        v21, to="v3.0", out=tmp_path / "out", drop_unreadable=True, allow_missing=["action"]
    )
    assert any(loss.startswith("feature 'action': lerobot reads") for loss in report.losses)


def test_nothing_is_lost_where_all_can_be_read(v21: Path, tmp_path: Path) -> None:
    plan = roboreel.plan_convert(v21, to="v3.0", out=tmp_path / "out", drop_unreadable=True)
    other = roboreel.plan_convert(v21, to="v3.0", out=tmp_path / "out")
    assert plan.losses == other.losses
    assert plan.model.info.features.keys() == other.model.info.features.keys()


@pytest.mark.parametrize("command", ["convert", "keep", "merge"])
def test_commands_have_the_option(v21: Path, tmp_path: Path, command: str) -> None:
    with_columns(v21, {"raw": KINDS["bytes"]})
    words: dict[str, Callable[[], list[str]]] = {
        "convert": lambda: [str(v21), "--to", "v3.0"],
        "keep": lambda: [str(v21), "--episodes", "0"],
        "merge": lambda: [str(v21), str(v21)],
    }
    given = [command, *words[command](), "-o", str(tmp_path / "out"), "--drop-unreadable"]
    shown = CliRunner().invoke(app, [*given, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "feature 'raw': lerobot reads numbers" in " ".join(shown.output.split())
    done = CliRunner().invoke(app, [*given, "--json"])
    assert done.exit_code == 0, done.output
    assert any("feature 'raw'" in loss for loss in json.loads(done.stdout)["losses"])
    assert "raw" not in read(tmp_path / "out").info["features"]
