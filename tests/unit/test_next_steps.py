"""What cannot be opened or is missing is named: what it is, where it is expected, what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import copied, edit_info, edit_json, episode_table, episode_video

TOP, WRIST = "observation.images.top", "observation.images.wrist"
VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for version in VERSIONS:
        cameras = {TOP: Camera(height=32), WRIST: Camera(height=32)}
        make_dataset(folder / version, version=version, episodes=(5, 3), cameras=cameras)
    return folder


def _refusal(root: Path) -> str:
    with pytest.raises(roboreel.RoboreelError) as caught:
        roboreel.open(root)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n\n"])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_document_is_called_empty(
    bases: Path, tmp_path: Path, version: Version, content: bytes
) -> None:
    root = copied(bases / version, tmp_path / "a")
    (root / "meta/info.json").write_bytes(content)
    assert "the document is empty" in _refusal(root)
    assert "not JSON" not in _refusal(root)


@pytest.mark.parametrize("version", VERSIONS[:2])
def test_an_empty_list_of_episodes_is_an_error(
    bases: Path, tmp_path: Path, version: Version
) -> None:
    root = copied(bases / version, tmp_path / "a")
    (root / "meta/episodes.jsonl").write_bytes(b"")
    assert "the list of episodes is empty, but info.json declares 2" in _refusal(root)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_task_list_is_no_list_and_rows_keep_their_tasks(
    bases: Path, tmp_path: Path, version: Version
) -> None:
    root = copied(bases / version, tmp_path / "a")
    if version == "v3.0":
        table = pq.ParquetFile(root / "meta/tasks.parquet").read()
        pq.write_table(table.slice(0, 0), root / "meta/tasks.parquet")
        column = pa.array([1] * 5 + [0] * 3, pa.int64())
        tables = [(root / "data/chunk-000/file-000.parquet", column)]
    else:
        (root / "meta/tasks.jsonl").write_bytes(b"")
        tables = [
            (episode_table(root, 0), pa.array([1] * 5, pa.int64())),
            (episode_table(root, 1), pa.array([0] * 3, pa.int64())),
        ]
    for path, column in tables:
        table = pq.ParquetFile(path).read()
        at = table.column_names.index("task_index")
        pq.write_table(table.set_column(at, "task_index", column), path)
    strings = [tasks[0] for tasks in roboreel.open(root).episodes["tasks"].to_pylist()]
    assert any("the task list is empty" in str(p) for p in roboreel.open(root).problems)
    roboreel.convert(root, to="v2.1" if version == "v3.0" else "v3.0", out=tmp_path / "out")
    assert dict(roboreel.open(tmp_path / "out").tasks) == {0: strings[1], 1: strings[0]}


@pytest.mark.parametrize(
    ("version", "template", "fields"),
    [
        ("v2.1", "data_path", "{episode_chunk}, {episode_index}"),
        ("v2.1", "video_path", "{episode_chunk}, {episode_index}, {video_key}"),
        ("v3.0", "data_path", "{chunk_index}, {file_index}"),
        ("v3.0", "video_path", "{chunk_index}, {file_index}, {video_key}"),
    ],
)
def test_a_path_template_may_have_just_the_fields_that_are_named(
    bases: Path, tmp_path: Path, version: Version, template: str, fields: str
) -> None:
    root = copied(bases / version, tmp_path / "a")
    edit_info(root, **{template: "a/{nothing}.parquet"})
    assert f"use only these fields: {fields}" in _refusal(root)
    other = "{file_index}" if version == "v2.1" else "{episode_chunk}"
    edit_info(root, **{template: f"a/{other}.parquet"})
    assert f"use only these fields: {fields}" in _refusal(root)


def test_no_field_of_videos_may_be_used_for_tables(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_info(root, data_path="data/{video_key}/{episode_index}.parquet")
    assert "use only these fields: {episode_chunk}, {episode_index}" in _refusal(root)


@pytest.mark.parametrize("version", VERSIONS)
def test_missing_files_are_named_by_their_expected_path(
    bases: Path, tmp_path: Path, version: Version
) -> None:
    root = copied(bases / version, tmp_path / "a")
    data, video = root / "data/chunk-000/file-000.parquet", f"videos/{TOP}/chunk-000/file-000.mp4"
    if version != "v3.0":
        data = episode_table(root, 1)
        video = episode_video(root, TOP, 1).relative_to(root).as_posix()
    data.unlink()
    (root / video).unlink()
    found = {p.rule: p.path for p in roboreel.check(root).problems if p.episode == 1}
    assert found["table.missing"] == data.relative_to(root).as_posix()
    if version != "v3.0":
        assert found["video.missing"] == video


@pytest.mark.parametrize("version", VERSIONS)
def test_missing_videos_name_the_path_and_the_command_that_goes_on_without(
    bases: Path, tmp_path: Path, version: Version
) -> None:
    root = copied(bases / version, tmp_path / "a")
    (root / "videos").rename(tmp_path / "away")
    with pytest.raises(roboreel.DatasetError, match="the videos are missing") as caught:
        roboreel.convert(root, to="v2.1", out=tmp_path / "out")
    for problem, camera in zip(caught.value.problems, (TOP, WRIST), strict=True):
        assert problem.path is not None
        assert (tmp_path / "away" / problem.path.removeprefix("videos/")).is_file()
        assert problem.column == camera
    line = f"roboreel repair {root} --drop-missing-cameras -o {root}_repaired"
    assert [line in str(problem) for problem in caught.value.problems] == [True, False]


def test_a_dataset_without_a_version_says_which_one_to_state(bases: Path, tmp_path: Path) -> None:
    for version in VERSIONS:
        root = copied(bases / version, tmp_path / version)
        edit_json(root / "meta/info.json", lambda info: info.pop("codebase_version"))
        assert f'add "codebase_version": "{version}"' in _refusal(root)
        assert "codebase_version is missing" in _refusal(root)


@pytest.mark.parametrize("stated", ["v1.6", "1.4", 1.0])
def test_datasets_of_version_1_say_how_to_convert_them(
    bases: Path, tmp_path: Path, stated: object
) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_info(root, codebase_version=stated)
    assert "convert_dataset_v1_to_v2" in _refusal(root)


def test_the_folders_of_version_1_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "meta_data").mkdir()
    (tmp_path / "meta_data/info.json").write_text(json.dumps({"codebase_version": "v1.6"}))
    assert "this is a v1.x dataset" in _refusal(tmp_path)
    assert "convert_dataset_v1_to_v2" in _refusal(tmp_path)


def test_a_newer_version_says_to_update(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v3.0", tmp_path / "a")
    edit_info(root, codebase_version="v4.0")
    assert "update roboreel" in _refusal(root)


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_that_could_not_be_read_are_not_counted_as_checked(
    bases: Path, tmp_path: Path, version: Version
) -> None:
    root = copied(bases / version, tmp_path / "a")
    assert roboreel.check(root).rows == 8
    path = next((root / "data").rglob("*0000.parquet"), root / "data/chunk-000/file-000.parquet")
    path.write_bytes(b"rubbish")
    assert roboreel.check(root).rows == (0 if version == "v3.0" else 3)
