"""Times the distributed sink: staging beside bare encoding, finalize beside a bare copy of the packets.

python bench/sink.py [--episodes 40] [--frames 200] [--vcodec h264] [--crf 21] [--runs 3]
                     [--workers 1 2] [--work FOLDER] [--json FILE]
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from measure import machine, resolve

from roboreel.format.encoding import Encoding, encoder_settings
from roboreel.sink import EpisodeSink, finalize
from roboreel.storage.disk import faults

os.environ.setdefault("SVT_LOG", "1")  # errors only
FPS, HEIGHT, WIDTH = 30, 480, 640
CAMERAS = ("top", "wrist")
STAGING_LIMIT, FINALIZE_LIMIT = 1.10, 1.30
SHAPES: dict[str, dict[str, Any]] = {
    "observation.state": {"dtype": "float32", "shape": [14], "names": None},
    "action": {"dtype": "float32", "shape": [14], "names": None},
    **{
        name: {
            "dtype": "video",
            "shape": [HEIGHT, WIDTH, 3],
            "names": ["height", "width", "channels"],
        }
        for name in CAMERAS
    },
}
Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    seconds: float
    cpu_seconds: float
    """Of this process and its children."""
    sync_seconds: float = 0.0
    """In which files were forced to the disk."""

    @property
    def without_sync(self) -> float:
        return self.seconds - self.sync_seconds


class SyncClock:
    """Adds up the time between the beginning and the end of each flush."""

    def __init__(self) -> None:
        self.seconds, self._begun = 0.0, 0.0

    def __call__(self, when: str, name: str, _path: str) -> None:
        if name == "sync" and when == "before":
            self._begun = time.perf_counter()
        elif name == "sync":
            self.seconds += time.perf_counter() - self._begun


def spent(work: Callable[[], object]) -> Spent:
    clock, before, busy = SyncClock(), time.perf_counter(), cpu_seconds()
    with faults(clock):
        work()
    seconds, busy_seconds = time.perf_counter() - before, cpu_seconds() - busy
    return Spent(seconds=seconds, cpu_seconds=busy_seconds, sync_seconds=clock.seconds)


def cpu_seconds() -> float:
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


def drawn(count: int) -> Frames:
    """Frames of a pattern that moves, with some noise: what a camera gives is never still."""
    x, y = np.arange(WIDTH), np.arange(HEIGHT)[:, None]
    noise = np.random.default_rng(0).integers(0, 12, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    frames = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    for number in range(count):
        wave = 110 + 90 * np.sin((x + 4 * number) / 40) * np.cos((y - 2 * number) / 30)
        frames[number] = wave[..., None].astype(np.uint8) + np.roll(noise, number * 7, axis=1)
    return frames


def bare_encode(frames: Frames, path: Path, encoding: Encoding) -> None:
    """The encoder and PyAV's muxer, nothing else."""
    settings = encoder_settings(encoding)
    codec, pix_fmt = settings.pop("codec"), settings.pop("pix_fmt")
    with av.open(str(path), "w") as target:
        stream: Any = target.add_stream(
            codec, rate=FPS, options=settings
        )  # PyAV does not say which
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        for image in frames:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            target.mux(stream.encode(frame.reformat(format=pix_fmt)))
        target.mux(stream.encode(None))


def bare_copy(files: Sequence[Path], out: Path) -> None:
    """The packets of files one after another in one file, by PyAV, as `ffmpeg -c copy` with concat does."""
    with av.open(str(out), "w") as target:
        stream = None
        shift = 0
        for file in files:
            with av.open(str(file)) as source:
                own = source.streams.video[0]
                if stream is None:
                    stream = target.add_stream_from_template(own)
                step = int(1 / (Fraction(FPS) * (own.time_base or Fraction(1, FPS))))
                count = 0
                for packet in source.demux(own):
                    if packet.size:
                        packet.pts = (packet.pts or 0) + shift
                        packet.dts = (packet.dts or 0) + shift
                        packet.stream = stream
                        target.mux(packet)
                        count += 1
                shift += count * step


def staging_rounds(
    work: Path, given: argparse.Namespace, frames: Frames
) -> Iterator[dict[str, Spent]]:
    encoding = Encoding(vcodec=given.vcodec)
    rows = np.zeros((given.frames, 14), np.float32)
    for number in range(given.runs + 1):
        shutil.rmtree(work / "bare", ignore_errors=True)
        shutil.rmtree(work / "staging", ignore_errors=True)
        (work / "bare").mkdir(parents=True)
        sink = EpisodeSink(staging=work / "staging", fps=FPS, features=SHAPES, encoding=encoding)

        def bare() -> None:
            for camera in CAMERAS:
                bare_encode(frames, work / "bare" / f"{camera}.mp4", encoding)

        def staged(sink: EpisodeSink = sink) -> None:
            columns = {"observation.state": rows, "action": rows}
            sink.write("a", columns, videos=dict.fromkeys(CAMERAS, frames), task="t")

        works = [("bare encoding", bare), ("staging", staged)]
        found = {}
        for name, own in works if number % 2 else reversed(works):
            resolve()
            found[name] = spent(own)
        if number:  # the first round does not count
            yield found


def stage_many(work: Path, given: argparse.Namespace, frames: Frames) -> dict[str, list[Path]]:
    """Episodes whose videos are copied; returns the staged files of each camera, in order."""
    clip = work / "clip.mp4"
    bare_encode(frames, clip, Encoding(vcodec=given.vcodec, crf=given.crf))
    print(f"staged videos of {clip.stat().st_size / given.frames / 1e3:.1f} kB a frame")
    sink = EpisodeSink(staging=work / "many", fps=FPS, features=SHAPES)
    rows = np.random.default_rng(0).normal(size=(given.frames, 14)).astype(np.float32)
    files: dict[str, list[Path]] = {camera: [] for camera in CAMERAS}
    for number in range(given.episodes):
        columns = {"observation.state": rows, "action": rows}
        (one,) = sink.write(("s", number), columns, videos=dict.fromkeys(CAMERAS, clip), task="t")
        for camera in CAMERAS:
            files[camera].append(Path(one.videos[camera]))
    return files


def finalize_rounds(
    work: Path, given: argparse.Namespace, files: dict[str, list[Path]]
) -> Iterator[dict[str, Spent]]:
    for number in range(given.runs + 1):
        found: dict[str, Spent] = {}

        def copied() -> None:
            (work / "copied").mkdir()
            for camera, own in files.items():
                bare_copy(own, work / "copied" / f"{camera}.mp4")

        contenders: list[tuple[str, Callable[[], object]]] = [
            ("bare packet copy", copied),
            ("cp -r", lambda: shutil.copytree(work / "many", work / "copied")),
        ]
        for workers in given.workers:
            for version in ("v3.0", "v2.1"):

                def finalized(version: str = version, workers: int = workers) -> None:
                    finalize(work / "many", work / "out", version=version, workers=workers)

                contenders.append((f"finalize {version}, workers {workers}", finalized))
        for name, own in contenders if number % 2 else reversed(contenders):
            for folder in ("copied", "out"):
                shutil.rmtree(work / folder, ignore_errors=True)
            shutil.rmtree(work / "many/meta", ignore_errors=True)  # nothing is indexed yet
            os.environ["ROBOREEL_CACHE"] = tempfile.mkdtemp(dir=work)
            resolve()
            found[name] = spent(own)
        if number:
            yield found


def medians(rounds: list[dict[str, Spent]]) -> dict[str, Spent]:
    return {
        name: Spent(
            seconds=median(one[name].seconds for one in rounds),
            cpu_seconds=median(one[name].cpu_seconds for one in rounds),
            sync_seconds=median(one[name].sync_seconds for one in rounds),
        )
        for name in rounds[0]
    }


def show(found: dict[str, Spent], near: str, limit: float) -> None:
    base = found[near]
    for name, own in found.items():
        ratio, cpu = own.without_sync / base.without_sync, own.cpu_seconds / base.cpu_seconds
        print(
            f"{name:28}{own.seconds:9.3f} s{own.cpu_seconds:9.3f} s CPU{own.sync_seconds:9.3f} s sync"
            f"   {ratio:5.2f} without sync, {cpu:5.2f} of CPU"
        )
    print(f"   the limit is {limit:g} times '{near}'")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--vcodec", default="h264")
    parser.add_argument("--crf", type=float, default=21, help="of the videos to finalize")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        work, frames = Path(folder), drawn(given.frames)
        staging = medians(list(staging_rounds(work, given, frames)))
        show(staging, "bare encoding", STAGING_LIMIT)
        files = stage_many(work, given, frames)
        finalizing = medians(list(finalize_rounds(work, given, files)))
        show(finalizing, "bare packet copy", FINALIZE_LIMIT)
    if given.json:
        told = {name: asdict(own) for name, own in {**staging, **finalizing}.items()}
        document = {
            "machine": machine(),
            "command": sys.argv[1:],
            "episodes": given.episodes,
            "frames": given.frames,
            "vcodec": given.vcodec,
            "runs": given.runs,
            "found": told,
        }
        given.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
