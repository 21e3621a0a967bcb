"""Write videos: copy packets or, if nothing else is possible, encode frames again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import IO

from roboreel.errors import RunError
from roboreel.format.model import video_path
from roboreel.plan.plan import (
    ROWS,
    EncodeVideo,
    RemuxVideo,
    input_frame,
    input_joined,
    input_packets,
    input_video,
)
from roboreel.runner.kernels.episode_frames import camera_frames
from roboreel.runner.work import OpResult, Work
from roboreel.storage.root import Root
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.encode import encode_parts
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.mux import PacketSlice, verify_packets, write_packets
from roboreel.storage.video.packets import PacketTable, run_of_frames


def run_remux_video(work: Work, op: RemuxVideo) -> OpResult:
    """Copy the packets of the op's episodes into its files."""
    source, staging = work.roots()
    packets, frames, size = 0, 0, 0
    with closing(_Videos(work, source)) as videos:
        for path, members in work.by_output(video_path(op.camera)):
            slices = list(_packet_slices(work, op.camera, members, videos))
            promised = sum(work.inputs[input_packets(op.camera)][at].as_py() for at in members)
            written = write_packets(staging, path, slices, fps=work.table.fps)
            verify_packets(staging, path, packets=promised, size_bytes=written)
            size += written
            packets += promised
            frames += sum(work.inputs[ROWS][at].as_py() for at in members)
    return OpResult(
        number=work.number, packets=packets, frames=frames, files=op.files, size_bytes=size
    )


def run_encode_video(work: Work, op: EncodeVideo) -> OpResult:
    """Encode the frames of the op's episodes into its files."""
    source, staging = work.roots()
    frames, size = 0, 0
    for path, members in work.by_output(video_path(op.camera)):
        encoded = encode_parts(
            staging,
            path,
            (
                camera_frames(work, source, op.camera, at, in_tables=op.from_tables)
                for at in members
            ),
            fps=work.table.fps,
            encoder=op.encoder,
            size=op.size,
        )
        promised = [work.inputs[ROWS][at].as_py() for at in members]
        if encoded != promised:
            raise RunError(f"'{path}' has {sum(encoded)} frames, expected {sum(promised)}")
        frames += sum(encoded)
        size += staging.stat(path).size_bytes
    return OpResult(
        number=work.number, frames=frames, files=op.files, size_bytes=size, encoded=frames
    )


class _Videos:
    """The op's input videos; the last one stays open, because episodes of one file follow each other."""

    def __init__(self, work: Work, root: Root) -> None:
        self._work, self.root = work, root
        self._last: tuple[str, IO[bytes], PacketTable, AccessPoints] | None = None

    def of(self, name: str) -> tuple[PacketTable, AccessPoints]:
        """The packets of a file, after checking that it is the one that was surveyed."""
        if self._last is None or self._last[0] != name:
            self.close()
            self._work.check_input(self.root, name)
            table, file = read_packet_table(self.root, name), self.root.input(name)
            self._last = (name, file, table, AccessPoints(file, table))
        return self._last[2], self._last[3]

    def close(self) -> None:
        """Close the open file."""
        if self._last is not None:
            self._last[1].close()
        self._last = None


def _packet_slices(
    work: Work, camera: str, members: Sequence[int], videos: _Videos
) -> Iterator[PacketSlice]:
    """Yield the runs of packets of a file; episodes that continue the previous one share a run."""
    starts = work.inputs[input_frame(camera)].to_pylist()
    rows = work.inputs[ROWS].to_pylist()
    joined = work.inputs[input_joined(camera)].to_pylist()
    # a joined episode goes on where the previous one ends: as one run, their common packets come once
    ends = [at for at in members if at == members[-1] or not joined[at + 1]]
    first = members[0]
    for last in ends:
        name = work.inputs[input_video(camera)][first].as_py()
        table, points = videos.of(name)
        stop = starts[last] + rows[last]
        run = run_of_frames(table, starts[first], stop, resets=points.resets)
        yield PacketSlice(videos.root, name, table, run)
        first = last + 1
