"""Decodes the pictures of a dataset's tables and encodes them, nothing else; prints the seconds as JSON.

`python bench/bare_encode.py ROOT CAMERA OUT`: one video of all pictures with lerobot's default settings, one
thread of Python, the codecs with the threads that they take by themselves.
"""

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import av
import pyarrow.parquet as pq
from measure import own_bytes_written, own_peak_rss_bytes

os.environ.setdefault("SVT_LOG", "1")  # errors only
SETTINGS = {"g": "2", "crf": "30", "preset": "12"}


def encode(root: Path, camera: str, out: Path) -> None:
    fps = json.loads((root / "meta/info.json").read_text(encoding="utf-8"))["fps"]
    with av.open(str(out / "all.mp4"), "w") as target:
        stream: Any = None  # Any: PyAV's streams
        for path in sorted((root / "data").rglob("*.parquet")):
            for cell in pq.read_table(path, columns=[camera])[camera]:
                with av.open(io.BytesIO(cell["bytes"].as_py()), "r") as file:
                    frame = next(file.decode(video=0))
                if stream is None:
                    stream = target.add_stream("libsvtav1", rate=fps, options=SETTINGS)
                    stream.width, stream.height = frame.width, frame.height
                    stream.pix_fmt = "yuv420p"
                target.mux(stream.encode(frame.reformat(format="yuv420p")))
        target.mux(stream.encode(None))


def main() -> None:
    root, camera, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    out.mkdir()
    started = time.perf_counter()
    encode(root, camera, out)
    told = {"seconds": time.perf_counter() - started, "peak_rss_bytes": own_peak_rss_bytes()}
    print(json.dumps(told | {"bytes_written": own_bytes_written()}))


if __name__ == "__main__":
    main()
