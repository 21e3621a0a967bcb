"""What a push did, or would do."""

from __future__ import annotations

from dataclasses import dataclass

from roboreel.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What a push did; in a dry run, what it would do."""

    path: str
    """The dataset's folder."""
    repo_id: str
    branch: str
    version: str
    """The dataset's version, which is also the name of the tag."""
    commit: str | None
    """The branch's commit afterwards; None in a dry run."""
    uploaded: tuple[str, ...]
    """Names of new and changed files."""
    uploaded_bytes: int
    """Their size in bytes. The Hub may have had the content of some already."""
    unchanged: int
    """Number of files that the Hub had."""
    removed: tuple[str, ...]
    """Names of the files that were removed from the branch; in a dry run, that only the Hub has."""
    commits: int
    """Number of commits."""
    tagged: bool
    """True if the tag of the version names the commit."""

    def to_json(self) -> dict[str, Json]:
        """The report as a JSON object."""
        return {
            "path": self.path,
            "repo_id": self.repo_id,
            "branch": self.branch,
            "version": self.version,
            "commit": self.commit,
            "uploaded": list(self.uploaded),
            "uploaded_bytes": self.uploaded_bytes,
            "unchanged": self.unchanged,
            "removed": list(self.removed),
            "commits": self.commits,
            "tagged": self.tagged,
        }
