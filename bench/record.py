"""Recording: what a frame and a save take, against bare encoders and lerobot; commits, many episodes, memory.

    python bench/record.py [--codec h264] [--frames 200] [--runs 5] [--lerobot-python PYTHON] [--json FILE]

Parts (`--only`): `paced` gives frames at the frame rate; `unpaced` as fast as they are taken, by turns with
two bare encoders and lerobot; `packets` saves episodes of frames that are encoded already; `many` saves
`--episodes` episodes; `memory` records `--memory-frames` frames. The clock of a save sees everything;
`sync_s` is the part in which the disk is told to keep what it has.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
from measure import machine
from record_cameras import Case, bare_encoders, scene
from record_scene import FPS, at

import roboreel
from roboreel.recording.camera_types import EncodedFrame

PARTS = ("paced", "unpaced", "packets", "many", "memory")
_VECTOR = {"dtype": "float32", "shape": [6], "names": [f"j{number}" for number in range(6)]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """What one episode took."""

    seconds: float
    """From the first frame to the end of the save."""
    save_s: float
    sync_s: float
    """Of the save, in which this process waits for the disk; beside it that of the cameras."""
    cameras_sync_s: float
    add_p50_ms: float
    add_p99_ms: float


class SyncClock:
    """The seconds that this process spends in `fsync`."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure inside the block."""
        fsync = os.fsync

        def timed(descriptor: Any) -> None:  # Any: whatever `os.fsync` takes
            start = time.perf_counter()
            fsync(descriptor)
            self.seconds += time.perf_counter() - start

        os.fsync = timed  # type: ignore[assignment]  # mypy compares the names of arguments
        try:
            yield
        finally:
            os.fsync = fsync


def names_of(case: Case) -> list[str]:
    return [f"observation.images.camera{number}" for number in range(case.cameras)]


def opened(case: Case, path: Path, **options: Any) -> roboreel.Recorder:
    image = {"dtype": "video", "shape": [case.height, case.width, 3], "names": None}
    features: dict[str, Any] = {"action": _VECTOR, **dict.fromkeys(names_of(case), image)}
    given = {"encoding": case.encoding, "low_delay": case.low_delay, **options}
    return roboreel.Recorder.create(path, fps=FPS, features=features, **given)


def record(
    recorder: roboreel.Recorder, frames: Callable[[int], dict[str, Any]], count: int, *, paced: bool
) -> Episode:
    """Record and save an episode of so many frames."""
    clock, took = SyncClock(), []
    began = time.perf_counter()
    for number in range(count):
        if paced:
            time.sleep(max(0.0, began + number / FPS - time.perf_counter()))
        frame = {"action": np.full(6, number, np.float32), **frames(number)}
        start = time.perf_counter()
        recorder.add_frame(frame, task="bench")
        took.append(time.perf_counter() - start)
    with clock.running():
        recorder.save_episode()
    return Episode(
        seconds=time.perf_counter() - began,
        save_s=recorder.last_save_s,
        sync_s=clock.seconds,
        cameras_sync_s=recorder.last_sync_s,
        add_p50_ms=float(np.percentile(took, 50)) * 1000,
        add_p99_ms=float(np.percentile(took, 99)) * 1000,
    )


def images_of(case: Case) -> Callable[[int], dict[str, Any]]:
    """The images of a frame, by its number."""
    scenes = {name: scene(case, number) for number, name in enumerate(names_of(case))}
    return lambda number: {name: drawn[at(number)] for name, drawn in scenes.items()}


def packets_of(case: Case) -> Callable[[int], dict[str, Any]]:
    """The frames of every camera as h264, as a camera gives them that encodes itself."""
    found: dict[str, list[EncodedFrame]] = {}
    for number, name in enumerate(names_of(case)):
        encoder: Any = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = case.width, case.height, "yuv420p"
        encoder.time_base = Fraction(1, FPS)
        encoder.options = {"tune": "zerolatency", "preset": "ultrafast", "g": str(FPS), "bf": "0"}
        packets: list[Any] = []
        for count, image in enumerate(scene(case, number)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = count
            packets += encoder.encode(frame.reformat(format="yuv420p"))
        packets += encoder.encode(None)
        found[name] = [EncodedFrame(data=bytes(packet), codec="h264") for packet in packets]
    length = min(len(one) for one in found.values()) // FPS * FPS
    return lambda number: {name: one[number % length] for name, one in found.items()}


def session(
    case: Case, episodes: int, *, paced: bool, packets: bool = False, **options: Any
) -> list[Episode]:
    """Some episodes of one recorder, after a short one that does not count."""
    frames = packets_of(case) if packets else images_of(case)
    out = Path(tempfile.mkdtemp(prefix="record-"))
    encoded = names_of(case) if packets else []
    try:
        recorder = opened(case, out / "set", encoded_cameras=encoded, **options)
        record(recorder, frames, 10, paced=False)
        found = [record(recorder, frames, case.frames, paced=paced) for _ in range(episodes)]
        recorder.finalize("never")
    finally:
        shutil.rmtree(out)
    return found


def lerobot(python: str, case: Case, *, streaming: bool, paced: bool = False) -> dict[str, float]:
    """What lerobot takes for an episode."""
    out = Path(tempfile.mkdtemp(prefix="record-"))
    job = {**asdict(case), "root": str(out / "set"), "streaming": streaming, "paced": paced}
    try:
        done = subprocess.run(
            [python, str(Path(__file__).with_name("lerobot_record.py")), json.dumps(job)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "SVT_LOG": "1"},
        )
    finally:
        shutil.rmtree(out)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def paced(given: argparse.Namespace, case: Case) -> dict[str, Any]:
    found: dict[str, Any] = {"roboreel": _means(session(case, given.runs, paced=True))}
    delayed = replace(case, low_delay=True)
    if case.codec != "h264":
        found["roboreel, low delay"] = _means(session(delayed, given.runs, paced=True))
    if given.lerobot_python:
        for name, streaming in (("lerobot, streaming", True), ("lerobot", False)):
            found[name] = lerobot(given.lerobot_python, case, streaming=streaming, paced=True)
    return found


def unpaced(given: argparse.Namespace, case: Case) -> dict[str, Any]:
    """Seconds of an episode by contender, in turns, and how many times roboreel's each is."""
    took: dict[str, list[float]] = {}
    for _ in range(given.runs):
        out = Path(tempfile.mkdtemp(prefix="record-"))
        try:
            took.setdefault("bare", []).append(bare_encoders(case, out).seconds)
        finally:
            shutil.rmtree(out)
        one = session(case, 1, paced=False, when_slow="block")[0]
        took.setdefault("roboreel", []).append(one.seconds)
        if given.lerobot_python:
            for name, streaming in (("lerobot, streaming", True), ("lerobot", False)):
                run = lerobot(given.lerobot_python, case, streaming=streaming)
                took.setdefault(name, []).append(run["seconds"])
    ours = median(took["roboreel"])
    return {
        name: {"seconds": runs, "median_s": median(runs), "of_roboreel": median(runs) / ours}
        for name, runs in took.items()
    }


def packets(given: argparse.Namespace, case: Case) -> dict[str, Any]:
    found = {}
    for name, measured in (("without statistics", False), ("with statistics", True)):
        options: dict[str, Any] = {"packets": True, "measure_packets": measured}
        found[name] = _means(session(case, given.runs, paced=False, **options))
    return found


def many(given: argparse.Namespace, case: Case) -> dict[str, Any]:
    """The time of a save, fsync not counted, over many episodes: medians of tenths."""
    small = replace(case, width=64, height=48, frames=10)
    found = session(small, given.episodes, paced=False, packets=True, measure_packets=False)
    saves = [one.save_s - one.sync_s - one.cameras_sync_s for one in found]
    tenth = max(1, len(saves) // 10)
    medians = [median(saves[n : n + tenth]) * 1000 for n in range(0, len(saves), tenth)]
    return {"episodes": len(saves), "save_ms_without_sync_by_tenth": medians}


def memory(given: argparse.Namespace, case: Case) -> dict[str, Any]:
    """Memory of the recorder and its cameras, in MB, after each tenth of the frames."""
    small = replace(case, width=160, height=128, frames=1800)
    frames, out = images_of(small), Path(tempfile.mkdtemp(prefix="record-"))
    used: list[dict[str, float]] = []
    episodes = max(1, given.memory_frames // small.frames)
    try:
        recorder = opened(small, out / "set", when_slow="block")
        for number in range(episodes):
            record(recorder, frames, small.frames, paced=False)
            if number % max(1, episodes // 10) == 0:
                used.append({"frames": (number + 1) * small.frames, **_memory()})
        recorder.finalize("never")
    finally:
        shutil.rmtree(out)
    return {"used": used}


def _memory() -> dict[str, float]:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    return {
        "recorder_mb": int(resident.split()[1]) / 1000,
        "cameras_mb": sum(_resident_mb(int(child)) for child in children),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def _resident_mb(process: int) -> float:
    pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _means(episodes: list[Episode]) -> dict[str, float]:
    """Medians over the episodes of a session."""
    rows = [asdict(one) for one in episodes]
    return {name: median(row[name] for row in rows) for name in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", nargs="+", default=["h264", "libsvtav1"])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--memory-frames", type=int, default=108_000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--lerobot-python", help="of an environment with lerobot")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    by_name = {
        "paced": paced,
        "unpaced": unpaced,
        "packets": packets,
        "many": many,
        "memory": memory,
    }
    found: dict[str, Any] = {"machine": machine(), "frames": given.frames}
    for part in given.only:
        codecs = given.codec if part in ("paced", "unpaced") else ["h264"]
        for codec in codecs:
            case = Case(codec=codec, frames=given.frames)
            result = by_name[part](given, case)
            found[f"{part}, {codec}"] = result
            print(f"{part}, {codec}", json.dumps(result, indent=1), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
