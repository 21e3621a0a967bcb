"""Edits v3.0 datasets by lerobot in this process and prints the seconds, without imports, as JSON.

`PYTHON bench/lerobot_edit.py JOB`, with lerobot's interpreter and a JOB as of `one_edit.py`. The clock sees
the operation alone: the datasets are open by then, which is to lerobot's favour.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from measure import own_bytes_written, own_peak_rss_bytes


def edit(job: dict[str, Any], tools: Any, sets: list[Any]) -> None:  # Any: JSON, lerobot's
    """One operation of `dataset_tools`, with lerobot's own defaults."""
    out = Path(job["out"])
    if job["operation"] == "delete":
        tools.delete_episodes(sets[0], job["episodes"], output_dir=out, repo_id="local/out")
    elif job["operation"] == "split":
        tools.split_dataset(sets[0], job["into"], output_dir=out)
    elif job["operation"] == "merge":
        tools.merge_datasets(sets, "local/out", output_dir=out)
    elif job["operation"] == "encode":
        tools.convert_image_to_video_dataset(sets[0], output_dir=out, repo_id="local/out")
    else:
        raise ValueError(f"no operation {job['operation']!r}")


def main() -> None:
    job = json.loads(sys.argv[1])
    tools = importlib.import_module("lerobot.datasets.dataset_tools")
    module = importlib.import_module("lerobot.datasets.lerobot_dataset")
    sets = [module.LeRobotDataset(f"local/x{n}", root=r) for n, r in enumerate(job["roots"])]
    before = own_bytes_written()
    started = time.perf_counter()
    edit(job, tools, sets)
    told = {"seconds": time.perf_counter() - started, "peak_rss_bytes": own_peak_rss_bytes()}
    print(json.dumps(told | {"bytes_written": own_bytes_written() - before}))


if __name__ == "__main__":
    main()
