"""What reading may take at most: memory, and the time until a dataset is open."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import scale_fabrication
from contenders import alone
from measure import last_json
from read_heats import LEROBOT, OURS, Cast

import roboreel

HERE = Path(__file__).parent
MB = 1e6
CORE_MB, ABOVE_TORCH_MB, GROWTH_MB = 150.0, 100.0, 16.0
"""After the first item; above `import torch`; from a quarter of an epoch to its end."""
OPEN_S = {"v3.0": 1.0, "v2.1": 2.5, "v2.0": 2.5}
AGAIN_S, VIEW_S = 0.1, 0.2
RUNS = 3
EDITS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """A measured figure, and what it may be at most."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    """None: only told, as lerobot's."""

    @property
    def missed(self) -> bool:
        return self.at_most is not None and self.value > self.at_most

    def line(self) -> str:
        limit = "" if self.at_most is None else f", at most {self.at_most:g}"
        return f"{self.name:56}{self.value:9.2f} {self.unit}{limit}{'   MISSED' * self.missed}"


def memory_bounds(cast: Cast, root: Path) -> Iterator[Bound]:
    script = str(HERE / "memory_read.py")
    core = last_json((sys.executable, script, "core", str(root)))
    ours = last_json((sys.executable, script, "torch", str(root), OURS))
    yield in_mb("memory: reader, first item", core["first_item_bytes"], CORE_MB)
    yield in_mb("memory: reader, growth over an epoch", growth(core), GROWTH_MB)
    above = ours["first_item_bytes"] - ours["before_bytes"]
    yield in_mb("memory: LeRobotDataset, above torch", above, ABOVE_TORCH_MB)
    yield in_mb("memory: LeRobotDataset, growth over an epoch", growth(ours), GROWTH_MB)
    if cast.python is not None:
        command = (*alone(cast.python, home=cast.home), script, "torch", str(root), LEROBOT)
        theirs = last_json(command)
        above = theirs["first_item_bytes"] - theirs["before_bytes"]
        yield in_mb("memory: lerobot, above torch", above)
        yield in_mb("memory: lerobot, growth over an epoch", growth(theirs))


def growth(told: dict[str, int]) -> int:
    return told["most_bytes"] - told["settled_bytes"]


def in_mb(name: str, size: int, at_most: float | None = None) -> Bound:
    return Bound(name=name, value=size / MB, unit="MB", at_most=at_most)


def opening_bounds(folder: Path, *, episodes: int) -> Iterator[Bound]:
    """Medians of fresh processes; the datasets are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for version, limit in OPEN_S.items():
        root = folder / version
        scale_fabrication.fabricate(root, version=version, episodes=episodes)
        cache = folder / "cache"
        first = [opened(root, cache, keep=False) for _ in range(RUNS)]
        again = [opened(root, cache, keep=True) for _ in range(RUNS)]
        name = f"open: {version}, {episodes:,} episodes"
        yield in_seconds(name, median(first), limit)
        yield in_seconds(f"{name}, again", median(again), AGAIN_S)
        if version == "v3.0":
            view = [opened(edited(root), cache, keep=True) for _ in range(RUNS)]
            yield in_seconds(f"{name}, view of {EDITS} edits", median(view), median(again) + VIEW_S)


def edited(root: Path) -> Path:
    """A view file of edits of that dataset."""
    view: Any = roboreel.open(root)  # Any: each verb gives a view
    for number in range(EDITS):
        view = view.delete([number * 7])
    path = root.with_name(f"{root.name}-edited.view.json")
    view.save(path)
    return path


def opened(path: Path, cache: Path, *, keep: bool) -> float:
    if not keep:
        shutil.rmtree(cache, ignore_errors=True)
    command = ("env", f"ROBOREEL_CACHE={cache}", sys.executable, str(HERE / "open_read.py"))
    return float(last_json((*command, str(path)))["seconds"])


def in_seconds(name: str, value: float, at_most: float) -> Bound:
    return Bound(name=name, value=value, unit="s", at_most=at_most)
