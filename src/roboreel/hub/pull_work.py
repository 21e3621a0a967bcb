"""One pull at work: find out which files are wanted, fetch what isn't here, and keep the record of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import dataset_below
from roboreel.dataset.pull_record import (
    CONTENTS,
    RECORD,
    PulledFile,
    PullRecord,
    Selection,
    contents_to_bytes,
    read_contents,
)
from roboreel.hub.download import RemoteSource, fetch, present_files, remove_staging
from roboreel.hub.pull_report import PullReport
from roboreel.hub.remote_files import RemoteFile, find_files, list_files
from roboreel.hub.wanted_files import touched_files
from roboreel.progress.reporter import begin_phase
from roboreel.storage.links import Listing
from roboreel.storage.local import LocalRoot

Choice = Callable[[Dataset], Selection]
"""What to pull of a dataset, by its documents."""


class _Planned(LocalRoot):
    """A folder that lists the files of a repository, of which only the documents need to be here."""

    def __init__(self, target: LocalRoot, names: Iterable[str]) -> None:
        super().__init__(target.path)
        self._names = tuple(sorted(names))

    def listing(self) -> Listing:
        return Listing(self._names)


class WantedFiles(NamedTuple):
    """The files that a pull wants beside the documents."""

    found: dict[str, RemoteFile]
    missing: tuple[str, ...] = ()


class PullWork:
    """One pull at work: what is wanted, what is here, and the record of it."""

    def __init__(
        self,
        source: RemoteSource,
        target: LocalRoot,
        record: PullRecord,
    ) -> None:
        self._source, self._target, self._record = source, target, record
        self._phase = begin_phase(f"downloading {source.reference}", unit="bytes")
        self._here: dict[str, PulledFile] = {}
        self._here_bytes = 0
        self._wanted_bytes = 0
        self._known = read_contents(target)
        self._fetched: list[str] = []
        self._wanted: dict[str, RemoteFile] = {}

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Keep the record on the disk up to date, also where the block fails."""
        self._write()
        try:
            yield
        finally:
            self._write()
        remove_staging(self._target)
        self._target.sync([name for name in self._fetched if self._target.exists(name)])
        self._record = replace(self._record, complete=True)
        self._write()

    def get(self, files: Mapping[str, RemoteFile]) -> None:
        """Fetch the files that aren't here."""
        found = present_files(self._target, files.values(), self._known)
        self._wanted |= files
        self._wanted_bytes = sum(file.size_bytes for file in self._wanted.values())
        self._here |= found
        self._here_bytes = sum(file.size_bytes for file in self._here.values())
        self._show()
        due = [file for name, file in sorted(files.items()) if name not in found]
        fetch(self._source, due, self._target, self._arrived)

    def planned(self, documents: Mapping[str, RemoteFile], choice: Choice | None) -> WantedFiles:
        """The files to fetch beside the documents: for the choice, and for what was asked for before.

        What is chosen becomes a selection of the record.
        """
        dataset = dataset_below(_Planned(self._target, documents))
        before = self._record.selections
        chosen = () if choice is None else (choice(dataset),)
        selections = tuple(dict.fromkeys([*before, *chosen]))
        if not selections:
            return WantedFiles({})
        names = _touched(dataset, selections)  # raises if the dataset has no such episode or camera
        self._record = replace(self._record, selections=selections, complete=False)
        self._write()
        return self._found(names, selections)

    def _found(self, names: list[str], selections: Sequence[Selection]) -> WantedFiles:
        """The named files, and all others of a whole repository, as the repository has them."""
        source, whole = self._source, Selection() in selections
        if not whole:
            found = find_files(source.reference, source.commit, names, source.token)
            if len(found) == len(names):
                return WantedFiles(found)
        every = list_files(source.reference, source.commit, source.token)
        names = _touched(dataset_below(_Planned(self._target, every)), selections)
        if whole:
            names = list(dict.fromkeys([*names, *every]))
        found = {name: every[name] for name in names if name in every}
        return WantedFiles(found, tuple(name for name in names if name not in every))

    def report(self, files: WantedFiles) -> PullReport:
        """What was done."""
        return PullReport(
            path=self._target.url,
            repo_id=self._record.repo_id,
            revision=self._record.revision,
            commit=self._record.commit,
            files={name: file.size_bytes for name, file in sorted(self._wanted.items())},
            fetched=tuple(self._fetched),
            missing=files.missing,
        )

    def _arrived(self, file: RemoteFile, pulled: PulledFile) -> None:
        self._here[file.name] = pulled
        self._here_bytes += file.size_bytes
        self._fetched.append(file.name)
        self._show()

    def _show(self) -> None:
        self._phase.reach(self._here_bytes, self._wanted_bytes)

    def _write(self) -> None:
        self._target.put(CONTENTS, contents_to_bytes({**self._known, **self._here}))
        self._target.put(RECORD, self._record.to_bytes())


def _touched(dataset: Dataset, selections: Iterable[Selection]) -> list[str]:
    """Names of the tables and videos that any of the selections needs."""
    return list(dict.fromkeys(name for one in selections for name in touched_files(dataset, one)))
