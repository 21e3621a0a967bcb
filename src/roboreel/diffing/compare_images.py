"""Compare images stored in tables: their encoded bytes, or their pixels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from roboreel.diffing.compare_index_columns import RowSlice
from roboreel.diffing.compare_values import differing, first_values, shortened
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.errors import VideoError
from roboreel.format.images import image_parts
from roboreel.storage.video.pixels import image_pixels


def differing_images(
    span: RowSlice, name: str, a: pa.Array, b: pa.Array, ledger: DiffLedger, *, decode: bool
) -> list[Difference]:
    """At most one difference: the first row of an image column that differs, with the count.

    Args:
        span: the rows.
        name: the column.
        a: images of the first dataset: structs of `bytes` and `path`, or plain bytes.
        b: images of the second.
        ledger: collects different paths as a note.
        decode: compare pixels where the bytes differ.
    """
    images, paths = zip(image_parts(a), image_parts(b), strict=True)
    moved = np.flatnonzero(differing(*paths))
    rows = np.flatnonzero(differing(*images)).tolist()
    if len(moved):
        at = int(moved[0])
        what = f"the stored path of the image: {first_values(*paths, at)}"
        named_only = [images[0][at].as_py(), images[1][at].as_py()] == [None, None]
        found = _found(span, name, what, at, len(moved))
        if named_only:
            return [found]
        ledger.add_note(found, fold="path")
    if decode:
        ledger.compared.pictures += len(a)
        rows = [row for row in rows if _mismatch(images[0][row].as_py(), images[1][row].as_py())]
    if not rows:
        return []
    what = first_values(*images, rows[0])
    if decode:
        what = _mismatch(images[0][rows[0]].as_py(), images[1][rows[0]].as_py())
    return [_found(span, name, what, rows[0], len(rows))]


def _mismatch(a: bytes | None, b: bytes | None) -> str:
    """Describe how the pixels of two encoded images differ; empty if they don't."""
    if a is None or b is None:
        return f"{shortened(a)} against {shortened(b)}"
    try:
        return image_pixels(a).against(image_pixels(b))
    except VideoError as error:
        return str(error)


def _found(span: RowSlice, name: str, what: str, at: int, count: int) -> Difference:
    return Difference(
        kind="images",
        what=what,
        episode=span.episode,
        row=span.row + at,
        column=name,
        count=count,
    )
