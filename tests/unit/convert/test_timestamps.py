"""Timestamps that are not k / fps: made regular and kept beside, or copied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import roboreel
from tests.judge import differences, faults
from tests.mutate import (
    drop_columns,
    episode_table,
    set_column,
)
from tests.oracle import read
from tests.unit.convert.sources import (
    LENGTHS,
    rules_of,
)


def _recorded(root: Path, *, start: float = 0.05, type_: pa.DataType | None = None) -> None:
    """Wall-clock timestamps with jitter."""
    for episode, length in enumerate(LENGTHS):
        stamps = start + np.arange(length) * 0.0335
        set_column(
            episode_table(root, episode), "timestamp", pa.array(stamps, type_ or pa.float32())
        )


@pytest.mark.parametrize("type_", [pa.float32(), pa.float64()], ids=str)
def test_irregular_timestamps_become_regular_and_are_kept_beside(
    v21: Path, tmp_path: Path, type_: pa.DataType
) -> None:
    _recorded(v21, start=1.7e9 if type_ == pa.float64() else 0.05, type_=type_)
    source = read(v21)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "there")
    assert "table.timestamps" in rules_of(report)
    roboreel.convert(tmp_path / "there", to="v2.1", out=tmp_path / "back")
    for out in ("there", "back"):
        result = read(tmp_path / out)
        assert faults(result) == []
        assert differences(source, result, added=["source_timestamp"]) == []
        for old, new in zip(source.episodes, result.episodes, strict=True):
            assert new.rows["source_timestamp"].equals(old.rows["timestamp"])


def test_whole_number_timestamps_are_kept_exactly(v21: Path, tmp_path: Path) -> None:
    for episode, length in enumerate(LENGTHS):
        stamps = pa.array(1_700_000_000_123_456_789 + np.arange(length) * 33_000_000)
        set_column(episode_table(v21, episode), "timestamp", stamps)
    source = read(v21)
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    for old, new in zip(source.episodes, result.episodes, strict=True):
        kept = new.rows["source_timestamp"].to_pylist()
        assert kept == old.rows["timestamp"].to_pylist()


def test_irregular_timestamps_stay_where_asked(v21: Path, tmp_path: Path) -> None:
    _recorded(v21)
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out", timestamps="keep")
    assert "table.timestamps" in rules_of(report)
    result = read(tmp_path / "out")
    for old, new in zip(read(v21).episodes, result.episodes, strict=True):
        assert new.rows["timestamp"].equals(old.rows["timestamp"])
    assert faults(result, timestamp_error_s=1.0) == []


def test_a_check_says_what_writing_does(v21: Path, tmp_path: Path) -> None:
    _recorded(v21)
    said = {one.action for one in roboreel.check(v21).problems if one.rule == "table.timestamps"}
    assert [str(one).split(" writes")[0] for one in said] == ['timestamps="regular"']
    kept = roboreel.write(roboreel.open(v21).keep([0]), out=tmp_path / "kept")
    assert any("kept as they are" in str(one.action) for one in kept.problems)
    view = roboreel.open(v21).keep([0])
    roboreel.write(view, out=tmp_path / "regular", timestamps="regular")
    assert faults(read(tmp_path / "regular")) == []
    assert "source_timestamp" in read(tmp_path / "regular").episodes[0].rows.column_names


def test_a_column_of_the_users_is_not_taken_for_the_kept_timestamps(
    v21: Path, tmp_path: Path
) -> None:
    _recorded(v21)
    for episode, length in enumerate(LENGTHS):
        set_column(episode_table(v21, episode), "source_timestamp", pa.array([7.0] * length))
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    assert differences(read(v21), result, added=["source_timestamp_2"]) == []
    assert "source_timestamp_2" in result.episodes[0].rows.column_names


def test_a_table_without_timestamps_beside_irregular_ones(v21: Path, tmp_path: Path) -> None:
    _recorded(v21)
    drop_columns(episode_table(v21, 1), "timestamp")
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    rows = read(tmp_path / "out").episodes[1].rows
    assert rows["timestamp"].to_pylist() == [0.0]
    assert rows["source_timestamp"].to_pylist() == [None]
