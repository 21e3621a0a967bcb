"""Run the commands and code of the pages, and write what they print into them.

    python scripts/doc_outputs.py            # list the blocks whose output is another one
    python scripts/doc_outputs.py --write    # and put it right
    python scripts/doc_outputs.py --write docs/tutorial.md

`tests/doc_blocks.py` says which blocks are run and what does not count as a difference.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
# The terminal of the tests; rich looks once, when it is imported.
os.environ.update(NO_COLOR="1", TERM="dumb", COLUMNS="100")

from tests.doc_blocks import PAGES, Mismatch, run_page  # noqa: E402 - after the two lines above


def main() -> int:
    """Run the pages; returns 1 where one is not up to date and was not written."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the pages right")
    parser.add_argument("pages", nargs="*", default=PAGES, metavar="PAGE")
    arguments = parser.parse_args()
    stale = 0
    for name in arguments.pages:
        page = (ROOT / name).read_text("utf-8")
        with tempfile.TemporaryDirectory() as folder:
            os.environ["ROBOREEL_CACHE"] = folder
            (Path(folder) / "run").mkdir()
            found = list(run_page(page, Path(folder) / "run"))
        for mismatch in found:
            print(f"{name}, {mismatch}" if not arguments.write else f"{name}: {mismatch.line}")
        if arguments.write and found:
            (ROOT / name).write_text(_updated(page, found), "utf-8")
        stale += len(found)
    print(f"{stale} blocks {'written' if arguments.write else 'differ'}")
    return int(stale > 0 and not arguments.write)


def _updated(page: str, found: list[Mismatch]) -> str:
    for mismatch in reversed(found):
        page = page[: mismatch.start] + mismatch.printed + page[mismatch.stop :]
    return page


if __name__ == "__main__":
    sys.exit(main())
