"""Check whether an encoder is available and accepts its settings."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from roboreel.errors import VideoError
from roboreel.storage.video.encode import options_here, quiet

_VIDEO_ENCODERS = (
    "libx264", "libx265", "libsvtav1", "libaom-av1", "h264_videotoolbox", "hevc_videotoolbox",
    "h264_nvenc", "hevc_nvenc", "av1_nvenc", "h264_vaapi", "hevc_vaapi", "av1_vaapi", "h264_qsv",
    "hevc_qsv", "av1_qsv",
)  # fmt: skip


def require_encoder(encoder: Mapping[str, str], *, width: int, height: int) -> None:
    """Raise unless an encoder works with its settings: encode one image.

    Args:
        encoder: `codec`, `pix_fmt` and the encoder's own options.
        width, height: of the image, in pixels.

    Raises:
        VideoError: the library has no such encoder, this machine cannot run it, or it does not accept the
            settings.
    """
    import av

    codec, pix_fmt = encoder["codec"], encoder.get("pix_fmt", "yuv420p")
    require_format(codec, pix_fmt)
    quiet()
    try:
        unknown = _tried(encoder, pix_fmt, width, height)
    except (av.FFmpegError, ValueError) as error:
        said = " ".join(f"{name}={value}" for name, value in encoder.items() if name != "codec")
        raise VideoError(
            f"the encoder '{codec}' does not work here, or not with {said}, {width}×{height} ({error})"
        ) from error
    if unknown:
        raise VideoError(f"the encoder '{codec}' knows no option {', '.join(sorted(unknown))}")


def require_format(codec: str, pix_fmt: str) -> None:
    """Check that an encoder is there and takes a pixel format, without trying it.

    Raises:
        VideoError: the library has no such encoder, or it does not take the format.
    """
    import av

    if codec not in available():
        raise VideoError(f"this PyAV has no encoder '{codec}', but {', '.join(available())}")
    formats = [item.name for item in av.codec.Codec(codec, "w").video_formats or ()]
    if formats and pix_fmt not in formats:
        raise VideoError(
            f"'{codec}' does not support the pixel format {pix_fmt}, but {', '.join(formats)}"
        )


def available() -> list[str]:
    """The encoders that roboreel knows and the library has."""
    import av

    def there(name: str) -> bool:
        try:
            return av.codec.Codec(name, "w").name == name
        except ValueError:
            return False

    return [name for name in _VIDEO_ENCODERS if there(name)]


def _tried(encoder: Mapping[str, str], pix_fmt: str, width: int, height: int) -> list[str]:
    """Encode an image; return the options that the encoder did not use."""
    import av

    options = options_here(encoder)
    context: Any = av.CodecContext.create(options.pop("codec"), "w")
    context.width, context.height, context.pix_fmt = width, height, pix_fmt
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    context.options = options
    frame = av.VideoFrame(width, height, pix_fmt)
    frame.pts, frame.time_base = 0, Fraction(1, 30)
    packets = [*context.encode(frame), *context.encode(None)]
    if not packets:
        raise ValueError("it gives no packet")
    return [name for name in context.options if name in options]
