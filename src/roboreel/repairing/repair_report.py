"""What a repair did, and what it left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from roboreel.checking.check_report import CheckReport
from roboreel.errors import Problem, visible
from roboreel.format.repairs import REPAIRS
from roboreel.summary.summary import Summarized, Summary, named
from roboreel.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairStep:
    """One thing that was repaired, or left as it is."""

    rule: str
    """The rule of `check` that was violated."""
    message: str
    """What was wrong; of a repair, also what was done."""
    path: str | None = None
    """The file, relative to the dataset."""
    choice: str = ""
    """What the user can do, where nothing was done."""

    def __str__(self) -> str:
        where = f" ({self.path})" if self.path else ""
        choice = f"; {self.choice}" if self.choice else ""
        return visible(f"{self.message}{where}{choice} [{self.rule}]")

    def to_json(self) -> dict[str, Json]:
        """The step as a JSON object."""
        return {
            "rule": self.rule,
            "message": self.message,
            "path": self.path,
            "choice": self.choice or None,
        }


_SHOWN_COLUMNS = 3


def repaired_steps(
    problems: Iterable[Problem], how: Callable[[Problem], str]
) -> tuple[RepairStep, ...]:
    """A step for each rule whose problems were repaired, and for each way of doing it.

    Args:
        problems: the problems.
        how: what was done about a problem.
    """
    by_way: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        by_way.setdefault((problem.rule, how(problem)), []).append(problem)
    return tuple(
        RepairStep(rule=rule, message=f"{_summary(found)}: {done}")
        for (rule, done), found in by_way.items()
    )


def left_steps(problems: Iterable[Problem]) -> tuple[RepairStep, ...]:
    """A step for each rule whose problems are left, with what the user can do."""
    by_rule: dict[str, list[Problem]] = {}
    for problem in problems:
        by_rule.setdefault(problem.rule, []).append(problem)
    return tuple(
        RepairStep(rule=rule, message=_summary(found), choice=REPAIRS[rule].choice)
        for rule, found in by_rule.items()
    )


def _summary(problems: list[Problem]) -> str:
    """The worst of the problems of a rule: what, where, and how many more there are."""
    worst = max(problems, key=lambda p: (p.episode is None, p.amount))
    columns = list(dict.fromkeys(p.column for p in [worst, *problems] if p.column))
    names = columns[:_SHOWN_COLUMNS]
    if len(columns) > _SHOWN_COLUMNS:
        names.append(f"{len(columns) - _SHOWN_COLUMNS} more columns")
    episode = [f"episode {worst.episode}"] if worst.episode is not None else []
    path = [worst.path] if worst.path and worst.path not in worst.message else []
    where = ", ".join([*episode, *names, *path])
    more = f"{len(problems) - 1} more" if len(problems) > 1 else ""
    position = "; ".join(part for part in (where, more) if part)
    return f"{worst.message} ({position})" if position else worst.message


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RepairReport(Summarized):
    """What a repair found, did and left."""

    path: str
    """The dataset."""
    out: str | None
    """The repaired dataset; None for a dry run, and where there was nothing to repair."""
    recovered: str | None = None
    """Folder beside the result with recovered videos of takes that were not saved, if there are any."""
    kept: str | None = None
    """In place: the new name of the original."""
    before: CheckReport = field(repr=False)
    """The check of the dataset."""
    after: CheckReport | None = field(default=None, repr=False)
    """The check of the result; None where `out` is None."""
    repaired: tuple[RepairStep, ...]
    """What was repaired; of a dry run, what would be repaired."""
    refused: str = ""
    """Of a dry run: why the repair would be refused; empty if it would not be."""
    left: tuple[RepairStep, ...]
    """What was not repaired, with what the user can do."""
    expected_errors: int | None = field(default=None, repr=False)
    """Of a dry run: how many errors the result would have, as far as that is known before it is written."""

    @property
    def errors(self) -> int:
        """Errors of the result; of a dry run, the expected ones; without a result, those of the dataset."""
        if self.expected_errors is not None:
            return self.expected_errors
        return len((self.after or self.before).of("error"))

    @property
    def ok(self) -> bool:
        """True if `errors` is 0."""
        return self.errors == 0

    def to_json(self) -> Mapping[str, Json]:
        """The report as a JSON object."""
        return {
            "path": self.path,
            "out": self.out,
            "recovered": self.recovered,
            "kept": self.kept,
            "ok": self.ok,
            "errors": self.errors,
            "refused": self.refused or None,
            "repaired": [step.to_json() for step in self.repaired],
            "left": [step.to_json() for step in self.left],
            "before": self.before.to_json(),
            "after": None if self.after is None else self.after.to_json(),
        }

    def _summary(self) -> Summary:
        result = f"wrote '{self.out}'" if self.out else "nothing was written"
        return Summary(
            f"Repair of '{self.path}': {result}, {'ok' if self.ok else 'not ok'}",
            [
                ("repaired", named((step.rule for step in self.repaired), shown=8)),
                ("left", named((step.rule for step in self.left), shown=8)),
                ("refused", self.refused),
                ("original", self.kept or ""),
                ("recovered", self.recovered or ""),
            ],
        )
