"""Lets contenders that stay alive alternate: each is started once, and does a lap when it is its turn."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import IO

from laps import Lap

Command = Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Who takes part, and how far each lap goes."""

    command: Command
    items: int
    warm_items: int = 64
    """Of the lap before the first that counts."""


@dataclass(kw_only=True, slots=True)
class Runner:
    name: str
    process: subprocess.Popen[str]
    log: IO[str]

    def answer(self) -> object:
        """The next line of JSON; raises RuntimeError where the process ends instead."""
        if self.process.stdout is not None:
            for line in self.process.stdout:
                if line[:1] in '{"':
                    return json.loads(line)
        self.log.seek(0)
        raise RuntimeError(f"'{self.name}' ended: {self.log.read()[-2000:]}")

    def lap(self, items: int) -> Lap:
        if self.process.stdin is not None:
            self.process.stdin.write(f"{items}\n")
            self.process.stdin.flush()
        found = self.answer()
        assert isinstance(found, dict)
        return Lap(**found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    runs: int = 3
    """Laps that count, of each contender."""
    share: float = 1
    """Of the items of each lap: 1 is what is measured, less tries things out."""

    def items(self, wanted: int) -> int:
        return max(2, round(wanted * self.share))


def heat(entries: Mapping[str, Entry], effort: Effort) -> dict[str, list[Lap]]:
    """The laps of each contender. They alternate, each beginning in turn."""
    with ExitStack() as stack:
        runners = [stack.enter_context(started(n, e.command)) for n, e in entries.items()]
        for runner in runners:
            runner.lap(effort.items(entries[runner.name].warm_items))
        laps: dict[str, list[Lap]] = {runner.name: [] for runner in runners}
        for turn in range(effort.runs if runners else 0):
            shift = turn % len(runners)
            for runner in runners[shift:] + runners[:shift]:
                items = effort.items(entries[runner.name].items)
                laps[runner.name].append(runner.lap(items))
    return laps


@contextmanager
def started(name: str, command: Command) -> Iterator[Runner]:
    """Waits until the contender is ready, so that its start is on nobody's clock."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            runner = Runner(name=name, process=process, log=log)
            runner.answer()
            yield runner
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def middle(laps: Sequence[Lap]) -> Lap:
    """The lap of the median speed."""
    speed = median(lap.per_second for lap in laps)
    return min(laps, key=lambda lap: abs(lap.per_second - speed))
