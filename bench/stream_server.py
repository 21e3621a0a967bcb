"""Serves a dataset as the Hub does, over loopback with the latency and the speed of a network.

python bench/stream_server.py FOLDER LATENCY_MS MB_PER_S

Prints its URL. Answers each line that it reads by a line of JSON: requests and bytes since the line before.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the Hub of the tests

from tests.hub_server import HubServer, folder_files

REPO, VERSION = "bench/stream", "v3.0"


def main() -> None:
    folder, latency_ms, mb_per_s = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    with HubServer() as hub:
        hub.add(REPO, folder_files(folder), tags=[VERSION])
        hub.latency_s, hub.bytes_per_s = latency_ms / 1000, mb_per_s * 1e6
        print(json.dumps({"url": hub.url}), flush=True)
        for _ in sys.stdin:
            asked = list(hub.asked)
            hub.forget()
            counts = {"requests": len(asked), "bytes": sum(one.sent for one in asked)}
            print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
