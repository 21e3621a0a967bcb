"""The test kit writes what it says it writes."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from roboreel.testing import (
    Camera,
    FrameNumbers,
    Version,
    draw_numbers,
    make_dataset,
    read_numbers,
)

if TYPE_CHECKING:
    from pathlib import Path

TOP = "observation.images.top"
VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")


def _video_paths(root: Path) -> list[Path]:
    return sorted((root / "videos").rglob("*.mp4"))


def _numbers(path: Path) -> list[FrameNumbers]:
    with av.open(str(path), "r") as container:
        return [
            read_numbers(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]


def _shown_at(path: Path) -> list[Fraction]:
    with av.open(str(path), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        return sorted((packet.pts or 0) * packet.time_base for packet in packets)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _json_lines(path: Path) -> Any:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _expected(lengths: tuple[int, ...], camera: int) -> list[FrameNumbers]:
    return [
        FrameNumbers(frame=frame, episode=episode, camera=camera)
        for episode, length in enumerate(lengths)
        for frame in range(length)
    ]


@pytest.mark.parametrize("numbers", [(0, 0, 0), (1023, 255, 3), (341, 170, 1), (682, 85, 2)])
@pytest.mark.parametrize("size", [(160, 32), (161, 35), (320, 240)])
def test_picture_gives_its_numbers_back(
    numbers: tuple[int, int, int], size: tuple[int, int]
) -> None:
    frame, episode, camera = numbers
    picture = draw_numbers(episode, frame, camera, *size)
    assert picture.shape == (size[1], size[0], 3)
    assert picture.dtype == np.uint8
    expected = FrameNumbers(frame=frame, episode=episode, camera=camera)
    assert read_numbers(picture) == expected
    assert read_numbers(picture[..., 1]) == expected


def test_background_differs_from_frame_to_frame() -> None:
    pictures = [draw_numbers(0, frame, 0, 160, 128)[32:] for frame in range(8)]
    assert all((one != other).any() for one, other in pairwise(pictures))


def test_numbers_beyond_their_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="frame 1024 does not fit into 10 bits"):
        draw_numbers(0, 1024, 0, 160, 32)
    with pytest.raises(ValueError, match="camera -1"):
        draw_numbers(0, 0, -1, 160, 32)


@pytest.mark.parametrize("size", [(159, 128), (160, 31)])
def test_camera_without_room_for_numbers_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="smallest size is 160x32"):
        Camera(width=size[0], height=size[1], storage="image")


def test_video_of_odd_size_is_refused() -> None:
    with pytest.raises(ValueError, match="even width and height"):
        Camera(width=161)


@pytest.mark.sample(10)
@pytest.mark.parametrize("codec", ["h264", "av1"])
@pytest.mark.parametrize("join", ["packets", "encoded"])
@pytest.mark.parametrize(("gop", "b_frames"), [(2, 0), (250, 0), (2, 2), (250, 2), (7, 3), (1, 0)])
@pytest.mark.parametrize("fps", [30, 29.97])
def test_joined_video_shows_every_frame_at_its_time(
    tmp_path: Path,
    codec: Literal["h264", "av1"],
    join: Literal["packets", "encoded"],
    gop: int,
    b_frames: int,
    fps: float,
) -> None:
    lengths = (1, 13, 1, 10, 2)
    camera = Camera(width=160, height=64, codec=codec, gop=gop, b_frames=b_frames, join=join)
    root = make_dataset(
        tmp_path, version="v3.0", episodes=lengths, fps=fps, cameras={"a": Camera(), "b": camera}
    )
    path = root / "videos/b/chunk-000/file-000.mp4"
    assert _numbers(path) == _expected(lengths, camera=1)
    exact = Fraction(str(fps))
    assert _shown_at(path) == [index / exact for index in range(sum(lengths))]
    with av.open(str(path), "r") as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert stream.average_rate == exact
        assert stream.time_base is not None
        assert stream.duration == sum(lengths) / exact / stream.time_base
    pts = [packet.pts for packet in packets if packet.pts is not None]
    dts = [packet.dts for packet in packets if packet.dts is not None]
    assert all(one < other for one, other in pairwise(dts))
    assert all(decoded <= shown for decoded, shown in zip(dts, pts, strict=True))


@pytest.mark.parametrize("codec", ["h264", "av1"])
@pytest.mark.parametrize(("gop", "b_frames"), [(2, 0), (250, 2)])
def test_episode_video_shows_every_frame_at_its_time(
    tmp_path: Path, codec: Literal["h264", "av1"], gop: int, b_frames: int
) -> None:
    lengths = (12, 1)
    camera = Camera(codec=codec, gop=gop, b_frames=b_frames)
    root = make_dataset(tmp_path, episodes=lengths, fps=10, cameras={TOP: camera})
    paths = _video_paths(root)
    assert [number for path in paths for number in _numbers(path)] == _expected(lengths, camera=0)
    for path, length in zip(paths, lengths, strict=True):
        assert _shown_at(path) == [Fraction(index, 10) for index in range(length)]


def _keyframes(path: Path) -> list[int]:
    with av.open(str(path), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        order = sorted(packet.pts or 0 for packet in packets)
        return [order.index(packet.pts or 0) for packet in packets if packet.is_keyframe]


@pytest.mark.parametrize("codec", ["h264", "av1"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_join_decides_where_keyframes_lie(
    tmp_path: Path, codec: Literal["h264", "av1"], b_frames: int
) -> None:
    cameras = {
        "packets": Camera(codec=codec, gop=250, b_frames=b_frames, join="packets"),
        "encoded": Camera(codec=codec, gop=250, b_frames=b_frames, join="encoded"),
        "short": Camera(codec=codec, gop=5, b_frames=b_frames, join="packets"),
    }
    root = make_dataset(tmp_path, version="v3.0", episodes=(8, 5, 7), cameras=cameras)
    found = {name: _keyframes(root / f"videos/{name}/chunk-000/file-000.mp4") for name in cameras}
    assert found == {"packets": [0, 8, 13], "encoded": [0], "short": [0, 5, 8, 13, 18]}


def test_b_frames_are_shown_in_another_order_than_decoded(tmp_path: Path) -> None:
    camera = Camera(gop=250, b_frames=2)
    root = make_dataset(tmp_path, version="v3.0", episodes=(9,), cameras={TOP: camera})
    with av.open(str(_video_paths(root)[0]), "r") as container:
        pts = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert pts != sorted(pts)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_same_arguments_give_same_bytes(
    tmp_path: Path, version: Version, codec: Literal["h264", "av1"]
) -> None:
    def files(name: str, seed: int) -> dict[str, bytes]:
        root = make_dataset(
            tmp_path / name,
            version=version,
            episodes=(7, 3),
            cameras={TOP: Camera(codec=codec, b_frames=2, gop=30)},
            features="rich",
            seed=seed,
        )
        found = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_bytes() for path in found}

    first = files("a", 0)
    assert first == files("b", 0)
    other = files("c", 1)
    assert {name for name in first if name.endswith(".mp4") and first[name] != other[name]} == set()
    assert first != other


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_tell_which_row_they_are(tmp_path: Path, version: Version) -> None:
    root = make_dataset(tmp_path, version=version, episodes=(5, 1, 4), features="rich", cameras={})
    table = pq.read_table(sorted((root / "data").rglob("*.parquet")))
    state = np.array(table["observation.state"].to_pylist(), np.float32)
    action = np.array(table["action"].to_pylist(), np.float32)
    frame, episode = table["frame_index"].to_numpy(), table["episode_index"].to_numpy()
    assert (state[:, 0] == episode + frame / 1024).all()
    assert (action[:, 0] == episode + frame / 1024).all()
    assert table["index"].to_pylist() == list(range(10))
    assert frame.tolist() == [0, 1, 2, 3, 4, 0, 0, 1, 2, 3]
    assert (table["timestamp"].to_numpy() == (frame / 30).astype(np.float32)).all()


@pytest.mark.parametrize("version", VERSIONS)
def test_still_pictures_are_bit_exact(tmp_path: Path, version: Version) -> None:
    root = make_dataset(tmp_path, version=version, episodes=(3, 2), features="rich", cameras={})
    table = pq.read_table(sorted((root / "data").rglob("*.parquet")))
    for row in table.select(
        ["observation.images.still", "frame_index", "episode_index"]
    ).to_pylist():
        with av.open(io.BytesIO(row["observation.images.still"]["bytes"]), "r") as container:
            picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
        assert (picture == draw_numbers(row["episode_index"], row["frame_index"], 0, 160, 48)).all()


def test_v3_video_ranges_lie_within_their_file(tmp_path: Path) -> None:
    root = make_dataset(
        tmp_path,
        version="v3.0",
        episodes=(5, 1, 4, 2, 3),
        fps=20,
        chunks_size=2,
        cameras={TOP: Camera()},
        data_episodes_per_file=1,
        video_episodes_per_file=2,
    )
    rows = pq.read_table(root / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    data = [(row["data/chunk_index"], row["data/file_index"]) for row in rows]
    assert data == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    video = [
        tuple(
            row[f"videos/{TOP}/{key}"]
            for key in ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
        )
        for row in rows
    ]
    assert video == [
        (0, 0, 0.0, 0.25),
        (0, 0, 0.25, 0.3),
        (0, 1, 0.0, 0.2),
        (0, 1, 0.2, 0.3),
        (1, 0, 0.0, 0.15),
    ]
    assert len(_video_paths(root)) == 3
    assert [len(_numbers(path)) for path in _video_paths(root)] == [6, 6, 3]


def test_v2_chunks_hold_so_many_episodes(tmp_path: Path) -> None:
    root = make_dataset(tmp_path, episodes=(1, 2, 3), chunks_size=2, cameras={TOP: Camera()})
    assert [str(path.relative_to(root)) for path in _video_paths(root)] == [
        f"videos/chunk-000/{TOP}/episode_000000.mp4",
        f"videos/chunk-000/{TOP}/episode_000001.mp4",
        f"videos/chunk-001/{TOP}/episode_000002.mp4",
    ]
    assert (root / "data/chunk-001/episode_000002.parquet").is_file()
    assert _json(root / "meta/info.json")["total_chunks"] == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_tasks_change_half_way(tmp_path: Path, version: Version) -> None:
    root = make_dataset(
        tmp_path, version=version, episodes=(4, 1, 3), cameras={}, tasks_per_episode=2
    )
    table = pq.read_table(sorted((root / "data").rglob("*.parquet")))
    assert table["task_index"].to_pylist() == [0, 0, 1, 1, 1, 2, 2, 3]
    if version == "v3.0":
        tasks = pq.read_table(root / "meta/tasks.parquet")["task"].to_pylist()
        episodes = pq.read_table(root / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    else:
        tasks = [row["task"] for row in _json_lines(root / "meta/tasks.jsonl")]
        episodes = _json_lines(root / "meta/episodes.jsonl")
    assert [row["tasks"] for row in episodes] == [tasks[0:2], tasks[1:2], tasks[2:4]]
    assert _json(root / "meta/info.json")["total_tasks"] == len(tasks) == 4
    assert not all(task.isascii() for task in tasks)


def _pictures(lengths: tuple[int, ...]) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    return [
        np.stack([draw_numbers(episode, frame, 0, 160, 64) / 255 for frame in range(length)])
        for episode, length in enumerate(lengths)
    ]


def test_v21_statistics_are_exact_per_episode(tmp_path: Path) -> None:
    lengths = (6, 1)
    root = make_dataset(
        tmp_path, episodes=lengths, cameras={TOP: Camera(height=64)}, features="rich"
    )
    rows = _json_lines(root / "meta/episodes_stats.jsonl")
    for episode, (row, pictures) in enumerate(zip(rows, _pictures(lengths), strict=True)):
        table = pq.read_table(root / f"data/chunk-000/episode_{episode:06d}.parquet")
        stats = row["stats"]
        assert "observation.note" not in stats
        for name in ("action", "observation.pose", "observation.effort", "observation.ticks"):
            values = np.array(table[name].to_pylist())
            assert stats[name]["min"] == values.min(axis=0).tolist()
            assert stats[name]["count"] == [lengths[episode]]
            np.testing.assert_allclose(stats[name]["mean"], values.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(
                stats[name]["std"], values.std(axis=0), rtol=1e-9, atol=1e-15
            )
        assert stats["next.done"]["max"] == [True]
        top = stats[TOP]
        assert np.shape(top["mean"]) == (3, 1, 1)
        np.testing.assert_allclose(np.ravel(top["mean"]), pictures.mean(axis=(0, 1, 2)))
        np.testing.assert_allclose(np.ravel(top["std"]), pictures.std(axis=(0, 1, 2)))
        np.testing.assert_allclose(np.ravel(top["max"]), pictures.max(axis=(0, 1, 2)))


def test_v30_statistics_have_exact_quantiles(tmp_path: Path) -> None:
    lengths = (6, 1, 4)
    root = make_dataset(
        tmp_path,
        version="v3.0",
        episodes=lengths,
        cameras={TOP: Camera(height=64)},
        features="rich",
    )
    table = pq.read_table(root / "data/chunk-000/file-000.parquet")
    stats = _json(root / "meta/stats.json")
    effort = np.array(table["observation.effort"].to_pylist())
    assert stats["observation.effort"]["q10"] == np.quantile(effort, 0.1, axis=0).tolist()
    assert np.shape(stats["observation.pose"]["q50"]) == (4,)
    assert stats["observation.pose"]["count"] == [11]
    pixels = np.concatenate(_pictures(lengths)).reshape(-1, 3)
    episodes = pq.read_table(root / "meta/episodes/chunk-000/file-000.parquet")
    first = np.array(episodes[f"stats/{TOP}/q90"].to_pylist()[0]).ravel()
    np.testing.assert_allclose(first, np.quantile(pixels[: 6 * 64 * 160], 0.9, axis=0))
    for key, level in (("q01", 0.01), ("q50", 0.5), ("q99", 0.99)):
        np.testing.assert_allclose(np.ravel(stats[TOP][key]), np.quantile(pixels, level, axis=0))


def test_v20_has_dataset_statistics_only(tmp_path: Path) -> None:
    root = make_dataset(tmp_path, version="v2.0", episodes=(6, 2), cameras={TOP: Camera()})
    assert sorted(path.name for path in (root / "meta").iterdir()) == [
        "episodes.jsonl",
        "info.json",
        "stats.json",
        "tasks.jsonl",
    ]
    stats = _json(root / "meta/stats.json")
    assert list(stats["action"]) == ["mean", "std", "min", "max"]
    assert stats["index"]["mean"] == [3.5]
    feature = _json(root / "meta/info.json")["features"][TOP]
    assert "info" not in feature
    assert feature["video_info"]["video.codec"] == "h264"


@pytest.mark.parametrize(
    "arguments",
    [
        {"episodes": ()},
        {"episodes": (3, 0)},
        {"episodes": (1025,)},
        {"episodes": (1,) * 257},
        {"tasks_per_episode": 0},
        {"data_episodes_per_file": 1},
        {"cameras": {str(number): Camera() for number in range(5)}},
    ],
)
def test_meaningless_arguments_are_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        make_dataset(tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="not empty"):
        make_dataset(tmp_path)
