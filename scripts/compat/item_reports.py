"""What `read_items.py` noted of two datasets, and how it differs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PICTURE_TOLERANCE = 2
"""Largest difference of a channel, of 255, where decoders differ."""
Values = npt.NDArray[Any]  # whatever dtype was noted
MERGING_ROUNDING = 1e-12
"""Of statistics in v2.x, which each side merges from those of the episodes, adding in another order."""
_SHOWN = 3
"""Differences that are told; of the others only how many they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemReport:
    folder: Path
    told: dict[str, Any]  # Any: JSON
    items: list[dict[str, Any]]  # Any: JSON

    def arrays(self, name: str) -> Any:  # Any: the archive that numpy opens
        return np.load(self.folder / f"{name}.npz")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    told: str
    failed: bool


@dataclass(kw_only=True, slots=True)
class PictureDifference:
    """Of all pictures that are not the same to the bit."""

    pictures: int = 0
    total: float = 0.0
    values: int = 0
    largest: float = 0.0

    def add(self, ours: Values, theirs: Values) -> None:
        apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
        self.pictures += 1
        self.total += float(apart.sum())
        self.values += apart.size
        self.largest = max(self.largest, float(apart.max()))

    @property
    def mean(self) -> float:
        return self.total / self.values if self.values else 0.0


def load_items(folder: Path) -> ItemReport | str:
    """The report in `folder`, or the error that was met instead."""
    path = folder / "items.json"
    if not path.is_file():
        return "the process ended before it came to this dataset"
    report = json.loads(path.read_text(encoding="utf-8"))
    if "error" in report:
        return " ".join(str(report["error"]).split())[:300]
    return ItemReport(folder=folder, told=report["told"], items=report["items"])


def compared(
    ours: ItemReport | str,
    theirs: ItemReport | str,
    *,
    exact_pictures: bool,
    rounding: float = 0.0,
) -> Finding:
    """Everything must be the same to the bit.

    Pictures may be apart where decoders differ, and statistics by a relative `rounding`, where each side adds
    those of the episodes up itself.
    """
    if isinstance(theirs, str):
        return Finding(told=f"lerobot cannot read it: {theirs}", failed=isinstance(ours, str))
    if isinstance(ours, str):
        return Finding(told=ours, failed=True)
    pictures = PictureDifference()
    found = told_differences(ours.told, theirs.told) + stats_differences(ours, theirs, rounding)
    if ours.told["indices"] == theirs.told["indices"]:
        found += item_differences(ours, theirs, pictures)
    allowed = 0 if exact_pictures else PICTURE_TOLERANCE
    if pictures.largest > allowed or (exact_pictures and pictures.pictures):
        found.append(f"{pictures.pictures} pictures are not the same")
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    told = "; ".join(found[:_SHOWN] + more) or f"{len(theirs.items)} items equal"
    note = apart(pictures) + other_dtypes(ours, theirs)
    return Finding(told=told + note, failed=bool(found))


def apart(pictures: PictureDifference) -> str:
    if not pictures.pictures:
        return ""
    return (
        f", {pictures.pictures} pictures differ by {pictures.mean:.3f} of 255 on average,"
        f" {pictures.largest:g} at most"
    )


def told_differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:  # Any: JSON
    return [
        f"{name} is {ours.get(name)!r}, not {theirs.get(name)!r}"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]


def stats_differences(ours: ItemReport, theirs: ItemReport, rounding: float) -> list[str]:
    """Names, shapes and values of `meta.stats`."""
    with ours.arrays("stats") as mine, theirs.arrays("stats") as others:
        found = [f"stats of {n} only on one side" for n in sorted({*mine} ^ {*others})]
        return found + [
            f"stats of {name} differ"
            for name in sorted({*mine} & {*others})
            if mine[name].shape != others[name].shape
            or not np.allclose(mine[name], others[name], rtol=rounding, atol=0, equal_nan=True)
        ]


def other_dtypes(ours: ItemReport, theirs: ItemReport) -> str:
    """Told, but no failure: lerobot's depend on how a document writes a number (5 or 5.0)."""
    with ours.arrays("stats") as mine, theirs.arrays("stats") as others:
        names = [n for n in {*mine} & {*others} if mine[n].dtype != others[n].dtype]
    return f", {len(names)} stats have another dtype" if names else ""


def item_differences(
    ours: ItemReport, theirs: ItemReport, pictures: PictureDifference
) -> list[str]:
    """Notes of pictures that differ go to `pictures`."""
    found = []
    with ours.arrays("pictures") as mine, theirs.arrays("pictures") as others:
        for index, a, b in zip(theirs.told["indices"], ours.items, theirs.items, strict=True):
            for key in sorted(a.keys() | b.keys()):
                if a.get(key) == b.get(key):
                    continue
                name = f"{index}/{key}"
                if name in mine and name in others and a[key][:2] == b[key][:2]:
                    pictures.add(mine[name], others[name])
                else:
                    found.append(
                        f"item {index}, {key}: {shown(a.get(key))}, not {shown(b.get(key))}"
                    )
    return found


def shown(noted: object) -> str:
    """Without the hash: dtype and shape, or the string."""
    if isinstance(noted, list):
        dtype, shape, digest = noted
        return f"{dtype}{shape} {digest[:6]}"
    return "nothing" if noted is None else repr(noted)[:60]
