"""What a dry run lists: the files and statistics that a plan writes, in the words of users."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from roboreel.errors import counted
from roboreel.plan.plan import (
    CopyFile,
    CopyTables,
    CopyVideos,
    EncodeVideo,
    EpisodeRange,
    MeasureCamera,
    Op,
    Plan,
    RemuxVideo,
    WriteTables,
)
from roboreel.summary.words import human_bytes

_KINDS: dict[type[object], str] = {
    WriteTables: "data",
    CopyTables: "data",
    RemuxVideo: "videos",
    CopyVideos: "videos",
    EncodeVideo: "videos",
    MeasureCamera: "statistics",
    CopyFile: "other",
}
_SHOWN_RANGES = 3


@dataclass(slots=True)
class _Line:
    """Ops of one kind, camera and reason."""

    kind: str
    subject: str
    """The camera, or the path of a file that is not part of the format."""
    reason: str
    files: int = 0
    size_bytes: int | None = 0
    """None if it is not known before the files are written."""
    ranges: list[EpisodeRange] = field(default_factory=list)

    def add(self, op: Op, size_bytes: int | None) -> None:
        """Add an op."""
        self.files += 1 if isinstance(op, CopyFile) else getattr(op, "files", 0)
        known = self.size_bytes is not None and size_bytes is not None
        self.size_bytes = (self.size_bytes or 0) + (size_bytes or 0) if known else None
        if not isinstance(op, CopyFile):
            self.ranges.append(op.episodes)


def planned_rows(plan: Plan) -> list[tuple[str, ...]]:
    """The rows of a table: kind, files, size, camera or path, episodes, and what is done.

    Ops that differ only in their episodes share a row. The size of copied files is the size of what is read;
    encoded videos have no size before they are encoded.
    """
    lines: dict[tuple[str, str, str], _Line] = {}
    for op, size in zip(plan.ops, plan.op_sizes, strict=True):
        subject = op.path if isinstance(op, CopyFile) else getattr(op, "camera", "")
        key = (_KINDS[type(op)], subject, op.reason)
        encoded = isinstance(op, EncodeVideo)
        lines.setdefault(key, _Line(*key)).add(op, None if encoded else size)
    return [_row(line, len(plan.model.episodes)) for line in lines.values()]


def _row(line: _Line, episodes: int) -> tuple[str, ...]:
    files = counted(line.files, "file") if line.files else ""
    size = "" if line.size_bytes is None else f"~{human_bytes(line.size_bytes)}"
    return line.kind, files, size, line.subject, _episodes(line.ranges, episodes), line.reason


def _episodes(ranges: Iterable[EpisodeRange], total: int) -> str:
    """Which episodes, ranges half-open as in the options: `all episodes`, `episodes 0:3,7`."""
    spans = _joined(ranges)
    if not spans:
        return ""
    if spans == [(0, total)]:
        return "all episodes"
    words = [str(a) if b == a + 1 else f"{a}:{b}" for a, b in spans[:_SHOWN_RANGES]]
    more = ",…" if len(spans) > _SHOWN_RANGES else ""
    plural = "" if len(spans) == 1 and spans[0][1] == spans[0][0] + 1 else "s"
    return f"episode{plural} {','.join(words)}{more}"


def _joined(ranges: Iterable[EpisodeRange]) -> Sequence[tuple[int, int]]:
    """The ranges in order, adjacent ones as one."""
    spans: list[tuple[int, int]] = []
    for start, stop in sorted((one.start, one.stop) for one in ranges):
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], stop)
        else:
            spans.append((start, stop))
    return spans
