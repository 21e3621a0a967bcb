"""What an item of `LeRobotDataset` is: keys, dtypes, shapes, transforms, depths, rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

import roboreel
from roboreel.reading.host_buffers import HostBuffers
from roboreel.storage.video.indexed_video import indexed_video
from roboreel.testing import Camera, Version, make_dataset
from roboreel.torch import LeRobotDataset
from roboreel.torch.batches.loader import Loader
from roboreel.torch.depth_utils import dequantize_depth, quantize_depth
from roboreel.torch.items.random_access import frames_decoded_for_one, longest_gop
from tests.mutate import edit_json, episode_video
from tests.unit.torch.conftest import TOP, WRIST

Numbered = Callable[[Version], Path]
STILL = "observation.images.still"


def same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and torch.equal(left, right)
    return bool(left == right)


def equal_items(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)


def test_values_have_the_dtypes_and_shapes_of_lerobot(root: Path) -> None:
    item = LeRobotDataset("me/a", root)[3]
    found = {
        name: (value.dtype, tuple(value.shape))
        for name, value in item.items()
        if isinstance(value, torch.Tensor)
    }
    assert found == {
        "observation.state": (torch.float32, (6,)),
        "action": (torch.float32, (6,)),
        "observation.pose": (torch.float32, (3, 4)),
        "observation.effort": (torch.float32, (3,)),
        "observation.ticks": (torch.int64, (2,)),
        "next.reward": (torch.float32, ()),
        "next.done": (torch.bool, ()),
        "timestamp": (torch.float32, ()),
        **dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), (torch.int64, ())),
        **{
            name: (torch.float32, (3, 48 if name == STILL else 128, 160))
            for name in item
            if name.startswith("observation.images")
        },
    }
    assert isinstance(item["observation.note"], str)
    assert isinstance(item["task"], str)


def test_frames_are_divided_as_torch_divides(numbered: Numbered) -> None:
    root = numbered("v2.1")
    stored = roboreel.reader(roboreel.open(root))[5][TOP]
    expected = torch.from_numpy(stored).permute(2, 0, 1)
    assert torch.equal(LeRobotDataset("me/a", root)[5][TOP], expected.to(torch.float32) / 255)
    assert torch.equal(LeRobotDataset("me/a", root, return_uint8=True)[5][TOP], expected)


def test_images_in_tables_are_floats_also_where_videos_are_uint8(made: dict[str, Path]) -> None:
    dataset = LeRobotDataset("me/a", made["v3.0"], return_uint8=True)
    item = dataset[0]
    assert item[STILL].dtype == torch.float32
    assert item[dataset.meta.video_keys[0]].dtype == torch.uint8


def test_windows_of_one_frame_have_no_time_axis_for_videos_only(made: dict[str, Path]) -> None:
    video = LeRobotDataset("me/a", made["v3.0"]).meta.video_keys[0]
    windows = {video: [0.0], STILL: [0.0], "action": [0.0], "next.reward": [0.0, 0.1]}
    item = LeRobotDataset("me/a", made["v3.0"], delta_timestamps=windows)[4]
    assert item[video].shape == (3, 128, 160)
    assert item[STILL].shape == (1, 3, 48, 160)
    assert item["action"].shape == (1, 6)
    assert item["next.reward"].shape == (2,)
    assert item["next.reward_is_pad"].tolist() == [False, True]
    assert item[f"{video}_is_pad"].shape == (1,)


def test_a_batch_has_the_items_that_are_read_one_by_one(numbered: Numbered) -> None:
    windows = {TOP: [-0.1, 0.0], "action": [0.0, 0.3]}
    dataset = LeRobotDataset("me/a", numbered("v3.0"), delta_timestamps=windows)
    chosen = [7, 0, 7, 19, 6]
    items = dataset.__getitems__(chosen)
    assert all(equal_items(item, dataset[at]) for item, at in zip(items, chosen, strict=True))
    stacked = dataset.read_batch(chosen, HostBuffers(1))
    for name, column in stacked.items():
        assert all(same(column[row], item[name]) for row, item in enumerate(items))
    (batch,) = Loader(dataset, batch_size=20)
    assert torch.equal(batch[TOP][7], items[0][TOP])


def test_items_stay_as_they_are_when_others_are_read(numbered: Numbered) -> None:
    dataset = LeRobotDataset("me/a", numbered("v2.1"))
    kept = [dataset[at] for at in range(8)]
    copies = [item[TOP].clone() for item in kept]
    for at in range(20):
        dataset[at]
    assert all(torch.equal(item[TOP], copy) for item, copy in zip(kept, copies, strict=True))


def test_videos_of_several_sizes_are_read_one_by_one(tmp_path: Path) -> None:
    small, large = (
        make_dataset(tmp_path / str(h), episodes=(3, 3), cameras={TOP: Camera(height=h)})
        for h in (32, 48)
    )
    shutil.copyfile(episode_video(large, TOP, 1), episode_video(small, TOP, 1))
    dataset = LeRobotDataset("me/a", small)
    assert [dataset[at][TOP].shape[1] for at in (0, 4, 1)] == [32, 48, 32]
    with pytest.raises(roboreel.UsageError, match="32"):
        dataset.__getitems__([0, 4])


def test_numbers_of_items_follow_those_of_lists(numbered: Numbered) -> None:
    dataset = LeRobotDataset("me/a", numbered("v2.0"), episodes=[1, 2])
    assert len(dataset) == 10
    assert int(dataset[-1]["index"]) == int(dataset[9]["index"]) == 15
    assert [int(item["index"]) for item in dataset[1:7:3]] == [7, 10]
    assert dataset[10:] == []
    assert int(dataset[np.int64(2)]["index"]) == 8  # type: ignore[index]
    for wrong in (10, -11):
        with pytest.raises(
            IndexError, match=f"item {wrong} is out of range for a dataset of length 10"
        ):
            dataset[wrong]


def test_transforms_are_applied_to_coloured_frames(numbered: Numbered) -> None:
    seen: list[tuple[int, ...]] = []

    def darker(frames: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(frames.shape))
        return frames / 2

    root = numbered("v2.1")
    plain = LeRobotDataset("me/a", root, delta_timestamps={TOP: [0.0, 0.1]})
    dataset = LeRobotDataset(
        "me/a", root, image_transforms=darker, delta_timestamps={TOP: [0.0, 0.1]}
    )
    assert torch.equal(dataset[2][TOP], plain[2][TOP] / 2)
    assert seen == [(2, 3, 32, 160), (3, 32, 160)]
    assert torch.equal(dataset.read_batch([2], HostBuffers(0))[WRIST][0], plain[2][WRIST] / 2)
    dataset.clear_image_transforms()
    assert torch.equal(dataset[2][TOP], plain[2][TOP])
    dataset.image_transforms = darker
    assert dataset.reader.image_transforms is darker
    with pytest.raises(TypeError, match="a function or None"):
        dataset.set_image_transforms(3)  # type: ignore[arg-type]


@pytest.fixture
def depths(tmp_path: Path) -> tuple[Path, np.ndarray[Any, Any]]:
    """A dataset with a depth video, and its depths in metres."""
    root = make_dataset(tmp_path / "a", episodes=(3,), cameras={TOP: Camera(height=32)}, fps=10)
    metres = np.linspace(0.1, 8, 3 * 32 * 160, dtype=np.float32).reshape(3, 32, 160)
    with av.open(str(episode_video(root, TOP, 0)), "w") as file:
        options = {"x265-params": "lossless=1:log-level=none"}
        stream = file.add_stream("libx265", rate=Fraction(10), options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 32, "gray12le"
        for image in metres:
            file.mux(stream.encode(quantize_depth(image)))
        file.mux(stream.encode())
    facts = {"is_depth_map": True, "depth_unit": "m", "video.pix_fmt": "gray12le"}

    def change(document: Any) -> None:
        document["features"][TOP]["shape"] = [32, 160, 1]
        document["features"][TOP]["info"].update(facts)

    edit_json(root / "meta" / "info.json", change)
    return root, metres


def test_depths_of_videos_are_in_the_chosen_unit(
    depths: tuple[Path, np.ndarray[Any, Any]],
) -> None:
    root, metres = depths
    codes = [quantize_depth(image, video_backend=None) for image in metres]
    for unit, step in (("m", 0.01), ("mm", 10.0)):
        dataset = LeRobotDataset("me/a", root, depth_output_unit=unit, image_transforms=torch.neg)
        for item, image, code in zip(dataset[:], metres, codes, strict=True):
            assert item[TOP].shape == (1, 32, 160)
            assert item[TOP].dtype == torch.float32
            expected = dequantize_depth(code, output_unit=unit)
            assert torch.equal(item[TOP], expected.reshape(1, 32, 160))
            scale = 1 if unit == "m" else 1000
            assert np.abs(item[TOP][0].numpy() - image * scale).max() < step
        assert dataset.depth_output_unit == unit
    with pytest.raises(ValueError, match="must be 'm' or 'mm'"):
        LeRobotDataset("me/a", root, depth_output_unit="cm")


def test_rows_have_the_access_of_a_table(made: dict[str, Path]) -> None:
    dataset = LeRobotDataset("me/a", made["v3.0"], episodes=[0, 2])
    rows = dataset.hf_dataset
    video = dataset.meta.video_keys[0]
    assert len(rows) == rows.num_rows == 8
    assert video not in rows.column_names
    assert same(rows[-1]["action"], dataset[7]["action"])
    assert equal_items(dataset.get_raw_item(3), rows[3])
    assert "task" not in rows[3]
    assert [int(one) for one in rows["index"]] == [0, 1, 2, 3, 4, 12, 13, 14]
    assert same(rows["action"][5], dataset[5]["action"])
    assert [int(one) for one in rows[2:4]["index"]] == [2, 3]
    assert [int(one) for one in rows[[7, 0]]["index"]] == [14, 0]
    assert torch.equal(rows.with_format("torch")["index"], torch.tensor([*range(5), 12, 13, 14]))
    assert rows.with_format("numpy")[:2]["action"].dtype == np.float32
    assert dataset.select_columns(["action", "index"]).column_names == ["action", "index"]
    assert rows.select([6]).select_columns("index")[0]["index"] == 13
    assert rows.remove_columns("action").num_columns == rows.num_columns - 1
    assert rows.unique("episode_index") == [0, 2]
    assert rows.features["action"]["shape"] == (6,)
    assert rows[0][STILL].dtype == torch.float32
    assert len(list(rows)) == 8
    empty = dataset.create_hf_dataset()
    assert (len(empty), empty.column_names) == (0, rows.column_names)
    with pytest.raises(KeyError, match=r"no column 'nothing': expected one of 'action'"):
        rows["nothing"]
    with pytest.raises(IndexError, match="row 8 is out of range for a table of length 8"):
        rows[8]


def test_attributes_of_earlier_classes_are_there(numbered: Numbered) -> None:
    dataset = LeRobotDataset("me/a", numbered("v3.0"))
    assert dataset.episode_buffer is dataset.image_writer is dataset.writer is None
    assert dataset.latest_episode is dataset.delta_indices is None
    assert (dataset.batch_encoding_size, dataset.episodes_since_last_encoding) == (1, 0)
    assert dataset.video_backend == "pyav"
    assert dataset.absolute_to_relative_idx is None
    assert dataset.fps == 10
    assert "Number of selected samples: '20'" in repr(dataset)
    assert dataset.has_pending_frames() is False
    dataset.finalize()
    files = dataset.get_episodes_file_paths()
    assert len(files) == 6
    assert all((dataset.root / name).exists() for name in files)


def test_the_cost_of_long_gops_is_stated_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cameras = {TOP: Camera(height=32, gop=40), WRIST: Camera(height=32)}
    root = make_dataset(tmp_path / "a", episodes=(60,), cameras=cameras)
    dataset = LeRobotDataset("me/a", root)
    for at in range(20):
        dataset[at]
    assert caplog.text == ""
    for _ in range(3):
        dataset.__getitems__(list(range(0, 60, 6)))
    (record,) = caplog.records
    assert f"camera '{TOP}' has a keyframe only every 40 frames" in record.getMessage()
    assert "17 frames are decoded for each frame on average" in record.getMessage()
    assert "roboreel encode SRC --g 2 -o OUT" in record.getMessage()


def test_the_cost_follows_from_the_keyframes(numbered: Numbered) -> None:
    dataset = roboreel.open(numbered("v2.1"))
    video = episode_video(numbered("v2.1"), WRIST, 2).relative_to(numbered("v2.1"))
    table = indexed_video(dataset.root, str(video)).table
    assert longest_gop(table) == 9
    assert frames_decoded_for_one(table) == 5
