"""Opens a dataset for reading in a fresh process; prints the seconds, without imports, as JSON.

`python bench/open_read.py PATH`: a dataset, or a view file. The environment says where our cache is.
"""

import json
import sys
import time

from measure import own_peak_rss_bytes

import roboreel

PRELOADED = (roboreel.open, roboreel.reader)


def main() -> None:
    started = time.perf_counter()
    reader = roboreel.reader(roboreel.open(sys.argv[1]))
    told = {"seconds": time.perf_counter() - started, "rows": len(reader)}
    print(json.dumps(told | {"peak_rss_bytes": own_peak_rss_bytes()}))


if __name__ == "__main__":
    main()
