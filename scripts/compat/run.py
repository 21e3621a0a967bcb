"""Proves that lerobot reads what roboreel writes, index for index. See README.md beside this file.

python scripts/compat/run.py --peer 0.6.1=PYTHON --peer 0.4.4=PYTHON --peer 0.3.3=PYTHON \\
    --data FOLDER [--out TMP]
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from cases import Case, cases, sources
from peers import Peer
from proof import Proof, Row, say

SAMPLED = 7
"""Every n-th picture of a dataset found in the wild, as most time goes into decoding long GOPs."""


def table(rows: list[Row]) -> str:
    """One line per case; the verdict last, because it may be long."""
    lines = [("", "dataset", "reads", "lerobot", "verdict")]
    for row in rows:
        tree = row.case.left.tree
        mark = "DIFFERS " if row.failed else ""
        line = (row.case.group, tree.source.name, tree.label, row.case.left.release)
        lines.append((*line, mark + row.verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    padded = [
        "  ".join([*(c.ljust(w) for c, w in zip(r, widths, strict=False)), r[4]]) for r in lines
    ]
    return "\n".join(padded)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peer", action="append", required=True, metavar="RELEASE=PYTHON")
    parser.add_argument("--data", type=Path, required=True, help="folder of the test datasets")
    parser.add_argument("--out", type=Path, help="keep the work in this new folder")
    parser.add_argument("--only", default="", help="datasets whose name contains this")
    parser.add_argument(
        "--picture-every", type=int, default=SAMPLED, help="of datasets from the wild"
    )
    return parser.parse_args()


def selected(data: Path, only: str) -> list[Case]:
    return [case for source in sources(data) if only in source.name for case in cases(source)]


def main() -> int:
    options = arguments()
    chosen = selected(options.data.resolve(), options.only)
    pythons = dict(peer.split("=", 1) for peer in options.peer)
    missing = {read.release for case in chosen for read in case.reads} - pythons.keys()
    if missing or not chosen:
        say(f"no peer for lerobot {', '.join(sorted(missing))}" if missing else "no such dataset")
        return 2
    with ExitStack() as stack:
        root = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        root.mkdir(parents=True, exist_ok=True)
        peers = {
            release: Peer(
                release=release, python=Path(python), home=root.resolve() / f"peer-{release}"
            )
            for release, python in pythons.items()
        }
        proof = Proof(cases=chosen, root=root.resolve(), peers=peers, sampled=options.picture_every)
        rows = proof.rows()
    print(table(rows))
    print(f"{len(rows)} cases, {sum(row.failed for row in rows)} differ")
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
