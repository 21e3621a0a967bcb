"""What a survey collects beside its arrays: facts of files, broken episodes, problems."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from roboreel.dataset.dataset import Dataset
from roboreel.errors import Problem, StorageError
from roboreel.format.inventory import FileFacts
from roboreel.format.model import EPISODE
from roboreel.format.parse import Problems
from roboreel.format.v2 import expected_path
from roboreel.probes.probe_request import Finding


@dataclass(slots=True)
class Findings:
    """Grows while the files of a dataset are surveyed."""

    dataset: Dataset
    files: dict[str, FileFacts] = field(default_factory=dict)
    broken: dict[int, list[Problem]] = field(default_factory=dict)
    """Why an episode cannot be written, by its row in the table of episodes."""
    problems: Problems = field(default_factory=Problems)
    numbers: list[int] = field(init=False)
    """Episode numbers as the dataset has them."""

    def __post_init__(self) -> None:
        self.numbers = self.dataset.episodes[EPISODE].to_pylist()

    def add_file(self, path: str) -> None:
        """Note size and stamp of a file before it is read.

        Raises:
            StorageError: it is not there.
        """
        found = self.dataset.root.stat(path)
        self.files[path] = FileFacts(size_bytes=found.size_bytes, stamp=found.stamp)

    def add_files(self, paths: Collection[str]) -> dict[str, StorageError]:
        """Note size and stamp of many files before they are read; gives why those have none that failed."""
        failed: dict[str, StorageError] = {}
        for path, found in zip(paths, self.dataset.root.stats(paths), strict=True):
            if isinstance(found, StorageError):
                failed[path] = found
            else:
                self.files[path] = FileFacts(size_bytes=found.size_bytes, stamp=found.stamp)
        return failed

    def breaks(
        self,
        rows: Iterable[int],
        rule: str,
        message: str,
        *,
        path: str | None = None,
        column: str | None = None,
        amount: float = 0.0,
    ) -> None:
        """Note why episodes cannot be written."""
        for row in rows:
            problem = Problem(
                rule=rule,
                severity="error",
                message=message,
                path=path,
                episode=self.numbers[row],
                column=column,
                amount=amount,
            )
            self.broken.setdefault(row, []).append(problem)

    def missing(
        self,
        rows: Iterable[int],
        rule: str,
        what: str,
        *,
        path: str | None,
        column: str | None = None,
    ) -> None:
        """Note files that are not there, by the path at which each is expected.

        Args:
            rows: the episodes that need the file.
            rule: id of the rule.
            what: kind of file, in words.
            path: the path in the documents, None where they have none (in v2.x for a file that is not there).
            column: the camera of a video.
        """
        dataset = self.dataset
        for row in rows:
            expected, message = path, f"the {what} is missing"
            if path is None and dataset.version.one_file_per_episode:
                expected = expected_path(dataset.model.info, self.numbers[row], column or "")
            elif path is None:
                message = f"the table of episodes states no {what}"
            self.breaks([row], rule, message, path=expected, column=column)

    def finding(
        self, members: Sequence[int], finding: Finding, *, path: str, column: str | None = None
    ) -> None:
        """Note what a file says of its episodes, given by their rows."""
        place = {"path": path, "column": finding.column or column}
        rows = members if finding.member is None else [members[finding.member]]
        if finding.action is None:
            self.breaks(rows, finding.rule, finding.message, **place, amount=finding.amount)
            return
        for row in rows:
            self.notes(
                row,
                finding.rule,
                finding.message,
                action=finding.action,
                amount=finding.amount,
                **place,
            )

    def notes(
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
        """Note what is odd about an episode, and how it is taken."""
        self.problems.add(
            rule,
            message,
            path=path,
            episode=self.numbers[row],
            column=column,
            action=action,
            amount=amount,
        )
