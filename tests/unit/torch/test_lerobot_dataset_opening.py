"""Where `LeRobotDataset` gets its files from, and what it refuses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.testing import Version
from roboreel.torch import LeRobotDataset, dataset_metadata, lerobot_dataset
from tests.mutate import episode_video
from tests.unit.torch.conftest import TOP, WRIST

Numbered = Callable[[Version], Path]


class Hub:
    """In place of the Hub's functions: copies files of a dataset."""

    def __init__(self, source: Path, snapshot: Path) -> None:
        self.source, self.snapshot = source, snapshot
        self.asked: list[dict[str, Any]] = []

    def snapshot_download(self, repo_id: str, **arguments: Any) -> str:
        self.asked.append(arguments)
        target = Path(arguments.get("local_dir", self.snapshot))
        wanted = arguments["allow_patterns"]
        names = [wanted] if isinstance(wanted, str) else wanted
        for file in self.source.rglob("*.*"):
            name = file.relative_to(self.source).as_posix()
            left_out = (arguments["ignore_patterns"] or "-",)
            if (
                file.is_dir()
                or name.startswith(left_out)
                or not (names is None or name.startswith(tuple(names)))
            ):
                continue
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / name)
        return str(target)


@pytest.fixture
def hub(numbered: Numbered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(numbered("v2.1"), tmp_path / "snapshot")
    for module in (dataset_metadata, lerobot_dataset):
        monkeypatch.setattr(module, "snapshot_download", found.snapshot_download)
        monkeypatch.setattr(module, "get_safe_version", lambda _repo, version, **_: f"{version}!")
        monkeypatch.setattr(module, "HF_LEROBOT_HUB_CACHE", tmp_path / "hub")
    monkeypatch.setattr(dataset_metadata, "HF_LEROBOT_HOME", tmp_path / "home")
    return found


def test_a_dataset_on_the_hub_is_resumed_in_a_folder(hub: Hub, tmp_path: Path) -> None:
    dataset = LeRobotDataset.resume("me/a", tmp_path / "new")
    assert [one["allow_patterns"] for one in hub.asked] == ["meta/", None]
    assert (dataset.num_episodes, dataset.num_frames, dataset.reader) == (4, 20, None)
    assert len(dataset[:]) == 20
    dataset.finalize()


def test_only_what_a_folder_lacks_is_downloaded(
    hub: Hub, numbered: Numbered, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(numbered("v2.1"), tmp_path / "a"))
    lost = episode_video(root, WRIST, 2)
    lost.unlink()
    kept = episode_video(root, TOP, 2)
    kept.touch()
    stamp = kept.stat().st_mtime_ns
    assert len(LeRobotDataset("me/a", root, episodes=[0, 1])) == 7
    assert hub.asked == []
    dataset = LeRobotDataset("me/a", root)
    assert hub.asked[0]["allow_patterns"] == ["meta/", lost.relative_to(root).as_posix()]
    assert hub.asked[0]["local_dir"] == root
    assert dataset[8][WRIST].shape == (3, 32, 160)
    assert kept.stat().st_mtime_ns == stamp


def test_a_dataset_that_is_nowhere_is_read_from_a_snapshot(hub: Hub) -> None:
    dataset = LeRobotDataset("me/a", episodes=[3])
    assert dataset.root == hub.snapshot
    assert [asked["allow_patterns"] for asked in hub.asked] == [
        "meta/",
        ["meta/", *dataset.get_episodes_file_paths()],
    ]
    assert len(dataset[:]) == 4
    assert not episode_video(hub.snapshot, TOP, 0).exists()


def test_all_files_are_asked_for_where_all_are_missing(hub: Hub, tmp_path: Path) -> None:
    dataset = LeRobotDataset("me/a", tmp_path / "new", revision="main")
    assert hub.asked[1]["allow_patterns"] is None
    assert hub.asked[1]["revision"] == dataset.revision
    assert len(dataset[:]) == 20


def test_videos_can_be_left_out(hub: Hub, tmp_path: Path) -> None:
    dataset = LeRobotDataset("me/a", tmp_path / "new", download_videos=False)
    assert hub.asked[1]["ignore_patterns"] == "videos/"
    assert int(dataset.hf_dataset[7]["index"]) == 7
    with pytest.raises(roboreel.RoboreelError, match=f"{TOP}.*"):
        dataset[7]


def test_a_failed_download_says_what_is_missing(
    numbered: Numbered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(numbered("v2.1"), tmp_path / "a"))
    episode_video(root, TOP, 1).unlink()

    def unreachable(*_: object, **__: object) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(lerobot_dataset, "get_safe_version", unreachable)
    with pytest.raises(roboreel.StorageError, match=r"no network.*download_videos=False") as raised:
        LeRobotDataset("me/a", root)
    assert "lacks 1 file ('videos/chunk-000" in str(raised.value)
    assert f"roboreel repair {root} --on-broken skip -o {root}_repaired" in str(raised.value)
    shutil.rmtree(root / "videos")
    with pytest.raises(roboreel.StorageError, match=f"{root} --drop-missing-cameras -o"):
        LeRobotDataset("me/a", root)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"delta_timestamps": {"nothing": [0.0]}}, KeyError, "'nothing': the dataset has 'action'"),
        ({"delta_timestamps": {"action": [0.04]}}, ValueError, "multiples of 1/fps"),
        (
            {"episodes": [7]},
            ValueError,
            "episode 7 does not exist: the dataset has episodes 0 to 3",
        ),
        ({"episodes": []}, ValueError, "no episode is chosen"),
        ({"episode_filter": lambda _: False}, ValueError, "no episode is chosen"),
        ({"video_backend": "magic"}, ValueError, "unknown video backend 'magic'"),
        ({"image_transforms": 3}, TypeError, "a function or None"),
    ],
)
def test_wrong_arguments_are_refused(
    numbered: Numbered, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        LeRobotDataset("me/a", numbered("v3.0"), **options)
    assert isinstance(raised.value, roboreel.UsageError)


def test_a_missing_frame_is_named(numbered: Numbered, tmp_path: Path) -> None:
    root = Path(shutil.copytree(numbered("v2.1"), tmp_path / "a"))
    shutil.copyfile(episode_video(root, TOP, 1), episode_video(root, TOP, 2))
    dataset = LeRobotDataset("me/a", root)
    with pytest.raises(roboreel.RoboreelError, match=r"episode_000002.*"):
        dataset[12]


def test_options_of_recording_that_are_the_defaults_open_a_dataset_for_reading(
    numbered: Numbered,
) -> None:
    dataset = LeRobotDataset("me/a", numbered("v3.0"), encoder_threads=2, batch_encoding_size=1)
    assert dataset.writer is None
    assert not dataset.has_pending_frames()


@pytest.mark.parametrize("call", ["save_episode", "clear_episode_buffer"])
def test_a_dataset_that_was_opened_for_reading_does_not_record(
    numbered: Numbered, call: str
) -> None:
    dataset = LeRobotDataset("me/a", numbered("v3.0"))
    with pytest.raises(RuntimeError, match=f"Cannot call '{call}\\(\\)' on a read-only dataset"):
        getattr(dataset, call)()
    with pytest.raises(RuntimeError, match="read-only"):
        dataset.add_frame({})
    dataset.finalize()
