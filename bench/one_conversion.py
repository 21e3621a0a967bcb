"""Converts one dataset in this process and prints the seconds it took, without imports, as JSON.

`python bench/one_conversion.py SOURCE VERSION OUT WORKERS`. A process of its own, so that peak memory is of
this conversion alone.
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
    source, version, out, workers = sys.argv[1:]
    convert = roboreel.convert
    started = time.perf_counter()
    dataset = roboreel.open(source)
    convert(dataset, to=version, out=out, workers=int(workers))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_rss_bytes": own_peak_rss_bytes()}))


if __name__ == "__main__":
    main()
