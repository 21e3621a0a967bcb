"""Every real dataset is the same as its conversions, and as no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import roboreel
from tests.mutate import copied
from tests.oracle import read
from tests.real.test_conversion import BY_LEROBOT, MISSING, SOUND, WITHOUT_VIDEOS
from tests.tamper import edit_values, flip_packet_byte

StatsKey = Callable[[str], Path]
VERSIONS = ("v2.0", "v2.1", "v3.0")
NOTES = {
    "gr00t_robot_sim_PickNPlace_v20": {"cameras", "columns", "features", "index", "timestamps"},
    "sweep_franka_v20_h264": {"columns", "features", "index"},
    "cr5_v21_av1_first20": {"columns", "features", "timestamps"},
}
"""What a conversion sets right, besides statistics."""


@pytest.mark.parametrize("name", SOUND)
def test_a_conversion_is_the_same(untouched: StatsKey, tmp_path: Path, name: str) -> None:
    source = untouched(name)
    for version in VERSIONS:
        lacks = MISSING.get(name, ())
        roboreel.convert(source, to=version, out=tmp_path / version, allow_missing=lacks)
        report = roboreel.diff(source, tmp_path / version)
        assert report.differences == ()
        # from and to v2.0, which has no statistics to derive them from, uids are written
        uids = {"extras"} if "v2.0" in (version, str(roboreel.open(source).version)) else set()
        assert {note.kind for note in report.notes} <= {"statistics", *uids, *NOTES.get(name, ())}
        length = sum(len(episode.rows) for episode in read(source).episodes)
        assert report.compared.rows == length
        assert report.compared.packets == length * len(read(source).cameras)
    assert roboreel.diff(tmp_path / "v3.0", tmp_path / "v2.0").same  # only that has uids
    assert roboreel.diff(tmp_path / "v3.0", tmp_path / "v2.1").same


@pytest.mark.parametrize("name", SOUND)
def test_one_change_to_a_conversion_is_found(
    untouched: StatsKey, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    roboreel.convert(untouched(name), to="v3.0", out=out, allow_missing=MISSING.get(name, ()))
    reading = read(out)
    last = len(reading.episodes) - 1
    row = len(reading.episodes[last].rows) // 2
    expected = []
    if reading.cameras:
        flip_packet_byte(out, last, row, reading.cameras[-1])
        expected = [("packets", last, row, reading.cameras[-1])]
    action = next(n for n in reading.episodes[0].rows.column_names if n.startswith("action"))
    edit_values(out, last, action, lambda values: values.__setitem__((row, 0), 1e9))
    expected = [("values", last, row, action), *expected]
    found = roboreel.diff(untouched(name), out).differences
    assert [(d.kind, d.episode, d.row, d.column) for d in found] == expected


@pytest.mark.parametrize("name", [f"by_lerobot/{n}" for n in BY_LEROBOT] + ["so101_rosbag_v30"])
def test_pictures_of_a_conversion_are_the_same(
    untouched: StatsKey, tmp_path: Path, name: str
) -> None:
    version = "v3.0" if read(untouched(name)).version != "v3.0" else "v2.1"
    roboreel.convert(untouched(name), to=version, out=tmp_path / "out")
    report = roboreel.diff(untouched(name), tmp_path / "out", decode=True)
    assert report.differences == ()
    assert report.compared.pictures > 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("v2.1-lerobot-0.3.3-av1", "v2.1-lerobot-0.3.3-h264"),
        ("v3.0-lerobot-0.6.1-av1", "v3.0-lerobot-0.6.1-deleted"),
        ("v3.0-lerobot-0.6.1-av1", "v3.0-lerobot-0.6.1-merged"),
        ("v3.0-lerobot-0.6.1-av1", "v3.0-lerobot-0.6.1-image"),
    ],
)
def test_two_datasets_that_are_not_the_same_are_told_apart(
    untouched: StatsKey, one: str, other: str
) -> None:
    pair = untouched(f"by_lerobot/{one}"), untouched(f"by_lerobot/{other}")
    for first, second in (pair, pair[::-1]):
        assert not roboreel.diff(first, second).same
        assert len(roboreel.diff(first, second, first_only=True).differences) == 1


def test_layouts_that_lerobot_wrote_do_not_matter(untouched: StatsKey) -> None:
    one = untouched("by_lerobot/v3.0-lerobot-0.6.1-av1")
    many = untouched("by_lerobot/v3.0-lerobot-0.6.1-av1-many-files")
    for pair in ((one, many), (many, one)):
        report = roboreel.diff(*pair)
        assert report.differences == ()
        assert report.notes == ()


def test_a_dataset_without_its_videos_is_compared_by_the_rest(
    untouched: StatsKey, tmp_path: Path
) -> None:
    root = untouched(WITHOUT_VIDEOS)
    report = roboreel.diff(root, root)
    assert report.same
    assert {note.kind for note in report.notes} == {"cameras"}
    assert len(report.notes) == 3
    other = copied(root, tmp_path / "other")
    edit_values(other, 2, "action", lambda values: values.__setitem__((5, 0), 1e9))
    found = roboreel.diff(root, other).differences
    assert [(d.kind, d.episode, d.row, d.column) for d in found] == [("values", 2, 5, "action")]
