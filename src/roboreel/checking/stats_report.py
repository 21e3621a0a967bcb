"""Report of a comparison of stored with recomputed statistics."""

from __future__ import annotations

from dataclasses import dataclass, field

from roboreel.errors import Problem, counted
from roboreel.format.version import FormatVersion
from roboreel.summary.summary import Summarized, Summary, by_rule, named
from roboreel.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsDifference:
    """Statistics of a feature that differ from its values for one reason."""

    feature: str
    episodes: tuple[int, ...] | None
    """The episodes concerned; None for the statistics of the whole dataset."""
    statistics: tuple[str, ...]
    gap: float | None
    """The largest difference, in the feature's unit; None if nothing was recomputed."""
    why: str | None
    """The explanation; None if there is none."""
    rule: str | None = None
    """The rule that it breaks, if any."""

    def to_json(self) -> dict[str, Json]:
        """As a JSON object."""
        return {
            "feature": self.feature,
            "episodes": None if self.episodes is None else list(self.episodes),
            "statistics": list(self.statistics),
            "gap": self.gap,
            "why": self.why,
            "rule": self.rule,
        }


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StatsReport(Summarized):
    """What was compared, and what differs."""

    path: str
    version: FormatVersion
    compared: tuple[str, ...]
    """Features whose statistics were recomputed."""
    differences: tuple[StatsDifference, ...]
    problems: tuple[Problem, ...] = field(default=())
    """What could not be compared: missing or unusable statistics, unreadable values."""
    failed: tuple[str, ...] = ()
    """Videos and images that could not be measured, a line each."""

    @property
    def ok(self) -> bool:
        """True if every difference is explained and everything could be read and compared."""
        unusable = any(p.severity == "error" and p.rule.startswith("stats.") for p in self.problems)
        explained = all(one.why is not None for one in self.differences)
        return explained and not self.failed and not unusable

    def to_json(self) -> dict[str, Json]:
        """As a JSON object."""
        return {
            "path": self.path,
            "version": self.version.value,
            "ok": self.ok,
            "compared": list(self.compared),
            "differences": [one.to_json() for one in self.differences],
            "problems": [problem.to_json() for problem in self.problems],
            "failed": list(self.failed),
        }

    def _summary(self) -> Summary:
        unexplained = [one.feature for one in self.differences if one.why is None]
        return Summary(
            f"Statistics of '{self.path}' ({self.version}): {'ok' if self.ok else 'not ok'}",
            [
                ("compared", named(self.compared, shown=6)),
                ("differences", counted(len(self.differences), "difference")),
                ("unexplained", named(dict.fromkeys(unexplained))),
                ("problems", by_rule(self.problems)),
                ("failed", named(self.failed, between="; ")),
            ],
        )
