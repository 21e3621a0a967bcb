"""Memory of arrays that is used again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import roboreel
from roboreel.reading.host_buffers import HostBuffers
from roboreel.testing import Camera, make_dataset


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_used_again_once_the_last_view_of_an_array_is_dropped() -> None:
    buffers = HostBuffers(2)
    array = buffers.empty((4, 100), np.int64)
    known, view = _address(array), array[1:, ::2]
    del array
    assert _address(buffers.empty((4, 100), np.int64)) != known
    del view
    again = buffers.empty((400,), np.int64)
    assert _address(again) == known
    assert again.flags.writeable


def test_only_so_many_arrays_and_bytes_are_kept() -> None:
    buffers = HostBuffers(2, 1000)
    known = {_address(array) for array in [buffers.empty((400,), np.uint8) for _ in range(4)]}
    assert len(known) == 4
    assert [len(blocks) for blocks in buffers._idle.values()] == [2]
    del known
    array = buffers.empty((700,), np.uint8)
    del array  # it takes the room of those of another size
    assert {size: len(blocks) for size, blocks in buffers._idle.items()} == {700: 1}
    array = buffers.empty((1001,), np.uint8)
    del array
    assert sum(size * len(blocks) for size, blocks in buffers._idle.items()) == 700


def test_an_item_that_is_kept_stays_as_it_is(tmp_path: Path) -> None:
    cameras = {"observation.images.top": Camera(height=32)}
    path = make_dataset(tmp_path / "a", episodes=(9, 8), fps=10, cameras=cameras)
    reader = roboreel.reader(roboreel.open(path), cameras=[*cameras])
    kept: list[dict[str, Any]] = [reader[n] for n in range(len(reader))]
    copies = [item["observation.images.top"].copy() for item in kept]
    for batch in (reader.batch([3, 1]), reader.batch([16]), *reader):
        batch["observation.images.top"][...] = 0
    for item, copy in zip(kept, copies, strict=True):
        assert np.array_equal(item["observation.images.top"], copy)
