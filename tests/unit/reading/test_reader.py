"""Items, windows and batches are those of the dataset, frame by frame."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import roboreel
from roboreel.testing import Camera, make_dataset, read_numbers
from tests.mutate import edit_info

TOP, WRIST = "observation.images.top", "observation.images.wrist"
SHORT, LONG = Camera(height=32, gop=2), Camera(height=32, gop=250, b_frames=2)
LENGTHS = (9, 1, 14, 6)
Version = Literal["v2.0", "v2.1", "v3.0"]
VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Version], Path]:
    folder = tmp_path_factory.mktemp("reader")
    known: dict[str, Path] = {}

    def make(version: Version) -> Path:
        if version not in known:
            files = {"data_episodes_per_file": 2, "video_episodes_per_file": 3}
            known[version] = make_dataset(
                folder / version,
                version=version,
                episodes=LENGTHS,
                cameras={TOP: SHORT, WRIST: LONG},
                tasks_per_episode=2,
                **(files if version == "v3.0" else {}),  # type: ignore[arg-type]
            )
        return known[version]

    return make


def shown(frame: Any) -> tuple[int, int, int]:
    numbers = read_numbers(frame)
    return numbers.episode, numbers.frame, numbers.camera


@pytest.mark.parametrize("version", VERSIONS)
def test_every_item_shows_its_own_frame(made: Callable[[Version], Path], version: Version) -> None:
    reader = roboreel.reader(roboreel.open(made(version)))
    assert len(reader) == sum(LENGTHS)
    for at, item in enumerate(reader):
        episode, frame = int(item["episode_index"]), int(item["frame_index"])
        assert at == int(item["index"])
        assert episode == int(np.searchsorted(reader.bounds, at, "right")) - 1
        assert shown(item[TOP]) == (episode, frame, 0)
        assert shown(item[WRIST]) == (episode, frame, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_random_windows_show_the_right_frames_and_say_where_they_are_padded(
    made: Callable[[Version], Path], version: Version
) -> None:
    offsets = {TOP: [-3, 0, 2], WRIST: [0, 1], "action": [-1, 0, 1, 5]}
    dataset = roboreel.open(made(version))
    reader = roboreel.reader(dataset, offsets=offsets)
    plain = roboreel.reader(dataset, cameras=[])
    whole = plain[:]
    random = np.random.default_rng(3)
    for _ in range(4):
        items = random.integers(0, len(reader), 7)
        batch = reader.batch(items)
        for row, item in enumerate(items.tolist()):
            episode = int(whole["episode_index"][item])
            frame, last = int(whole["frame_index"][item]), LENGTHS[episode] - 1
            for camera, number in ((TOP, 0), (WRIST, 1)):
                wanted = [frame + offset for offset in offsets[camera]]
                clamped = [min(max(one, 0), last) for one in wanted]
                found = [shown(one) for one in batch[camera][row]]
                assert found == [(episode, one, number) for one in clamped]
                assert batch[f"{camera}_is_pad"][row].tolist() == [
                    a != b for a, b in zip(wanted, clamped, strict=True)
                ]
            actions = [min(max(frame + offset, 0), last) for offset in offsets["action"]]
            own = item - frame
            assert np.array_equal(batch["action"][row], whole["action"][[own + a for a in actions]])


def test_numbers_have_their_declared_dtype_and_shape(made: Callable[[Version], Path]) -> None:
    item = roboreel.reader(roboreel.open(made("v3.0")))[5]
    assert item["action"].dtype == np.float32
    assert item["action"].ndim == 1
    assert item["timestamp"].shape == ()
    assert item["timestamp"] == np.float32(5 / 30)
    assert isinstance(item["task"], str)
    assert item[TOP].shape[2] == 3
    assert item[TOP].dtype == np.uint8


def test_a_slice_is_a_batch_and_negative_items_count_from_the_end(
    made: Callable[[Version], Path],
) -> None:
    reader = roboreel.reader(roboreel.open(made("v2.1")), cameras=[])
    assert reader[-3:]["index"].tolist() == [27, 28, 29]
    assert reader[-1]["index"] == 29
    for wrong in (30, -31):
        with pytest.raises(IndexError, match=f"item {wrong} is out of range: there are 30 items"):
            reader[wrong]


def test_an_episode_is_iterated_in_order(made: Callable[[Version], Path]) -> None:
    reader = roboreel.reader(roboreel.open(made("v3.0")))
    episode = reader.episode(2)
    assert len(episode) == 14
    assert [shown(item[WRIST])[:2] for item in episode] == [(2, frame) for frame in range(14)]
    assert episode.episode(0)[0]["index"] == 10
    with pytest.raises(IndexError, match="episode 4 is out of range: there are 4 episodes"):
        reader.episode(4)


def test_arrays_that_the_caller_gives_are_filled(made: Callable[[Version], Path]) -> None:
    reader = roboreel.reader(roboreel.open(made("v2.1")))
    expected = reader.batch([3, 20])
    out = {TOP: np.zeros_like(expected[TOP]), "action": np.zeros_like(expected["action"])}
    found = reader.batch([3, 20], out=out)
    assert np.shares_memory(found[TOP], out[TOP])
    assert np.array_equal(out[TOP], expected[TOP])
    assert np.array_equal(out["action"], expected["action"])
    with pytest.raises(
        roboreel.UsageError, match=r"out\['action'\] has dtype float32 and shape \(3, 6\)"
    ):
        reader.batch([3, 20], out={"action": np.zeros((3, 6), np.float32)})


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("size", [None, (20, 24)])
def test_an_array_of_floats_takes_frames_divided_by_255(
    made: Callable[[Version], Path],
    tmp_path: Path,
    cached: bool,
    planes: bool,
    size: tuple[int, int] | None,
) -> None:
    dataset = roboreel.open(made("v3.0"))
    expected = roboreel.reader(dataset, size=size).batch([3, 20, 3])[TOP]
    shape = expected.shape
    reader = roboreel.reader(dataset, size=size, frame_cache=tmp_path if cached else None)
    for _ in range(1 + cached):
        out = np.empty(shape, np.float32)
        if planes:
            out = np.moveaxis(np.empty((3, 3, *shape[1:3]), np.float32), 1, -1)
        found = reader.batch([3, 20, 3], out={TOP: out})[TOP]
        assert np.shares_memory(found, out)
        assert np.array_equal(found, expected.astype(np.float32) / np.float32(255))


def test_items_and_iteration_give_the_frames_of_batches_each_in_its_own_memory(
    made: Callable[[Version], Path],
) -> None:
    reader = roboreel.reader(roboreel.open(made("v3.0")), size=(20, 24))
    expected = reader[:]
    items = list(reader)
    for at, item in enumerate(items):
        for camera in (TOP, WRIST):
            assert np.array_equal(item[camera], expected[camera][at])
            assert np.array_equal(reader[at][camera], item[camera])
            item[camera][...] = 7  # it is the caller's
    assert np.array_equal(reader[3][TOP], expected[TOP][3])
    assert not np.shares_memory(items[3][TOP], items[4][TOP])


def test_an_array_of_another_dtype_is_refused(made: Callable[[Version], Path]) -> None:
    reader = roboreel.reader(roboreel.open(made("v3.0")))
    shape = reader.batch([3])[TOP].shape
    with pytest.raises(roboreel.UsageError, match=f"{TOP}.*float64.*uint8"):
        reader.batch([3], out={TOP: np.empty(shape)})


def test_size_scales_frames(made: Callable[[Version], Path]) -> None:
    dataset = roboreel.open(made("v2.1"))
    full, small = (roboreel.reader(dataset, size=size) for size in (None, (16, 80)))
    assert small[4][TOP].shape == (16, 80, 3)
    halves = full[4][TOP].reshape(16, 2, 80, 2, 3).mean(axis=(1, 3))
    assert np.abs(halves - small[4][TOP]).mean() < 4


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("version", VERSIONS)
def test_readers_in_threads_and_processes_read_the_same(
    made: Callable[[Version], Path], version: Version
) -> None:
    reader = roboreel.reader(roboreel.open(made(version)), offsets={TOP: [-1, 0]})
    items = list(range(0, 30, 2))
    expected = [digest(reader, item) for item in items]
    again = pickle.loads(pickle.dumps(reader))
    assert [digest(again, item) for item in items] == expected
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda item: digest(reader, item), items)) == expected
    for method in ("fork", "spawn") if version == "v3.0" else ("fork",):
        with multiprocessing.get_context(method).Pool(2) as processes:
            found = processes.starmap(digest, [(reader, item) for item in items[:4]])
        assert found == expected[:4]


def digest(reader: roboreel.Reader, item: int) -> str:
    values = sorted(reader[item].items())
    data = b"".join(name.encode() + np.asarray(value).tobytes() for name, value in values)
    return hashlib.blake2b(data).hexdigest()


def test_unknown_names_are_refused_with_the_choices(made: Callable[[Version], Path]) -> None:
    dataset = roboreel.open(made("v2.1"))
    with pytest.raises(roboreel.UsageError, match=f"unknown camera 'top': expected one of '{TOP}'"):
        roboreel.reader(dataset, cameras=["top"])
    with pytest.raises(roboreel.UsageError, match="unknown column 'act'"):
        roboreel.reader(dataset, columns=["act"])
    with pytest.raises(roboreel.UsageError, match="at least one integer"):
        roboreel.reader(dataset, offsets={"action": [0.5]})  # type: ignore[list-item]
    with pytest.raises(roboreel.UsageError, match=r"size is \(0, 5\)"):
        roboreel.reader(dataset, size=(0, 5))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_video_is_named_with_camera_and_episode(tmp_path: Path, version: Version) -> None:
    root = make_dataset(tmp_path / "a", version=version, episodes=(4, 5))
    dataset = roboreel.open(root)
    for video in root.rglob("*.mp4"):
        if "top" in str(video) and (version == "v3.0" or "000001" in video.name):
            video.unlink()
    reader = roboreel.reader(dataset)
    with pytest.raises(roboreel.RoboreelError, match=rf"(?s)episode 1.*{TOP}|{TOP}.*episode 1"):
        reader[6]


def test_frames_are_found_by_number_and_times_only_matter_where_asked(tmp_path: Path) -> None:
    cameras = {TOP: Camera(height=32)}
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(8,), cameras=cameras)
    edit_info(root, fps=29)
    dataset = roboreel.open(root)
    assert [shown(item[TOP])[1] for item in roboreel.reader(dataset)] == list(range(8))
    strict = roboreel.reader(dataset, strict_timestamps=True)
    with pytest.raises(roboreel.VideoError, match="differs from the time of its row"):
        strict.batch([7])


def test_numbers_beyond_the_budget_are_mapped_and_the_same(
    made: Callable[[Version], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = roboreel.open(made("v3.0"))
    age(Path(dataset.url))
    expected = roboreel.reader(dataset, cameras=[])[:]
    for cache in (str(tmp_path), "off"):
        monkeypatch.setenv("ROBOREEL_CACHE", cache)
        for _ in range(2):
            tight = roboreel.reader(dataset, cameras=[], memory_mb=0.001)
            for item in (29, 0, 14, 3):
                assert np.array_equal(tight[item]["action"], expected["action"][item])
    files = sorted((tmp_path / "columns").iterdir())
    assert len(files) == 2
    for file in files:  # a damaged one is made again
        file.write_bytes(file.read_bytes()[:100])
    monkeypatch.setenv("ROBOREEL_CACHE", str(tmp_path))
    again = roboreel.reader(dataset, cameras=[], memory_mb=0.001)
    assert np.array_equal(again[14]["action"], expected["action"][14])


def age(root: Path) -> None:
    """Give files a time long ago: those just written are not cached."""
    for path in root.rglob("*"):
        os.utime(path, ns=(1_000_000_000_000_000_000,) * 2)


def test_few_videos_stay_open_however_many_are_read(tmp_path: Path) -> None:
    cameras = {TOP: Camera(height=32)}
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(1,) * 150, cameras=cameras)
    reader = roboreel.reader(roboreel.open(root))
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for start in range(0, 150, 30):
        assert [shown(frame)[0] for frame in reader[start : start + 30][TOP]] == list(
            range(start, start + 30)
        )
    if before:
        assert len(os.listdir("/proc/self/fd")) - before < 140


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_a_thread_reads_does_not_hang(made: Callable[[Version], Path]) -> None:
    reader = roboreel.reader(roboreel.open(made("v2.1")))
    reader[0]
    with held(reader):
        child = os.fork()
        if not child:
            signal.alarm(20)
            os._exit(0 if shown(reader[3][TOP])[1] == 3 else 1)
    assert os.waitpid(child, 0)[1] == 0


def held(reader: roboreel.Reader) -> contextlib.ExitStack:
    """Holds the locks of a reader, as a thread of the parent may at a fork."""
    stack = contextlib.ExitStack()
    items: Any = reader._items_of_view
    for lock in (items._cameras._videos._lock, items._sources[0]._files._lock):
        stack.enter_context(lock)
    return stack


@pytest.mark.parametrize("item", [True, np.True_, 1.0, "a", None, [1], np.array([1]), (1, 2)])
def test_an_item_that_is_no_whole_number_is_refused(
    made: Callable[[Version], Path], item: Any
) -> None:
    reader = roboreel.reader(roboreel.open(made("v3.0")))
    with pytest.raises(roboreel.UsageError, match=r"item is .*, expected an integer or a slice"):
        reader[item]
    with pytest.raises(roboreel.UsageError, match=r"episode is .*, expected an integer"):
        reader.episode(item)


@pytest.mark.parametrize("item", [30, -31, 10**30, -(2**63), np.uint64(2**64 - 1)])
def test_an_item_out_of_range_is_named(made: Callable[[Version], Path], item: Any) -> None:
    reader = roboreel.reader(roboreel.open(made("v3.0")), cameras=[])
    with pytest.raises(IndexError, match=f"item {item} is out of range: there are 30 items"):
        reader[item]
    if abs(int(item)) < 2**64:
        with pytest.raises(IndexError, match=f"item {item} is out of range: there are 30 items"):
            reader.batch(np.array([item]))


@pytest.mark.parametrize("indices", [[True], [1.0], ["a"], [[1]], [[1], [2, 3]], None, 3, {1}])
def test_indices_that_are_no_list_of_whole_numbers_are_refused(
    made: Callable[[Version], Path], indices: Any
) -> None:
    reader = roboreel.reader(roboreel.open(made("v3.0")), cameras=[])
    with pytest.raises(roboreel.UsageError, match=r"indices are .*, expected a list of integers"):
        reader.batch(indices)


@pytest.mark.parametrize("size", [None, (20, 24)])
def test_an_empty_batch_has_the_shapes_of_others(
    made: Callable[[Version], Path], size: tuple[int, int] | None
) -> None:
    offsets = {WRIST: [0, 1]}
    reader = roboreel.reader(roboreel.open(made("v3.0")), size=size, offsets=offsets)
    full = reader.batch([0])
    for empty in (reader.batch([]), reader[5:2]):
        assert empty.keys() == full.keys()
        for name, values in full.items():
            if isinstance(values, np.ndarray):
                assert empty[name].shape == (0, *values.shape[1:])
                assert empty[name].dtype == values.dtype


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ({"nope": np.zeros(1)}, "not a feature that is read"),
        ({"action": [0.0]}, "list, expected a writable array"),
        ({"action": np.broadcast_to(np.float32(0), (1, 6))}, "read-only"),
    ],
)
def test_arrays_that_cannot_be_filled_are_refused(
    made: Callable[[Version], Path], out: Any, why: str
) -> None:
    reader = roboreel.reader(roboreel.open(made("v3.0")))
    with pytest.raises(roboreel.UsageError, match=why):
        reader.batch([1], out=out)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"cameras": TOP}, "cameras is .*, expected a list"),
        ({"columns": "action"}, "columns is 'action', expected a list"),
        ({"columns": 3}, "columns is 3, expected a list"),
        ({"offsets": [1]}, "offsets is .*, expected a dict"),
        ({"offsets": {"action": 1}}, "offsets of 'action' are 1, expected"),
        ({"offsets": {"action": [True]}}, "offsets of 'action'"),
        ({"offsets": {"action": [10**30]}}, "offsets of 'action'"),
        ({"size": 224}, "size is 224, expected"),
        ({"size": (10**6, 8)}, "each from 1 to 16384"),
        ({"threads": "two"}, "threads is 'two'"),
        ({"memory_mb": "much"}, "memory_mb is 'much'"),
        ({"tolerance_s": -1}, "tolerance_s is -1"),
        ({"frame_cache": 3}, "frame_cache is 3"),
    ],
)
def test_options_that_make_no_sense_are_named(
    made: Callable[[Version], Path], options: dict[str, Any], why: str
) -> None:
    dataset = roboreel.open(made("v3.0"))
    with pytest.raises(roboreel.UsageError, match=why):
        roboreel.reader(dataset, **options)


def test_a_path_is_not_a_dataset(made: Callable[[Version], Path]) -> None:
    path: Any = str(made("v3.0"))
    with pytest.raises(roboreel.UsageError, match=r"open it with roboreel.open"):
        roboreel.reader(path)


def test_a_dataset_that_was_edited_in_place_is_to_be_opened_again(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(3, 2), cameras={})
    dataset = roboreel.open(root)
    reader = roboreel.reader(dataset.keep([1]))
    roboreel.write(dataset.rename({"action": "act"}), in_place=True)
    with pytest.raises(roboreel.StorageError, match=r"changed since .* opened: open it again"):
        reader[0]
