"""Lets contenders alternate, and keeps what each run cost."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from measure import Cost, median_cost, resolve

Contender = Callable[[Path], Cost]
"""Writes into the given new folder and says what it cost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    direction: str
    contender: str
    runs: list[Cost]

    @property
    def median(self) -> Cost:
        return median_cost(self.runs)

    def to_json(self) -> dict[str, object]:
        return asdict(self) | {"median": asdict(self.median)}


def race(
    direction: str, contenders: dict[str, Contender], *, runs: int, work: Path
) -> list[Result]:
    """Lets the contenders alternate, each beginning in turn, after a round that does not count."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(-1, runs):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            out = work / "out"
            resolve()
            spent = contenders[name](out)
            shutil.rmtree(out)
            if turn >= 0:
                costs[name].append(spent)
    return [Result(direction=direction, contender=n, runs=c) for n, c in costs.items()]
