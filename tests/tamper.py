"""Single changes to a dataset of any version, each at a place that is told."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tests.mutate import edit_table
from tests.oracle import Episode, Reading, read


def rows_in_file(reading: Reading, episode: int) -> tuple[Path, int]:
    """The table file of an episode, and its first row there."""
    found = reading.episodes[episode]
    same = [e for e in reading.episodes[:episode] if e.data_path == found.data_path]
    return reading.root / found.data_path, sum(len(e.rows) for e in same)


def edit_values(
    root: Path, episode: int, column: str, change: Callable[[npt.NDArray[Any]], object]
) -> None:
    """Let `change` edit the numbers of a column: (rows, …) of an episode."""
    reading = read(root)
    path, start = rows_in_file(reading, episode)
    count = len(reading.episodes[episode].rows)

    def edited(table: pa.Table) -> pa.Table:
        at = table.column_names.index(column)
        whole = table[column].combine_chunks()
        return table.set_column(at, table.schema.field(at), _edited(whole, start, count, change))

    edit_table(path, edited)


def _edited(
    column: pa.Array, start: int, count: int, change: Callable[[npt.NDArray[Any]], object]
) -> pa.Array:
    flat, lengths = column, []
    while pa.types.is_list(flat.type) or pa.types.is_fixed_size_list(flat.type):
        lengths.append(int(pc.list_value_length(flat)[0].as_py()))
        flat = pc.list_flatten(flat)
    held = object if pa.types.is_string(flat.type) else None
    values = np.array(flat.to_numpy(zero_copy_only=False), dtype=held).reshape(-1, *lengths)
    change(values[start : start + count])
    made = pa.array(values.reshape(-1), flat.type)
    types = []
    kind = column.type
    for _ in lengths:
        types.append(kind)
        kind = kind.value_type
    for type_, length in zip(reversed(types), reversed(lengths), strict=True):
        if pa.types.is_fixed_size_list(type_):
            made = pa.FixedSizeListArray.from_arrays(made, type=type_)
        else:
            ends = np.arange(0, len(made) + 1, length, dtype=np.int32)
            made = pa.ListArray.from_arrays(pa.array(ends), made, type=type_)
    return made


def flip_bit(root: Path, episode: int, row: int, column: str = "action") -> None:
    """The lowest bit of the last number of a float32 vector."""

    def change(values: npt.NDArray[Any]) -> None:
        values.view(np.uint32)[row, -1] ^= 1

    edit_values(root, episode, column, change)


def swap_rows(root: Path, episode: int, row: int, column: str = "action") -> None:
    """A row and the one after it, in one column."""

    def change(values: npt.NDArray[Any]) -> None:
        values[[row, row + 1]] = values[[row + 1, row]]

    edit_values(root, episode, column, change)


def packets_of(root: Path, episode: Episode, camera: str) -> list[tuple[int, int]]:
    """(place, size) in its file of each packet of an episode's frames, in display order."""
    clip = episode.external_videos[camera]
    with av.open(str(root / clip.path)) as container:
        found = [p for p in container.demux(video=0) if p.size and p.pts is not None]
        shown = sorted(found, key=lambda packet: packet.pts or 0)
        places = [(int(packet.pos or 0), int(packet.size)) for packet in shown]
    return places[clip.start : clip.start + episode.length]


def flip_packet_byte(root: Path, episode: int, frame: int, camera: str) -> None:
    """The last byte of the packet of a frame."""
    found = read(root).episodes[episode]
    place, size = packets_of(root, found, camera)[frame]
    path = root / found.external_videos[camera].path
    data = bytearray(path.read_bytes())
    data[place + size - 1] ^= 0x55
    path.write_bytes(bytes(data))


def remux(path: Path, order: Callable[[list[Any]], list[Any]], *, fps: int = 30) -> None:
    """Write a file's packets anew at even times, those that `order` gives."""
    aside = path.with_suffix(".aside.mp4")
    with av.open(str(path)) as old, av.open(str(aside), "w") as new:
        stream: Any = new.add_stream_from_template(old.streams.video[0])
        stream.time_base = Fraction(1, fps)
        packets = order([packet for packet in old.demux(video=0) if packet.size])
        for number, packet in enumerate(packets):
            copy = av.Packet(bytes(packet))
            copy.is_keyframe = packet.is_keyframe
            copy.stream, copy.time_base = stream, Fraction(1, fps)
            copy.pts = copy.dts = number
            copy.duration = 1  # else the last frame may be shown for no time at all
            new.mux(copy)
    aside.replace(path)


def encode_anew(path: Path, options: dict[str, str]) -> None:
    """Encode a file's pictures with x264; `{"qp": "0"}` is lossless."""
    aside = path.with_suffix(".aside.mp4")
    with av.open(str(path)) as old, av.open(str(aside), "w") as new:
        source: Any = old.streams.video[0]
        stream: Any = new.add_stream("libx264", rate=source.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, source.pix_fmt
        for number, frame in enumerate(old.decode(source)):
            frame.pts, frame.time_base = number, 1 / Fraction(source.average_rate)
            frame.pict_type = 0
            new.mux(stream.encode(frame))
        new.mux(stream.encode(None))
    aside.replace(path)
