"""Statistics that are missing or wrong in the source."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import roboreel
from roboreel.testing import make_dataset
from tests.judge import differences, faults
from tests.mutate import (
    copied,
    edit_json,
    edit_lines,
    episode_table,
    set_column,
)
from tests.oracle import read
from tests.unit.convert.sources import (
    nothing_written,
)


@pytest.mark.sample(1)
@pytest.mark.parametrize("lines", [0, 1])
def test_statistics_that_are_missing_are_computed(
    v21: Path, bases: Path, tmp_path: Path, lines: int
) -> None:
    edit_lines(v21 / "meta/episodes_stats.jsonl", lambda found: found[:lines])
    for version in ("v2.0", "v2.1", "v3.0"):
        report = roboreel.convert(v21, to=version, out=tmp_path / version)
        assert report.measured == 2 * (3 - lines)
        assert faults(read(tmp_path / version)) == []


def test_global_statistics_that_disagree_are_reported(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v2.0", tmp_path / "source")
    edit_json(root / "meta/stats.json", lambda d: d["action"].update(mean=[1.0] * 6))
    report = roboreel.convert(root, to="v2.1", out=tmp_path / "out")
    assert "action" in [p.column for p in report.problems if p.rule == "stats.agree"]
    assert faults(read(tmp_path / "out")) == []


PICTURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def _stills(folder: Path, cell: object) -> Path:
    root = make_dataset(folder, version="v2.1", episodes=(4,), cameras={}, features="rich")
    set_column(episode_table(root, 0), "observation.images.still", pa.array([cell] * 4, PICTURE))
    (root / "meta/episodes_stats.jsonl").unlink()
    return root


def test_pictures_that_are_not_there_have_no_statistics(tmp_path: Path) -> None:
    root = _stills(tmp_path / "source", None)
    roboreel.convert(root, to="v3.0", out=tmp_path / "out")
    assert differences(read(root), read(tmp_path / "out")) == []


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    root = _stills(tmp_path / "source", {"bytes": b"rubbish", "path": "a.png"})
    with pytest.raises(roboreel.RunError, match=r"observation\.images\.still"):
        roboreel.convert(root, to="v3.0", out=tmp_path / "out")
    assert nothing_written(tmp_path)


def test_a_camera_is_only_wrong_where_no_sample_of_frames_explains_it(
    bases: Path, tmp_path: Path
) -> None:
    told = []
    for name, change in (("max", 0.05), ("mean", 0.4)):
        root = copied(bases / "v2.0", tmp_path / name)
        document = json.loads((root / "meta/stats.json").read_text("utf-8"))
        camera = next(one for one in document if one.startswith("observation.images."))
        document[camera][name] = (np.array(document[camera][name]) + change).tolist()
        (root / "meta/stats.json").write_text(json.dumps(document), "utf-8")
        report = roboreel.convert(root, to="v3.0", out=tmp_path / f"{name}-out")
        told.append([p.column for p in report.problems if p.rule == "stats.agree"] == [camera])
    assert told == [False, True]


def test_episodes_that_are_left_out_do_not_make_statistics_wrong(
    bases: Path, tmp_path: Path
) -> None:
    root = copied(bases / "v2.0", tmp_path / "source")
    sorted(root.glob("data/*/*.parquet"))[0].write_bytes(b"no table")
    report = roboreel.convert(root, to="v3.0", out=tmp_path / "out", on_broken="skip")
    assert report.skipped
    assert [p for p in report.problems if p.rule == "stats.agree"] == []
