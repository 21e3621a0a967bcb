"""Encode frames to MP4, one or many episodes per file, with exact timestamps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, TypeAlias

import av
from av.video.codeccontext import VideoCodecContext

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction
    from pathlib import Path

    from av.packet import Packet
    from av.video.stream import VideoStream

    from roboreel.testing.cameras import Camera
    from roboreel.testing.numbered_frames import Frame

CRF = 30
# svt-av1 above 9 drops changes of whole blocks right after a cut, and with them the numbers.
PRESET = {"h264": "veryfast", "av1": "8"}

_Encoder: TypeAlias = Literal["libx264", "libsvtav1", "libaom-av1"]


def write_video(
    path: Path, videos: Sequence[Iterable[Frame]], *, camera: Camera, fps: Fraction
) -> None:
    """Encode each clip (at least one frame) separately; frame k of the file is shown at k / fps.

    Decode times start before zero by the file's largest reordering delay, so that they increase steadily
    across clips.
    """
    os.environ.setdefault("SVT_LOG", "1")  # svt-av1 otherwise writes its settings to stderr
    packets, shown_at = _encode(videos, camera=camera, fps=fps)
    delay = max(decoded - shown for decoded, shown in enumerate(shown_at))
    layout = {"movflags": "faststart"} if len(videos) > 1 else {}  # as lerobot does after joining
    with av.open(str(path), "w", format="mp4", options=layout) as container:
        name, options = _settings(camera)
        # this encoder gets no frames: it only provides the headers, which equal those of the clips
        stream = container.add_stream(name, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = camera.width, camera.height, "yuv420p"
        for decoded, (packet, shown) in enumerate(zip(packets, shown_at, strict=True)):
            packet.stream, packet.time_base = stream, 1 / fps
            packet.pts, packet.dts, packet.duration = shown, decoded - delay, 1
            container.mux(packet)


def _encode(
    videos: Iterable[Iterable[Frame]], *, camera: Camera, fps: Fraction
) -> tuple[list[Packet[VideoStream]], list[int]]:
    """Return all packets in decode order, and the display position of each."""
    packets: list[Packet[VideoStream]] = []
    shown_at: list[int] = []
    for clip in videos:
        encoder = _open_encoder(camera, fps)
        start = len(packets)
        for index, image in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, 1 / fps
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
        shown_at += [start + packet.pts for packet in packets[start:] if packet.pts is not None]
    return packets, shown_at


def _open_encoder(camera: Camera, fps: Fraction) -> VideoCodecContext:
    name, options = _settings(camera)
    encoder = VideoCodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = camera.width, camera.height, "yuv420p"
    encoder.framerate, encoder.time_base, encoder.options = fps, 1 / fps, options
    encoder.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: MP4 keeps headers out of the packets
    return encoder


def _settings(camera: Camera) -> tuple[_Encoder, dict[str, str]]:
    """Return an encoder and options that produce the same bytes on every run."""
    common = {"g": str(camera.gop), "crf": str(CRF), "threads": "1"}
    if camera.codec == "h264":
        exact = "scenecut=0:open-gop=0:b-adapt=0:mbtree=0"  # mbtree differs from run to run
        own = {"preset": PRESET["h264"], "bf": str(camera.b_frames), "x264-params": exact}
        return "libx264", common | own
    if "libsvtav1" in av.codecs_available:
        prediction = 2 if camera.b_frames else 1  # random access, or past frames only
        exact = f"lp=1:irefresh-type=2:pred-struct={prediction}"
        return "libsvtav1", common | {"preset": PRESET["av1"], "svtav1-params": exact}
    lag = "19" if camera.b_frames else "0"
    return "libaom-av1", common | {"b": "0", "cpu-used": "8", "lag-in-frames": lag}
