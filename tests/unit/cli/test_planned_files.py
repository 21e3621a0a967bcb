"""What a dry run lists: files and statistics, with counts, sizes and reasons."""

from __future__ import annotations

from pathlib import Path

import roboreel
from roboreel.cli.text.planned_files import planned_rows
from roboreel.summary.words import human_bytes
from roboreel.testing import Camera, make_dataset

TOP = "observation.images.top"
CAMERAS = {TOP: Camera(height=32, gop=2)}


def _source(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "a", version="v2.1", episodes=(6, 4, 5, 8), cameras=CAMERAS)


def _size(folder: Path, pattern: str) -> str:
    return "~" + human_bytes(sum(file.stat().st_size for file in folder.rglob(pattern)))


def test_kinds_of_files_have_a_row_each_with_their_sizes(tmp_path: Path) -> None:
    source = _source(tmp_path)
    (source / "README.md").write_text("mine", "utf-8")
    rows = planned_rows(roboreel.plan_convert(source, to="v3.0", out=tmp_path / "out"))
    data, videos, other = (row for row in rows if row[0] != "statistics")
    assert data[:3] == ("data", "1 file", _size(source, "*.parquet"))
    assert data[3:] == ("", "all episodes", "rows joined, index columns recomputed")
    assert videos[:2] == ("videos", "1 file")
    assert videos[3:] == (TOP, "all episodes", "packets copied, not re-encoded")
    expected = ("other", "1 file", "~4 B", "README.md", "", "unchanged, copied byte for byte")
    assert other == expected


def test_episodes_that_are_treated_alike_share_a_row(tmp_path: Path) -> None:
    view = roboreel.open(_source(tmp_path)).trim({0: (2, 6), 2: (2, 5)})
    rows = planned_rows(roboreel.plan_write(view, out=tmp_path / "out"))
    videos = {row[4]: row[5] for row in rows if row[0] == "videos"}
    assert videos == {
        "episodes 0,2": "packets copied, not re-encoded",
        "episodes 1,3": "unchanged, copied byte for byte",
    }


def test_the_size_of_a_video_is_not_told_before_it_is_encoded(tmp_path: Path) -> None:
    view = roboreel.open(_source(tmp_path)).encode({TOP: roboreel.Encoding(crf=40)})
    rows = planned_rows(roboreel.plan_write(view, out=tmp_path / "out"))
    (video,) = (row for row in rows if row[0] == "videos")
    assert video[1:3] == ("4 files", "")
    assert "crf=40" in video[5]
