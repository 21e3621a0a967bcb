"""Write videos: packets copied, or, where nothing else is possible, frames encoded again."""

from __future__ import annotations

from roboreel.edit.plan import (
    ROWS,
    EncodeVideo,
    RemuxVideo,
    input_bytes,
    input_frame,
    input_packets,
    input_video,
)
from roboreel.errors import RunError
from roboreel.format.model import video_path
from roboreel.runner.work import OpResult, Work
from roboreel.storage.fs import Root
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.encode import encode_frames
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import PacketTable, run_of_frames
from roboreel.storage.video.write import Piece, verify_packets, write_packets


def run_remux_video(work: Work, op: RemuxVideo) -> OpResult:
    """Copy the packets of the op's episodes into its files."""
    source, staging = work.roots()
    tables = _Tables(work, source)
    packets, frames, size = 0, 0, 0
    for path, members in work.by_output(video_path(op.camera)):
        pieces = [_piece(work, op.camera, at, tables) for at in members]
        promised = sum(work.inputs[input_packets(op.camera)][at].as_py() for at in members)
        promised_bytes = sum(work.inputs[input_bytes(op.camera)][at].as_py() for at in members)
        size += write_packets(staging, path, pieces, fps=work.table.fps)
        verify_packets(staging, path, packets=promised, packet_bytes=promised_bytes)
        packets += promised
        frames += sum(work.inputs[ROWS][at].as_py() for at in members)
    return OpResult(
        number=work.number, packets=packets, frames=frames, files=op.files, size_bytes=size
    )


def run_encode_video(work: Work, op: EncodeVideo) -> OpResult:
    """Encode the frames of one episode again, into a file of its own."""
    source, staging = work.roots()
    ((path, _),) = work.by_output(video_path(op.camera))
    name = work.inputs[input_video(op.camera)][0].as_py()
    start, rows = work.inputs[input_frame(op.camera)][0].as_py(), work.inputs[ROWS][0].as_py()
    work.check_input(source, name)
    frames = (f for _, f in decode_frames(source, name, range(start, start + rows)))
    encoded = encode_frames(staging, path, frames, fps=work.table.fps, encoder=op.encoder)
    if encoded != rows:
        raise RunError(f"'{path}' holds {encoded} frames, promised {rows}")
    size = staging.stat(path).size_bytes
    return OpResult(number=work.number, frames=rows, files=1, size_bytes=size, encoded=rows)


class _Tables:
    """Packet tables of the op's inputs; the last one is kept, as a file's episodes come together."""

    def __init__(self, work: Work, root: Root) -> None:
        self._work, self.root = work, root
        self._last: tuple[str, PacketTable] | None = None

    def of(self, name: str) -> PacketTable:
        """The packet table of a file, checked to be the one that was surveyed."""
        if self._last is None or self._last[0] != name:
            self._work.check_input(self.root, name)
            self._last = (name, read_packet_table(self.root, name))
        return self._last[1]


def _piece(work: Work, camera: str, at: int, tables: _Tables) -> Piece:
    name = work.inputs[input_video(camera)][at].as_py()
    start = work.inputs[input_frame(camera)][at].as_py()
    table = tables.of(name)
    run = run_of_frames(table, start, start + work.inputs[ROWS][at].as_py())
    return Piece(tables.root, name, table, run)
