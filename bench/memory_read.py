"""The memory of a process that reads: after its imports, after the first item, and over an epoch.

`python bench/memory_read.py core|torch ROOT [MODULE]`: `torch` reads with `LeRobotDataset` of that module.
Reads every frame, shuffled. Prints bytes as JSON.
"""

import importlib
import json
import sys
from typing import Any

from laps import rss_bytes
from order import batches, shuffled, taken

BATCH = 32
SETTLED = 4
"""The epoch's share that may still fill caches is one over this."""


def opened(kind: str, root: str, module: str) -> Any:  # Any: a reader, or a dataset of torch
    if kind == "core":
        roboreel = importlib.import_module("roboreel")
        return roboreel.reader(roboreel.open(root))
    return importlib.import_module(module).LeRobotDataset("local/x", root=root)


def load(kind: str, module: str) -> int:
    """Imports what is not ours to save; returns the memory with it."""
    before = rss_bytes()
    if kind == "torch":
        importlib.import_module("torch.utils.data")
        before = rss_bytes()
        importlib.import_module(module)
    return before


def main() -> None:
    kind, root, module = (*sys.argv[1:], "roboreel.torch")[:3]
    before = load(kind, module)
    data = opened(kind, root, module)
    assert data[0]
    first = rss_bytes()
    sizes = list[int]()
    for some in batches(taken(shuffled(len(data)), len(data)), BATCH):
        assert all(data[number] is not None for number in some)
        sizes.append(rss_bytes())
    settled = max(sizes[: max(1, len(sizes) // SETTLED)])
    found = {
        "before_bytes": before,
        "first_item_bytes": first,
        "settled_bytes": settled,
        "most_bytes": max(sizes),
        "last_bytes": sizes[-1],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
