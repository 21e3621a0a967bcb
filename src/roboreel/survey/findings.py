"""Collect what a survey finds besides arrays: file facts, broken episodes, problems."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.pull_record import PullRecord, record_among
from roboreel.errors import Problem, StorageError
from roboreel.format.inventory import FileFacts
from roboreel.format.model import EPISODE
from roboreel.format.parse import Problems
from roboreel.format.v2 import expected_path
from roboreel.probes.probe_request import Finding


@dataclass(slots=True)
class Findings:
    """File facts, broken episodes and problems found so far in a survey."""

    dataset: Dataset
    files: dict[str, FileFacts] = field(default_factory=dict)
    broken: dict[int, list[Problem]] = field(default_factory=dict)
    """The errors of each broken episode, by its row in the episodes table."""
    problems: Problems = field(default_factory=Problems)
    numbers: list[int] = field(init=False)
    """(episodes,) the dataset's episode indexes."""
    _pulled: PullRecord | None = field(init=False)
    _present: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._pulled = record_among(self.dataset.root, self.dataset.files)
        self._present = frozenset(self.dataset.files if self._pulled is not None else ())
        self.numbers = self.dataset.episodes[EPISODE].to_pylist()

    def add_file(self, path: str) -> None:
        """Record size and stamp of a file, before it is read.

        Raises:
            StorageError: the file does not exist.
        """
        found = self.dataset.root.stat(path)
        self.files[path] = FileFacts(size_bytes=found.size_bytes, stamp=found.stamp)

    def add_files(self, paths: Collection[str]) -> dict[str, StorageError]:
        """Record size and stamp of many files, before they are read; return the errors of failed ones."""
        failed: dict[str, StorageError] = {}
        for path, found in zip(paths, self.dataset.root.stats(paths), strict=True):
            if isinstance(found, StorageError):
                failed[path] = found
            else:
                self.files[path] = FileFacts(size_bytes=found.size_bytes, stamp=found.stamp)
        return failed

    def add_broken(
        self,
        rows: Iterable[int],
        rule: str,
        message: str,
        *,
        path: str | None = None,
        column: str | None = None,
        amount: float = 0.0,
    ) -> None:
        """Mark episodes, given by rows of the episodes table, as broken."""
        for row in rows:
            problem = Problem(
                rule=rule,
                severity="error",
                message=message,
                path=path,
                episode=self.numbers[row],
                column=column,
                action=self._how_to_fetch(self.numbers[row], path),
                amount=amount,
            )
            self.broken.setdefault(row, []).append(problem)

    def add_missing(
        self,
        rows: Iterable[int],
        rule: str,
        what: str,
        *,
        path: str | None,
        column: str | None = None,
    ) -> None:
        """Mark episodes as broken because a file is missing; the problem has its expected path.

        Args:
            rows: the episodes that need the file.
            rule: id of the rule.
            what: kind of file, for the message.
            path: the path in the documents; None if they have none (in v2.x for every missing file).
            column: the camera of a video.
        """
        dataset = self.dataset
        for row in rows:
            expected, message = path, f"the {what} is missing"
            if path is None and dataset.version.one_file_per_episode:
                expected = expected_path(dataset.model.info, self.numbers[row], column or "")
            elif path is None:
                message = f"the table of episodes does not give the {what}"
            self.add_broken([row], rule, message, path=expected, column=column)

    def _how_to_fetch(self, episode: int, path: str | None) -> str | None:
        """The command that fetches a file which a pull left out; None for other files and datasets."""
        if self._pulled is None or path is None or path in self._present:
            return None
        return f"it was not pulled: {self._pulled.command(self.dataset.url, episode)}"

    def add_finding(
        self, members: Sequence[int], finding: Finding, *, path: str, column: str | None = None
    ) -> None:
        """Add a probe's finding; `members` are the rows of the file's episodes."""
        location = {"path": path, "column": finding.column or column}
        rows = members if finding.member is None else [members[finding.member]]
        if finding.action is None:
            self.add_broken(rows, finding.rule, finding.message, **location, amount=finding.amount)
            return
        for row in rows:
            self.add_warning(
                row,
                finding.rule,
                finding.message,
                action=finding.action,
                amount=finding.amount,
                **location,
            )

    def add_warning(
        self,
        row: int,
        rule: str,
        message: str,
        *,
        action: str,
        path: str | None = None,
        column: str | None = None,
        amount: float = 0.0,
    ) -> None:
        """Add a problem of an episode that can still be written; `action` says how it is handled."""
        self.problems.add(
            rule,
            message,
            path=path,
            episode=self.numbers[row],
            column=column,
            action=action,
            amount=amount,
        )
