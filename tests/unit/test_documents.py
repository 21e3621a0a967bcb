"""Nonsense in documents is refused with its place, or taken as absent; never a crash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import roboreel
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import copied, edit_info, edit_json, edit_lines, set_column

CAMERA = "observation.images.top"
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"
NONSENSE = {
    "beyond-float": "1" + "0" * 400,
    "beyond-int-text": "1" * 5000,
    "negative": "-1",
    "infinite": "1e999",
    "nan": "NaN",
    "true": "true",
    "text": '"x"',
    "null": "null",
    "list": "[]",
    "object": "{}",
    "fraction": "1.5",
    "zero": "0",
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    versions: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
    for version in versions:
        cameras = {CAMERA: Camera(height=32)}
        make_dataset(folder / version, version=version, episodes=(3, 1, 2), cameras=cameras)
    return folder


def _refused_or_converted(root: Path, out: Path, *, to: str, places: Sequence[str]) -> None:
    """Convert; an error must be roboreel's own and name one of these places."""
    message = None
    try:
        roboreel.convert(root, to=to, out=out)
    except roboreel.RoboreelError as error:
        message = str(error)
    assert (message is None) == out.exists()
    assert message is None or any(place in message for place in places)
    assert len(message or "") < 3000
    assert [path.name for path in out.parent.iterdir() if "partial" in path.name] == []


def _put(path: Path, mark: str, value: str) -> None:
    """Replace a marked place by JSON that Python's own writer would not write."""
    path.write_text(path.read_text("utf-8").replace(f'"{mark}"', value), "utf-8")


@pytest.mark.sample(30)
@pytest.mark.parametrize("value", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize(
    "key", ["fps", "chunks_size", "total_frames", "splits", "video_files_size_in_mb", "features"]
)
@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_nonsense_in_info(bases: Path, tmp_path: Path, version: str, key: str, value: str) -> None:
    root = copied(bases / version, tmp_path / "a")
    edit_info(root, **{key: "@"})
    _put(root / "meta/info.json", "@", value)
    _refused_or_converted(root, tmp_path / "out", to="v2.0", places=("info.json", "videos/"))


@pytest.mark.parametrize("value", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("key", ["shape", "dtype", "names"])
def test_nonsense_in_a_feature(bases: Path, tmp_path: Path, key: str, value: str) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_json(root / "meta/info.json", lambda d: d["features"]["action"].update({key: "@"}))
    _put(root / "meta/info.json", "@", value)
    _refused_or_converted(root, tmp_path / "out", to="v3.0", places=("info.json",))


@pytest.mark.parametrize("value", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize(
    ("document", "key"),
    [
        ("episodes", "episode_index"),
        ("episodes", "length"),
        ("episodes", "tasks"),
        ("tasks", "task_index"),
        ("tasks", "task"),
    ],
)
def test_nonsense_in_lines(
    bases: Path, tmp_path: Path, document: str, key: str, value: str
) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    path = root / f"meta/{document}.jsonl"
    edit_lines(path, lambda lines: [lines[0], {**lines[1], key: "@"}, *lines[2:]])
    _put(path, "@", value)
    # a task that no longer resolves is told of the table that names it
    _refused_or_converted(
        root, tmp_path / "out", to="v3.0", places=("episode", f"{document}.jsonl")
    )


@pytest.mark.sample(20)
@pytest.mark.parametrize("value", [*NONSENSE.values(), "[[1], [1, 2]]"], ids=[*NONSENSE, "ragged"])
@pytest.mark.parametrize("key", ["min", "mean", "std", "count"])
@pytest.mark.parametrize("to", ["v2.0", "v3.0"])
def test_nonsense_in_statistics(bases: Path, tmp_path: Path, to: str, key: str, value: str) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    path = root / "meta/episodes_stats.jsonl"

    def changed(lines: list[Any]) -> list[Any]:
        lines[1]["stats"]["action"][key] = "@"
        return lines

    edit_lines(path, changed)
    _put(path, "@", value)
    _refused_or_converted(root, tmp_path / "out", to=to, places=("stats",))


def _replaced(stats: Mapping[str, Any], shape: str) -> dict[str, Any]:
    """Camera statistics without their two trailing dimensions, or one statistic with others."""
    if shape == "flat camera":
        flat = {k: v if k == "count" else [c[0][0] for c in v] for k, v in stats[CAMERA].items()}
        return {**stats, CAMERA: flat}
    return {**stats, "action": {**stats["action"], "std": [1.0, 2.0]}}


@pytest.mark.parametrize("shape", ["flat camera", "short std"])
@pytest.mark.parametrize("to", ["v2.0", "v2.1", "v3.0"])
def test_statistics_of_other_shape_in_one_episode(
    bases: Path, tmp_path: Path, to: str, shape: str
) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_lines(
        root / "meta/episodes_stats.jsonl",
        lambda lines: [{**lines[0], "stats": _replaced(lines[0]["stats"], shape)}, *lines[1:]],
    )
    _refused_or_converted(root, tmp_path / "out", to=to, places=("stats",))


def test_nan_tokens_in_statistics_travel(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")

    def changed(lines: list[Any]) -> list[Any]:
        for line in lines:
            line["stats"]["action"]["mean"][0] = float("nan")
        return lines

    edit_lines(root / "meta/episodes_stats.jsonl", changed)
    roboreel.convert(root, to="v3.0", out=tmp_path / "out")
    mean = json.loads((tmp_path / "out/meta/stats.json").read_text())["action"]["mean"]
    assert [value != value for value in mean] == [True] + [False] * 5


def test_nan_in_global_statistics_is_compared_quietly(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v2.0", tmp_path / "a")
    nan = [float("nan")] * 6
    edit_json(root / "meta/stats.json", lambda d: d["action"].update(mean=nan))
    report = roboreel.convert(root, to="v3.0", out=tmp_path / "out")
    assert any(p.rule == "stats.agree" and p.column == "action" for p in report.problems)


@pytest.mark.parametrize(
    "name", ["info.json", "episodes.jsonl", "tasks.jsonl", "episodes_stats.jsonl"]
)
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe{}", b"[", b"[1]", b"[" * 100_000, b"version https://git-lfs"]
)
def test_unreadable_documents(bases: Path, tmp_path: Path, name: str, content: bytes) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    (root / "meta" / name).write_bytes(content)
    _refused_or_converted(root, tmp_path / "out", to="v3.0", places=("",))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"version https://git-lfs", b"rubbish" * 100])
@pytest.mark.parametrize("name", ["tasks.parquet", "episodes/chunk-000/file-000.parquet"])
def test_unreadable_tables_of_documents(
    bases: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    root = copied(bases / "v3.0", tmp_path / "a")
    (root / "meta" / name).write_bytes(content)
    with pytest.raises(roboreel.RoboreelError, match=name):
        roboreel.open(root)


ODD_COLUMNS = {
    "text": pa.array(["x", "y", "z"]),
    "fractions": pa.array([0.5, 1.5, 2.5]),
    "nan": pa.array([0.0, float("nan"), 1.0]),
    "null": pa.nulls(3, pa.int64()),
    "no type": pa.nulls(3),
    "huge": pa.array([0, 2**62, 1]),
    "negative": pa.array([-1, -2, -3]),
    "unsigned": pa.array([2**64 - 1] * 3, pa.uint64()),
    "lists": pa.array([[0], [1], [2]]),
    "bool": pa.array([True, False, True]),
}


@pytest.mark.sample(20)
@pytest.mark.parametrize("values", ODD_COLUMNS.values(), ids=ODD_COLUMNS)
@pytest.mark.parametrize(
    "name",
    ["episode_index", "length", "tasks", "data/chunk_index", "dataset_from_index"]
    + [f"videos/{CAMERA}/{part}" for part in ("chunk_index", "file_index", "from_timestamp")],
)
def test_nonsense_in_the_table_of_episodes(
    bases: Path, tmp_path: Path, name: str, values: pa.Array
) -> None:
    root = copied(bases / "v3.0", tmp_path / "a")
    set_column(root / EPISODES_FILE, name, values)
    _refused_or_converted(root, tmp_path / "out", to="v3.0", places=("",))


@pytest.mark.parametrize(
    "span", ["0:²", pytest.param("0:" + "9" * 5000, id="long"), "1:0", "-1:2", ":", "0:3:1", "a:b"]
)
def test_splits_that_are_no_ranges_are_replaced(bases: Path, tmp_path: Path, span: str) -> None:
    root = copied(bases / "v2.1", tmp_path / "a")
    edit_info(root, splits={"train": span})
    assert any(p.rule == "info.splits" for p in roboreel.open(root).problems)


def test_a_newer_version_is_refused_by_name(bases: Path, tmp_path: Path) -> None:
    root = copied(bases / "v3.0", tmp_path / "a")
    edit_info(root, codebase_version="v4.0")
    with pytest.raises(roboreel.DatasetError, match=r"v4\.0.*reads v2\.0, v2\.1, v3\.0"):
        roboreel.open(root)
