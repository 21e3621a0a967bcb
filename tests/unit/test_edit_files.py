"""Edits leave files as they are grouped, and files of which nothing changes as they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.testing import make_dataset
from tests.judge import faults
from tests.mutate import edit_info
from tests.oracle import read, tree_digest

TOP = "observation.images.top"
V30: dict[str, Any] = {
    "version": "v3.0",
    "episodes": (5, 3, 4, 2, 6),
    "data_episodes_per_file": 2,
    "video_episodes_per_file": 2,
}


def _names(root: Path, folder: str) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in (root / folder).rglob("*") if p.is_file())


def _kinds(plan: roboreel.Plan) -> dict[str, int]:
    found: dict[str, int] = {}
    for op in plan.ops:
        found[op.kind] = found.get(op.kind, 0) + 1
    return found


def test_deleting_rewrites_the_one_video_file_and_copies_the_others(tmp_path: Path) -> None:
    source, out = make_dataset(tmp_path / "a", **V30), tmp_path / "b"
    roboreel.write(roboreel.open(source).delete([3]), out=out)
    before, after = tree_digest(source), tree_digest(out)
    video = f"videos/{TOP}/chunk-000/file-00{{}}.mp4"
    assert [before[video.format(n)] == after[video.format(n)] for n in range(3)] == [
        True,
        False,
        True,
    ]
    table = "data/chunk-000/file-00{}.parquet"
    assert before[table.format(0)] == after[table.format(0)]  # numbers change only after it
    assert _names(source, "videos") == _names(out, "videos")
    assert faults(read(out), copied=[table.format(0)]) == []


@pytest.mark.parametrize("version", ["v2.0", "v2.1"])
def test_a_file_per_episode_is_copied_under_its_new_number(tmp_path: Path, version: Any) -> None:
    source = make_dataset(tmp_path / "a", version=version, episodes=(5, 3, 4))
    out = tmp_path / "b"
    roboreel.write(roboreel.open(source).delete([1]), out=out)
    before, after = tree_digest(source), tree_digest(out)
    video = f"videos/chunk-000/{TOP}/episode_00000{{}}.mp4"
    table = "data/chunk-000/episode_00000{}.parquet"
    assert after[video.format(1)] == before[video.format(2)]
    assert after[video.format(0)] == before[video.format(0)]
    assert (after[table.format(0)] == before[table.format(0)]) == (version == "v2.1")
    assert faults(read(out)) == []


def test_a_file_of_which_every_second_episode_goes_keeps_the_others_together(
    tmp_path: Path,
) -> None:
    source, out = make_dataset(tmp_path / "a", **V30), tmp_path / "b"
    roboreel.write(roboreel.open(source).keep([0, 2, 3]), out=out)
    assert len(_names(out, "data")) == 2
    assert len(_names(out, f"videos/{TOP}")) == 2
    assert faults(read(out)) == []


def test_a_shuffle_that_tears_files_apart_packs_them_anew(tmp_path: Path) -> None:
    source, out = make_dataset(tmp_path / "a", **V30), tmp_path / "b"
    roboreel.write(roboreel.open(source).reorder([0, 2, 1, 3, 4]), out=out)
    assert len(_names(out, "data")) == 1
    assert faults(read(out)) == []


def test_putting_together_joins_small_files_and_leaves_large_ones(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", **V30)
    dataset = roboreel.open(source)
    both = roboreel.concat([dataset, dataset])
    out = tmp_path / "b"
    roboreel.write(both, out=out)
    assert len(_names(out, "data")) == 1
    assert len(_names(out, f"videos/{TOP}")) == 1
    assert faults(read(out)) == []
    size = max(path.stat().st_size for path in (source / "videos" / TOP).rglob("*.mp4"))
    edit_info(source, video_files_size_in_mb=size / 2**20)
    dataset = roboreel.open(source)
    plan = roboreel.plan_write(roboreel.concat([dataset, dataset]), out=tmp_path / "c")
    assert _kinds(plan)["copy_videos"] > 4


def test_a_file_that_is_not_as_it_would_be_written_is_written_anew(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 3))
    edit_info(source, fps=29.97)
    plan = roboreel.plan_write(roboreel.open(source).rename({TOP: "top"}), out=tmp_path / "b")
    assert "copy_videos" not in _kinds(plan)


def test_a_copied_file_is_a_file_of_its_own(tmp_path: Path) -> None:
    source, out = make_dataset(tmp_path / "a", **V30), tmp_path / "b"
    roboreel.write(roboreel.open(source).delete([4]), out=out)
    name = f"videos/{TOP}/chunk-000/file-000.mp4"
    assert not os.path.samefile(source / name, out / name)


def test_a_table_whose_rows_move_on_is_written_anew(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 3, 4), cameras={})
    roboreel.write(roboreel.open(source).trim({0: (0, 2)}), out=tmp_path / "b")
    result = read(tmp_path / "b")
    index = [row for episode in result.episodes for row in episode.rows["index"].to_pylist()]
    assert index == list(range(2 + 3 + 4))
    assert faults(result) == []


def test_frames_of_a_second_trim_are_counted_in_what_the_first_left(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(9, 4))
    view = roboreel.open(source).trim({0: (2, 8)}).trim({0: (1, 4)})
    roboreel.write(view, out=tmp_path / "b")
    before, after = read(source).episodes[0], read(tmp_path / "b").episodes[0]
    for name in ("action", "observation.state"):
        assert after.rows[name].to_pylist() == before.rows[name].to_pylist()[3:6]


def test_splits_that_are_torn_apart_are_told_and_the_others_stay(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(2, 2, 2, 2), cameras={})
    edit_info(source, splits={"train": "0:2", "val": "2:4", "first": "0:1"})
    dataset = roboreel.open(source)
    torn = roboreel.write(dataset.reorder([0, 2, 1, 3]), out=tmp_path / "b")
    assert read(tmp_path / "b").info["splits"] == {"first": "0:1"}
    assert [loss for loss in torn.losses if "'train'" in loss or "'val'" in loss] == [
        "the split 'train': its episodes are no longer consecutive",
        "the split 'val': its episodes are no longer consecutive",
    ]
    whole = roboreel.write(dataset.delete([1]), out=tmp_path / "c")
    assert read(tmp_path / "c").info["splits"] == {"train": "0:1", "val": "1:3", "first": "0:1"}
    assert not [loss for loss in whole.losses if "split" in loss]


@pytest.mark.parametrize("resampled_first", [True, False])
def test_a_resampled_dataset_is_not_put_together_with_itself(
    tmp_path: Path, resampled_first: bool
) -> None:
    dataset = roboreel.open(make_dataset(tmp_path / "a", version="v3.0", episodes=(6,), cameras={}))
    parts = [dataset.resample(15), dataset]
    with pytest.raises(roboreel.UsageError, match="have different frame rates"):
        roboreel.concat(parts if resampled_first else parts[::-1])


def test_a_resampled_dataset_goes_together_with_others(tmp_path: Path) -> None:
    fast = roboreel.open(make_dataset(tmp_path / "a", episodes=(6,), cameras={}))
    slow = roboreel.open(make_dataset(tmp_path / "b", episodes=(5, 4), cameras={}, fps=15))
    view = roboreel.concat([fast, slow.resample(30).keep([1])])
    assert (float(view.fps), view.episodes["length"].to_pylist()) == (30.0, [6, 8])
    roboreel.write(view, out=tmp_path / "c")
    written = read(tmp_path / "c")
    assert not faults(written)
    first, second = (episode.rows["action"].to_pylist() for episode in written.episodes)
    assert first == read(tmp_path / "a").episodes[0].rows["action"].to_pylist()
    slower = read(tmp_path / "b").episodes[1].rows["action"].to_pylist()
    assert second == [slower[row] for row in (0, 0, 1, 1, 2, 2, 3, 3)]
    in_memory = roboreel.reader(view).batch(range(14))
    stored = roboreel.reader(roboreel.open(tmp_path / "c")).batch(range(14))
    for name in ("action", "timestamp", "index"):
        assert in_memory[name].tolist() == stored[name].tolist()


def test_other_frame_rates_go_together_at_any_one_rate(tmp_path: Path) -> None:
    fast = roboreel.open(make_dataset(tmp_path / "a", episodes=(6,), cameras={}))
    slow = roboreel.open(make_dataset(tmp_path / "b", episodes=(5,), cameras={}, fps=15))
    for parts, rate, frames in (
        ([fast.resample(15), slow], 15, 8),
        ([fast.resample(10), slow.resample(10)], 10, 6),
        ([fast, fast.resample(15).resample(30)], 30, 12),
        ([roboreel.concat([fast]), roboreel.concat([slow]).resample(30)], 30, 16),
    ):
        view = roboreel.concat(parts)
        assert (float(view.fps), len(view)) == (rate, frames)


def test_the_dataset_of_another_frame_rate_is_named(tmp_path: Path) -> None:
    sources = [
        make_dataset(tmp_path / f"s{n}", episodes=(3,), cameras={}, fps=15 if n == 2 else 30)
        for n in range(6)
    ]
    with pytest.raises(roboreel.UsageError) as raised:
        roboreel.concat([roboreel.open(source) for source in sources])
    told = str(raised.value)
    assert (
        f"15 fps in '{sources[2]}'; 30 fps in 5 datasets. Resample them to one rate with .resample(30)"
        in told
    )


def test_a_path_is_no_open_dataset(tmp_path: Path) -> None:
    source: Any = make_dataset(tmp_path / "a", episodes=(3,), cameras={})
    with pytest.raises(roboreel.UsageError, match=r"concat\(\) needs an open dataset or a view"):
        roboreel.concat([source])
    with pytest.raises(roboreel.UsageError, match=r"open it with roboreel\.open"):
        roboreel.write(source, out=tmp_path / "b")
