"""Compare the files beside the format's own."""

from __future__ import annotations

from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.diffing.side import Side
from roboreel.errors import StorageError

_BLOCK = 1 << 20


def compare_files(first: Side, second: Side, ledger: DiffLedger) -> None:
    """Files that travel with a dataset count; those that stay behind are notes."""
    extra = first.dataset.model.extra_files, second.dataset.model.extra_files
    other = first.dataset.model.other_files, second.dataset.model.other_files
    for (a, b), counts in ((extra, True), (other, False)):
        for name in sorted({*a, *b}):
            if name in a and name in b:
                what = _mismatch(first, second, name)
            else:
                what = f"only the {'first' if name in a else 'second'} has this file"
            if what:
                found = Difference(kind="files", what=what, path=name)
                ledger.judge(found, counts=counts, fold=name if counts else what)


def _mismatch(first: Side, second: Side, name: str) -> str:
    """How two files differ, in words; empty where they hold the same bytes."""
    try:
        sizes = [side.dataset.root.stat(name).size_bytes for side in (first, second)]
        if sizes[0] != sizes[1]:
            return f"{sizes[0]} bytes against {sizes[1]}"
        with first.dataset.root.input(name) as a, second.dataset.root.input(name) as b:
            for at in range(0, sizes[0], _BLOCK):
                left, right = a.read(_BLOCK), b.read(_BLOCK)
                if left != right:
                    pairs = enumerate(zip(left, right, strict=False))
                    return f"the first other byte is {next((at + i for i, (x, y) in pairs if x != y), at)}"
    except (StorageError, OSError) as error:
        return str(error)
    return ""
