"""Opening reads documents only, takes what is odd in its one sane meaning, and says so."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import copied, edit_info, edit_lines, edit_table, episode_table

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
CAMERA = "observation.images.top"
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for version in VERSIONS:
        cameras = {CAMERA: Camera(height=32)}
        make_dataset(folder / version, version=version, episodes=(5, 1, 8), cameras=cameras)
    return folder


def _rules(dataset: roboreel.Dataset) -> set[str]:
    return {problem.rule for problem in dataset.problems}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_sound_dataset_opens_without_problems(bases: Path, version: Version) -> None:
    dataset = roboreel.open(bases / version)
    assert (dataset.version.value, dataset.problems) == (version, ())
    assert (dataset.total_episodes, dataset.total_frames, dataset.fps) == (3, 14, Fraction(30))
    assert dataset.episodes["length"].to_pylist() == [5, 1, 8]
    assert dataset.episodes[f"videos/{CAMERA}/frame_start"].to_pylist() == (
        [0, 5, 6] if version == "v3.0" else [0, 0, 0]
    )
    assert dataset.tasks[0] == "pick up the red cube"
    assert dataset.robot_type == "so101_follower"
    assert dataset.cameras == (CAMERA,)


@pytest.mark.parametrize("version", VERSIONS)
def test_opening_needs_no_table_and_no_video(bases: Path, tmp_path: Path, version: Version) -> None:
    root = copied(bases / version, tmp_path / "a")
    for path in [*root.rglob("*.mp4"), *(root / "data").rglob("*.parquet")]:
        path.write_bytes(b"rubbish")
    assert roboreel.open(root).total_frames == 14


@pytest.mark.parametrize(
    ("fps", "exact"),
    [
        (29.97, Fraction(2997, 100)),
        (30.0, Fraction(30)),
        (30, Fraction(30)),
        (30000 / 1001, Fraction(30000, 1001)),
        (0.5, Fraction(1, 2)),
    ],
)
def test_frame_rates_are_exact(bases: Path, tmp_path: Path, fps: float, exact: Fraction) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_info(root, fps=fps)
    assert roboreel.open(root).fps == exact


def test_a_place_that_is_no_dataset_says_what_is_there(bases: Path, tmp_path: Path) -> None:
    with pytest.raises(roboreel.StorageError, match="no such folder"):
        roboreel.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(roboreel.StorageError, match="a file, not a dataset's folder"):
        roboreel.open(tmp_path / "file")
    shutil.copytree(bases / "v2.1", tmp_path / "above/inner")
    with pytest.raises(roboreel.DatasetError, match="did you mean 'inner'"):
        roboreel.open(tmp_path / "above")
    for inside in ("data", "data/chunk-000", "meta"):
        with pytest.raises(roboreel.DatasetError, match=r"part of the dataset '.*above/inner'"):
            roboreel.open(tmp_path / "above/inner" / inside)


def test_gaps_between_episode_numbers_are_reported(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_lines(root / "meta/episodes.jsonl", lambda lines: [lines[0], lines[2]])
    dataset = roboreel.open(root)
    assert dataset.episodes["episode_index"].to_pylist() == [0, 2]
    assert "episode.contiguous" in _rules(dataset)


def test_totals_that_are_wrong_are_reported_and_not_used(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_info(root, total_episodes=99, total_frames=0, total_videos="?", splits={"train": "0:99"})
    dataset = roboreel.open(root)
    assert dataset.total_frames == 14
    assert {"info.totals", "info.splits"} <= _rules(dataset)


@pytest.mark.parametrize(
    "template", ["data/{episode_index}.parquet", "data/chunk-{episode_index:03d}/e.parquet"]
)
def test_a_template_that_leads_nowhere_is_reported(
    bases: Path, tmp_path: Path, template: str
) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_info(root, data_path=template)
    dataset = roboreel.open(root)
    assert "info.path-template" in _rules(dataset)
    assert None not in dataset.episodes["data/path"].to_pylist()


@pytest.mark.parametrize("template", ["{0}", "{x}", "{episode_index.real}", "{"])
@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_template_with_other_fields_is_refused(
    bases: Path, tmp_path: Path, version: str, template: str
) -> None:
    root = copied(bases / version, tmp_path / "a")
    edit_info(root, data_path=template)
    with pytest.raises(roboreel.RoboreelError):
        roboreel.convert(root, to="v2.0", out=tmp_path / "out")


def test_a_template_that_nothing_needs_may_be_anything(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_lines(root / "meta/episodes.jsonl", lambda _: [])
    edit_info(root, data_path="{x}", total_episodes=0)
    assert roboreel.open(root).total_episodes == 0


def test_a_few_moved_files_are_found_among_others_in_their_place(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(2,) * 5, cameras={})
    folder = root / "data/chunk-000"
    (root / "data/elsewhere").mkdir()
    shutil.move(folder / "episode_000001.parquet", root / "data/elsewhere/episode_000001.parquet")
    shutil.move(folder / "episode_000003.parquet", root / "data/elsewhere/episode_000003.parquet")
    (folder / "episode_000004.parquet").unlink()
    dataset = roboreel.open(root)
    assert dataset.episodes["data/path"].to_pylist() == [
        "data/chunk-000/episode_000000.parquet",
        "data/elsewhere/episode_000001.parquet",
        "data/chunk-000/episode_000002.parquet",
        "data/elsewhere/episode_000003.parquet",
        None,
    ]
    (problem,) = [p for p in dataset.problems if p.rule == "info.path-template"]
    assert "does not lead to 2 of 5 files" in problem.message
    assert "data/elsewhere/episode_000001.parquet" in str(problem.action)
    assert "data/elsewhere/episode_000001.parquet" in str(problem.action)


@pytest.mark.parametrize("folder", ["..", "{}"], ids=["above", "absolute"])
def test_a_template_cannot_leave_the_dataset(bases: Path, tmp_path: Path, folder: str) -> None:
    root = copied(bases / "v3.0", tmp_path / "a")
    shutil.move(root / "data/chunk-000/file-000.parquet", tmp_path / "outside-000.parquet")
    outside = folder.format(tmp_path) + "/outside-{file_index:03d}.parquet"
    edit_info(root, data_path=outside)
    with pytest.raises(roboreel.RoboreelError):
        roboreel.convert(root, to="v2.1", out=tmp_path / "out")


def test_two_cameras_that_share_files_are_refused(tmp_path: Path) -> None:
    cameras = {name: Camera(height=32) for name in ("left", "right")}
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 4), cameras=cameras)
    for path in (root / "videos/chunk-000/left").iterdir():
        shutil.copy(path, root / "videos" / path.name)
    edit_info(root, video_path="videos/episode_{episode_index:06d}.mp4")
    with pytest.raises(roboreel.RoboreelError, match=r"left|right"):
        roboreel.convert(root, to="v3.0", out=tmp_path / "out")


def test_a_camera_without_files_is_named(tmp_path: Path) -> None:
    cameras = {name: Camera(height=32) for name in ("left", "right")}
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 4), cameras=cameras)
    shutil.rmtree(root / "videos/chunk-000/right")
    (problem,) = [p for p in roboreel.open(root).problems if p.rule == "video.missing"]
    assert (problem.column, problem.severity) == ("right", "warning")
    report = roboreel.convert(root, to="v3.0", out=tmp_path / "out", allow_missing=["right"])
    assert report.cameras == 1


def test_episodes_in_several_files_with_other_column_order_are_one_table(
    bases: Path, tmp_path: Path
) -> None:
    root = copied(bases / "v3.0", tmp_path / "a")
    shutil.copy(root / EPISODES_FILE, root / "meta/episodes/chunk-000/file-001.parquet")
    edit_table(root / EPISODES_FILE, lambda table: table.slice(0, 1))
    edit_table(
        root / "meta/episodes/chunk-000/file-001.parquet",
        lambda table: table.slice(1).select(table.column_names[::-1]),
    )
    assert roboreel.open(root).episodes.equals(roboreel.open(bases / "v3.0").episodes)


def test_tasks_with_one_text_or_gaps_or_no_list_entry_are_reported(
    bases: Path, tmp_path: Path
) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_lines(root / "meta/tasks.jsonl", lambda lines: [{**lines[0], "task_index": 7}, *lines])
    edit_lines(
        root / "meta/episodes.jsonl",
        lambda lines: [{**line, "tasks": [*line["tasks"], "unlisted"]} for line in lines],
    )
    dataset = roboreel.open(root)
    assert {"task.duplicate", "task.unlisted"} <= _rules(dataset)
    assert dataset.tasks[8] == "unlisted"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lost_task_list_never_puts_rows_under_another_task(
    bases: Path, tmp_path: Path, version: Version
) -> None:
    root = make_dataset(tmp_path / "a", version=version, episodes=(4, 4, 4), cameras={})
    expected = ["fold the towel", "pick up the red cube", "öffne die Schublade"]
    swap = {0: 1, 1: 0, 2: 2}

    def swapped(table: pa.Table) -> pa.Table:
        tasks = pa.array([swap[index] for index in table["task_index"].to_pylist()])
        return table.set_column(table.column_names.index("task_index"), "task_index", tasks)

    def renamed(table: pa.Table) -> pa.Table:
        strings = pa.array([[text] for text in expected])
        return table.set_column(table.column_names.index("tasks"), "tasks", strings)

    # rows of episode 0 have task 1, "fold the towel", and so its `tasks`; then the list is lost
    if version == "v3.0":
        edit_table(root / "data/chunk-000/file-000.parquet", swapped)
        edit_table(root / EPISODES_FILE, renamed)
        (root / "meta/tasks.parquet").unlink()
    else:
        for episode in range(3):
            edit_table(episode_table(root, episode), swapped)
        edit_lines(
            root / "meta/episodes.jsonl",
            lambda lines: [{**e, "tasks": [t]} for e, t in zip(lines, expected, strict=True)],
        )
        (root / "meta/tasks.jsonl").unlink()
    out = tmp_path / "out"
    try:
        roboreel.convert(root, to="v2.1", out=out)
    except roboreel.RoboreelError:
        assert not out.exists()
        return
    tasks = roboreel.open(out).tasks
    for episode, text in enumerate(expected):
        rows = pq.ParquetFile(episode_table(out, episode)).read()
        assert {tasks[index] for index in rows["task_index"].to_pylist()} == {text}
