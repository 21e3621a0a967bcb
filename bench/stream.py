"""Times streaming from a Hub with the latency and speed of a network, beside local reading and lerobot.

python bench/stream.py [--lerobot-python PYTHON [--lerobot-libraries PATH]] [--episodes 16] [--items 400]
                       [--buffer 100] [--cameras 2] [--size 640 480] [--latency-ms 20] [--mb-per-s 50]
                       [--runs 3] [--work FOLDER] [--json FILE]

PYTHON is the interpreter of an environment with lerobot, PATH where its torchcodec finds FFmpeg. Exits 1 if
lerobot's class was timed, and ours gives less than five times as many samples a second over the same network.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import IO, Any

import fabrication
from fabrication import ALOHA, fabricate
from measure import machine

import roboreel

HERE = Path(__file__).parent
WANTED = 5.0
CAMERAS = ("observation.images.top", "observation.images.left")
LOCAL, GLOBAL, BUFFER, LEROBOT = (
    "roboreel, local, all frames shuffled",
    "roboreel, all frames shuffled",
    "roboreel, buffer",
    "lerobot, buffer",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    samples_per_s: float
    ready_s: float
    """Until the first counted sample, imports included."""
    busy_ms_per_sample: float
    """Of all processors."""
    requests_per_sample: float
    kb_per_sample: float
    ready_requests: int
    ready_mb: float


class Process:
    """A process that tells lines of JSON."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def told(self) -> dict[str, Any]:
        """The next line; raises RuntimeError where there is none."""
        for line in self._stream(self._process.stdout):
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        raise RuntimeError(f"exit {self._process.wait()} of {self._process.args!r}")

    def go_on(self) -> None:
        stdin = self._stream(self._process.stdin)
        stdin.write("\n")
        stdin.flush()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream


@contextmanager
def served(folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, Process]]:
    """(URL, process) of a Hub that has a dataset."""
    speed = [str(options.latency_ms), str(options.mb_per_s)]
    server = Process([sys.executable, str(HERE / "stream_server.py"), str(folder), *speed], {})
    try:
        yield server.told()["url"], server
    finally:
        server.end()


def counted(server: Process) -> tuple[int, int]:
    """(requests, bytes) since this was asked last."""
    server.go_on()
    told = server.told()
    return told["requests"], told["bytes"]


def read(job: dict[str, Any], python: str, server: Process, environment: dict[str, str]) -> Run:
    counted(server)
    reader = Process([python, str(HERE / "stream_read.py"), json.dumps(job)], environment)
    try:
        ready = reader.told()
        before = counted(server)
        reader.go_on()
        done = reader.told()
        asked = counted(server)
    finally:
        reader.end()
    if done["items"] != job["items"]:
        raise RuntimeError(f"{done['items']} different samples, expected {job['items']}")
    return Run(
        samples_per_s=job["items"] / done["seconds"],
        ready_s=ready["ready_s"],
        busy_ms_per_sample=1000 * done["busy_s"] / job["items"],
        requests_per_sample=asked[0] / job["items"],
        kb_per_sample=asked[1] / job["items"] / 1000,
        ready_requests=before[0],
        ready_mb=before[1] / 1e6,
    )


def contenders(options: argparse.Namespace, local: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """(interpreter, job) by name."""
    ours = {"module": "roboreel.torch", "warm_up": options.buffer, "items": options.items}
    common = {"return_uint8": True}
    buffer = {**common, "buffer_size": options.buffer}
    whole = {**common, "buffer_size": None}
    own = sys.executable
    found = {
        LOCAL: (own, {**ours, "arguments": {**whole, "root": str(local)}}),
        GLOBAL: (own, {**ours, "arguments": whole}),
        BUFFER: (own, {**ours, "arguments": buffer}),
    }
    if options.lerobot_python:
        theirs = {**ours, "module": "lerobot.datasets.streaming_dataset", "arguments": buffer}
        found[LEROBOT] = options.lerobot_python, theirs
    return found


def measured(options: argparse.Namespace, work: Path) -> dict[str, list[Run]]:
    fabrication.WIDTH, fabrication.HEIGHT = options.size
    shape = replace(ALOHA, cameras=CAMERAS[: options.cameras], bit_rate=None)
    source = fabricate(work / "v21", shape=shape, episodes=options.episodes)
    folder = work / "v30"
    roboreel.convert(source.root, to="v3.0", out=folder)
    runs: dict[str, list[Run]] = {}
    with served(folder, options) as (url, server):
        environment = environment_of(work, url)
        os.environ.update(environment)
        report = roboreel.index_packets("bench/stream", push=True)
        print(
            f"packet index: {report.size_bytes / report.video_bytes:.4%} of the videos", flush=True
        )
        for _ in range(options.runs):
            for name, (python, job) in contenders(options, folder).items():
                run = read(job, python, server, {**environment, **libraries(options, name)})
                runs.setdefault(name, []).append(run)
                print(f"{name:40}{run.samples_per_s:8.1f} samples/s", flush=True)
    return runs


def libraries(options: argparse.Namespace, name: str) -> dict[str, str]:
    theirs = name == LEROBOT and options.lerobot_libraries
    return {"LD_LIBRARY_PATH": options.lerobot_libraries} if theirs else {}


def environment_of(work: Path, url: str) -> dict[str, str]:
    return {
        "HF_ENDPOINT": url,
        "HF_HOME": str(work / "hf"),
        "HF_LEROBOT_HOME": str(work / "lerobot"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_TOKEN": "hf_bench",
        "ROBOREEL_CACHE": str(work / "cache"),
    }


def table(runs: dict[str, list[Run]]) -> str:
    lines = [
        f"{'reading':38}{'samples/s':>22}{'CPU ms':>8}{'requests':>10}{'kB':>6}{'ready s':>9}"
        f"{'requests':>10}{'MB':>7}"
    ]
    for name, found in runs.items():
        speeds = [run.samples_per_s for run in found]
        speed = f"{median(speeds):.0f} ({min(speeds):.0f}–{max(speeds):.0f})"
        lines.append(
            f"{name:38}{speed:>22}{of(found, 'busy_ms_per_sample'):8.1f}"
            f"{of(found, 'requests_per_sample'):10.2f}{of(found, 'kb_per_sample'):6.0f}"
            f"{of(found, 'ready_s'):9.1f}{of(found, 'ready_requests'):10.0f}{of(found, 'ready_mb'):7.1f}"
        )
    return "\n".join(lines)


def of(runs: list[Run], field: str) -> float:
    return float(median(getattr(run, field) for run in runs))


def written(path: Path, options: argparse.Namespace, facts: dict[str, object]) -> None:
    chosen = ("episodes", "items", "buffer", "cameras", "size", "latency_ms", "mb_per_s")
    told = {"machine": machine(), **{name: getattr(options, name) for name in chosen}, **facts}
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--lerobot-python")
    parser.add_argument("--lerobot-libraries")
    for name, value in (("episodes", 16), ("items", 400), ("buffer", 100), ("runs", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, speed in (("latency-ms", 20.0), ("mb-per-s", 50.0)):
        parser.add_argument(f"--{name}", type=float, default=speed)
    parser.add_argument("--cameras", type=int, choices=(1, 2), default=2)
    parser.add_argument(
        "--size", type=int, nargs=2, default=(640, 480), metavar=("WIDTH", "HEIGHT")
    )
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
    before = os.getloadavg()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        runs = measured(options, Path(folder))
    print(table(runs))
    loads = {"load_average_before": before, "load_average_after": os.getloadavg()}
    if options.json is not None:
        found = {name: [asdict(run) for run in own] for name, own in runs.items()}
        written(options.json, options, {**loads, "runs": found})
    middle = {name: median(run.samples_per_s for run in found) for name, found in runs.items()}
    return 0 if LEROBOT not in runs else int(middle[BUFFER] < WANTED * middle[LEROBOT])


if __name__ == "__main__":
    sys.exit(main())
