"""Converts one v2.1 dataset by lerobot in this process and prints the seconds, without imports, as JSON.

`PYTHON bench/lerobot_conversion.py FOLDER`, with lerobot's interpreter; FOLDER is converted in place.
"""

import importlib
import json
import sys
import time

from measure import own_peak_rss_bytes


def main() -> None:
    module = importlib.import_module("lerobot.scripts.convert_dataset_v21_to_v30")
    started = time.perf_counter()
    module.convert_dataset("local/x", root=sys.argv[1], push_to_hub=False)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_rss_bytes": own_peak_rss_bytes()}))


if __name__ == "__main__":
    main()
