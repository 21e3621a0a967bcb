"""Recording with the dataset class: what was given is what is read, through the reference's calls."""

from __future__ import annotations

import multiprocessing
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.utils.data

import roboreel
from roboreel.storage.disk import faults
from roboreel.torch import LeRobotDataset, LeRobotDatasetMetadata, VideoEncodingManager, v2
from roboreel.torch.image_writer import write_image
from roboreel.torch.media.encoder_configs import DepthEncoderConfig, RGBEncoderConfig

CAMERA = "observation.images.front"
STATE = {"dtype": "float32", "shape": (2,), "names": None}
IMAGE = {"shape": (16, 32, 3), "names": ["height", "width", "channels"]}
PLAIN: dict[str, dict[str, Any]] = {"state": dict(STATE)}
SMALL: dict[str, dict[str, Any]] = {**PLAIN, CAMERA: {"dtype": "video", **IMAGE}}
FAST = RGBEncoderConfig(vcodec="h264", crf=10)


def _frame(number: int, features: dict[str, Any], task: str = "push") -> dict[str, Any]:
    frame: dict[str, Any] = {"state": torch.tensor([number, 0.5]), "task": task}
    return frame | {name: _image(number) for name in features if name != "state"}


def _image(number: int) -> npt.NDArray[np.uint8]:
    return np.full((16, 32, 3), 20 * number % 256, dtype=np.uint8)


def _give(dataset: Any, count: int, task: str = "push") -> None:
    features = [name for name in dataset.features if name == "state" or name in (CAMERA, "image")]
    for number in range(count):
        dataset.add_frame(_frame(number, dict.fromkeys(features), task))


def _created(root: Path, features: dict[str, Any] | None = None, **options: Any) -> LeRobotDataset:
    given = PLAIN if features is None else features
    return LeRobotDataset.create("me/new", 10, given, root=root, rgb_encoder=FAST, **options)


def test_what_is_recorded_is_read_while_recording_goes_on_and_after(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a", SMALL, image_writer_threads=4, streaming_encoding=True)
    assert (dataset.num_episodes, dataset.num_frames, dataset.reader) == (0, 0, None)
    for episode, count in enumerate((3, 2)):
        _give(dataset, count, task=f"task {episode}")
        assert dataset.has_pending_frames()
        dataset.save_episode()
        assert not dataset.has_pending_frames()
        last = dataset[-1]
        assert last["state"].tolist() == [count - 1, 0.5]
        assert last["task"] == f"task {episode}"
        assert abs(last[CAMERA].mean().item() * 255 - 20 * (count - 1)) < 3
        assert dataset.meta.total_frames == len(dataset)
    dataset.finalize()
    assert [item["frame_index"].item() for item in dataset[:]] == [0, 1, 2, 0, 1]
    assert roboreel.check(tmp_path / "a").problems == ()
    assert len(LeRobotDataset("me/new", tmp_path / "a")) == 5


def test_the_constructor_and_create_set_the_same_attributes(tmp_path: Path) -> None:
    made = _created(tmp_path / "a")
    _give(made, 1)
    made.save_episode()
    made.finalize()
    resumed = LeRobotDataset.resume("me/new", tmp_path / "a")
    opened = LeRobotDataset("me/new", tmp_path / "a")
    assert vars(opened).keys() == vars(made).keys() == vars(resumed).keys()


def test_the_buffer_shows_the_episode_in_progress(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    empty = dataset.create_episode_buffer()
    assert (empty["size"], empty["episode_index"], empty["state"]) == (0, 0, [])
    frame = _frame(0, PLAIN)
    given = dict(frame)
    dataset.add_frame(frame)
    assert frame.keys() == given.keys()
    buffer = dataset.episode_buffer
    assert buffer is not None
    assert (buffer["size"], buffer["task"], buffer["timestamp"]) == (1, ["push"], [0.0])
    assert buffer["state"][0].tolist() == [0.0, 0.5]
    buffer["state"][0] = np.ones(2, np.float32)
    with pytest.raises(
        ValueError, match=r"episode_buffer were changed after add_frame: \['state'\]"
    ):
        dataset.save_episode()
    dataset.clear_episode_buffer(delete_images=False)
    assert not dataset.has_pending_frames()
    with pytest.raises(ValueError, match="no frames"):
        dataset.save_episode()


def test_a_new_buffer_discards_the_episode_in_progress(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    _give(dataset, 3)
    dataset.episode_buffer = dataset.create_episode_buffer()
    _give(dataset, 1)
    dataset.save_episode()
    assert len(dataset) == 1


_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"state": None}, "Missing features: {'state'}"),
    ({"task": None}, "Missing features: {'task'}"),
    ({"more": 1}, "Extra features: {'more'}"),
    ({"state": torch.zeros(2, dtype=torch.float16)}, "'float16' is not of the expected dtype"),
    ({"state": np.zeros(3, np.float32)}, "does not have the expected shape '(2,)'"),
    ({"state": 1.0}, "is not a 'np.ndarray'"),
    ({CAMERA: np.zeros((16, 30, 3), np.uint8)}, "'(16, 32, 3)' or '(3, 16, 32)'"),
    ({CAMERA: np.full((16, 32, 3), 7.5)}, "expected 0 to 1"),
]


def test_wrong_frames_are_refused_and_nothing_is_added(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a", SMALL)
    dataset.add_frame(_frame(0, SMALL))
    for change, message in _WRONG:
        wrong = {n: v for n, v in {**_frame(1, SMALL), **change}.items() if v is not None}
        with pytest.raises(ValueError, match=re.escape(message)):
            dataset.add_frame(wrong)
        assert dataset.episode_buffer is not None
        assert dataset.episode_buffer["size"] == 1
    dataset.save_episode()
    assert len(dataset) == 1


def test_the_task_of_an_episode_belongs_into_its_frames(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a", SMALL)
    told = r"put the task into each frame, add_frame\("
    with pytest.raises(ValueError, match=f"(?s)Missing features.*{told}"):
        dataset.add_frame({})
    save: Any = dataset.save_episode
    for arguments, options in (((), {"task": "fold"}), (("fold",), {"encode_videos": False})):
        with pytest.raises(TypeError, match=told if not arguments else "leave it out"):
            save(*arguments, **options)
    with pytest.raises(TypeError, match=f"episode_data is 'fold'.*{told}"):
        save("fold")


def test_an_episode_put_together_elsewhere_is_saved(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a", SMALL)
    data = dataset.create_episode_buffer()
    data.update(size=3, task=["a", "b", "a"], state=np.arange(6).reshape(3, 2))
    write_image(_image(2), tmp_path / "2.png")
    data[CAMERA] = [_image(0), _image(1), str(tmp_path / "2.png")]
    before = dict(data)
    dataset.save_episode(data)
    assert data.keys() == before.keys()
    assert dataset[2]["state"].tolist() == [4.0, 5.0]
    assert abs(dataset[2][CAMERA].mean().item() * 255 - 40) < 3
    assert dataset[1]["task"] == "b"
    with pytest.raises(NotImplementedError, match="expected 1: episodes"):
        dataset.save_episode(before)
    _give(dataset, 1)
    with pytest.raises(ValueError, match=r"recorded frames that are not saved yet \(1\)"):
        dataset.save_episode({**before, "episode_index": 1})
    short = {**before, "episode_index": 1, CAMERA: [_image(0)]}
    dataset.clear_episode_buffer()
    with pytest.raises(ValueError, match=f"'{CAMERA}' has 1 value, expected 3"):
        dataset.save_episode(short)
    assert not dataset.has_pending_frames()


def test_a_dataset_without_episodes_is_resumed(tmp_path: Path) -> None:
    _created(tmp_path / "a", video_files_size_in_mb=42.0)
    resumed = LeRobotDataset.resume("me/new", tmp_path / "a")
    assert (resumed.meta.total_episodes, resumed.meta.tasks, resumed.meta.episodes) == (
        0,
        None,
        None,
    )
    with pytest.raises(roboreel.UsageError, match="no saved episode yet"):
        resumed[0]
    _give(resumed, 2)
    resumed.save_episode()
    resumed.finalize()
    meta = LeRobotDatasetMetadata("me/new", tmp_path / "a")
    assert (meta.total_frames, meta.video_files_size_in_mb) == (2, 42.0)


def test_resume_appends_and_needs_a_root(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    _give(dataset, 2)
    dataset.save_episode()
    with pytest.raises(roboreel.UsageError, match="recorded by another"):
        LeRobotDataset.resume("me/new", tmp_path / "a")
    dataset.finalize()
    with pytest.raises(ValueError, match=r"needs root.*\$HF_LEROBOT_HOME/"):
        LeRobotDataset.resume("me/new")
    resumed = LeRobotDataset.resume("me/new", tmp_path / "a", batch_encoding_size=5)
    assert (resumed.num_episodes, resumed.batch_encoding_size) == (1, 5)
    _give(resumed, 3)
    resumed.save_episode()
    resumed._batch_save_episode_video(0, 2)
    resumed.finalize()
    assert len(LeRobotDataset("me/new", tmp_path / "a")) == 5


def test_finalize_ends_recording_and_says_what_was_not_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = _created(tmp_path / "a")
    _give(dataset, 2)
    dataset.save_episode()
    _give(dataset, 3)
    dataset.finalize()
    dataset.finalize()
    assert "frames of an episode that was not saved are in" in caplog.text
    assert len(dataset) == 2
    with pytest.raises(RuntimeError, match=r"after finalize\(\)"):
        _give(dataset, 1)


def test_the_manager_finalizes_and_lets_errors_pass(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    _give(dataset, 2)
    dataset.save_episode()
    with pytest.raises(KeyError), VideoEncodingManager(dataset):
        dataset.add_frame(_frame(0, PLAIN) | {"state": dict[str, int]()["nothing"]})
    assert len(dataset) == 2
    assert len(LeRobotDataset.resume("me/new", tmp_path / "a")) == 2


def test_options_are_checked(tmp_path: Path) -> None:
    for wrong in ({"batch_encoding_size": 0}, {"encoder_threads": 0}, {"vcodec": "h264"}):
        with pytest.raises(ValueError, match=r"must be 1 or more|both set the encoder"):
            _created(tmp_path / "a", SMALL, **wrong)
    assert not (tmp_path / "a").exists()
    with pytest.raises(FileExistsError):
        _created(tmp_path)
    empty = {"state": {**STATE, "shape": (0,)}}
    with pytest.raises(roboreel.RoboreelError, match="positive whole numbers"):
        _created(tmp_path / "a", empty)
    assert not (tmp_path / "a").exists()
    dataset = LeRobotDataset.create("me/new", 10, SMALL, root=tmp_path / "a", vcodec="h264")
    with pytest.raises(ValueError, match="at least one thread or process"):
        dataset.start_image_writer(0, 0)
    _give(dataset, 2)
    dataset.stop_image_writer()
    dataset.save_episode()
    assert dataset.features[CAMERA]["info"]["video.codec"] == "h264"


def test_depths_keep_their_scale_and_unit(tmp_path: Path) -> None:
    shape = {"shape": (16, 32, 1), "names": IMAGE["names"], "info": {"is_depth_map": True}}
    features = {"far": {"dtype": "video", **shape}, "near": {"dtype": "image", **shape}}
    given = DepthEncoderConfig(depth_min=0.2, depth_max=2.0, use_log=False)
    dataset = _created(tmp_path / "a", features, depth_encoder=given)
    depth = (500 + np.arange(16 * 32).reshape(16, 32, 1)).astype(np.uint16)
    dataset.add_frame({"far": depth, "near": depth, "task": "push"})
    dataset.save_episode()
    dataset.finalize()
    item = LeRobotDataset("me/new", tmp_path / "a")[0]
    assert abs(item["far"][0].numpy() - depth[..., 0]).max() <= 1
    assert np.array_equal(item["near"][0].numpy(), depth[..., 0])
    info = {name: dataset.features[name]["info"] for name in features}
    assert (info["far"]["video.depth_max"], info["far"]["video.codec"]) == (2.0, "hevc")
    assert (info["far"]["depth_unit"], info["near"]["depth_unit"]) == ("mm", "mm")
    with pytest.raises(ValueError, match=r"video\.depth_max=10.0, but .* stored with 2.0"):
        LeRobotDataset.resume(
            "me/new", tmp_path / "a", depth_encoder=DepthEncoderConfig(depth_min=0.2, use_log=False)
        )
    LeRobotDataset.resume("me/new", tmp_path / "a", depth_encoder=given)


def test_language_columns_are_recorded_and_may_be_left_out(tmp_path: Path) -> None:
    language = {"language_persistent": {"dtype": "language", "shape": (1,), "names": None}}
    dataset = _created(tmp_path / "a", {**PLAIN, **language})
    entry = {"role": "user", "content": "go on", "style": "subtask", "timestamp": 0.0}
    dataset.add_frame({**_frame(0, PLAIN), "language_persistent": [entry]})
    dataset.add_frame(_frame(1, PLAIN))
    dataset.save_episode()
    assert dataset[0]["language_persistent"][0]["content"] == "go on"
    assert dataset[1]["language_persistent"] == []


def test_a_timestamp_must_be_that_of_the_frame(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    frame = {"state": torch.zeros(2)}
    dataset.add_frame(frame, "push", 0.0)
    with pytest.raises(ValueError, match=r"timestamp of the frame is 0.13 s, expected 0.1 s"):
        dataset.add_frame(frame, task="push", timestamp=0.13)


def test_settings_changed_while_recording_are_followed(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    _give(dataset, 1)
    dataset.save_episode()
    dataset.meta.update_chunk_settings(chunks_size=2, data_files_size_in_mb=0.5)
    _give(dataset, 1)
    dataset.save_episode()
    _give(dataset, 1)
    dataset.save_episode()
    assert dataset.latest_episode["dataset_to_index"] == [3]
    assert dataset.meta.get_chunk_settings()["chunks_size"] == 2
    assert dataset.meta.get_data_file_path(2).as_posix() == "data/chunk-001/file-000.parquet"
    assert len(dataset) == 3


def test_metadata_and_the_recorder_take_turns(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    assert dataset.latest_episode is None
    _give(dataset, 2)
    dataset.save_episode()
    dataset.meta.save_episode_tasks(["pull"])
    _give(dataset, 1, task="turn")
    dataset.save_episode()
    assert dataset.meta.get_task_index("pull") == 1
    assert [item["task_index"].item() for item in dataset[:]] == [0, 0, 2]
    assert dataset.meta.total_tasks == 3


def test_a_camera_whose_process_dies_costs_its_episode_only(tmp_path: Path) -> None:
    others = set(multiprocessing.active_children())
    dataset = _created(tmp_path / "a", SMALL)
    _give(dataset, 2)
    dataset.save_episode()
    _give(dataset, 1)
    for process in set(multiprocessing.active_children()) - others:
        process.kill()
        process.join()
    with pytest.raises(RuntimeError, match=CAMERA):
        _give(dataset, 200)
    dataset.clear_episode_buffer()
    _give(dataset, 3)
    dataset.save_episode()
    assert [item["frame_index"].item() for item in dataset[:]] == [0, 1, 0, 1, 2]


def test_windows_set_after_recording_are_read(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    _give(dataset, 3)
    dataset.save_episode()
    dataset.finalize()
    dataset.delta_timestamps = {"state": [-0.1, 0.0]}
    item = dataset[0]
    assert item["state"].shape == (2, 2)
    assert item["state_is_pad"].tolist() == [True, False]


def test_a_recording_dataset_reads_in_workers(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    _give(dataset, 4)
    dataset.save_episode()
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.writer is None
    assert copy[3]["state"].tolist() == [3.0, 0.5]
    _give(dataset, 1)
    dataset.save_episode()
    assert len(dataset) == 5


def test_deprecated_arguments_of_the_constructor_open_for_recording(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    _give(dataset, 2)
    dataset.save_episode()
    dataset.finalize()
    with pytest.warns(DeprecationWarning, match=r"LeRobotDataset\.resume\(\)"):
        again = LeRobotDataset("me/new", tmp_path / "a", streaming_encoding=True)
    _give(again, 1)
    again.save_episode()
    assert len(again) == 3
    again.finalize()
    opened = LeRobotDataset("me/new", tmp_path / "a")
    opened.start_image_writer(num_threads=4)
    _give(opened, 1)
    opened.save_episode()
    assert len(opened) == 4


def test_the_interface_of_0_3_records_v21(tmp_path: Path) -> None:
    dataset = v2.LeRobotDataset.create("me/new", 10, PLAIN, root=tmp_path / "a")
    dataset.add_frame({"state": torch.zeros(2)}, "push")
    dataset.save_episode()
    dataset.finalize()
    opened = v2.LeRobotDataset("me/new", tmp_path / "a")
    opened.start_image_writer(0, 4)
    opened.add_frame({"state": torch.ones(2)}, task="pull", timestamp=0.0)
    opened.save_episode()
    opened.batch_encode_videos()
    assert opened.meta.tasks == {0: "push", 1: "pull"}
    assert opened.episode_data_index["to"].tolist() == [1, 2]
    assert roboreel.open(tmp_path / "a").version == "v2.1"
    assert opened[1]["task"] == "pull"


def test_after_a_killed_save_resume_counts_the_episodes_that_are_there(tmp_path: Path) -> None:
    dataset = _created(tmp_path / "a")
    _give(dataset, 3)
    dataset.save_episode()
    _give(dataset, 2)
    copies: list[Path] = []

    def copied(moment: str, operation: str, _path: str) -> None:
        if (moment, operation) == ("before", "replace"):
            copies.append(tmp_path / str(len(copies)))
            shutil.copytree(tmp_path / "a", copies[-1])

    with faults(copied):
        dataset.save_episode()
    dataset.finalize()
    counts = set()
    for copy in copies:
        resumed = LeRobotDataset.resume("me/new", copy)
        assert resumed.num_episodes == roboreel.open(copy).total_episodes
        counts.add(resumed.num_episodes)
        resumed.finalize()
    assert counts == {1, 2}
