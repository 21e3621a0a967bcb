"""Surveys one dataset in a fresh interpreter and prints what it cost, as JSON.

`python one_survey.py DATASET WORKERS`; the environment says where the package and its cache lie.
"""

import json
import os
import sys
import time

from measure import own_peak_rss_bytes

from roboreel.dataset.open import open_dataset
from roboreel.survey.survey import survey


def main() -> None:
    dataset = open_dataset(sys.argv[1])
    workers = int(sys.argv[2])
    before, started = os.times(), time.perf_counter()
    survey(dataset, workers=workers)
    seconds, after = time.perf_counter() - started, os.times()
    cpu = sum(after[:4]) - sum(before[:4])
    report = {"seconds": seconds, "cpu_seconds": cpu, "peak_rss_bytes": own_peak_rss_bytes()}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
