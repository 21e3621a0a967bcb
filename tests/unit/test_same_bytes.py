"""Encoders give the same bytes for the same frames, whatever was in memory before."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roboreel.format.encoding import Encoding, encoder_settings
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.encode import encode_frames, frame_of, options_for_width
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.stream_encoder import StreamEncoder

FPS = Fraction(30)
_ENCODE = """
import hashlib, sys, tempfile
from pathlib import Path
from tests.unit.test_same_bytes import encoded
for vcodec, width in (("hevc", 64), ("hevc", 66), ("h264", 64), ("av1", 64)):
    with tempfile.TemporaryDirectory() as folder:
        print(hashlib.sha256(encoded(Path(folder), vcodec, width, "").read_bytes()).hexdigest())
"""


def moving(count: int, width: int, height: int) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Frames of a noisy pattern that moves by some pixels: the search for motion looks beyond the edges."""
    draws = np.random.default_rng(0)
    rough = np.kron(draws.integers(0, 256, (40, 40)), np.ones((8, 8)))
    plane = (rough + np.roll(rough, 3, 0) + np.roll(rough, 5, 1)) / 3 + draws.normal(
        0, 3, rough.shape
    )
    views = [plane[100 - 5 * n : 100 - 5 * n + height, 7 * n : 7 * n + width] for n in range(count)]
    return [np.repeat(np.clip(one, 0, 255).astype(np.uint8)[..., None], 3, axis=2) for one in views]


def encoded(folder: Path, vcodec: str, width: int, more: str) -> Path:
    """A video of six frames of a width, 64 pixels high."""
    extra = {"x265-params": more} if more else {}
    encoder = encoder_settings(Encoding(vcodec=vcodec, g=6, extra_options=extra))
    frames = map(frame_of, moving(6, width, 64))
    encode_frames(LocalRoot(folder), "a.mp4", frames, fps=FPS, encoder=encoder)
    return folder / "a.mp4"


@pytest.mark.parametrize(("width", "keyframes"), [(64, 6), (66, 1)])
@pytest.mark.parametrize("more", ["", "keyint=6"])
def test_each_frame_of_a_narrow_hevc_video_is_a_keyframe(
    tmp_path: Path, width: int, keyframes: int, more: str
) -> None:
    encoded(tmp_path, "hevc", width, more)
    table = read_packet_table(LocalRoot(tmp_path), "a.mp4")
    assert int(table.keyframe.sum()) == keyframes


def test_a_recorded_narrow_hevc_video_has_only_keyframes() -> None:
    stream = StreamEncoder(encoder_settings(Encoding(vcodec="hevc", g=6)), FPS)
    packets = [packet for image in moving(6, 64, 64) for packet in stream.add(image)]
    packets += stream.finish()
    assert [packet.keyframe for packet in packets] == [True] * 6


def test_other_encoders_and_widths_keep_their_options() -> None:
    options = {"g": "6", "x265-params": "info=0"}
    assert options_for_width("libx265", options, 65) == options
    assert options_for_width("libx264", options, 16) == options
    assert options_for_width("libx265", {}, 64) == {"g": "1", "x265-params": "keyint=1"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="MALLOC_PERTURB_ is glibc's")
def test_bytes_do_not_depend_on_memory_that_nobody_wrote(tmp_path: Path) -> None:
    found = set()
    for filled in ("1", "85", "254"):
        environment = {**os.environ, "MALLOC_PERTURB_": filled, "TMPDIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", _ENCODE], env=environment, capture_output=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert len(found.pop().split()) == 4
