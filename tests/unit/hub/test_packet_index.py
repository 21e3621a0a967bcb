"""The packet index of a dataset on the Hub: made without a download, found by readers, refused when stale."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

import roboreel
from roboreel.errors import UsageError
from roboreel.storage.video.packet_index import INDEX_FILE
from roboreel.testing import Camera, Version, make_dataset
from roboreel.testing.numbered_frames import read_numbers
from tests.command import run_here
from tests.hub_server import HubServer, folder_files

# how the client itself uploads: httpx2 deprecates it
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
TOP, WRIST = "observation.images.top", "observation.images.wrist"
LENGTHS = (12, 9, 17)
ITEMS = [30, 3, 20, 12, 13, 37]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, that caches what is small and new too."""
    monkeypatch.setenv("ROBOREEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def serve(hub: HubServer, folder: Path, version: Version) -> Path:
    """A dataset with short GOPs in one camera, B-frames in one long GOP in the other."""
    cameras = {TOP: Camera(height=32), WRIST: Camera(height=32, gop=250, b_frames=2)}
    made = make_dataset(
        folder / "source", version=version, episodes=LENGTHS, fps=10, cameras=cameras
    )
    hub.add("user/name", folder_files(made), tags=[version])
    return made


def read(reference: str | Path = "user/name") -> dict[str, np.ndarray]:
    return roboreel.reader(roboreel.open_remote(reference)).batch(ITEMS)


def require_right(found: dict[str, np.ndarray], made: Path) -> None:
    expected = roboreel.reader(roboreel.open(made)).batch(ITEMS)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    episodes = np.repeat(np.arange(3), LENGTHS)
    frames = np.concatenate([np.arange(count) for count in LENGTHS])
    for row, item in enumerate(ITEMS):
        for camera in (TOP, WRIST):
            numbers = read_numbers(found[camera][row])
            assert (numbers.episode, numbers.frame) == (episodes[item], frames[item])


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_a_frame_costs_one_request(hub: HubServer, tmp_path: Path, version: Version) -> None:
    made = serve(hub, tmp_path, version)
    require_right(read(), made)  # without an index
    report = roboreel.index_packets("user/name")
    assert (report.packets, report.commit, report.unreadable) == (2 * sum(LENGTHS), None, {})
    reader = roboreel.reader(roboreel.open_remote("user/name"))
    reader.batch([0])
    hub.forget()
    reader.batch([25])
    videos = [one for one in hub.asked if one.name and one.name.endswith(".mp4")]
    assert [(one.at_cdn, one.status) for one in videos] == [(True, 206)] * 2
    require_right(reader.batch(ITEMS), made)
    hub.forget()
    require_right(reader.batch(ITEMS), made)  # in memory now
    assert hub.asked == []


def test_a_frame_cache_keeps_frames_of_the_hub(hub: HubServer, tmp_path: Path) -> None:
    made = serve(hub, tmp_path, "v3.0")
    roboreel.index_packets("user/name")
    dataset = roboreel.open_remote("user/name")
    reader = roboreel.reader(dataset, frame_cache=tmp_path / "frames")
    require_right(reader.batch(ITEMS), made)
    assert reader.cache_counts == (0, 2 * len(ITEMS))
    again = roboreel.reader(dataset, frame_cache=tmp_path / "frames", memory_mb=1e-6)
    again.batch([0])
    hub.forget()
    require_right(again.batch(ITEMS), made)
    assert again.cache_counts == (2 * len(ITEMS), 2)
    assert not [one for one in hub.asked if one.name and one.name.endswith(".mp4")]


def test_without_an_index_keyframes_are_read_together(
    hub: HubServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roboreel.dataset.packet_indexes._TOLD", set())
    made = serve(hub, tmp_path, "v3.0")
    reader = roboreel.reader(roboreel.open_remote("user/name"))
    with caplog.at_level(logging.WARNING):
        require_right(reader.batch(ITEMS), made)
        require_right(read(), made)
    assert caplog.text.count("has no packet index") == 1
    videos = [one for one in hub.asked if one.name and one.name.endswith(".mp4")]
    assert len(videos) <= 2 * 2 * 4  # of each reader and camera: index, keyframes, packets


def test_frames_of_a_batch_that_are_near_are_one_request(hub: HubServer, tmp_path: Path) -> None:
    serve(hub, tmp_path, "v3.0")
    roboreel.index_packets("user/name")
    reader = roboreel.reader(roboreel.open_remote("user/name"), cameras=[TOP])
    reader.batch([0])
    hub.forget()
    reader.batch([2, 4, 6, 8, 10])
    assert len(hub.asked) == 1


def test_the_index_beside_the_dataset_is_found_and_not_part_of_it(
    hub: HubServer, tmp_path: Path, home: Path
) -> None:
    made = serve(hub, tmp_path, "v3.0")
    before = hub.repos["user/name"].branches["main"]
    report = roboreel.index_packets("user/name", push=True)
    repo = hub.repos["user/name"]
    assert report.commit == repo.branches["main"] == repo.tags["v3.0"] != before
    assert roboreel.index_packets("user/name", push=True).commit == report.commit
    assert not home.exists()
    hub.forget()
    require_right(read(), made)
    assert INDEX_FILE in hub.fetched()
    dataset = roboreel.open_remote("user/name")
    assert INDEX_FILE in dataset.files
    assert INDEX_FILE not in (*dataset.model.extra_files, *dataset.model.other_files)


def test_a_push_keeps_the_index_on_the_hub(hub: HubServer, tmp_path: Path) -> None:
    from roboreel.hub.push import push

    made = serve(hub, tmp_path, "v3.0")
    roboreel.index_packets("user/name", push=True)
    assert push(made, "user/name").removed == ()
    assert INDEX_FILE in hub.repos["user/name"].commits[hub.repos["user/name"].branches["main"]]


def test_videos_that_changed_since_are_named_and_read_without_it(
    hub: HubServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = serve(hub, tmp_path, "v2.1")
    roboreel.index_packets("user/name")
    other = make_dataset(
        tmp_path / "other",
        version="v2.1",
        episodes=LENGTHS,
        fps=10,
        cameras={TOP: Camera(height=32, gop=3), WRIST: Camera(height=32)},
    )
    (name,) = [p.relative_to(made).as_posix() for p in made.rglob(f"{TOP}/episode_000002.mp4")]
    (made / name).write_bytes((other / name).read_bytes())
    hub.add("user/name", folder_files(made), tags=["v2.1"])
    with caplog.at_level(logging.WARNING):
        require_right(read(), made)
    assert f"'{name}' changed: these videos are read without it" in caplog.text


def test_the_command_makes_it_and_says_how_large_it_is(hub: HubServer, tmp_path: Path) -> None:
    made = serve(hub, tmp_path, "v3.0")
    shown = run_here("index", "user/name")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "76 packets of 2 videos" in shown.stdout
    said = json.loads(run_here("index", made, "-o", tmp_path / "own.parquet", "--json").stdout)
    assert said["path"] == str(tmp_path / "own.parquet")
    assert (tmp_path / "own.parquet").stat().st_size == said["size_bytes"]


def test_a_video_that_cannot_be_read_is_named(hub: HubServer, tmp_path: Path) -> None:
    made = serve(hub, tmp_path, "v2.1")
    video = next(made.rglob("*.mp4"))
    video.write_bytes(b"no movie")
    shown = run_here("index", made)
    assert shown.returncode == 1
    assert f"not indexed: '{video.relative_to(made).as_posix()}': not an MP4" in shown.stderr


def test_a_folder_cannot_be_pushed_to(tmp_path: Path, hub: HubServer) -> None:
    made = serve(hub, tmp_path, "v3.0")
    with pytest.raises(UsageError, match=r"is not a dataset on the Hub"):
        roboreel.index_packets(made, push=True)
    with pytest.raises(UsageError, match="not both"):
        roboreel.index_packets("user/name", tmp_path / "x", push=True)
    shown = run_here("index", "user/name", "--push", "-o", "x")
    assert shown.returncode == 2
    assert "--push and -o" in shown.stderr


def test_an_index_of_local_files_is_right_on_the_hub(hub: HubServer, tmp_path: Path) -> None:
    made = serve(hub, tmp_path, "v3.0")
    roboreel.index_packets(made, made / INDEX_FILE)
    hub.add("user/name", folder_files(made), tags=["v3.0"])
    reader = roboreel.reader(roboreel.open_remote("user/name"), cameras=[TOP])
    reader.batch([0])
    hub.forget()
    reader.batch([30])
    assert len(hub.asked) == 1
