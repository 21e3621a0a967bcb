"""Views are read as they would be written, also merged ones and those with added videos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import Camera, make_dataset, read_numbers
from tests.mutate import drop_columns, edit_info, set_column

TOP, WRIST = "observation.images.top", "observation.images.wrist"
SMALL = {TOP: Camera(height=32)}


def written(view: roboreel.View, out: Path) -> roboreel.Dataset:
    roboreel.write(view, out=out)
    return roboreel.open(out)


def test_a_merge_that_is_padded_reads_zeros_and_masks(tmp_path: Path) -> None:
    one = roboreel.open(make_dataset(tmp_path / "a", episodes=(3, 4), cameras={}))
    other = roboreel.open(make_dataset(tmp_path / "b", episodes=(2,), cameras={}, version="v3.0"))
    rows = sum((3, 4))
    longer = one.add("more", np.arange(3 * rows, dtype=np.float32).reshape(rows, 3))
    shorter = other.add("more", np.ones((2, 2), np.float32))
    view = roboreel.concat([longer, shorter], features="pad")
    ours = roboreel.reader(view)[:]
    theirs = roboreel.reader(written(view, tmp_path / "out"))[:]
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        assert np.array_equal(ours[name], values), name
    assert ours["more"][-1].tolist() == [1, 1, 0]


def test_added_videos_are_read_with_their_episodes(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", episodes=(5, 7), cameras=SMALL)
    dataset = roboreel.open(source)
    videos = sorted((source / "videos").rglob("*.mp4"))
    view = roboreel.add_video(dataset.remove(TOP), "front", [str(video) for video in videos])
    shown = [read_numbers(item["front"]) for item in roboreel.reader(view.keep([1]))]
    assert [(one.episode, one.frame) for one in shown] == [(1, frame) for frame in range(7)]


def test_a_resampled_view_takes_the_nearest_frames(tmp_path: Path) -> None:
    dataset = roboreel.open(make_dataset(tmp_path / "a", episodes=(9,), cameras=SMALL))
    reader = roboreel.reader(dataset.resample(15))
    assert [read_numbers(item[TOP]).frame for item in reader] == [0, 2, 4, 6, 8]
    assert reader[1]["timestamp"] == np.float32(1 / 15)


def test_a_camera_without_any_video_is_named_before_anything_is_read(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", episodes=(4,))
    for video in root.rglob("*.mp4"):
        if WRIST in str(video):
            video.unlink()
    dataset = roboreel.open(root)
    with pytest.raises(roboreel.DatasetError, match=rf"'{WRIST}'.*pass cameras=\['{TOP}'\]"):
        roboreel.reader(dataset)
    assert TOP in roboreel.reader(dataset, cameras=[TOP])[0]


def test_index_columns_that_are_not_declared_are_read(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", episodes=(4, 3), cameras={})
    names = ("timestamp", "frame_index", "episode_index", "index", "task_index")
    expected = roboreel.reader(roboreel.open(root))[:]
    features = dict(roboreel.open(root).features)
    kept = {name: dict(one.spec) for name, one in features.items() if name not in names}
    edit_info(root, features=kept)
    found = roboreel.reader(roboreel.open(root))[:]
    for name in names:
        assert np.array_equal(found[name], expected[name])
    assert found["task"] == expected["task"]


def test_rows_that_contradict_the_documents_are_refused_by_name(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", episodes=(4, 3), cameras={}, version="v2.1")
    lines = (root / "meta/episodes.jsonl").read_text().replace('"length": 3', '"length": 5')
    (root / "meta/episodes.jsonl").write_text(lines)
    reader = roboreel.reader(roboreel.open(root))
    with pytest.raises(
        roboreel.DatasetError, match=r"(?s)episode 1 .*3 rows in .*, but its documents say 5"
    ):
        reader[4]
    assert reader[3]["frame_index"] == 3


def test_episodes_whose_frames_overlap_are_refused(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=(4, 3, 5), cameras=SMALL)
    meta = root / "meta/episodes/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(meta).slice(0, 2), meta)  # the file then has frames of no episode
    set_column(meta, f"videos/{TOP}/from_timestamp", pa.array([0.0, 2 / 30]))
    reader = roboreel.reader(roboreel.open(root))
    for item in (3, 4):
        with pytest.raises(roboreel.DatasetError, match="overlap another episode"):
            reader[item]


def test_of_equal_tasks_the_first_is_read_as_it_is_written(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", episodes=(4, 3), cameras={}, version="v2.1")
    for table in (root / "data").rglob("*.parquet"):
        drop_columns(table, "task_index")
    listed = (root / "meta/tasks.jsonl").read_text().splitlines()
    again = {**json.loads(listed[0]), "task_index": len(listed)}
    (root / "meta/tasks.jsonl").write_text("\n".join([*listed, json.dumps(again)]) + "\n")
    dataset = roboreel.open(root)
    found = roboreel.reader(dataset)[:]["task_index"]
    assert found[0] == 0
    assert np.array_equal(
        found, roboreel.reader(written(dataset.keep([0, 1]), tmp_path / "out"))[:]["task_index"]
    )
