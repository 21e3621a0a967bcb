"""Encode frames into a video file at exact times."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import RoboreelError, VideoError
from roboreel.progress.work_done import advance, telling
from roboreel.storage.scratch import scratch_beside
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.mux import PacketSlice, write_packets
from roboreel.storage.video.packets import run_of_frames
from roboreel.storage.write_root import WriteRoot

_PREFETCH = 8
"""Decoded frames that may wait for the encoder, so that memory use does not grow with the length of a
video."""
_COLOURS = {"color_range": 0, "color_primaries": 2, "color_trc": 2, "colorspace": 2}
"""The fields that describe colours, each with its value for "unspecified" (ITU-T H.273)."""
_NARROW_PX = 64
"""x265's largest block. At most this wide, its frames are one block wide, and must not refer to others."""
_DEEP = ("gray16", "gray12", "gray10", "grayf", "ya16")


def encode_frames(
    root: WriteRoot,
    name: str,
    frames: Iterable[Any],
    *,
    fps: Fraction,
    encoder: Mapping[str, str],
) -> int:
    """Encode PyAV frames into one file, without a break; return the number of frames (see `encode_parts`)."""
    return encode_parts(root, name, [frames], fps=fps, encoder=encoder)[0]


def encode_parts(
    root: WriteRoot,
    name: str,
    parts: Iterable[Iterable[Any]],
    *,
    fps: Fraction,
    encoder: Mapping[str, str],
    size: tuple[int, int] | None = None,
) -> list[int]:
    """Encode row ranges of PyAV frames one after another into one file; return the number of frames of each.

    Each range has its own encoder. So it begins with a keyframe that resets the decoder, and its bytes do not
    depend on what is before it. Frames are decoded in another thread, a few in advance.

    Args:
        root: where to write.
        name: the file.
        parts: the frames of each row range in order; their times are overwritten.
        fps: the frame rate.
        encoder: `codec`, `pix_fmt` (default: the frames' own), and the encoder's own options.
        size: (width, height) in pixels to scale to; by default all frames must have the size of the first.

    Raises:
        VideoError: the encoder refuses, or writes a different number of frames than it was given.
        StorageError: the disk is full.
    """
    slices, counts = [], []
    for number, frames in enumerate(parts):
        ready = prefetch(_alike(frames, encoder, size))
        span = _encode_aside(root, name, number, ready, fps, encoder)
        slices.append(span)
        counts.append(span.run.packets)
    try:
        # the muxer uses its own clock; write the packets again at exact times
        with telling(None):  # the frames are told while they are encoded
            write_packets(root, name, slices, fps=fps)
    except ValueError as error:
        raise VideoError(f"'{name}': its episodes give different streams: {error}") from error
    for span in slices:
        root.remove(span.name)
    return counts


def frame_of(image: npt.NDArray[np.generic]) -> Any:
    """The PyAV frame of an array: (H, W, 3) uint8 RGB, or (H, W) or (H, W, 1) grey in uint8 or uint16."""
    import av

    grey = image.ndim == 2 or image.shape[2] == 1
    kind = ("gray16le" if image.dtype == np.uint16 else "gray") if grey else "rgb24"
    plain = np.ascontiguousarray(image.reshape(image.shape[:2]) if grey else image)
    return av.VideoFrame.from_ndarray(plain, format=kind)


def rgb_view(image: npt.NDArray[np.generic]) -> Any:
    """The PyAV frame of (H, W, 3) uint8 RGB in the array's own memory, which must stay as it is."""
    import av

    plain: Any = np.ascontiguousarray(image)
    return av.VideoFrame.from_numpy_buffer(plain, format="rgb24")


def depth_frame(codes: npt.NDArray[np.uint16]) -> Any:
    """The PyAV frame `gray12le` of (H, W) codes from 0 to 4095."""
    import av

    frame = av.VideoFrame(codes.shape[1], codes.shape[0], "gray12le")
    plane = frame.planes[0]
    rows = np.zeros((plane.height, plane.line_size // 2), dtype="<u2")
    rows[:, : codes.shape[1]] = codes
    plane.update(rows.tobytes())
    return frame


def png(frame: Any) -> bytes:
    """A PyAV frame as a PNG file: RGB, or grey in the frame's bit depth."""
    import av

    grey = frame.format.name.startswith("gray")
    deep = grey and frame.format.components[0].bits > 8
    wanted = "gray16be" if deep else "gray" if grey else "rgb24"
    frame = frame if frame.format.name == wanted else frame.reformat(format=wanted)
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, wanted
    encoder.time_base, encoder.thread_count = Fraction(1), 1
    encoder.options = {"pred": "up", "compression_level": "3"}
    return b"".join(bytes(part) for part in [*encoder.encode(frame), *encoder.encode(None)])


def _encode_aside(
    root: WriteRoot,
    name: str,
    number: int,
    frames: Generator[Any, None, None],
    fps: Fraction,
    encoder: Mapping[str, str],
) -> PacketSlice:
    """Encode one row range of a file into a temporary file."""
    import av  # heavy: loaded only to encode

    quiet()
    aside = scratch_beside(name)
    try:
        with (
            root.create(aside) as output,
            _errors_of_writes(),
            av.open(output.file, "w", format="mp4") as container,
        ):
            count = _encode(container, frames, fps, options_here(encoder))
    except RoboreelError:  # of the caller, whose frames are taken here
        raise
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"'{name}', part {number}: cannot be encoded ({error})") from error
    finally:
        # ends the thread that decodes, also where the encoder failed
        frames.close()
    table = read_packet_table(root, aside)
    if table.frames != count or table.packets != count:
        raise VideoError(
            f"'{name}', part {number}: {count} images were encoded into {table.frames} frames"
        )
    return PacketSlice(root, aside, table, run_of_frames(table, 0, count, resets=lambda _: True))


@contextlib.contextmanager
def _errors_of_writes() -> Iterator[None]:
    """Raise what a write raised: once it failed, PyAV also fails to close the file, and says less."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        first = error.__context__
        if isinstance(first, (OSError, RoboreelError)) and not isinstance(first, av.FFmpegError):
            raise first from None
        raise


def _encode(container: Any, frames: Iterable[Any], fps: Fraction, settings: dict[str, str]) -> int:
    codec = settings.pop("codec")
    stream, count = None, 0
    for frame in frames:
        if stream is None:
            fitted = options_for_width(codec, settings, frame.width)
            stream = container.add_stream(codec, rate=fps, options=fitted)
            stream.width, stream.height = frame.width, frame.height
            stream.pix_fmt = frame.format.name
            stream.codec_context.time_base = 1 / fps
            _set_colours(stream.codec_context, frame)
        frame.pts, frame.time_base = count, 1 / fps
        frame.pict_type = 0  # let the encoder choose, whatever type the source frame had
        container.mux(stream.encode(frame))
        count += 1
        advance(frames=1)
    if stream is None:
        raise ValueError("there is no frame")
    left = stream.encode(None)
    if count == 1:  # x265 of PyAV 17 gives a lone packet a random decode time
        for packet in left:
            packet.pts = packet.dts = 0
    container.mux(left)
    return count


def _set_colours(encoder: Any, frame: Any) -> None:
    """Copy the colour description of a frame to the encoder."""
    for name, nothing in _COLOURS.items():
        value = getattr(frame, name, nothing)
        if value not in (0, nothing):
            setattr(encoder, name, value)


def options_here(encoder: Mapping[str, str]) -> dict[str, str]:
    """The encoder's settings, plus svt-av1's thread count, which does not change the output.

    In a worker process it gets one thread: across all workers, that takes the least time.
    """
    settings = {name: value for name, value in encoder.items() if name != "pix_fmt"}
    if settings["codec"] == "libsvtav1" and multiprocessing.parent_process() is not None:
        given = settings.get("svtav1-params")
        settings["svtav1-params"] = f"lp=1:{given}" if given else "lp=1"
    return settings


def options_for_width(codec: str, options: Mapping[str, str], width: int) -> dict[str, str]:
    """An encoder's own options for frames of a width in pixels.

    x265 does not fill the margins of reference frames that are one block wide: its motion search reads memory
    that was never written, so bytes differ from run to run, and lossless frames decode to other values
    (docs/design/0025). Each frame of such a video is a keyframe, which refers to none.
    """
    fitted = dict(options)
    if codec == "libx265" and width <= _NARROW_PX:
        given = fitted.get("x265-params")
        fitted["g"], last = "1", "keyint=1"
        fitted["x265-params"] = f"{given}:{last}" if given else last
    return fitted


def quiet() -> None:
    """Keep svt-av1 from writing its settings to the terminal."""
    os.environ.setdefault("SVT_LOG", "1")


def _alike(
    frames: Iterable[Any], encoder: Mapping[str, str], size: tuple[int, int] | None
) -> Iterator[Any]:
    """The frames, converted to one size and pixel format."""
    wanted, first = encoder.get("pix_fmt"), (0, 0)
    for number, frame in enumerate(frames):
        here = (frame.width, frame.height)
        first = here if number == 0 else first
        if size is None and here != first:
            said = " and ".join(f"{width}×{height}" for width, height in (first, here))
            raise VideoError(f"the frames 0 and {number} are {said}: give a size to scale them to")
        wanted = wanted or frame.format.name
        if wanted != frame.format.name and frame.format.name.startswith(_DEEP):
            depth = f"frame {number} is {frame.format.name}"
            raise VideoError(f"{depth}: depth does not fit into the pixel format {wanted}")
        yield _converted(frame, size or here, wanted)


def _converted(frame: Any, size: tuple[int, int], pix_fmt: str) -> Any:
    if (frame.width, frame.height) == size and frame.format.name == pix_fmt:
        return frame
    return frame.reformat(*size, format=pix_fmt, interpolation="BICUBIC")


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def prefetch(frames: Iterable[Any]) -> Generator[Any, None, None]:
    """The same frames, made in another thread, a few in advance."""
    made: queue.Queue[Any] = queue.Queue(_PREFETCH)
    ended, end = threading.Event(), object()

    def put(item: Any) -> None:
        # with a timeout: where the encoder gave up, nobody takes from the queue any more
        while not ended.is_set():
            try:
                made.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def make() -> None:
        try:
            for frame in frames:
                put(frame)
                if ended.is_set():
                    return
            put(end)
        except BaseException as error:  # raised again where the frames are used
            put(_Failed(error))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not end:
            if isinstance(item, _Failed):
                raise item.error
            yield item
    finally:
        ended.set()
        thread.join()
