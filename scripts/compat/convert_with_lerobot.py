"""Converts v2.1 datasets to v3.0 with the lerobot of the interpreter that runs this file.

`python convert_with_lerobot.py JOBS.json`, where JOBS lists `{"root": FOLDER, "report": FILE}`.
The converter works in place: FOLDER must be a copy. FILE receives
`{"error": null}` or the converter's error.
"""

import importlib
import json
import logging
import sys
import traceback
from pathlib import Path


def convert(root: str) -> dict[str, str | None]:
    """Any exception of lerobot's is a result, which the driver reports."""
    module = importlib.import_module("lerobot.scripts.convert_dataset_v21_to_v30")
    try:
        module.convert_dataset("local/x", root=root, push_to_hub=False)
    except Exception as error:
        return {
            "error": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exc(),
        }
    return {"error": None}


def main() -> None:
    logging.disable(logging.WARNING)
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        Path(job["report"]).write_text(json.dumps(convert(job["root"])), encoding="utf-8")


if __name__ == "__main__":
    main()
