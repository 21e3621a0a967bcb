"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass, field

from roboreel.errors import Problem, Severity
from roboreel.format.json_types import Json
from roboreel.format.version import FormatVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The problems of a dataset, and what was looked at."""

    path: str
    """Where the dataset lies."""
    version: FormatVersion | None
    """None where the documents do not tell."""
    episodes: int = 0
    rows: int = 0
    """Rows that were read."""
    packets: int = 0
    """Packets in the video files that an episode names."""
    files: int = 0
    pictures: int = 0
    """Pictures that were decoded."""
    problems: tuple[Problem, ...] = field(repr=False)
    """Errors first, then warnings, then notes; each in the order of the rules."""

    @property
    def ok(self) -> bool:
        """True where there is no error."""
        return not self.of("error")

    def of(self, severity: Severity) -> tuple[Problem, ...]:
        """The problems of one severity."""
        return tuple(problem for problem in self.problems if problem.severity == severity)

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
            "problems": [problem.to_json() for problem in self.problems],
        }
