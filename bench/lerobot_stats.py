"""Converts one v2.0 dataset to v2.1 by lerobot 0.3.3 in this process.

`PYTHON bench/lerobot_stats.py FOLDER WORKERS`, with lerobot's interpreter. Its own command knows no local
folders and always uploads; here is what it does in between, with its functions, in place. Prints the seconds,
without imports, as JSON.
"""

import importlib
import json
import sys
import time

from measure import own_peak_rss_bytes


def main() -> None:
    root, workers = sys.argv[1], int(sys.argv[2])
    datasets = importlib.import_module("lerobot.datasets.lerobot_dataset")
    utils = importlib.import_module("lerobot.datasets.utils")
    stats = importlib.import_module("lerobot.datasets.v21.convert_stats")
    started = time.perf_counter()
    dataset = datasets.LeRobotDataset("local/x", root=root, revision="v2.0", video_backend="pyav")
    stats.convert_stats(dataset, num_workers=workers)
    stats.check_aggregate_stats(dataset, utils.load_stats(dataset.root))
    dataset.meta.info["codebase_version"] = datasets.CODEBASE_VERSION
    utils.write_info(dataset.meta.info, dataset.root)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_rss_bytes": own_peak_rss_bytes()}))


if __name__ == "__main__":
    main()
