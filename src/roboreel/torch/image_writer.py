"""Write images to files in the background, with the interface of lerobot's `image_writer`."""

from __future__ import annotations

import functools
import io
import logging
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from roboreel.storage.local import LocalRoot
from roboreel.storage.video.encode import frame_of, png
from roboreel.torch.compat.optional_packages import optional_package, require_package
from roboreel.torch.depth_utils import squeeze_single_channel
from roboreel.torch.errors import ArgumentError

_LOG = logging.getLogger(__name__)
_Returned = TypeVar("_Returned")
_DEPTHS = (np.uint16, np.float32)
_RGB = 3


def safe_stop_image_writer(func: Callable[..., _Returned]) -> Callable[..., _Returned]:
    """The function, which stops the image writer of its argument `dataset` when it raises."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> _Returned:
        try:
            return func(*args, **kwargs)
        except BaseException:
            dataset = kwargs.get("dataset")
            writer = getattr(dataset, "image_writer", None) or getattr(
                getattr(dataset, "writer", None), "image_writer", None
            )
            if writer is not None:
                writer.stop()
            raise

    return wrapped


def image_array_to_pil_image(image_array: npt.NDArray[Any], range_check: bool = True) -> Any:
    """The PIL image of an array.

    Args:
        image_array: (3, H, W) or (H, W, 3) uint8, or floats in [0, 1]; uint16 or float32 depths, as (H, W),
            (1, H, W) or (H, W, 1).
        range_check: True refuses floats outside [0, 1].

    Raises:
        ArgumentError: another dtype or number of axes, or values out of range.
        NotImplementedError: neither one channel nor three.
        MissingDependencyError: Pillow is not installed.
    """
    array = _pixels(image_array, range_check=range_check)
    return require_package("PIL.Image", "fromarray").fromarray(array)


def _pixels(image: npt.NDArray[Any], *, range_check: bool = True) -> npt.NDArray[Any]:
    """(H, W, 3) uint8, or (H, W) depths."""
    if image.ndim not in (2, 3):
        raise ArgumentError(f"an image must have 2 or 3 dimensions, got shape {image.shape}")
    image = squeeze_single_channel(image)
    if image.ndim == 2:
        if image.dtype not in _DEPTHS:
            raise ArgumentError(f"a one-channel image must be uint16 or float32, got {image.dtype}")
        return np.ascontiguousarray(image)
    if image.shape[0] == _RGB:
        image = np.moveaxis(image, 0, -1)
    elif image.shape[-1] != _RGB:
        raise NotImplementedError(f"an image must have 1 or 3 channels, got {image.shape[-1]}")
    return np.ascontiguousarray(_as_bytes(image, range_check=range_check))


def _as_bytes(image: npt.NDArray[Any], *, range_check: bool) -> npt.NDArray[np.uint8]:
    if image.dtype == np.uint8:
        return image
    low, high = float(image.min()), float(image.max())
    if range_check and not 0 <= low <= high <= 1:
        raise ArgumentError(
            f"{image.dtype} pixels must be from 0 to 1, got {low:g} to {high:g}: scale them, or pass uint8"
        )
    return (image * 255).astype(np.uint8)


def save_kwargs_for_path(fpath: str | os.PathLike[str], compress_level: int) -> dict[str, Any]:
    """What PIL is told for a kind of file: the level of PNG, no compression of TIFF.

    Raises:
        ArgumentError: the file is of another kind.
    """
    suffix = PurePath(fpath).suffix.lower()
    if suffix == ".png":
        return {"compress_level": compress_level}
    if suffix in (".tif", ".tiff"):
        return {"compression": "raw"}
    raise ArgumentError(
        f"'{os.fspath(fpath)}': expected a file name that ends in .png, .tif or .tiff"
    )


def write_image(image: Any, fpath: str | os.PathLike[str], compress_level: int = 1) -> None:
    """Write an image, whole or not at all. An error is logged, not raised, as in lerobot.

    Args:
        image: an array as for `image_array_to_pil_image`, or a PIL image.
        fpath: a `.png` file, or a `.tiff` file for depths.
        compress_level: of PNG, 0 to 9.
    """
    try:
        folder, name = os.path.split(os.path.abspath(fpath))
        LocalRoot(folder).put(name, _encoded(image, fpath, compress_level))
    except Exception:
        _LOG.exception("'%s' could not be written", os.fspath(fpath))


def _encoded(image: Any, fpath: str | os.PathLike[str], compress_level: int) -> bytes:
    given = save_kwargs_for_path(fpath, compress_level)
    is_array = isinstance(image, np.ndarray)
    if (
        is_array
        and "compress_level" in given
        and optional_package("PIL.Image", "fromarray") is None
    ):
        return png(frame_of(_pixels(image)))
    if not is_array and not hasattr(image, "save"):
        raise TypeError(f"expected an array or a PIL image, got {type(image).__name__}")
    pil_image = image_array_to_pil_image(image) if is_array else image
    file = io.BytesIO()
    pil_image.save(file, format="PNG" if "compress_level" in given else "TIFF", **given)
    return file.getvalue()


def worker_thread_loop(queue: Any) -> None:
    """Write the images of a queue until it gives None."""
    while (item := queue.get()) is not None:
        write_image(*item)
        queue.task_done()
    queue.task_done()


def worker_process(queue: Any, num_threads: int) -> None:
    """Write the images of a queue in threads, until each was given None."""
    for thread in _started_threads(queue, num_threads):
        thread.join()


def _started_threads(images: Any, count: int) -> list[threading.Thread]:
    threads = [
        threading.Thread(target=worker_thread_loop, args=(images,), daemon=True)
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads


class AsyncImageWriter:
    """Writes images in threads of this process, or of other processes."""

    def __init__(self, num_processes: int = 0, num_threads: int = 1) -> None:
        """Start the workers.

        Args:
            num_processes: processes; 0 for threads of this one.
            num_threads: threads, in each process.

        Raises:
            ArgumentError: there would be no worker.
        """
        if num_processes <= 0 and num_threads <= 0:
            raise ArgumentError(
                "the image writer needs at least one thread or process, got 0 of both"
            )
        self.num_processes, self.num_threads = num_processes, num_threads
        self.threads: list[threading.Thread] = []
        self.processes: list[Any] = []
        self._stopped = False
        self.queue: Any = queue.Queue() if num_processes == 0 else multiprocessing.JoinableQueue()
        if num_processes == 0:
            self.threads = _started_threads(self.queue, num_threads)
            return
        for _ in range(num_processes):
            process = multiprocessing.Process(
                target=worker_process, args=(self.queue, num_threads), daemon=True
            )
            process.start()
            self.processes.append(process)

    def save_image(
        self, image: Any, fpath: str | os.PathLike[str], compress_level: int = 1
    ) -> None:
        """Write an image soon.

        Args:
            image: an array, a tensor or a PIL image.
            fpath: the file.
            compress_level: of PNG, 0 to 9.
        """
        array = image.cpu().numpy() if hasattr(image, "cpu") else image
        self.queue.put((array, fpath, compress_level))

    def wait_until_done(self) -> None:
        """Wait until all images are written."""
        self.queue.join()

    def stop(self) -> None:
        """Write what waits, and end the workers."""
        if self._stopped:
            return
        self._stopped = True
        for _ in range(max(1, self.num_processes) * self.num_threads):
            self.queue.put(None)
        for worker in [*self.threads, *self.processes]:
            worker.join()
        if self.processes:
            self.queue.close()
            self.queue.join_thread()
