"""Callers that give a recorder what no camera or robot gives, and use it as nobody should."""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import roboreel
from roboreel.format.encoding import Encoding
from roboreel.recording.camera_types import EncodedFrame, SlowEncoderError
from roboreel.storage import disk
from roboreel.storage.video.still_images import decode_image
from tests.unit.recording.frames import (
    FEATURES,
    VECTOR,
    assert_recorded,
    frame_of,
    record,
    recorded,
    recorder_of,
    resumed,
)

FAST = Encoding(vcodec="h264", preset="ultrafast")
TWO: dict[str, Any] = {**FEATURES, "second": FEATURES["top"]}


class Broken:
    """Something that NumPy asks for an array, and that fails."""

    def __array__(self, *_arguments: Any, **_keywords: Any) -> Any:
        raise RuntimeError("no array here")


UNREADABLE: dict[str, dict[str, Any]] = {
    "RuntimeError of its own: no array here": {"action": Broken()},
    "inhomogeneous": {"action": [[1.0], [1.0, 2.0]]},
    "BFloat16": {"action": torch.zeros(3, dtype=torch.bfloat16)},
    "meta tensor": {"action": torch.zeros(3, device="meta")},
    "masked values": {"action": np.ma.masked_equal(np.zeros(3, np.float32), 0)},
    "'note': character 1 is half of a surrogate pair": {"note": "a\ud800"},
    "task: character 0 is half of a surrogate pair": {"task": "\ud800"},
    "'timestamp': got str": {"timestamp": "now"},
    "'timestamp': nan": {"timestamp": float("nan")},
    "'timestamp': got object": {"timestamp": object()},
}


@pytest.mark.parametrize("message", UNREADABLE)
def test_what_cannot_be_stored_is_refused_and_the_take_goes_on(
    tmp_path: Path, message: str
) -> None:
    path = tmp_path / "set"
    with recorder_of(path) as recorder:
        recorder.add_frame(frame_of(0, 0), task="t")
        wrong = {**frame_of(0, 1), "task": "t", **UNREADABLE[message]}
        with pytest.raises(
            roboreel.UsageError, match=message.removeprefix("RuntimeError of its own: ")
        ):
            recorder.add_frame(wrong)
        recorder.add_frame(frame_of(0, 1), task="t")
        recorder.save_episode()
    assert_recorded(path, {0: 2})


def test_a_frame_that_one_camera_refuses_is_taken_by_none(tmp_path: Path) -> None:
    """The second camera refuses what the checks before cannot see; the first has a good frame each time."""
    path = tmp_path / "set"
    depth = {"dtype": "video", "shape": (32, 48, 1), "info": {"is_depth_map": True}}
    features = {"top": FEATURES["top"], "far": depth, "note": FEATURES["note"]}
    with recorder_of(path, features=features, encoding={"top": FAST}) as recorder:
        for number in range(4):
            good = {name: frame_of(0, number)[name] for name in ("top", "note")}
            good["far"] = np.full((32, 48), 900 + number, np.uint16)
            if number:
                for far in (good["far"].astype(np.float32), EncodedFrame(data=b"\0\0\1\x65")):
                    with pytest.raises(roboreel.UsageError, match="camera 'far'"):
                        recorder.add_frame({**good, "far": far}, task="t")
            recorder.add_frame(good, task="t")
        assert recorder.save_episode() == 0
    assert not roboreel.check(path, decode=True).problems
    assert roboreel.open(path).stats()["far"]["max"].ravel().tolist() == [903.0]


def test_a_frame_that_an_encoder_is_too_slow_for_is_refused_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set"
    with recorder_of(path, features=TWO, when_slow="raise", buffer_frames=30) as recorder:
        frames = [{**frame_of(0, n), "second": frame_of(1, n)["top"]} for n in range(3)]
        recorder.add_frame(frames[0], task="t")
        writers = recorder._cameras.videos
        with monkeypatch.context() as patch:
            patch.setattr(writers["second"], "put", _too_slow)
            with pytest.raises(SlowEncoderError, match="too slow"):
                recorder.add_frame(frames[1], task="t")
        for frame in frames[1:]:
            recorder.add_frame(frame, task="t")
        recorder.save_episode()
    assert_recorded(path, {0: 3})
    assert not roboreel.check(path, decode=True).problems


def _too_slow(_frame: Any) -> None:
    raise SlowEncoderError("too slow")


def test_threads_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path, features=VECTOR) as recorder:
        inside, go_on = threading.Event(), threading.Event()

        class Slow(dict[str, Any]):
            def get(self, key: Any, default: Any = None) -> Any:
                inside.set()
                assert go_on.wait(30)
                return super().get(key, default)

        frame = {"action": np.zeros(3, np.float32)}
        thread = threading.Thread(target=lambda: recorder.add_frame(Slow(frame), task="t"))
        thread.start()
        assert inside.wait(30)
        calls: list[Callable[[], Any]] = [
            lambda: recorder.add_frame(frame, task="t"),
            recorder.save_episode,
            recorder.discard_episode,
            recorder.finalize,
        ]
        for call in calls:
            with pytest.raises(roboreel.UsageError, match="from one thread"):
                call()
        go_on.set()
        thread.join()
        recorder.add_frame(frame, task="t")
        assert recorder.frames == 2
        recorder.save_episode()
    assert roboreel.open(path).total_frames == 2


def test_a_forked_process_cannot_use_the_recorder(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path, processes=True) as recorder:
        recorder.add_frame(frame_of(0, 0), task="t")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads
            forked = os.fork()
        if not forked:
            code = 1
            try:
                calls = (
                    lambda: recorder.add_frame(frame_of(0, 1), task="t"),
                    recorder.save_episode,
                )
                code = sum(_is_refused(call) for call in calls)
                recorder.__exit__(None, None, None)
                del recorder
                gc.collect()
            finally:
                os._exit(10 + code)
        assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 12
        recorder.add_frame(frame_of(0, 1), task="t")
        recorder.save_episode()
    assert_recorded(path, {0: 2})


def _is_refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except roboreel.UsageError as error:
        return "forked" in str(error)
    return False


def test_a_recorder_that_is_collected_ends_its_cameras_and_keeps_the_take(tmp_path: Path) -> None:
    path = tmp_path / "set"
    recorder = recorder_of(path, processes=True)
    record(recorder, 0, 2)
    recorder.add_frame(frame_of(1, 0), task="t")
    del recorder
    gc.collect()
    assert not multiprocessing.active_children()
    kept = path / ".roboreel-recording/kept/unsaved-1"
    assert {file.name for file in kept.iterdir()} == {"reason.json", "rows.parquet", "top.mp4"}
    resumed(path).finalize()


EXITS = """
import sys
from pathlib import Path
from tests.unit.recording.frames import frame_of, recorder_of, record

if __name__ == "__main__":
    recorder = recorder_of(Path(sys.argv[1]), processes=True)
    record(recorder, 0, 2)
    recorder.add_frame(frame_of(1, 0), task="t")
"""


@pytest.mark.slow
def test_an_interpreter_that_ends_without_finalize_keeps_the_take(tmp_path: Path) -> None:
    (tmp_path / "exits.py").write_text(EXITS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "exits.py"), str(tmp_path / "set")],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stdout) == (0, "")
    kept = tmp_path / "set/.roboreel-recording/kept/unsaved-1"
    assert done.stderr == f"the frames of an episode that was not saved are in '{kept}'\n"
    assert_recorded(tmp_path / "set", {0: 2})


def test_wrong_fields_and_success_leave_the_take(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path, features=VECTOR) as recorder:
        recorder.add_frame({"action": np.zeros(3, np.float32)}, task="t")
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"success": "yes"}, "success is 'yes', expected True, False or None"),
            ({"fields": {"x": object()}}, "field 'x': .* is not a JSON value"),
            ({"fields": {"x": "\ud800"}}, "field 'x': .* is not a JSON value"),
            ({"fields": [1]}, "fields: expected a dict"),
            ({"fields": {1: 1}}, "fields: expected a dict with strings"),
        ]
        for options, message in wrong:
            with pytest.raises(roboreel.UsageError, match=message):
                recorder.save_episode(**options)
        assert recorder.save_episode(success=np.bool_(True)) == 0  # type: ignore[arg-type]  # as a check gives
    assert roboreel.open(path).episodes["success"].to_pylist() == [True]


def test_an_error_of_any_kind_in_a_save_keeps_the_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set"
    with recorder_of(path) as recorder:
        record(recorder, 0, 1)
        recorder.add_frame(frame_of(1, 0), task="t")

        def broken(*_arguments: Any) -> None:
            raise ArithmeticError("a bug")

        with monkeypatch.context() as patch:
            patch.setattr("roboreel.writing.append.write_episode", broken)
            with pytest.raises(
                roboreel.RunError, match=r"episode 1 is not saved: a bug.*refused-1'"
            ):
                recorder.save_episode()
        record(recorder, 2, 1)
    assert_recorded(path, {0: 1, 2: 1})


def test_images_of_a_long_episode_wait_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roboreel.recording.image_column._IN_MEMORY", 2000)
    path = tmp_path / "set"
    with recorder_of(path, max_gap_s=0.2) as recorder:
        for number in range(5):
            frame = frame_of(0, number)
            recorder.add_frame(
                {**frame, "wrist": None if number == 3 else frame["wrist"]}, task="t"
            )
        column = recorder._cameras.images["wrist"]
        assert column.frames == 5
        recorder.save_episode()
        assert column.frames == 0
        recorder.add_frame(frame_of(1, 0), task="t")
    rows = recorded(path)
    for number in range(5):
        shown = decode_image(rows[number]["wrist"]["bytes"])
        np.testing.assert_array_equal(shown, frame_of(0, 2 if number == 3 else number)["wrist"])
    kept = pq.read_table(path / ".roboreel-recording/kept/unsaved-1/rows.parquet")
    np.testing.assert_array_equal(decode_image(kept["wrist"][0].as_py()), frame_of(1, 0)["wrist"])


WRONG_FEATURES: dict[str, Any] = {
    "dict with a declaration by name, got list": [],
    "feature 3: expected a string as its name": {3: VECTOR["action"]},
    "'a': expected a dict with dtype": {"a": None},
    "'a': dtype is None": {"a": {"shape": [1]}},
    r"'a': shape is \[3.5\]": {"a": {"dtype": "float32", "shape": [3.5]}},
    r"'a': shape is \[0\], expected numbers of 1": {"a": {"dtype": "float32", "shape": [0]}},
    "more than 268,435,456 values": {"a": {"dtype": "float32", "shape": [10**12]}},
    "'task': a frame has its task": {"task": VECTOR["action"]},
    "'index': dtype is 'float32', expected 'int64'": {"index": VECTOR["action"]},
    "cannot be the name of a file": {"..": FEATURES["top"]},
    "half of a surrogate": {"a\ud800": VECTOR["action"]},
    "at most 240 bytes": {"x" * 241: FEATURES["top"]},
}


@pytest.mark.parametrize("message", WRONG_FEATURES)
def test_features_that_cannot_be_declared(tmp_path: Path, message: str) -> None:
    with pytest.raises(roboreel.UsageError, match=message):
        recorder_of(tmp_path / "set", features=WRONG_FEATURES[message])
    assert not (tmp_path / "set").exists()


WRONG_OPTIONS: list[tuple[str, Any, str]] = [
    ("fps", 0, "fps is 0, expected a number of frames per second"),
    ("fps", "30", "fps is '30'"),
    ("fps", float("nan"), "fps is nan"),
    ("fps", True, "fps is True"),
    ("robot_type", 3, "robot_type is 3, expected a string"),
    ("timeout_s", "x", "timeout_s is 'x'"),
    ("min_free_mb", None, "min_free_mb is None"),
    ("buffer_frames", 2.5, "buffer_frames is 2.5, expected a whole number"),
    ("encoding", 3, "encoding is 3, expected a roboreel.Encoding"),
    ("encoding", {"top": "h264"}, "expected a roboreel.Encoding, or a dict"),
    ("encoding", {"nose": FAST}, r"encoding: 'nose' is not a camera stored as video \(top\)"),
    ("encoded_cameras", "top", "encoded_cameras is 'top', expected a list"),
    ("camera_info", 3, "camera_info: expected a dict"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG_OPTIONS)
def test_options_that_cannot_be_meant(tmp_path: Path, name: str, value: Any, message: str) -> None:
    with pytest.raises(roboreel.UsageError, match=message):
        recorder_of(tmp_path / "set", **{name: value})
    assert not (tmp_path / "set").exists()


def test_paths_that_are_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path, message in (
        (tmp_path / "file", "is a file, expected a folder"),
        (tmp_path / "link", "is a broken link"),
        ("", "path is '', expected the path of a folder"),
        (b"set", "path is b'set'"),
    ):
        with pytest.raises(roboreel.UsageError, match=message):
            recorder_of(path, features=VECTOR)  # type: ignore[arg-type]  # those are the mistakes
    with pytest.raises(roboreel.UsageError, match="perhaps an earlier one of this program"):  # noqa: SIM117  # the first one holds it
        with recorder_of(tmp_path / "set", features=VECTOR):
            resumed(tmp_path / "set")


@pytest.mark.parametrize("at", [*range(0, 60, 7)])
@pytest.mark.sample(3)
def test_an_interrupted_save_is_saved_or_can_be_saved_again(tmp_path: Path, at: int) -> None:
    """Ctrl-C at an operation of the disk: the episode is there once, whether it is saved again or not."""
    path = tmp_path / "set"
    passed = 0

    def interrupt(when: str, _what: str, _path: str) -> None:
        nonlocal passed
        if when == "before" and threading.current_thread() is threading.main_thread():
            passed += 1
            if passed == at + 1:
                raise KeyboardInterrupt

    with recorder_of(path) as recorder:
        record(recorder, 0, 2)
        for number in range(2):
            recorder.add_frame(frame_of(1, number), task="t")
        began = time.monotonic()
        try:
            with disk.faults(interrupt):
                recorder.save_episode()
        except KeyboardInterrupt:
            if recorder.frames:
                assert recorder.save_episode() == 1
        assert time.monotonic() - began < 20
        assert recorder.frames == 0
        record(recorder, 2, 1)
    assert_recorded(path, {0: 2, 1: 2, 2: 1})
    assert not roboreel.check(path).problems
