"""Edits datasets in this process and prints the seconds it took, without imports, as JSON.

`python bench/one_edit.py JOB`, where JOB is `{"operation", "roots", "out", …}` as JSON. A process of its own,
so that peak memory and bytes written are of this edit alone.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import av
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet
from measure import own_bytes_written, own_peak_rss_bytes

import roboreel
import roboreel.ops.write

PRELOADED = (av, pyarrow.compute, pyarrow.dataset, pyarrow.parquet, roboreel.ops.write)
"""What roboreel loads when first used; loaded here, so that the clock does not see it."""
LOADED = (roboreel.open, roboreel.write, roboreel.concat, roboreel.Encoding)


def edit(job: dict[str, Any]) -> None:  # Any: JSON
    """Opens the datasets and writes one view, or several."""
    sets, out = [roboreel.open(root) for root in job["roots"]], Path(job["out"])
    if job["operation"] == "delete":
        roboreel.write(sets[0].delete(job["episodes"]), out=out)
    elif job["operation"] == "split":
        for name, view in sets[0].split(job["into"]).items():
            roboreel.write(view, out=out / name)
    elif job["operation"] == "merge":
        roboreel.write(roboreel.concat(sets), out=out)
    elif job["operation"] == "encode":
        roboreel.write(sets[0].encode({job["camera"]: roboreel.Encoding()}), out=out)
    else:
        raise ValueError(f"no operation {job['operation']!r}")


def main() -> None:
    job = json.loads(sys.argv[1])
    before = own_bytes_written()
    started = time.perf_counter()
    edit(job)
    told = {"seconds": time.perf_counter() - started, "peak_rss_bytes": own_peak_rss_bytes()}
    print(json.dumps(told | {"bytes_written": own_bytes_written() - before}))


if __name__ == "__main__":
    main()
