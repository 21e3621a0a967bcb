"""Edits v3.0 datasets with the lerobot of the interpreter that runs this file.

`python edit_with_lerobot.py JOBS.json`, where JOBS lists
`{"operation", "roots", "out", "arguments", "report"}`. The roots must be copies: lerobot changes tasks in
place. The report receives `{"error": null}` or lerobot's error.
"""

import importlib
import json
import logging
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np


def edit(job: dict[str, Any]) -> None:  # Any: JSON
    """One operation of `dataset_tools`."""
    tools = importlib.import_module("lerobot.datasets.dataset_tools")
    module = importlib.import_module("lerobot.datasets.lerobot_dataset")
    out, asked = Path(job["out"]), dict(job["arguments"])
    if job["operation"] == "tasks":  # in place, whatever it says
        shutil.copytree(job["roots"][0], out)
        job["roots"] = [str(out)]
    sets = [
        module.LeRobotDataset(repo_id=f"local/x{n}", root=Path(root), video_backend="pyav")
        for n, root in enumerate(job["roots"])
    ]
    common = {"output_dir": out, "repo_id": "local/out"}
    if job["operation"] == "delete":
        tools.delete_episodes(sets[0], asked["episodes"], **common)
    elif job["operation"] == "split":
        tools.split_dataset(sets[0], asked["splits"], output_dir=out)
    elif job["operation"] == "merge":
        tools.merge_datasets(sets, "local/out", output_dir=out)
    elif job["operation"] == "remove":
        tools.remove_feature(sets[0], asked["names"], **common)
    elif job["operation"] == "add":
        values = np.array(asked["values"], dtype=asked["feature"]["dtype"])
        tools.add_features(sets[0], {asked["name"]: (values, asked["feature"])}, **common)
    elif job["operation"] == "tasks":
        episodes = {int(number): text for number, text in asked.pop("episode_tasks", {}).items()}
        tools.modify_tasks(sets[0], episode_tasks=episodes or None, **asked)
    else:
        raise ValueError(f"no operation {job['operation']!r}")


def main() -> None:
    """Any exception of lerobot's is a result, which the driver reports."""
    logging.disable(logging.WARNING)
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        told: dict[str, str | None] = {"error": None}
        try:
            edit(job)
        except Exception as error:
            told = {
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        Path(job["report"]).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
