"""Converts one dataset in this process and prints the seconds it took, without imports, as JSON.

`python bench/one_conversion.py SOURCE VERSION OUT WORKERS [LIKE]`. With LIKE, a release, all statistics are
recomputed like its own. A process of its own, so that peak memory is of this conversion alone.
"""

import json
import sys
import time

import av
import pyarrow.dataset
import pyarrow.parquet
from measure import own_peak_rss_bytes

import roboreel

PRELOADED = (av, pyarrow.dataset, pyarrow.parquet)
"""What roboreel loads when first used; loaded here, so that the clock does not see it."""


def main() -> None:
    source, version, out, workers, *like = sys.argv[1:]
    convert, write = roboreel.convert, roboreel.write
    started = time.perf_counter()
    dataset = roboreel.open(source)
    if like:
        view = dataset.recompute(like=like[0])  # type: ignore[arg-type]  # checked there
        write(view.with_target(version), out=out, workers=int(workers))
    else:
        convert(dataset, to=version, out=out, workers=int(workers))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_rss_bytes": own_peak_rss_bytes()}))


if __name__ == "__main__":
    main()
