"""Times `import roboreel` beside `import numpy, pyarrow`, in fresh interpreters that alternate.

python bench/import_time.py [--runs 15]; exits 1 where the medians differ by 150 ms or more.
"""

import argparse
import sys
from statistics import median

from measure import cost

STATEMENTS = {
    "nothing": "pass",
    "numpy, pyarrow": "import numpy, pyarrow",
    "roboreel": "import roboreel",
    "roboreel, used": "import roboreel; roboreel.open, roboreel.convert",
}
LIMIT_S = 0.150


def medians(runs: int) -> dict[str, float]:
    """Seconds of a whole interpreter, by statement; one round before the first is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for turn in range(-1, runs):
        for name, statement in STATEMENTS.items():
            spent = cost([(sys.executable, "-c", statement)]).seconds
            if turn >= 0:
                seconds[name].append(spent)
    return {name: median(values) for name, values in seconds.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    found = medians(parser.parse_args().runs)
    above_s = found["roboreel"] - found["numpy, pyarrow"]
    for name, seconds in found.items():
        print(f"{name:16}{seconds * 1000:8.0f} ms")
    print(f"{'above':16}{above_s * 1000:8.0f} ms, limit {LIMIT_S * 1000:.0f}")
    return 1 if above_s >= LIMIT_S else 0


if __name__ == "__main__":
    sys.exit(main())
