"""What a pull did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roboreel.errors import counted
from roboreel.summary.summary import Summarized, Summary, named
from roboreel.summary.words import human_bytes
from roboreel.types import Json


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PullReport(Summarized):
    """What a pull did."""

    path: str
    """The dataset's folder."""
    repo_id: str
    revision: str
    commit: str
    files: Mapping[str, int]
    """Table of contents: size in bytes by name of every wanted file, whether it was here before or not."""
    fetched: tuple[str, ...]
    """Names of the files that were fetched."""
    missing: tuple[str, ...]
    """Names of tables and videos that the documents state and the repository doesn't have."""

    @property
    def fetched_bytes(self) -> int:
        """Size of the fetched files, in bytes."""
        return sum(self.files[name] for name in self.fetched)

    def to_json(self) -> dict[str, Json]:
        """The report as a JSON object."""
        return {
            "path": self.path,
            "repo_id": self.repo_id,
            "revision": self.revision,
            "commit": self.commit,
            "files": dict(self.files),
            "fetched": list(self.fetched),
            "fetched_bytes": self.fetched_bytes,
            "missing": list(self.missing),
        }

    def _summary(self) -> Summary:
        fetched = f"{counted(len(self.fetched), 'file')}, {human_bytes(self.fetched_bytes)}"
        size = human_bytes(sum(self.files.values()))
        return Summary(
            f"Pulled {self.repo_id}@{self.revision} (commit {self.commit[:8]})",
            [
                ("path", self.path),
                ("fetched", fetched),
                ("here", f"{counted(len(self.files), 'file')}, {size}"),
                ("missing", named(self.missing)),
            ],
        )
