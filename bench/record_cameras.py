"""Two encoders at once, bare and behind a recorder's cameras: the same frames, the same settings.

`bare_encoders` runs a process for each camera that does nothing but convert RGB, encode and mux with PyAV.
`camera_writers` gives the frames to `roboreel.recording`, as a recorder does, unpaced or at a frame rate. As
a script: `python bench/record_cameras.py [--codec h264] [--frames 300] [--runs 3]` prints both, by turns.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from record_scene import FPS, at, drawn_scene

from roboreel.format.encoding import Encoding, encoder_settings
from roboreel.format.feature import Feature
from roboreel.recording.camera_types import CameraOptions, CameraTask, WhenSlow
from roboreel.recording.camera_writer import finish_all, open_cameras
from roboreel.storage.video.stream_encoder import with_threads

os.environ.setdefault("SVT_LOG", "1")  # errors only


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is recorded."""

    codec: str = "libsvtav1"
    frames: int = 300
    cameras: int = 2
    width: int = 640
    height: int = 480
    low_delay: bool = False

    @property
    def encoding(self) -> Encoding:
        return Encoding(vcodec=self.codec)

    @property
    def threads(self) -> int:
        """Of each encoder: the processors shared out."""
        return max(1, len(os.sched_getaffinity(0)) // self.cameras)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """What a run took."""

    seconds: float
    """From the first frame to the last video's end."""
    cpu_s: float
    """Of all processes, start included."""
    finish_s: float = 0.0
    """From the last frame to the last video's end."""
    sync_s: float = 0.0
    """Of that, forcing the files to the disk."""
    add_p50_ms: float = 0.0
    add_p99_ms: float = 0.0
    spilled: int = 0
    size_bytes: int = 0


def scene(case: Case, camera: int) -> list[npt.NDArray[np.uint8]]:
    """The frames of a camera."""
    return drawn_scene(case.height, case.width, camera)


def bare_encoders(case: Case, out: Path) -> Recorded:
    """A process for each camera; they begin at the same time, when all have drawn their frames."""
    spawn = multiprocessing.get_context("spawn")
    ready, told = spawn.Barrier(case.cameras + 1), spawn.Queue()
    workers = [
        spawn.Process(target=_encode_bare, args=(case, camera, out, ready, told))
        for camera in range(case.cameras)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    cpu = [told.get() for _ in workers]
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return Recorded(seconds=seconds, cpu_s=sum(cpu), size_bytes=_size(out))


def _encode_bare(case: Case, camera: int, out: Path, ready: Any, told: Any) -> None:
    frames = scene(case, camera)
    settings = encoder_settings(case.encoding)
    if case.codec == "libsvtav1":
        settings = with_threads(settings, case.threads)
    codec, pix_fmt = settings.pop("codec"), settings.pop("pix_fmt")
    ready.wait()
    began = time.process_time()
    with av.open(str(out / f"bare-{camera}.mp4"), "w") as target:
        stream: Any = target.add_stream(codec, rate=FPS, options=settings)
        stream.width, stream.height, stream.pix_fmt = case.width, case.height, pix_fmt
        for number in range(case.frames):
            frame = av.VideoFrame.from_ndarray(frames[at(number)], format="rgb24")
            target.mux(stream.encode(frame.reformat(format=pix_fmt, interpolation="BICUBIC")))
        target.mux(stream.encode(None))
    told.put(time.process_time() - began)


def camera_writers(
    case: Case, out: Path, *, paced: bool = False, when_slow: WhenSlow = "block"
) -> Recorded:
    """The cameras of a recorder; their processes have started before the clock does.

    Args:
        case: what is recorded.
        out: a folder for the videos.
        paced: True to give frames at the frame rate, False as fast as they are taken.
        when_slow: what happens while the encoder is slower.
    """
    scenes = [scene(case, camera) for camera in range(case.cameras)]
    tasks = [_task(case, f"camera-{camera}") for camera in range(case.cameras)]
    options = CameraOptions(folder=out, low_delay=case.low_delay, when_slow=when_slow)
    writers = open_cameras(tasks, options)
    for turn, (name, writer) in enumerate(writers.items()):  # an encoder has run before
        writer.begin(out / f"{name}-warm.mp4", 0)
        writer.add(scenes[turn][0])
    finish_all(writers)
    busy = _cpu_s(resource.RUSAGE_SELF) + _children_cpu_s()
    for name, writer in writers.items():
        writer.begin(out / f"{name}.mp4", 1)
    began = time.perf_counter()
    took = []
    for number in range(case.frames):
        if paced:
            time.sleep(max(0.0, began + number / FPS - time.perf_counter()))
        for writer, frames in zip(writers.values(), scenes, strict=True):
            frame, start = frames[at(number)], time.perf_counter()
            writer.add(frame)
            took.append(time.perf_counter() - start)
    last = time.perf_counter()
    videos = finish_all(writers)
    ended = time.perf_counter()
    busy = _cpu_s(resource.RUSAGE_SELF) + _children_cpu_s() - busy
    for writer in writers.values():
        writer.close()
    return Recorded(
        seconds=ended - began,
        cpu_s=busy,
        finish_s=ended - last,
        sync_s=max(video.sync_s for video in videos.values()),
        add_p50_ms=float(np.percentile(took, 50)) * 1000,
        add_p99_ms=float(np.percentile(took, 99)) * 1000,
        spilled=sum(video.counts.spilled for video in videos.values()),
        size_bytes=sum(video.size_bytes for video in videos.values()),
    )


def _task(case: Case, name: str) -> CameraTask:
    shape = (case.height, case.width, 3)
    spec = {"dtype": "video", "shape": list(shape), "names": ["height", "width", "channels"]}
    feature = Feature(name=name, dtype="video", shape=shape, spec=spec)
    return CameraTask(name=name, feature=feature, fps=Fraction(FPS), encoding=case.encoding)


def _cpu_s(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def _children_cpu_s() -> float:
    """Of the processes that run now (Linux)."""
    ticks = 0
    for child in multiprocessing.active_children():
        fields = (
            Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        )
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _size(out: Path) -> int:
    return sum(path.stat().st_size for path in out.glob("bare-*.mp4"))


def by_turns(case: Case, runs: int, contenders: Sequence[str]) -> dict[str, list[Recorded]]:
    """Runs of each contender, in turns."""
    found: dict[str, list[Recorded]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name in contenders:
            out = Path(tempfile.mkdtemp(prefix="record-"))
            try:
                found[name].append(_run(name, case, out))
            finally:
                shutil.rmtree(out)
    return found


def _run(name: str, case: Case, out: Path) -> Recorded:
    if name == "bare":
        return bare_encoders(case, out)
    if name == "paced":
        return camera_writers(case, out, paced=True)
    if name == "low delay":
        return camera_writers(replace(case, low_delay=True), out, paced=True)
    return camera_writers(case, out, when_slow="spill" if name == "spill" else "block")


CONTENDERS = ("bare", "block", "spill", "paced", "low delay")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", default="libsvtav1")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=CONTENDERS, default=list(CONTENDERS[:4]))
    given = parser.parse_args()
    case = Case(codec=given.codec, frames=given.frames)
    for name, runs in by_turns(case, given.runs, given.only).items():
        for run in runs:
            shown = {key: round(value, 3) for key, value in asdict(run).items()}
            print(f"{name:10}", json.dumps(shown))


if __name__ == "__main__":
    main()
