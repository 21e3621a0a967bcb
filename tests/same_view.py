"""Whether two views are the same, field by field."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from roboreel.edit.view import View
from roboreel.edit.view_data import Source, ViewData

_APART = {"sources", "slices", "recipe"}


def differing(a: View, b: View) -> list[str]:
    """The names of what differs; nothing where writing both writes the same."""
    found = [
        one.name
        for one in fields(ViewData)
        if one.name not in _APART and getattr(a, one.name) != getattr(b, one.name)
    ]
    found += [
        f"slices.{name}"
        for name in ("source", "row", "start", "stop")
        if not np.array_equal(getattr(a.slices, name), getattr(b.slices, name))
    ]
    if a.slices.retasked != b.slices.retasked:
        found.append("slices.retasked")
    if len(a.sources) != len(b.sources):
        return [*found, "sources"]
    for x, y in zip(a.sources, b.sources, strict=True):
        found += [name for name, value in _told(x).items() if value != _told(y)[name]]
    return found


def _told(source: Source) -> dict[str, Any]:
    """A source as values that can be compared."""
    return {
        "url": source.dataset.url,
        "info": source.model.info,
        "episodes": source.model.episodes,
        "renamed": source.renamed,
        "removed": source.removed,
        "supplied": {name: (c.type, c.to_pylist()) for name, c in source.supplied.items()},
        "filled": source.filled,
    }
