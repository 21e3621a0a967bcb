"""What others see of a dataset while it is recorded."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import roboreel
from roboreel.recording.camera_types import EncodedFrame
from roboreel.storage.disk import faults
from tests.unit.recording.frames import (
    FEATURES,
    VECTOR,
    assert_recorded,
    frame_of,
    record,
    recorder_of,
)

VERSIONS = ("v3.0", "v2.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_readers_see_whole_episodes_at_every_moment_of_a_save(tmp_path: Path, version: str) -> None:
    path = tmp_path / "set"
    found: list[tuple[int, set[str]]] = []
    with recorder_of(path, version=version) as recorder:
        record(recorder, 0, 2)

        def look(_when: str, name: str, _name: str) -> None:
            if (
                name not in ("replace", "append", "unlink")
                or threading.current_thread() is not main
            ):
                return
            dataset = roboreel.open(path)
            found.append((dataset.total_episodes, {p.rule for p in dataset.problems}))
            assert len(dataset.uids()) == dataset.total_episodes
            assert_recorded(path, dict.fromkeys(range(dataset.total_episodes), 2))

        main = threading.current_thread()
        with faults(look):
            record(recorder, 1, 2)
    numbers = [number for number, _ in found]
    assert numbers == sorted(numbers)
    assert set(numbers) == {1, 2}
    assert {"recording.unfinished"} in [rules for _, rules in found]
    assert found[-1] == (2, set())
    if version == "v3.0":
        assert (1, set()) == found[0]


def test_a_reader_that_opens_over_and_over(tmp_path: Path) -> None:
    """Never anything but the episodes that were saved before, or that are being saved."""
    path, done = tmp_path / "set", threading.Event()
    wrong: list[Exception] = []

    def read() -> None:
        seen = 0
        while not done.is_set():
            try:
                number = roboreel.open(path).total_episodes
            except roboreel.RoboreelError as error:
                wrong.append(error)
                return
            if number < seen:
                wrong.append(AssertionError(f"{number} episodes after {seen}"))
            seen = number

    with recorder_of(path, features=VECTOR) as recorder:
        for episode in range(25):
            recorder.add_frame({"action": frame_of(episode, 0)["action"]}, task=f"t{episode}")
            recorder.save_episode()
            if episode == 0:
                reader = threading.Thread(target=read)
                reader.start()
        done.set()
        reader.join()
    assert not wrong


def test_nothing_is_edited_in_place_while_it_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path, features=VECTOR) as recorder:
        for _ in range(2):
            recorder.add_frame({"action": np.zeros(3, np.float32)}, task="t")
            recorder.save_episode()
        dataset = roboreel.open(path)
        with pytest.raises(roboreel.UsageError, match="is being recorded"):
            roboreel.write(dataset.delete([0]), in_place=True)
        assert roboreel.write(dataset.delete([0]), out=tmp_path / "other").episodes == 1


def test_packets_of_a_camera_that_encodes_itself(tmp_path: Path) -> None:
    path = tmp_path / "set"
    features = {"top": FEATURES["top"]}
    packets = _packets([frame_of(0, number)["top"] for number in range(6)])
    options: dict[str, Any] = {"features": features, "encoded_cameras": ["top"], "fps": 10}
    with recorder_of(path, **options, measure_packets=False) as recorder:
        for _ in range(2):
            for packet in packets:
                recorder.add_frame({"top": packet}, task="t")
            recorder.save_episode()
        recorder.finalize("never")
    dataset = roboreel.open(path)
    assert dataset.episodes["recording/top/frames_given"].to_pylist() == [6, 6]
    assert dataset.episodes["recording/top/frames_encoded"].to_pylist() == [0, 0]
    assert roboreel.check(path, decode=True).ok
    assert "top" not in dataset.stats()
    with roboreel.Recorder.resume(path, encoded_cameras=["top"]) as recorder:
        recorder.finalize("always")
    assert roboreel.open(path).stats()["top"]["count"].tolist() == [12]
    assert not roboreel.check(path, decode=True).problems


def _packets(images: list[Any]) -> list[EncodedFrame]:
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 48, 32, "yuv420p"
    encoder.time_base = Fraction(1, 10)
    encoder.options = {"tune": "zerolatency", "g": "3", "bf": "0"}
    found: list[Any] = []
    for number, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        found += encoder.encode(frame)
    found += encoder.encode(None)
    return [EncodedFrame(data=bytes(packet), codec="h264") for packet in found]


def test_a_frozen_camera_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = frame_of(0, 0)["top"]
    features = {"top": FEATURES["top"]}
    with recorder_of(tmp_path / "set", features=features, fps=5, when_slow="block") as recorder:
        for _ in range(40):  # the camera's thread counts what it has encoded
            recorder.add_frame({"top": image}, task="t")
        recorder.save_episode()
    (warning,) = [r.getMessage() for r in caplog.records if "same image" in r.getMessage()]
    assert warning.startswith("episode 0, frame ")
    ledger = roboreel.open(tmp_path / "set").episodes["recording/top/longest_identical"]
    assert ledger.to_pylist() == [40]
