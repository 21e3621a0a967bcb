"""Decodes the frames of each episode's sample and drops them; prints the seconds, without imports, as JSON.

`python bench/bare_decode.py ROOT WORKERS`: v2.x, whose videos are episodes; a file at a time in each process.
"""

import json
import multiprocessing
import sys
import time
from pathlib import Path

import av
from measure import own_peak_rss_bytes

from roboreel.stats.sampling import sampled_frames
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.index import read_packet_table

PRELOADED = (av,)


def decode(video: str) -> int:
    path = Path(video)
    root = LocalRoot(path.parent)
    wanted = sampled_frames(read_packet_table(root, path.name).frames)
    return sum(1 for _ in decode_frames(root, path.name, wanted))


def ready(_: int) -> None:
    time.sleep(0.5)  # until every process has one of these


def main() -> None:
    root, workers = Path(sys.argv[1]), int(sys.argv[2])
    videos = sorted(map(str, root.rglob("*.mp4")))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(ready, range(workers), chunksize=1)
        started = time.perf_counter()
        frames = sum(pool.imap_unordered(decode, videos))
        seconds = time.perf_counter() - started
    told = {"seconds": seconds, "peak_rss_bytes": own_peak_rss_bytes(), "frames": frames}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
