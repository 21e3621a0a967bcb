"""Who reads what beside whom, and which ratios are asked of it; see README.md here."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contenders import alone
from heat import Command, Entry, middle
from laps import Lap
from read_sets import ReadSets

HERE = Path(__file__).parent
ITEMS, FEW_ITEMS, MANY_ITEMS = 512, 320, 1280
SMALL = (224, 224)
BUSY_MS = 60.0
WORKERS = (0, 1, 2, 4)
"""Of lerobot's DataLoader: the best of them is what ours is measured against."""
RANDOM, WINDOWS, ORDER = "limit, random", "limit, windows", "limit, in order"
ONE_BY_ONE, FLOATS = f"{RANDOM}, item by item", f"{RANDOM}, float32"
OURS, LEROBOT = "roboreel.torch", "lerobot.datasets.lerobot_dataset"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A ratio of medians, and what it has to be at least."""

    ours: str
    over: tuple[str, ...]
    """The best of these."""
    at_least: float
    what: str = "items per second"
    """Or "CPU per item": then the other's over ours."""

    def ratio(self, laps: Mapping[str, Lap]) -> float:
        if self.what == "CPU per item":
            best = min(laps[name].cpu_ms_per_item for name in self.over)
            return best / laps[self.ours].cpu_ms_per_item
        return laps[self.ours].per_second / max(laps[name].per_second for name in self.over)


@dataclass(frozen=True, kw_only=True, slots=True)
class Heat:
    name: str
    entries: dict[str, Entry]
    asks: tuple[Ask, ...] = ()


@dataclass(kw_only=True, slots=True)
class Outcome:
    heat: Heat
    laps: dict[str, list[Lap]] = field(default_factory=dict)

    @property
    def middles(self) -> dict[str, Lap]:
        return {name: middle(laps) for name, laps in self.laps.items()}

    def missed(self) -> list[Ask]:
        return [ask for ask in self.heat.asks if ask.ratio(self.middles) < ask.at_least]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cast:
    """The commands of all contenders."""

    python: str | None
    """lerobot's interpreter."""
    home: Path
    """Where lerobot's caches are."""

    def bare(self, root: Path, kind: str, *more: str) -> Command:
        return (sys.executable, str(HERE / "bare_read.py"), str(root), kind, *more)

    def core(self, root: Path, how: str, **job: Any) -> Command:  # Any: JSON
        told = json.dumps({"root": str(root), "how": how} | job)
        return (sys.executable, str(HERE / "core_read.py"), told)

    def torch(self, root: Path, **job: Any) -> Command:  # Any: JSON
        told = json.dumps({"root": str(root), "module": OURS} | job)
        return (sys.executable, str(HERE / "torch_read.py"), told)

    def lerobot(self, root: Path, **job: Any) -> dict[str, Command]:  # Any: JSON
        """Nobody where there is no lerobot."""
        if self.python is None:
            return {}
        told = json.dumps({"root": str(root), "module": LEROBOT} | job)
        script = (*alone(self.python, home=self.home), str(HERE / "torch_read.py"), told)
        return {f"lerobot, {job.get('workers', 0)} workers": script}


def entries(commands: Mapping[str, Command], items: int, *, warm: int = 64) -> dict[str, Entry]:
    return {
        name: Entry(command=command, items=items, warm_items=warm)
        for name, command in commands.items()
    }


def asks(over: Sequence[str], wanted: Mapping[str, float]) -> tuple[Ask, ...]:
    """None where those to compare with are not there."""
    return tuple(
        Ask(ours=name, over=tuple(over), at_least=least) for name, least in wanted.items() if over
    )


def core_random(cast: Cast, root: Path, codec: str) -> Heat:
    found = entries(
        {
            RANDOM: cast.bare(root, "random"),
            f"{RANDOM}, kept": cast.bare(root, "random", "kept"),
            ONE_BY_ONE: cast.bare(root, "random", "items"),
            "reader, item by item": cast.core(root, "items"),
            "reader, batches": cast.core(root, "batches"),
            "reader, batches into own arrays": cast.core(root, "into"),
            "reader, batches at 224×224": cast.core(root, "batches", arguments={"size": SMALL}),
        },
        ITEMS,
    )
    least = {"reader, item by item": 0.9, "reader, batches into own arrays": 0.9}
    small = Ask(ours="reader, batches at 224×224", over=("reader, batches",), at_least=1.2)
    alone = asks([ONE_BY_ONE], {"reader, item by item": 0.9})
    found_asks = (*asks([RANDOM], least), *alone, small)
    return Heat(name=f"core, random, {codec}", entries=found, asks=found_asks)


def core_windows(cast: Cast, root: Path, codec: str) -> Heat:
    commands = {
        WINDOWS: cast.bare(root, "windows"),
        f"{WINDOWS}, kept": cast.bare(root, "windows", "kept"),
        "reader, windows of three": cast.core(root, "batches", window=3),
    }
    return Heat(
        name=f"core, windows, {codec}",
        entries=entries(commands, FEW_ITEMS),
        asks=asks([WINDOWS], {"reader, windows of three": 0.9}),
    )


def core_order(cast: Cast, root: Path, codec: str) -> Heat:
    commands = {
        ORDER: cast.bare(root, "order"),
        f"{ORDER}, kept": cast.bare(root, "order", "kept"),
        "reader, shuffled GOPs": cast.core(root, "gops"),
        "reader, episodes": cast.core(root, "episodes"),
    }
    least = {"reader, shuffled GOPs": 0.85, "reader, episodes": 0.85}
    return Heat(
        name=f"core, in order, {codec}",
        entries=entries(commands, MANY_ITEMS),
        asks=asks([ORDER], least),
    )


def settings(cast: Cast, root: Path, *, uint8: bool) -> Heat:
    """lerobot's DataLoader with each number of workers."""
    commands: dict[str, Command] = {}
    for workers in WORKERS:
        arguments = {"return_uint8": uint8}
        commands |= cast.lerobot(root, workers=workers, arguments=arguments)
    kind = "uint8" if uint8 else "float32"
    return Heat(name=f"lerobot's settings, {kind}", entries=entries(commands, FEW_ITEMS))


def torch_float(cast: Cast, root: Path, codec: str, *, workers: int) -> Heat:
    peer = cast.lerobot(root, workers=workers)
    ours = {
        "DataLoader, 0 workers": cast.torch(root),
        "DataLoader, 2 workers": cast.torch(root, workers=2),
        "DataLoader, 2 workers, blocks": cast.torch(root, workers=2, order="blocks"),
        "Loader": cast.torch(root, feed="Loader"),
        "Loader, helper process": cast.torch(root, feed="Loader", loader={"mode": "process"}),
        "Loader at 224×224": cast.torch(root, feed="Loader", reader={"size": SMALL}),
        "Loader, blocks": cast.torch(root, feed="Loader", order="blocks"),
    }
    least = {
        "Loader": 3.0,
        "DataLoader, 0 workers": 2.2,
        "DataLoader, 2 workers": 2.5,
        "DataLoader, 2 workers, blocks": 3.0,
        "Loader, blocks": 3.5,
    }
    limits = {RANDOM: cast.bare(root, "random"), FLOATS: cast.bare(root, "random", "float32")}
    cheaper = [
        Ask(ours=name, over=tuple(peer), at_least=2.5, what="CPU per item")
        for name in ("DataLoader, 0 workers", "Loader")
        if peer
    ]
    return Heat(
        name=f"torch, float32, {codec}",
        entries=entries({**limits, **peer, **ours}, ITEMS),
        asks=(
            *asks([RANDOM], {"Loader": 0.8}),
            *asks([FLOATS], {"Loader": 0.8}),
            *asks(["Loader"], {"Loader at 224×224": 1.2}),
            *asks(list(peer), least),
            *cheaper,
        ),
    )


def torch_busy(cast: Cast, root: Path) -> Heat:
    """Where batches are better made, beside a step of Python as long as the limit needs for a batch."""
    ours = {
        f"Loader, {mode}": cast.torch(root, feed="Loader", loader={"mode": mode}, busy_ms=BUSY_MS)
        for mode in ("threads", "process")
    }
    ours["DataLoader, 2 workers"] = cast.torch(root, workers=2, busy_ms=BUSY_MS)
    return Heat(name="torch, busy step", entries=entries(ours, ITEMS))


def torch_uint8(cast: Cast, root: Path, codec: str, *, workers: int) -> Heat:
    whole: dict[str, Any] = {"arguments": {"return_uint8": True}}
    peer = cast.lerobot(root, workers=workers, **whole)
    ours = {
        "DataLoader, 0 workers": cast.torch(root, **whole),
        "DataLoader, 2 workers": cast.torch(root, workers=2, **whole),
        "Loader": cast.torch(root, feed="Loader", **whole),
    }
    least = {"DataLoader, 0 workers": 2.0, "DataLoader, 2 workers": 2.0}
    return Heat(
        name=f"torch, uint8, {codec}",
        entries=entries({RANDOM: cast.bare(root, "random"), **peer, **ours}, ITEMS),
        asks=(*asks([RANDOM], {"Loader": 0.85}), *asks(list(peer), least)),
    )


def torch_order(cast: Cast, root: Path, codec: str, *, workers: int) -> Heat:
    peer = cast.lerobot(root, workers=workers, order="in order")
    ours = {
        "DataLoader, 2 workers": cast.torch(root, workers=2, order="in order"),
        "Loader": cast.torch(root, feed="Loader", order="in order"),
    }
    return Heat(
        name=f"torch, in order, {codec}",
        entries=entries({ORDER: cast.bare(root, "order"), **peer, **ours}, ITEMS),
        asks=asks(list(peer), {"Loader": 5.0}),
    )


def torch_cached(cast: Cast, sets: ReadSets, cache: Path, *, workers: int) -> Heat:
    """All frames are in the cache before the first lap that counts."""
    small: dict[str, Any] = {"size": SMALL, "frame_cache": str(cache)}
    peer = cast.lerobot(sets.few, workers=workers)
    ours = {
        "Loader, cached, float32": cast.torch(sets.few, feed="Loader", reader=small),
        "Loader, cached, uint8": cast.torch(
            sets.few, feed="Loader", reader=small, loader={"uint8": True}
        ),
    }
    found = entries(peer, FEW_ITEMS) | entries(ours, MANY_ITEMS * 4, warm=2000)
    return Heat(
        name="torch, frame cache",
        entries=found,
        asks=asks(list(peer), {"Loader, cached, float32": 20.0, "Loader, cached, uint8": 20.0}),
    )


def long_gops(cast: Cast, root: Path) -> Heat:
    """A frame costs 125 others on average: 30 items are enough to tell."""
    commands = {"reader, item by item": cast.core(root, "items")}
    blocks = {
        "reader, blocks": cast.core(root, "blocks", block_frames=250),
        "Loader, blocks": cast.torch(root, feed="Loader", order="blocks"),
        "Loader, blocks, uint8": cast.torch(
            root, feed="Loader", order="blocks", arguments={"return_uint8": True}
        ),
        ORDER: cast.bare(root, "order"),
        f"{ORDER}, float32": cast.bare(root, "order", "float32"),
    }
    least = {"reader, blocks": 30.0, "Loader, blocks": 30.0, "Loader, blocks, uint8": 30.0}
    floats = asks([f"{ORDER}, float32"], {"Loader, blocks": 0.8})
    return Heat(
        name="GOP 250",
        entries=entries(commands, 30, warm=4) | entries(blocks, MANY_ITEMS),
        asks=(*asks(["reader, item by item"], least), *floats),
    )


def state_only(cast: Cast, root: Path) -> Heat:
    peer = cast.lerobot(root, workers=0) | cast.lerobot(root, workers=2)
    ours = {
        "DataLoader, 0 workers": cast.torch(root),
        "DataLoader, 2 workers": cast.torch(root, workers=2),
        "Loader": cast.torch(root, feed="Loader"),
    }
    return Heat(
        name="state only",
        entries=entries(peer, 4000) | entries(ours, 40_000, warm=4000),
        asks=asks(list(peer), {"Loader": 15.0, "DataLoader, 0 workers": 15.0}),
    )
