"""What a repair did, and what it left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    """The rule of `check` that it violates."""
    message: str
    path: str | None = None
    """The file, relative to the dataset."""
    choice: str = ""
    """The options that the user has, where nothing was done."""

    def __str__(self) -> str:
        where = f" ['{self.path}']" if self.path else ""
        choice = f" ({self.choice})" if self.choice else ""
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


def steps_of(problems: Iterable[Problem], *, repaired: bool) -> tuple[RepairStep, ...]:
    """A step for each rule that problems violate: the worst problem, and how many more there are.

    Args:
        problems: the problems.
        repaired: True if they were repaired, False if they are left.
    """
    by_rule: dict[str, list[Problem]] = {}
    for problem in problems:
        by_rule.setdefault(problem.rule, []).append(problem)
    return tuple(_step(rule, found, repaired=repaired) for rule, found in by_rule.items())


def _step(rule: str, problems: list[Problem], *, repaired: bool) -> RepairStep:
    worst = max(problems, key=lambda p: (p.episode is None, p.amount))
    columns = list(dict.fromkeys(p.column for p in [worst, *problems] if p.column))
    shown = ", ".join(f"'{name}'" for name in columns[:_SHOWN_COLUMNS])
    of = f" of {shown}" if shown else ""
    of += (
        f" and {len(columns) - _SHOWN_COLUMNS} more features"
        if len(columns) > _SHOWN_COLUMNS
        else ""
    )
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    known = REPAIRS[rule]
    message = f"{worst.message}{of}{more}"
    if repaired:
        how = "as asked" if known.repaired == "on request" else known.how
        return RepairStep(rule=rule, message=f"{message}: {how}", path=worst.path)
    return RepairStep(rule=rule, message=message, path=worst.path, choice=known.how)


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
    """What was repaired; of a dry run, what would be."""
    refused: str = ""
    """Of a dry run: why the repair would be refused; empty if it would not."""
    left: tuple[RepairStep, ...]
    """What was not repaired, with the choice that the user has."""

    @property
    def ok(self) -> bool:
        """True if the result has no error; without a result, if the dataset has none."""
        return (self.after or self.before).ok

    def to_json(self) -> Mapping[str, Json]:
        """The report as a JSON object."""
        return {
            "path": self.path,
            "out": self.out,
            "recovered": self.recovered,
            "kept": self.kept,
            "ok": self.ok,
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
