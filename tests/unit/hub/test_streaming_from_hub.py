"""`StreamingLeRobotDataset` of a dataset that only the Hub has: the right items, nothing stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import roboreel
from roboreel.hub.client import BrokenConnectionError
from roboreel.hub.hub_root import HubRoot
from roboreel.hub.reference import HubReference
from roboreel.testing import Version, make_dataset
from roboreel.torch import LeRobotDataset, Loader, StreamingLeRobotDataset, dataset_metadata
from tests.hub_server import HubServer, folder_files

pytestmark = [
    pytest.mark.usefixtures("home"),
    # how the client itself uploads: httpx2 deprecates it
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_metadata, "HF_LEROBOT_HOME", tmp_path / "home")
    monkeypatch.setattr(dataset_metadata, "HF_LEROBOT_HUB_CACHE", tmp_path / "home/hub")


def _served(hub: HubServer, folder: Path, version: Version) -> Path:
    made = make_dataset(folder / "source", version=version, episodes=(6, 9, 7), fps=10)
    hub.add("user/name", folder_files(made), tags=[version])
    return made


def _require_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        same = torch.equal(found[name], value) if torch.is_tensor(value) else found[name] == value
        assert same, name


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_items_are_those_of_the_source(hub: HubServer, tmp_path: Path, version: Version) -> None:
    made = _served(hub, tmp_path, version)
    windows = {"observation.images.top": [-0.1, 0.0]}
    expected = LeRobotDataset("user/name", made, delta_timestamps=windows)
    stream = StreamingLeRobotDataset("user/name", delta_timestamps=windows)
    found = {int(item["index"]): item for item in stream}
    assert sorted(found) == list(range(len(expected)))
    for index, item in found.items():
        _require_equal(item, expected[index])
    assert not [path for path in stream.root.rglob("*") if path.suffix == ".mp4"]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize("prefetch_mb", [64, 1e-6])
def test_a_packet_index_leaves_one_request_for_packets_of_a_block(
    hub: HubServer, tmp_path: Path, version: Version, prefetch_mb: float
) -> None:
    made = _served(hub, tmp_path, version)
    roboreel.index_packets("user/name", push=True)
    expected = LeRobotDataset("user/name", made)
    stream = StreamingLeRobotDataset("user/name", buffer_size=None, prefetch_mb=prefetch_mb)
    for item in stream:
        _require_equal(item, expected[int(item["index"])])
    hub.forget()
    assert sorted(int(item["index"]) for item in stream) == list(range(22))
    videos = [one for one in hub.asked if one.name and one.name.endswith(".mp4")]
    blocks, files = 2, 2 if version == "v3.0" else 6
    assert len(videos) == len(hub.asked) <= blocks * files


@pytest.mark.parametrize(
    "fault",
    [
        lambda hub: hub.cut("/lfs/", after=3, times=4),
        lambda hub: hub.fail("/lfs/", status=429, times=4, headers={"Retry-After": "1"}),
        lambda hub: hub.fail("/lfs/", status=500, times=4),
    ],
    ids=["cut short", "too many requests", "server error"],
)
def test_a_stream_survives_what_fails_for_the_moment(
    hub: HubServer, tmp_path: Path, fault: Callable[[HubServer], None]
) -> None:
    made = _served(hub, tmp_path, "v3.0")
    roboreel.index_packets("user/name", push=True)
    expected = LeRobotDataset("user/name", made)
    stream = StreamingLeRobotDataset("user/name", buffer_size=None)
    fault(hub)
    found = {int(item["index"]): item for item in stream}
    assert sorted(found) == list(range(22))
    for index, item in found.items():
        _require_equal(item, expected[index])


def test_what_keeps_failing_ends_a_stream_with_its_reason(hub: HubServer, tmp_path: Path) -> None:
    _served(hub, tmp_path, "v3.0")
    roboreel.index_packets("user/name", push=True)
    stream = StreamingLeRobotDataset("user/name", buffer_size=None)
    hub.fail("/lfs/", status=503)
    with pytest.raises(roboreel.HubError, match="503"):
        list(stream)


def test_a_dataset_of_items_by_number_streams_too(hub: HubServer, tmp_path: Path) -> None:
    made = _served(hub, tmp_path, "v2.1")
    expected = LeRobotDataset("user/name", made)
    dataset = LeRobotDataset("user/name", streaming=True)
    assert len(dataset) == 22
    for index in (21, 3):
        _require_equal(dataset[index], expected[index])
    batches = list(Loader(dataset, batch_size=4, shuffle=True))
    assert sorted(int(one) for batch in batches for one in batch["index"]) == list(range(22))
    assert not list(dataset.root.rglob("*.mp4"))


def test_only_files_of_chosen_episodes_are_asked_for(hub: HubServer, tmp_path: Path) -> None:
    made = _served(hub, tmp_path, "v2.1")
    stream = StreamingLeRobotDataset("user/name", episodes=[1])
    hub.forget()
    assert len(list(stream)) == 9
    files = [path for path in made.rglob("*000001*") if path.is_file()]
    assert {name.rpartition("/")[2] for name in hub.fetched()} == {path.name for path in files}


def test_workers_stream_too(hub: HubServer, tmp_path: Path) -> None:
    _served(hub, tmp_path, "v3.0")
    loader = DataLoader(StreamingLeRobotDataset("user/name"), batch_size=None, num_workers=2)
    assert sorted(int(item["index"]) for item in loader) == list(range(22))


def test_ranks_and_workers_stream_each_frame_once(hub: HubServer, tmp_path: Path) -> None:
    made = _served(hub, tmp_path, "v2.1")
    roboreel.index_packets("user/name", push=True)
    expected = LeRobotDataset("user/name", made)
    found: list[int] = []
    for rank in range(2):
        own = StreamingLeRobotDataset("user/name", buffer_size=None, rank=rank, world_size=2)
        for item in DataLoader(own, batch_size=None, num_workers=2):
            found.append(int(item["index"]))
            _require_equal(item, expected[found[-1]])
    assert sorted(found) == list(range(22))


@pytest.mark.parametrize(
    "fault",
    [
        lambda hub: hub.cut("/lfs/", after=-1, times=2),
        lambda hub: hub.cut("/lfs/", after=3, times=2),
        lambda hub: hub.fail("/lfs/", status=503, times=2),
        lambda hub: hub.fail("/resolve/", status=429, times=2, headers={"Retry-After": "1"}),
    ],
    ids=["no answer", "cut short", "server error", "too many requests"],
)
def test_what_fails_for_the_moment_is_tried_again(
    hub: HubServer, tmp_path: Path, fault: Callable[[HubServer], None]
) -> None:
    made = _served(hub, tmp_path, "v3.0")
    root = HubRoot(HubReference("user/name"))
    video = next(name for name in root.list() if name.endswith(".mp4"))
    fault(hub)
    expected = (made / video).read_bytes()
    assert root.ranges(video, [(90, 30), (3, 6)]) == [expected[90:120], expected[3:9]]


def test_what_keeps_failing_is_an_error(hub: HubServer, tmp_path: Path) -> None:
    _served(hub, tmp_path, "v3.0")
    root = HubRoot(HubReference("user/name"))
    video = next(name for name in root.list() if name.endswith(".mp4"))
    hub.cut("/lfs/", after=3)
    with pytest.raises(BrokenConnectionError, match="connection broke"):
        root.ranges(video, [(90, 30)])


def test_a_signed_url_that_expires_is_asked_for_again(hub: HubServer, tmp_path: Path) -> None:
    made = _served(hub, tmp_path, "v3.0")
    root = HubRoot(HubReference("user/name"))
    video = next(name for name in root.list() if name.endswith(".mp4"))
    root.ranges(video, [(3, 6)])
    hub.forget()
    root.ranges(video, [(4, 6)])
    assert all(one.at_cdn for one in hub.asked)
    hub.fail("/lfs/", status=403, times=1)
    assert root.ranges(video, [(3, 6)]) == [(made / video).read_bytes()[3:9]]


def test_a_failing_hub_is_one_clear_error(hub: HubServer, tmp_path: Path) -> None:
    made = _served(hub, tmp_path, "v3.0")
    (made / "data/chunk-000/file-000.parquet").unlink()
    with pytest.raises(roboreel.HubError, match=r"lacks files .*no dataset 'user/other'"):
        StreamingLeRobotDataset("user/other", made)
    stream = StreamingLeRobotDataset("user/name")
    hub.fail("videos/", status=403)
    with pytest.raises(roboreel.RoboreelError, match=r"status 403"):
        list(stream)
