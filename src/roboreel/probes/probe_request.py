"""What a survey asks of files, and the form of what they answer: data that may travel and be kept.

A question names a file, its size and stamp, and the episodes that the documents place in it. An answer is
a row of an Arrow table: what that one file says about these episodes. What it means for the dataset is
settled elsewhere.
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
    """Something odd that a file says about its episodes."""

    member: int | None
    """Position of the episode among those asked about; None for all of them."""
    rule: str
    message: str
    action: str | None = None
    """How it is taken; None where it breaks the episode."""
    column: str | None = None
    amount: float = 0.0
    """How bad it is among remarks of the same rule: larger is worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """Questions to many files of one kind, in order."""

    about: tuple[object, ...]
    """What all answers hang on besides their files, e.g. the frame rate; told apart by its `repr`."""
    paths: Sequence[str] = field(repr=False)
    files: Sequence[FileFacts] = field(repr=False)
    """Size and stamp of each file, taken before it is read."""
    bounds: Int64 = field(repr=False)
    """(files + 1,) the rows of `episodes` that belong to each file: `bounds[i]` to `bounds[i + 1]`."""
    episodes: Int64 = field(repr=False)
    """(episodes, k) numbers that tell of each episode."""
    cost_us: Int64 = field(repr=False)
    """(files,) roughly how long the answer takes."""

    def __len__(self) -> int:
        return len(self.paths)

    def of_file(self, position: int) -> Int64:
        """(n, k) the episodes asked about in one file."""
        return self.episodes[self.bounds[position] : self.bounds[position + 1]]

    def part(self, chosen: Sequence[int]) -> ProbeRequest:
        """Some of the questions."""
        slices = [self.of_file(position) for position in chosen]
        return ProbeRequest(
            about=self.about,
            paths=[self.paths[position] for position in chosen],
            files=[self.files[position] for position in chosen],
            bounds=bounds_of([len(span) for span in slices]),
            episodes=np.concatenate(slices) if slices else self.episodes[:0],
            cost_us=self.cost_us[np.asarray(chosen, dtype=np.int64)],
        )

    def batches(self) -> Iterator[ProbeRequest]:
        """The questions in portions of about the same cost, in order."""
        portion = (np.cumsum(self.cost_us) - self.cost_us) // _BATCH_US
        cuts = np.flatnonzero(np.diff(portion)) + 1
        for chosen in np.split(np.arange(len(self)), cuts):
            if len(chosen):
                yield self.part(chosen.tolist())

    def keys(self, kind: str) -> list[bytes]:
        """A digest per question: of all that its answer hangs on, the file's size and stamp included."""
        common = blake2b(f"{kind}\0{self.about!r}".encode(), digest_size=KEY_BYTES).digest()
        numbers = np.ascontiguousarray(self.episodes).tobytes()
        ends = (self.bounds * (self.episodes.shape[1] * self.episodes.itemsize)).tolist()
        keys = []
        for position, (path, file) in enumerate(zip(self.paths, self.files, strict=True)):
            place = f"{path}\0{file.size_bytes}\0{file.stamp}\0".encode("utf-8", "surrogatepass")
            asked = numbers[ends[position] : ends[position + 1]]
            keys.append(blake2b(common + place + asked, digest_size=KEY_BYTES).digest())
        return keys


def bounds_of(lengths: Sequence[int]) -> Int64:
    """(n + 1,) where each of n pieces begins and the last one ends."""
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)


def as_text(value: object) -> str:
    """A small value as JSON in ASCII: file names need not be valid Unicode."""
    return json.dumps(value)


def findings_text(probe_findings: Iterable[Finding]) -> str | None:
    """Remarks on a file, None where there are none."""
    listed = [list(finding) for finding in probe_findings]
    return as_text(listed) if listed else None


def findings_of(answers: pa.Table) -> Iterator[tuple[int, str | None, list[Finding]]]:
    """(position, why the file cannot be read, remarks) for every file with either, in order."""
    failures, strings = answers["error"].to_pylist(), answers["remarks"].to_pylist()
    for position, (failure, text) in enumerate(zip(failures, strings, strict=True)):
        if failure is not None or text is not None:
            probe_findings = [Finding(*parts) for parts in json.loads(text or "[]")]
            yield position, None if failure is None else json.loads(failure), probe_findings


def flat(answers: pa.Table, name: str) -> Int64:
    """The values of a list column, one file's after another's."""
    values = answers[name].combine_chunks().flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False))
