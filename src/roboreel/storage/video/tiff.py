"""Read uncompressed floating-point TIFF images, which FFmpeg does not decode: depth in metres.

The fields are those of the TIFF 6.0 specification, sections 2 and 19.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from roboreel.errors import VideoError

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIPS, _SAMPLES = 256, 257, 258, 259, 273, 277
_STRIP_BYTES, _SAMPLE_FORMAT = 279, 339
_SIZES = {3: "H", 4: "I"}
"""Field types for whole numbers, SHORT and LONG, as `struct` format characters."""
_FLOAT = 3
_ENTRY = 12
_MOST_PIXELS = 1 << 28


def float_tiff(data: bytes) -> npt.NDArray[np.generic] | None:
    """(H, W, 1) float32 or float64 numbers of a TIFF image; None if it holds another type.

    Raises:
        VideoError: it is cut short, compressed, or has several channels.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    try:
        fields = _fields(data, order)
        if fields.get(_SAMPLE_FORMAT, [1]) != [_FLOAT]:
            return None
        return _pixels(data, order, fields)
    except (struct.error, KeyError, IndexError, ValueError) as error:
        raise VideoError(f"a TIFF image is damaged, or of an unsupported form ({error})") from error


def _fields(data: bytes, order: str) -> dict[int, list[int]]:
    """The whole-number fields of the first image, by tag."""
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    fields: dict[int, list[int]] = {}
    for position in range(start + 2, start + 2 + _ENTRY * count, _ENTRY):
        tag, kind, number = struct.unpack_from(f"{order}HHI", data, position)
        if kind not in _SIZES or number > len(data):
            continue
        form = f"{order}{number}{_SIZES[kind]}"
        inside = struct.calcsize(form) <= struct.calcsize("I")
        at = position + 8 if inside else struct.unpack_from(f"{order}I", data, position + 8)[0]
        fields[tag] = list(struct.unpack_from(form, data, at))
    return fields


def _pixels(data: bytes, order: str, fields: Mapping[int, list[int]]) -> npt.NDArray[np.generic]:
    height, width, bits = (fields[tag][0] for tag in (_HEIGHT, _WIDTH, _BITS))
    if fields.get(_COMPRESSION, [1]) != [1] or fields.get(_SAMPLES, [1]) != [1]:
        raise VideoError(
            "a TIFF image of floating-point numbers is compressed, or has several channels"
        )
    if bits not in (32, 64) or not 0 < height * width <= _MOST_PIXELS:
        raise VideoError(f"a TIFF image has {height}x{width} numbers of {bits} bits")
    strips = zip(fields[_STRIPS], fields[_STRIP_BYTES], strict=True)
    content = b"".join(data[start : start + size] for start, size in strips)
    wanted = height * width * bits // 8
    if len(content) < wanted:
        raise VideoError(f"a TIFF image has {len(content)} bytes of numbers, expected {wanted}")
    numbers = np.frombuffer(content[:wanted], dtype=f"{order}f{bits // 8}")
    return numbers.astype(np.float32 if bits == 32 else np.float64).reshape(height, width, 1)
