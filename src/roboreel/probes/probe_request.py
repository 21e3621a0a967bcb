"""What a survey asks about files, as data that can be sent to processes and cached.

A request names files, with size and stamp, and the episodes that the documents place in each. A probe
answers with an Arrow table, one row per file: facts of this file alone. `survey/` decides what they mean
for the dataset.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from roboreel.format.inventory import FileFacts
from roboreel.types import Int64

KEY_BYTES = 16
_BATCH_US = 50_000


class Finding(NamedTuple):
    """A rule that a file violates, for one or all of its episodes."""

    member: int | None
    """Position of the episode among the file's episodes; None for all of them."""
    rule: str
    message: str
    action: str | None = None
    """How roboreel handles it; None if the episode is broken."""
    column: str | None = None
    amount: float = 0.0
    """Severity among findings of the same rule: larger is worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What to find out about many files of one kind, in order."""

    context: tuple[object, ...]
    """Values that all answers depend on besides the files, e.g. the frame rate; compared by `repr`."""
    paths: Sequence[str] = field(repr=False)
    files: Sequence[FileFacts] = field(repr=False)
    """Size and stamp of each file, taken before it is read."""
    bounds: Int64 = field(repr=False)
    """(files + 1,) rows `bounds[i]` to `bounds[i + 1]` of `episodes` belong to file i."""
    episodes: Int64 = field(repr=False)
    """(episodes, k) numbers that describe each episode, e.g. `DeclaredRows`."""
    cost_us: Int64 = field(repr=False)
    """(files,) estimated time to probe each file, in µs."""

    def __len__(self) -> int:
        return len(self.paths)

    def of_file(self, position: int) -> Int64:
        """(n, k) the rows of `episodes` that belong to one file."""
        return self.episodes[self.bounds[position] : self.bounds[position + 1]]

    def part(self, chosen: Sequence[int]) -> ProbeRequest:
        """The request for some of the files, by position."""
        slices = [self.of_file(position) for position in chosen]
        return ProbeRequest(
            context=self.context,
            paths=[self.paths[position] for position in chosen],
            files=[self.files[position] for position in chosen],
            bounds=bounds_of([len(span) for span in slices]),
            episodes=np.concatenate(slices) if slices else self.episodes[:0],
            cost_us=self.cost_us[np.asarray(chosen, dtype=np.int64)],
        )

    def batches(self) -> Iterator[ProbeRequest]:
        """The request in parts of about equal cost, in order."""
        portion = (np.cumsum(self.cost_us) - self.cost_us) // _BATCH_US
        cuts = np.flatnonzero(np.diff(portion)) + 1
        for chosen in np.split(np.arange(len(self)), cuts):
            if len(chosen):
                yield self.part(chosen.tolist())

    def single_files(self) -> Iterator[ProbeRequest]:
        """The request in parts of one file each, in order."""
        return (self.part([position]) for position in range(len(self)))

    def keys(self, kind: str) -> list[bytes]:
        """A digest per file of everything that its answer depends on, with the file's size and stamp."""
        common = blake2b(f"{kind}\0{self.context!r}".encode(), digest_size=KEY_BYTES).digest()
        numbers = np.ascontiguousarray(self.episodes).tobytes()
        ends = (self.bounds * (self.episodes.shape[1] * self.episodes.itemsize)).tolist()
        keys = []
        for position, (path, file) in enumerate(zip(self.paths, self.files, strict=True)):
            state = f"{path}\0{file.size_bytes}\0{file.stamp}\0".encode("utf-8", "surrogatepass")
            episodes = numbers[ends[position] : ends[position + 1]]
            keys.append(blake2b(common + state + episodes, digest_size=KEY_BYTES).digest())
        return keys


def bounds_of(lengths: Sequence[int]) -> Int64:
    """(n + 1,) start of each of n consecutive ranges, and the end of the last one."""
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)


def as_text(value: object) -> str:
    """Encode a small value as ASCII JSON, because file names may be invalid Unicode."""
    return json.dumps(value)


def findings_text(findings: Iterable[Finding]) -> str | None:
    """Encode the findings of one file as JSON; None if there are none."""
    listed = [list(finding) for finding in findings]
    return as_text(listed) if listed else None


def findings_of(answers: pa.Table) -> Iterator[tuple[int, str | None, list[Finding]]]:
    """(position, error message or None, findings) of each file that has an error or findings."""
    failures, strings = answers["error"].to_pylist(), answers["findings"].to_pylist()
    for position, (failure, text) in enumerate(zip(failures, strings, strict=True)):
        if failure is not None or text is not None:
            findings = [Finding(*parts) for parts in json.loads(text or "[]")]
            yield position, None if failure is None else json.loads(failure), findings


def flat(answers: pa.Table, name: str) -> Int64:
    """Concatenate the values of a list column of all files."""
    values = answers[name].combine_chunks().flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False))
