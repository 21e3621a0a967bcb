"""`Loader`: the batches that torch's `DataLoader` gives, made in threads or in another process."""

from __future__ import annotations

import gc
import itertools
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, SequentialSampler

import roboreel
from roboreel.reading import host_buffers
from roboreel.reading.host_buffers import HostBuffers
from roboreel.testing import Camera, make_dataset
from roboreel.torch import EpisodeAwareSampler, LeRobotDataset, Loader
from roboreel.torch.batches.batch_source import planes
from roboreel.torch.batches.helper_process import HelperMaker

TOP, WRIST = "observation.images.top", "observation.images.wrist"
LENGTHS = (9, 5, 12)
COUNT = sum(LENGTHS)
WINDOWS = {TOP: [-0.1, 0.0], "action": [0.0, 0.1, 0.2]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cameras = {TOP: Camera(height=32), WRIST: Camera(height=32)}
    folder = tmp_path_factory.mktemp("loader") / "a"
    return make_dataset(folder, version="v2.1", episodes=LENGTHS, fps=10, cameras=cameras)


@pytest.fixture(scope="module")
def reader(root: Path) -> roboreel.Reader:
    return roboreel.reader(roboreel.open(root))


def dataset(root: Path, **options: Any) -> LeRobotDataset:
    return LeRobotDataset("local/a", root=root, **options)


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if isinstance(values, torch.Tensor):
            assert found[name].dtype == values.dtype, name
            assert torch.equal(found[name], values), name
        else:
            assert list(found[name]) == list(values), name


def indexes(batches: Any) -> list[int]:
    return [index for batch in batches for index in batch["index"].tolist()]


def test_values_are_those_of_a_division_by_255_bit_by_bit() -> None:
    frames = np.arange(256, dtype=np.uint8).reshape(1, 1, 256, 1).repeat(3, 3)
    expected = torch.from_numpy(frames).permute(0, 3, 1, 2).to(torch.float32) / 255
    assert torch.equal(torch.from_numpy(planes(frames, HostBuffers(0), uint8=False)), expected)
    reciprocal = torch.from_numpy(frames).permute(0, 3, 1, 2) * (1 / torch.tensor(255.0))
    assert not torch.equal(reciprocal, expected)


def test_batches_of_a_reader(reader: roboreel.Reader) -> None:
    expected = reader[5:10]
    for uint8 in (False, True):
        loader = Loader(reader, batch_sampler=[range(5, 10)], uint8=uint8)
        (found,) = loader
        for camera in (TOP, WRIST):
            frames = torch.from_numpy(expected[camera]).permute(0, 3, 1, 2)
            values = frames if uint8 else frames.to(torch.float32) / 255
            assert torch.equal(found[camera], values)
            assert found[camera].is_contiguous()
        assert torch.equal(found["action"], torch.from_numpy(expected["action"]))
        assert found["task"] == expected["task"]


@pytest.mark.parametrize(
    "options",
    [{}, {"return_uint8": True}, {"episodes": [0, 2]}, {"delta_timestamps": WINDOWS}],
    ids=str,
)
def test_batches_of_a_dataset_are_those_of_torch(root: Path, options: dict[str, Any]) -> None:
    data = dataset(root, **options)
    theirs = DataLoader(data, batch_size=4)
    ours = Loader(data, batch_size=4)
    assert len(ours) == len(theirs)
    for _ in range(2):  # memory of earlier batches is used again
        for found, expected in zip(ours, theirs, strict=True):
            same(found, expected)


def test_image_transforms_are_applied_to_each_item(root: Path) -> None:
    data = dataset(root, image_transforms=lambda frame: frame[..., :16, :20] * 2)
    for found, expected in zip(Loader(data, 3), DataLoader(data, batch_size=3), strict=True):
        same(found, expected)


def test_images_in_tables_and_rich_features(made: dict[str, Path]) -> None:
    for folder in made.values():
        data = dataset(folder)
        for found, expected in zip(Loader(data, 4), DataLoader(data, batch_size=4), strict=True):
            same(found, expected)


class Squares:
    """Items that are no arrays of ours."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index >= 10:
            raise IndexError
        return {"index": torch.tensor(index), "square": index**2}


def test_any_dataset_with_items_by_number_is_loaded() -> None:
    found = list(Loader(Squares(), 4, drop_last=True))
    assert [batch["square"].tolist() for batch in found] == [[0, 1, 4, 9], [16, 25, 36, 49]]
    with pytest.raises(ValueError, match="list_iterator cannot be indexed by item number"):
        Loader(iter([1]))


def test_a_batch_stays_as_it_is_while_it_is_used(reader: roboreel.Reader) -> None:
    loader = Loader(reader, 2)
    kept = list(loader)
    copies = [{n: v.clone() for n, v in b.items() if torch.is_tensor(v)} for b in kept]
    list(loader)
    for batch, copy in zip(kept, copies, strict=True):
        for name, values in copy.items():
            assert torch.equal(batch[name], values)


def test_memory_is_used_again_when_the_last_tensor_on_it_is_dropped() -> None:
    buffers = HostBuffers(2)
    array = buffers.empty((3, 4), np.float32)
    at = array.__array_interface__["data"][0]
    view = torch.from_numpy(array)[1:]
    del array
    other = buffers.empty((4, 3), np.float32)
    assert other.__array_interface__["data"][0] != at
    del view
    gc.collect()
    assert buffers.empty((12,), np.float32).__array_interface__["data"][0] == at


def test_the_memory_of_an_epoch_is_used_again_in_the_next(
    reader: roboreel.Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = list[int](), np.empty

    def empty(shape: Any, dtype: Any = float) -> Any:
        if isinstance(shape, int):  # a block: arrays have a shape
            made.append(shape)
        return make(shape, dtype)

    monkeypatch.setattr(host_buffers, "np", SimpleNamespace(**vars(np) | {"empty": empty}))
    loader = Loader(reader, batch_size=2, threads=1, prefetch=3, drop_last=True)
    for _ in range(4):
        for _ in loader:
            time.sleep(0.005)  # batches are made ahead meanwhile
    in_use, cameras = 3 + 2, 2
    first = cameras  # the first batch shows what frames are like
    assert 0 < len(made) <= first + in_use * cameras


def test_every_epoch_has_all_items_in_another_order(reader: roboreel.Reader) -> None:
    loader = Loader(reader, 4, shuffle=True, seed=5)
    epochs = [indexes(loader) for _ in range(3)]
    assert all(sorted(epoch) == list(range(COUNT)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    again = Loader(reader, 4, shuffle=True, seed=5)
    assert [indexes(again) for _ in range(3)] == epochs
    assert indexes(Loader(reader, 4, shuffle=True, seed=6)) != epochs[0]


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("taken", [0, 1, 3, 7])
def test_an_epoch_is_resumed_where_its_state_was_taken(
    reader: roboreel.Reader, taken: int, stateful: bool
) -> None:
    def loader() -> Loader:
        if not stateful:
            return Loader(reader, 4, shuffle=True, seed=2)
        ends = np.cumsum(LENGTHS)
        sampler = EpisodeAwareSampler(ends - LENGTHS, ends, shuffle=True, seed=2)
        return Loader(reader, 4, sampler=sampler)

    whole = loader()
    expected = [indexes(whole) for _ in range(3)]
    first = loader()
    indexes(first)
    batches = iter(first)
    begun = indexes(itertools.islice(batches, taken))
    state = first.state_dict()
    batches.close()  # type: ignore[attr-defined]
    second = loader()
    second.load_state_dict(state)
    assert begun + indexes(second) == expected[1]
    assert indexes(second) == expected[2]


def test_an_epoch_that_is_left_is_not_gone_on_with(reader: roboreel.Reader) -> None:
    loader = Loader(reader, 4, shuffle=True)
    next(iter(loader))
    assert sorted(indexes(loader)) == list(range(COUNT))


def test_processes_share_an_epoch_by_their_sampler(reader: roboreel.Reader) -> None:
    ends = np.cumsum(LENGTHS)
    parts = [
        indexes(
            Loader(
                reader,
                3,
                sampler=EpisodeAwareSampler(
                    ends - LENGTHS, ends, shuffle=True, rank=rank, world_size=2
                ),
            )
        )
        for rank in range(2)
    ]
    assert sorted(parts[0] + parts[1]) == list(range(COUNT))


def test_a_sampler_without_a_state_is_told_the_epoch(reader: roboreel.Reader) -> None:
    epochs: list[int] = []

    class Told(SequentialSampler):
        def set_epoch(self, epoch: int) -> None:
            epochs.append(epoch)

    loader = Loader(reader, 8, sampler=Told(reader))
    for _ in range(2):
        indexes(loader)
    assert epochs == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"shuffle": True, "sampler": [1]}, "leave shuffle out"),
        ({"batch_size": 2, "batch_sampler": [[1]]}, "leave batch_size, shuffle"),
        ({"threads": 0}, "threads is 0, expected 1 or more"),
        ({"on_error": "ignore"}, "on_error is 'ignore', expected 'raise' or 'skip'"),
        ({"mode": "gpu"}, "mode is 'gpu', expected 'threads' or 'process'"),
    ],
)
def test_contradicting_arguments_are_refused(
    reader: roboreel.Reader, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Loader(reader, **arguments)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """One video is missing, another is cut short."""
    cameras = {TOP: Camera(height=32)}
    folder = make_dataset(tmp_path / "a", version="v2.1", episodes=(4, 4, 4, 4), cameras=cameras)
    one, _, three, _ = sorted(folder.rglob("*.mp4"))
    one.unlink()
    three.write_bytes(three.read_bytes()[:-20])
    return folder


@pytest.mark.parametrize("mode", ["threads", pytest.param("process", marks=pytest.mark.slow)])
def test_items_that_cannot_be_read_are_skipped_and_logged(
    damaged: Path, caplog: pytest.LogCaptureFixture, mode: Any
) -> None:
    read = roboreel.reader(roboreel.open(damaged), cameras=[TOP])
    with pytest.raises(roboreel.RoboreelError, match="episode 0"):
        indexes(Loader(read, 3))
    loader = Loader(read, 3, on_error="skip", mode=mode)
    with caplog.at_level(logging.WARNING):
        sizes = [len(batch["index"]) for batch in loader]
        assert indexes(loader) == [4, 5, 6, 7, 12, 13, 14, 15]
    assert sizes == [2, 2, 3, 1]  # items 0-2 and 9-11 gave no batch at all
    assert sorted(loader.skipped) == [0, 1, 2, 3, 8, 9, 10, 11]
    told = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
    assert len(told) == 8
    assert told[0].startswith("item ")


def test_an_error_comes_with_its_batch_and_no_thread_stays(damaged: Path) -> None:
    read = roboreel.reader(roboreel.open(damaged), cameras=[TOP])
    batches = iter(Loader(read, batch_sampler=[[4, 5], [6], [0]]))
    assert [len(next(batches)["index"]) for _ in range(2)] == [2, 1]
    with pytest.raises(roboreel.RoboreelError):
        next(batches)
    assert not [t for t in threading.enumerate() if t.name.startswith("roboreel-batch")]


@pytest.fixture(scope="module")
def in_process(root: Path) -> Loader:
    return Loader(dataset(root), 4, shuffle=True, seed=1, mode="process")


def test_another_process_makes_the_same_batches(root: Path, in_process: Loader) -> None:
    here = Loader(dataset(root), 4, shuffle=True, seed=1)
    for _ in range(2):
        for found, expected in zip(in_process, here, strict=True):
            same(found, expected)


def test_batches_of_another_process_stay_as_they_are_while_they_are_used(
    in_process: Loader,
) -> None:
    kept = list(in_process)
    copies = [batch[TOP].clone() for batch in kept]
    next(iter(in_process))  # is left at once
    list(in_process)
    assert all(torch.equal(batch[TOP], copy) for batch, copy in zip(kept, copies, strict=True))


def test_a_process_that_dies_is_an_error_and_is_started_again(in_process: Loader) -> None:
    batches = iter(in_process)
    next(batches)
    assert isinstance(in_process._maker, HelperMaker)
    assert in_process._maker.process is not None
    in_process._maker.process.kill()
    with pytest.raises(roboreel.RoboreelError, match="process that makes batches died"):
        list(batches)


@pytest.mark.parametrize("where", ["lambda", "script"])
def test_threads_make_the_batches_of_a_dataset_that_cannot_be_sent(
    root: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    transform = eval("lambda frame: frame + 1", {"__name__": "__main__"})  # as a script does
    if where == "script":
        transform.__qualname__ = "brighter"
    here = Loader(dataset(root, image_transforms=transform), 4, shuffle=True)
    other = Loader(dataset(root, image_transforms=transform), 4, shuffle=True, mode="process")
    for _ in range(2):
        for found, expected in zip(other, here, strict=True):
            same(found, expected)
    (told,) = [record.message for record in caplog.records if "threads instead" in record.message]
    assert "mode='process'" in told
    assert transform.__qualname__ in told


@pytest.mark.slow
def test_another_process_needs_no_guard_in_the_script(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, roboreel\n"
        "from roboreel.torch import Loader\n"
        "print('begins')\n"
        "reader = roboreel.reader(roboreel.open(sys.argv[1]))\n"
        "print(sum(len(batch['index']) for batch in Loader(reader, 4, mode='process')))\n"
    )
    told = subprocess.run(
        [sys.executable, str(script), str(root)], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["begins", str(len(dataset(root)))]
    assert not told.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"batch_size": 1.5}, "batch_size is 1.5"),
        ({"threads": 1.5}, "threads is 1.5"),
        ({"seed": -1}, "seed is -1"),
        ({"sampler": ["a"]}, "the sampler gave the batch .*integers"),
        ({"batch_sampler": [1, 2]}, "the sampler gave the batch 1, expected a list"),
    ],
)
def test_arguments_of_another_kind_are_refused(
    reader: roboreel.Reader, arguments: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        list(Loader(reader, **arguments))


def test_a_path_is_refused(root: Path) -> None:
    with pytest.raises(ValueError, match="is a path: open the dataset"):
        Loader(str(root))


def test_empty_batches_of_a_sampler_are_empty(reader: roboreel.Reader) -> None:
    found = list(Loader(reader, batch_sampler=[[1], [], [2]], threads=1))
    assert [len(batch["index"]) for batch in found] == [1, 0, 1]
    assert found[1][TOP].shape == (0, *found[0][TOP].shape[1:])
