"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass, field

from roboreel.errors import Problem, Severity, counted
from roboreel.format.repairs import repair_of
from roboreel.format.version import FormatVersion
from roboreel.summary.summary import Summarized, Summary, by_rule
from roboreel.types import Json


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Problems of one severity, rule and column."""

    problems: tuple[Problem, ...]
    """The worst first; equally bad ones in episode order."""

    @property
    def worst(self) -> Problem:
        """The problem that represents the group; one about the whole dataset is preferred."""
        return self.problems[0]

    @property
    def episodes(self) -> int:
        """How many episodes are named."""
        return len({p.episode for p in self.problems if p.episode is not None})

    def to_json(self) -> dict[str, Json]:
        """The group as a JSON object."""
        return {
            "rule": self.worst.rule,
            "severity": self.worst.severity,
            "column": self.worst.column,
            "count": len(self.problems),
            "episodes": self.episodes,
            "worst": self.worst.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CheckReport(Summarized):
    """The problems of a dataset, and what was looked at."""

    path: str
    """Path or URL of the dataset."""
    version: FormatVersion | None
    """None if the documents do not say."""
    episodes: int = 0
    rows: int = 0
    """Rows that were read."""
    packets: int = 0
    """Packets in the video files that an episode names."""
    files: int = 0
    pictures: int = 0
    """Number of decoded frames and images."""
    problems: tuple[Problem, ...] = field(repr=False)
    """Errors first, then warnings, then notes; each in the order of the rules."""

    @property
    def ok(self) -> bool:
        """True if there is no error."""
        return not self.of("error")

    def __bool__(self) -> bool:
        return self.ok

    def of(self, severity: Severity) -> tuple[Problem, ...]:
        """The problems of one severity."""
        return tuple(problem for problem in self.problems if problem.severity == severity)

    @property
    def groups(self) -> tuple[ProblemGroup, ...]:
        """The problems grouped by severity, rule and column, in order of first appearance."""
        found: dict[tuple[Severity, str, str | None], list[Problem]] = {}
        for problem in self.problems:
            found.setdefault((problem.severity, problem.rule, problem.column), []).append(problem)
        return tuple(
            ProblemGroup(tuple(sorted(group, key=lambda p: (p.episode is not None, -p.amount))))
            for group in found.values()
        )

    @property
    def repairs(self) -> dict[str, str]:
        """What `roboreel repair` does about the problems, or on which choice it does something, by rule."""
        found = {problem.rule: repair_of(problem) for problem in self.problems}
        return {rule: how for rule, how in found.items() if how is not None}

    def to_json(self) -> dict[str, Json]:
        """The report as a JSON object."""
        return {
            "path": self.path,
            "version": None if self.version is None else self.version.value,
            "ok": self.ok,
            "episodes": self.episodes,
            "rows": self.rows,
            "packets": self.packets,
            "files": self.files,
            "pictures": self.pictures,
            "errors": len(self.of("error")),
            "warnings": len(self.of("warning")),
            "notes": len(self.of("note")),
            "groups": [group.to_json() for group in self.groups],
            "problems": [{**p.to_json(), "repair": repair_of(p)} for p in self.problems],
        }

    def _summary(self) -> Summary:
        amounts = ((self.episodes, "episode"), (self.rows, "row"), (self.files, "file"))
        read = ", ".join(counted(number, noun) for number, noun in amounts)
        frames = f", {counted(self.pictures, 'frame')} decoded" if self.pictures else ""
        version = "" if self.version is None else f" ({self.version})"
        return Summary(
            f"Check of '{self.path}'{version}: {'ok' if self.ok else 'not ok'}",
            [
                ("read", read + frames),
                ("errors", by_rule(self.of("error")) or "none"),
                ("warnings", by_rule(self.of("warning")) or "none"),
                ("notes", by_rule(self.of("note"))),
            ],
        )
