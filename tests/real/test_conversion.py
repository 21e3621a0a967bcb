"""Every real dataset goes to both other versions and back, and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import roboreel
from tests.judge import differences, faults, sound
from tests.oracle import Reading, read, tree_digest

StatsKey = Callable[[str], Path]
ReadOnce = Callable[[str], Reading]

BY_LEROBOT = (
    "v2.0-from-0.3.3-h264",
    "v2.1-lerobot-0.3.3-av1",
    "v2.1-lerobot-0.3.3-h264",
    "v3.0-lerobot-0.4.4-av1",
    "v3.0-lerobot-0.4.4-av1-many-files",
    "v3.0-lerobot-0.4.4-deleted",
    "v3.0-lerobot-0.4.4-image",
    "v3.0-lerobot-0.4.4-merged",
    "v3.0-lerobot-0.6.1-av1",
    "v3.0-lerobot-0.6.1-av1-many-files",
    "v3.0-lerobot-0.6.1-deleted",
    "v3.0-lerobot-0.6.1-h264",
    "v3.0-lerobot-0.6.1-image",
    "v3.0-lerobot-0.6.1-merged",
)
EXTRA_FILES = {
    "gr00t_robot_sim_PickNPlace_v20": ("meta/modality.json",),
    "sweep_franka_v20_h264": ("meta/modality.json", "meta/step_aug.json", "meta/trans.json"),
}
ADDED = {
    "gr00t_robot_sim_PickNPlace_v20": ("source_timestamp",),
    "cr5_v21_av1_first20": ("source_timestamp",),
}
"""Their timestamps are not k / fps: the recorded ones are kept in a column beside."""
LISTS_OF_ONE = {"sweep_franka_v20_h264": ("state.gripper", "action.gripper")}
"""Their shape is (1,): v3.0 has plain values, as its readers refuse such lists; the way back has lists."""
TIMESTAMP_ERROR_S = {"sweep_franka_v20_h264": 1e-14}
"""float64 ones that were computed in another order: near enough to be left as they are."""
WRONG_STATS = {"so101_rosbag_v30": ("observation.state", "action")}
"""The spread of constant values, which its writer computed in float32, is not zero."""
FOUND_IN_PUBLIC = (
    *EXTRA_FILES,
    "cr5_v21_av1_first20",
    "so101_rosbag_v30",
    "pusht_image_slice_v30",
)
SOUND = (*FOUND_IN_PUBLIC, *(f"by_lerobot/{name}" for name in BY_LEROBOT))
MISSING = {"gr00t_robot_sim_PickNPlace_v20": ("observation.images.egoview",)}
"""Cameras that are declared, and have no video."""
WITHOUT_VIDEOS = "koch_screwdriver_v21_novideo"
CAMERAS = ("observation.images.top", "observation.images.wrist")


@pytest.mark.parametrize("name", SOUND)
def test_both_other_versions_and_back_keep_everything(
    untouched: StatsKey, reading: ReadOnce, tmp_path: Path, name: str
) -> None:
    source, extra, added = reading(name), EXTRA_FILES.get(name, ()), ADDED.get(name, ())
    for version in {"v2.0", "v2.1", "v3.0"} - {source.version}:
        there, back = tmp_path / version, tmp_path / f"{version}-back"
        lacks = MISSING.get(name, ())
        roboreel.convert(untouched(name), to=version, out=there, allow_missing=lacks)
        roboreel.convert(there, to=source.version, out=back)
        for out in (there, back):
            result = read(sound(out))
            found = faults(
                result,
                extra_files=extra,
                timestamp_error_s=TIMESTAMP_ERROR_S.get(name, 0.0),
                wrong_stats=WRONG_STATS.get(name, ()),
            )
            assert found == []
            plain = LISTS_OF_ONE.get(name, ()) if result.version == "v3.0" else ()
            assert differences(source, result, added=added, unwrapped=plain) == []


@pytest.mark.parametrize("name", ["so101_rosbag_v30", "by_lerobot/v2.1-lerobot-0.3.3-av1"])
def test_serial_and_process_write_equal_bytes(
    untouched: StatsKey, tmp_path: Path, name: str
) -> None:
    for version in ("v2.0", "v2.1", "v3.0"):
        serial, process = tmp_path / f"{version}-serial", tmp_path / f"{version}-process"
        roboreel.convert(untouched(name), to=version, out=serial, executor="serial")
        roboreel.convert(untouched(name), to=version, out=process, executor="process", workers=2)
        assert tree_digest(serial) == tree_digest(process)


def _recorded(name: str) -> list[int]:
    """The numbers of the recorder's episodes in a set, by the set's own."""
    if name.endswith("merged"):
        return [*range(6), *range(6)]
    return [0, 2, 3, 5] if name.endswith("deleted") else list(range(6))


@pytest.mark.parametrize("name", [n for n in BY_LEROBOT if not n.endswith("image")])
def test_pictures_carry_the_numbers_of_their_rows(
    untouched: StatsKey, reading: ReadOnce, tmp_path: Path, name: str
) -> None:
    set_name = f"by_lerobot/{name}"
    version = "v2.1" if reading(set_name).version == "v3.0" else "v3.0"
    roboreel.convert(untouched(set_name), to=version, out=tmp_path / "out")
    for result in (reading(set_name), read(tmp_path / "out")):
        for recorded, episode in zip(_recorded(name), result.episodes, strict=True):
            frames = episode.rows["frame_index"].to_pylist()
            for number, camera in enumerate(CAMERAS):
                expected = [(frame, recorded, number) for frame in frames]
                assert result.numbers(episode, camera) == expected


def test_missing_videos_are_named_and_refused(untouched: StatsKey, tmp_path: Path) -> None:
    dataset = roboreel.open(untouched(WITHOUT_VIDEOS))
    assert {p.column for p in dataset.problems if p.severity == "error"} == set(dataset.cameras)
    with pytest.raises(roboreel.DatasetError, match="the videos are missing") as caught:
        roboreel.convert(dataset, to="v3.0", out=tmp_path / "out")
    for camera in ("observation.images.screwdriver", "observation.images.side"):
        assert camera in str(caught.value)
    assert not list(tmp_path.iterdir())


class Oddity(NamedTuple):
    """What a report must say of a dataset."""

    rule: str
    says: str


_GR00T, _SWEEP = FOUND_IN_PUBLIC[:2]
ODDITIES = {
    _GR00T: [
        Oddity("table.timestamps", "0.05 s away from k / fps"),
        Oddity("info.path-template", "chunk-{episode_index:03d}"),
        Oddity("video.missing", "observation.images.egoview"),
        Oddity("info.totals", "'total_videos' is 2"),
        Oddity("info.totals", "'total_chunks' is 0"),
        Oddity("info.splits", "0:100"),
        Oddity("table.index-columns", "frame_index"),
    ],
    _SWEEP: [
        Oddity("info.totals", "'total_frames' is 181814"),
        Oddity("info.splits", "None"),
        Oddity("stats.agree", "state.joints"),
        Oddity("feature.undeclared", "state.gripper"),
        Oddity("task.duplicate", "[0, 1] have the same text"),
        Oddity("task.unlisted", "dustpan.."),
    ],
    "cr5_v21_av1_first20": [Oddity("table.timestamps", "2.1")],
}


@pytest.mark.parametrize("name", ODDITIES)
def test_what_is_odd_about_a_dataset_is_reported(
    untouched: StatsKey, tmp_path: Path, name: str
) -> None:
    lacks = MISSING.get(name, ())
    report = roboreel.convert(untouched(name), to="v3.0", out=tmp_path / "out", allow_missing=lacks)
    for rule, says in ODDITIES[name]:
        assert any(p.rule == rule and says in str(p) for p in report.problems), (rule, says)
    told = [loss for loss in report.losses if loss.startswith("feature")]
    assert told == [f"feature '{camera}': none of its videos exists" for camera in lacks]


def test_a_camera_without_videos_is_not_left_out_unasked(
    untouched: StatsKey, tmp_path: Path
) -> None:
    for name, cameras in MISSING.items():
        with pytest.raises(roboreel.PlanError, match=rf'allow_missing=\["{cameras[0]}"'):
            roboreel.convert(untouched(name), to="v3.0", out=tmp_path / "out")
    dataset = roboreel.open(untouched(WITHOUT_VIDEOS))
    plan = roboreel.plan_convert(
        dataset, to="v3.0", out=tmp_path / "out", allow_missing=dataset.cameras
    )
    told = [loss for loss in plan.losses if loss.startswith("feature")]
    assert len(told) == len(dataset.cameras)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [f"by_lerobot/{name}" for name in BY_LEROBOT])
def test_nothing_is_odd_about_what_lerobot_wrote(
    untouched: StatsKey, tmp_path: Path, name: str
) -> None:
    assert roboreel.open(untouched(name)).problems == ()
    report = roboreel.convert(untouched(name), to="v3.0", out=tmp_path / "out")
    inconsistent = [
        p for p in report.problems if p.rule != "stats.agree"
    ]  # v2.0 has them of raw pictures
    known = {"stats.camera-overflow"} if "0.4.4" in name else set()
    assert {p.rule for p in inconsistent} == known
