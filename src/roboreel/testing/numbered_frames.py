"""Draw frames that show their own numbers, and read the numbers back.

The numbers are 16x16-pixel blocks, dark or bright, from the top left. First row: the frame index in the
episode, ten bits, highest first. Second row: the episode, eight bits, then the camera, two bits.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 16
FRAME_BITS, EPISODE_BITS, CAMERA_BITS = 10, 8, 2
MIN_WIDTH, MIN_HEIGHT = BLOCK * FRAME_BITS, BLOCK * 2
DARK, BRIGHT = 20, 235

Frame = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FrameNumbers:
    """The numbers shown in a frame."""

    frame: int
    """Index in the episode, 0 to 1023."""
    episode: int
    """0 to 255."""
    camera: int
    """Position among the dataset's cameras, 0 to 3."""


def draw_numbers(episode: int, frame: int, camera: int, width: int, height: int) -> Frame:
    """Return one frame: uint8 (height, width, 3).

    The background is a smooth pattern that moves from frame to frame.

    Raises:
        ValueError: a number does not fit its bits, or the frame is smaller than 160x32.
    """
    check_size(width, height)
    bits = np.concatenate(
        [
            _bits("frame", frame, FRAME_BITS),
            _bits("episode", episode, EPISODE_BITS),
            _bits("camera", camera, CAMERA_BITS),
        ]
    )
    image = _background(episode, frame, camera, width, height)
    blocks = np.where(bits, BRIGHT, DARK).astype(np.uint8).reshape(2, FRAME_BITS)
    image[:MIN_HEIGHT, :MIN_WIDTH] = np.kron(blocks, np.ones((BLOCK, BLOCK), np.uint8))[..., None]
    return image


def read_numbers(image: NDArray[Any]) -> FrameNumbers:
    """Return the numbers in a (height, width, 3) or (height, width) image with values 0 to 255.

    Only the inner 8x8 pixels of each block are used, so lossy codecs do no harm.

    Raises:
        ValueError: the image is smaller than 160x32 or has another shape.
    """
    if image.ndim not in (2, 3):
        raise ValueError(
            f"expected an image of shape (height, width[, channels]), got {image.shape}"
        )
    check_size(image.shape[1], image.shape[0])
    gray = image[:MIN_HEIGHT, :MIN_WIDTH].astype(np.float64)
    gray = gray if gray.ndim == 2 else gray.mean(axis=2)
    blocks = gray.reshape(2, BLOCK, FRAME_BITS, BLOCK)
    edge = BLOCK // 4
    bits = blocks[:, edge:-edge, :, edge:-edge].mean(axis=(1, 3)) > 128
    return FrameNumbers(
        frame=_number(bits[0]),
        episode=_number(bits[1, :EPISODE_BITS]),
        camera=_number(bits[1, EPISODE_BITS:]),
    )


def check_size(width: int, height: int) -> None:
    """Raise ValueError if the number blocks do not fit into the frame."""
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        raise ValueError(
            f"{width}x{height} pixels are too few to encode the numbers: the smallest size is"
            f" {MIN_WIDTH}x{MIN_HEIGHT}"
        )


def png_bytes(image: Frame) -> bytes:
    """Encode a uint8 RGB image as PNG; the bytes are reproducible."""
    height, width, _ = image.shape
    rows = np.zeros((height, 1 + width * 3), np.uint8)  # each row starts with filter type 0
    rows[:, 1:] = image.reshape(height, width * 3)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(rows.tobytes(), level=1)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def _bits(name: str, number: int, width: int) -> NDArray[np.bool_]:
    if not 0 <= number < 1 << width:
        limit = (1 << width) - 1
        raise ValueError(f"{name} {number} does not fit into {width} bits (0 to {limit})")
    return np.array([digit == "1" for digit in f"{number:0{width}b}"])


def _number(bits: NDArray[np.bool_]) -> int:
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _background(episode: int, frame: int, camera: int, width: int, height: int) -> Frame:
    x = np.arange(width) * (2 * np.pi / 160)
    y = np.arange(height) * (2 * np.pi / 128)
    turn = 2 * np.pi * (frame / 32 + episode / 7 + camera / 4)
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = 120 + 40 * np.sin(x + turn) + 30 * np.cos(y)[:, None]
    image[..., 1] = 120 + 40 * np.cos(x) + 30 * np.sin(y - turn)[:, None]
    image[..., 2] = 110 + 30 * np.sin(x - turn) + 30 * np.sin(y + 2 * turn)[:, None]
    return image
