"""Inventories as plain values, to be compared; and files changed behind a survey's back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.dataset.open import open_dataset
from roboreel.survey.survey import survey

HOUR_NS = 3600 * 1_000_000_000


def surveyed(root: Path, *, workers: int = 1) -> Any:
    """The inventory of the dataset in a folder, as plain values in the order in which it has them."""
    return plain(survey(open_dataset(root), workers=workers))


def plain(value: Any) -> Any:
    if isinstance(value, pa.Schema):
        return value.serialize().to_pybytes()
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.tolist()
    if is_dataclass(value):
        return [(item.name, plain(getattr(value, item.name))) for item in fields(value)]
    if isinstance(value, dict):
        return [(key, plain(item)) for key, item in value.items()]
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def age(root: Path) -> None:
    """Let all files be an hour old: new ones are not kept in the cache."""
    for path in files(root):
        facts = path.stat()
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns - HOUR_NS))


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def garble(paths: Iterable[Path]) -> None:
    """Overwrite files, with the size and the stamp that they had: who reads them sees no dataset."""
    for path in paths:
        facts = path.stat()
        path.write_bytes(b"\0" * facts.st_size)
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
