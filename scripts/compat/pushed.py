"""Datasets pushed to a Hub on this machine, as roboreel and lerobot get them from there.

`python scripts/compat/pushed.py --peer PYTHON DATASET…`, where PYTHON is the interpreter of an environment
with lerobot 0.6.1, and each DATASET a folder of v3.0. Each is pushed by the command, then

- pulled by the command: its files must be those of the folder;
- loaded by lerobot, which downloads it with its own client: items must be those it reads from the folder;
- loaded by `roboreel.torch.LeRobotDataset`, likewise.

Prints a line per dataset, and exits with 1 where anything differs. The Hub is the tests' double.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from item_reports import compared, load_items
from peers import Peer

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.hub_server import HubServer  # noqa: E402
from tests.oracle import tree_digest  # noqa: E402

NAME = "local/x"
"""What `read_items.py` asks for."""
LEROBOT, OURS = "lerobot.datasets.lerobot_dataset", "roboreel.torch"


def roboreel(hub: HubServer, folder: Path, *words: str) -> None:
    """Run the command with this Hub only."""
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf")}
    environment |= {"HF_TOKEN": "any", "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-m", "roboreel", *words, "--quiet"]
    subprocess.run(command, env=environment, check=True)


def differences(dataset: Path, peer: Peer, folder: Path) -> Iterator[str]:
    """Push one dataset, get it back in three ways, and compare."""
    with HubServer() as hub:
        # The client of 1.x takes a redirect to another port of the same host for one within the Hub.
        hub.cdn_url = hub.cdn_url.replace("127.0.0.1", "localhost")
        roboreel(hub, folder, "push", str(dataset), NAME)
        roboreel(hub, folder, "pull", NAME, "-o", str(folder / "pulled"))
        ours, pulled = (_content(one) for one in (dataset, folder / "pulled"))
        if ours != pulled:
            yield f"pulled: other files {sorted(set(ours.items()) ^ set(pulled.items()))[:3]}"
        online = replace(peer, hub=hub.url)
        own = replace(online, home=peer.home / "roboreel", source=REPOSITORY / "src")
        readers: list[tuple[str, Peer, dict[str, Any]]] = [
            ("wanted", peer, {"root": str(dataset), "module": LEROBOT}),
            ("lerobot", online, {"root": str(folder / "by_lerobot"), "module": LEROBOT}),
            ("roboreel", own, {"root": str(folder / "by_roboreel"), "module": OURS}),
        ]
        for name, reader, job in readers:
            died = reader.run("read_items.py", [job | {"out": str(folder / name), "every": 5}])
            if died:
                yield f"{name}: {died}"
        wanted = load_items(folder / "wanted")
        for name in ("lerobot", "roboreel"):
            found = compared(load_items(folder / name), wanted, exact_pictures=name == "lerobot")
            if found.failed:
                yield f"{name}: {found.told}"


def _content(folder: Path) -> dict[str, str]:
    """Files by name with their digests, but for the card with its pictures and what the client keeps."""
    found = tree_digest(folder)
    return {
        n: d for n, d in found.items() if n != "README.md" and not n.startswith((".", "assets/"))
    }


def main() -> int:
    """Push and compare; returns the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("datasets", type=Path, nargs="+")
    arguments.add_argument("--peer", type=Path, required=True)
    given = arguments.parse_args()
    failed = 0
    for dataset in given.datasets:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            peer = Peer(release="0.6.1", python=given.peer, home=folder / "peer")
            found = list(differences(dataset, peer, folder))
        print(f"{dataset.name}: {'; '.join(found[:4]) or 'the same in all three ways'}", flush=True)
        failed += bool(found)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
