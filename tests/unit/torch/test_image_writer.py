from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from roboreel.torch.collate import lerobot_collate_fn
from roboreel.torch.image_writer import (
    AsyncImageWriter,
    image_array_to_pil_image,
    safe_stop_image_writer,
    save_kwargs_for_path,
    write_image,
)
from roboreel.torch.io_utils import load_image_as_numpy

IMAGE = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)


def _read(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return load_image_as_numpy(path, dtype=np.uint8, channel_first=False)


def test_an_image_comes_back_with_channels_first_or_last(tmp_path: Path) -> None:
    for number, image in enumerate((IMAGE, np.moveaxis(IMAGE, -1, 0))):
        path = tmp_path / f"{number}.png"
        write_image(image, path)
        assert np.array_equal(_read(path), IMAGE)


def test_floats_become_bytes(tmp_path: Path) -> None:
    write_image(IMAGE.astype(np.float32) / 255, tmp_path / "a.png")
    assert np.abs(_read(tmp_path / "a.png").astype(int) - IMAGE).max() <= 1


def test_a_loaded_image_is_scaled_and_has_its_channels_first(tmp_path: Path) -> None:
    write_image(IMAGE, tmp_path / "a.png")
    found = load_image_as_numpy(tmp_path / "a.png")
    assert found.dtype == np.float32
    assert found.shape == (3, 48, 64)
    assert found.max() == 1.0


@pytest.mark.parametrize(
    "bad",
    [
        IMAGE.astype(np.float32),
        IMAGE[..., :2],
        IMAGE[..., 0],
        IMAGE[0, 0],
        "no image",
    ],
)
def test_what_is_no_image_is_logged_and_leaves_no_file(
    bad: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_image(bad, tmp_path / "a.png")
    assert "a.png" in caplog.text
    assert not [*tmp_path.iterdir()]


def test_errors_say_what_is_wrong_with_an_array() -> None:
    with pytest.raises(ValueError, match=r"must be from 0 to 1, got 0 to 255"):
        image_array_to_pil_image(IMAGE.astype(np.float32))
    with pytest.raises(NotImplementedError, match="1 or 3 channels, got 2"):
        image_array_to_pil_image(IMAGE[..., :2])
    with pytest.raises(ValueError, match="expected a file name that ends in"):
        save_kwargs_for_path("a.jpg", 1)
    assert save_kwargs_for_path("a.tiff", 1) == {"compression": "raw"}


@pytest.mark.parametrize(("processes", "threads"), [(0, 2), (1, 1)])
def test_images_are_written_in_the_background(processes: int, threads: int, tmp_path: Path) -> None:
    writer = AsyncImageWriter(processes, threads)
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        writer.save_image(torch.from_numpy(IMAGE), path)
    writer.wait_until_done()
    assert all(np.array_equal(_read(path), IMAGE) for path in paths)
    writer.stop()
    writer.stop()


def test_a_writer_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one thread or process"):
        AsyncImageWriter(0, 0)


def test_an_error_stops_the_writer_of_the_dataset() -> None:
    writer = AsyncImageWriter()
    dataset = SimpleNamespace(image_writer=writer)

    @safe_stop_image_writer
    def fail(dataset: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail(dataset=dataset)
    assert not writer.threads[0].is_alive()


def test_a_batch_stacks_tensors_and_keeps_messages_as_lists() -> None:
    items = [{"a": torch.ones(2), "task": "x", "messages": [n]} for n in range(3)]
    batch = lerobot_collate_fn([items[0], None, *items[1:]])
    assert batch is not None
    assert batch["a"].shape == (3, 2)
    assert batch["messages"] == [[0], [1], [2]]
    assert batch["task"] == ["x"] * 3
    assert lerobot_collate_fn([None]) is None


def test_a_batch_of_which_some_have_messages_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 items have 'messages'"):
        lerobot_collate_fn([{"messages": []}, {}])
