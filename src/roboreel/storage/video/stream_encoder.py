"""Encode frames as they come, into packets in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from roboreel.errors import VideoError
from roboreel.storage.video.encode import (
    depth_frame,
    frame_of,
    options_for_width,
    quiet,
    rgb_view,
)
from roboreel.storage.video.rgb import single_threaded

_THREADS = {"libsvtav1": ("svtav1-params", "lp={}"), "libx265": ("x265-params", "pools={}")}


class CodedFrame(NamedTuple):
    """A packet of an encoder."""

    data: bytes
    frame: int
    """The number of the frame that it shows."""
    keyframe: bool


class StreamEncoder:
    """An encoder of one video; `add` gives its packets as they come, in decode order."""

    def __init__(self, encoder: Mapping[str, str], fps: Fraction) -> None:
        """Set up an encoder; it starts with the first frame.

        Args:
            encoder: `codec`, `pix_fmt`, and the encoder's own options.
            fps: the frame rate.
        """
        quiet()
        self._settings, self._fps = dict(encoder), fps
        self._context: Any = None
        self._last: Any = None
        self._reformat: Callable[..., Any] | None = None
        self.frames = 0
        """Frames given so far."""

    @property
    def extradata(self) -> bytes:
        """The parameter sets, once there was a frame."""
        return bytes(self._context.extradata or b"")

    def add(self, image: npt.NDArray[np.generic]) -> Iterator[CodedFrame]:
        """Encode (H, W, 3) uint8 RGB, or (H, W) uint16 codes of depths.

        Raises:
            VideoError: the encoder refuses.
        """
        self._last = self._frame(image)
        return self._encode(self._last)

    def repeat(self) -> Iterator[CodedFrame]:
        """Encode the last frame again."""
        return self._encode(self._last)

    def finish(self) -> Iterator[CodedFrame]:
        """The packets that the encoder still holds."""
        if self._context is not None:
            yield from self._packets(None)

    def drop(self) -> None:
        """Give up the stream. An encoder that never saw its end complains on the terminal."""
        with suppress(VideoError):
            deque(self.finish(), maxlen=0)

    def _frame(self, image: npt.NDArray[np.generic]) -> Any:
        """The frame in the encoder's pixel format, with memory of its own."""
        if image.ndim == 2:
            return depth_frame(image.astype(np.uint16, copy=False))
        wanted = self._settings.get("pix_fmt", "")
        if image.shape[2] != 3 or wanted in ("", "rgb24"):
            frame = frame_of(image)
            return frame if wanted in ("", frame.format.name) else self._converted(frame, wanted)
        return self._converted(rgb_view(image), wanted)

    def _converted(self, frame: Any, wanted: str) -> Any:
        # kept between frames: setting up the conversion costs more than the conversion
        if self._reformat is None:
            self._reformat = single_threaded(frame)
        return self._reformat(frame, format=wanted, interpolation="BICUBIC")

    def _encode(self, frame: Any) -> Iterator[CodedFrame]:
        if self._context is None:
            self._context = self._open(frame)
        frame.pts, frame.time_base, frame.pict_type = self.frames, 1 / self._fps, 0
        self.frames += 1
        return self._packets(frame)

    def _packets(self, frame: Any) -> Iterator[CodedFrame]:
        import av

        try:
            for packet in self._context.encode(frame):
                alone = self.frames == 1  # x265 of PyAV 17 gives a lone packet a random time
                yield CodedFrame(bytes(packet), 0 if alone else packet.pts, packet.is_keyframe)
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"frame {self.frames - 1} cannot be encoded ({error})") from error

    def _open(self, frame: Any) -> Any:
        import av  # heavy: loaded only for video
        from av.codec.context import Flags

        options = {name: value for name, value in self._settings.items() if name != "pix_fmt"}
        try:
            codec = options.pop("codec")
            context: Any = av.CodecContext.create(codec, "w")
            context.width, context.height = frame.width, frame.height
            context.pix_fmt = frame.format.name
            context.options = options_for_width(codec, options, frame.width)
            context.time_base, context.framerate = 1 / self._fps, self._fps
            # parameter sets go to `extradata`: an MP4 file has them in its sample entry, not in packets
            context.flags |= Flags.global_header
        except (av.FFmpegError, ValueError) as error:
            name = self._settings["codec"]
            raise VideoError(
                f"the encoder '{name}' does not accept its settings ({error})"
            ) from error
        return context


def load_encoders() -> None:
    """Load the library now, which takes a noticeable part of a second, and not with the first frame."""
    import av  # noqa: F401  # that is all

    quiet()


def with_threads(encoder: Mapping[str, str], threads: int) -> dict[str, str]:
    """Settings of an encoder with a number of threads; one in its own options counts more."""
    settings = dict(encoder)
    name, form = _THREADS.get(encoder["codec"], ("threads", "{}"))
    given, own = settings.get(name, ""), form.format(threads)
    if name == "threads":
        settings[name] = own
    elif own.partition("=")[0] + "=" not in given:
        settings[name] = f"{own}:{given}" if given else own
    return settings
