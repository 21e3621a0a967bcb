"""Videos whose index is whole and whose packets cannot be decoded: known only where frames are decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.edit.write_options import WriteOptions
from roboreel.testing import make_dataset
from tests.oracle import read, tree_digest


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_an_episode_that_cannot_be_decoded_is_left_out_and_told(
    tmp_path: Path, version: Any
) -> None:
    shared: dict[str, Any] = {"video_episodes_per_file": 1} if version == "v3.0" else {}
    source = make_dataset(tmp_path / "a", version=version, episodes=(12, 9, 10), **shared)
    sound = read(source)
    _overwrite_packets(sorted(source.rglob("*.mp4"))[1])
    before = tree_digest(source)
    skip = WriteOptions(on_broken="skip")
    dry = roboreel.repair(source, dry_run=True, decode=True, options=skip)
    report = roboreel.repair(source, out=tmp_path / "b", decode=True, options=skip)
    assert [str(step) for step in dry.repaired] == [str(step) for step in report.repaired]
    assert any("episode 1" in str(step) and "left out" in str(step) for step in report.repaired)
    assert report.ok
    assert tree_digest(source) == before
    kept = read(tmp_path / "b")
    assert [episode.length for episode in kept.episodes] == [12, 10]
    assert [episode.length for episode in sound.episodes] == [12, 9, 10]


def _overwrite_packets(video: Path) -> None:
    """Write other bytes over the first half of the packets; the index stays."""
    data = bytearray(video.read_bytes())
    start = data.find(b"mdat") + 24
    stop = (start + len(data)) // 2
    data[start:stop] = bytes(at * 7 & 255 for at in range(start, stop))
    video.write_bytes(data)
