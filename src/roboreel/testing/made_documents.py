"""JSON documents, written the way lerobot's releases write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from roboreel.testing.made_features import MadeFeature

Document: TypeAlias = Mapping[str, object]


def write_json(path: Path, document: Document) -> None:
    """Write one document, indented by four, without a newline at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(document, indent=4, ensure_ascii=False).encode())


def write_json_lines(path: Path, documents: Iterable[Document]) -> None:
    """Write one document per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
    path.write_bytes("".join(lines).encode())


def feature_document(feature: MadeFeature) -> dict[str, object]:
    """Return a feature's entry in info.json, without what a video adds."""
    return {
        "dtype": feature.dtype,
        "shape": list(feature.shape),
        "names": None if feature.names is None else list(feature.names),
    }
