"""Copy files unchanged."""

from __future__ import annotations

from roboreel.errors import RunError
from roboreel.format.model import video_path
from roboreel.plan.plan import ROWS, CopyFile, CopyVideos, input_packets, input_video
from roboreel.progress.work_done import advance
from roboreel.runner.work import OpResult, Work
from roboreel.storage.root import Root
from roboreel.storage.write_root import WriteRoot

_PART_BYTES = 8 << 20
"""How much is copied before it is told."""


def run_copy_file(work: Work, op: CopyFile) -> OpResult:
    """Copy one file unchanged."""
    source, staging = work.roots()
    size = copied(work, source, staging, op.source, op.path)
    return OpResult(number=work.number, files=1, size_bytes=size)


def run_copy_videos(work: Work, op: CopyVideos) -> OpResult:
    """Copy video files of one camera unchanged."""
    source, staging = work.roots()
    size = 0
    rows = work.inputs[ROWS].to_pylist()
    for path, members in work.by_output(video_path(op.camera)):
        size += copied(
            work, source, staging, work.inputs[input_video(op.camera)][members[0]].as_py(), path
        )
        advance(frames=sum(rows[at] for at in members))
    packets = sum(work.inputs[input_packets(op.camera)].to_pylist())
    frames = sum(rows)
    return OpResult(
        number=work.number, packets=packets, frames=frames, files=op.files, size_bytes=size
    )


def copied(work: Work, source: Root, staging: WriteRoot, name: str, path: str) -> int:
    """Copy an input to a path of the result if it is as surveyed; return its size in bytes."""
    work.check_input(source, name)
    size = source.stat(name).size_bytes
    with source.input(name) as file, staging.create(path) as output:
        for start in range(0, size, _PART_BYTES):
            part = min(_PART_BYTES, size - start)
            output.copy(file, start=start, size=part)
            advance(size_bytes=part)
    found = staging.stat(path).size_bytes
    if found != size:
        raise RunError(f"'{path}' has {found} bytes, expected {size}")
    return size
