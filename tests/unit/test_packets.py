"""Packet tables and runs of frames, on synthetic streams that say what each packet hangs on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from roboreel.storage.video.packets import PacketRun, PacketTable, SampleEntry, run_of_frames

ENTRY = SampleEntry(data=bytes(90), matrix=bytes(36))
STEP = 100  # ticks between frames


@dataclasses.dataclass(frozen=True)
class Stream:
    """A track with what a decoder must have had before each packet, by decode position."""

    table: PacketTable
    needs: tuple[frozenset[int], ...]
    leading: frozenset[int]
    """Positions that are shown before the keyframe they follow."""


def table_of(
    shown_at: Sequence[int],
    keyframe: Sequence[bool],
    *,
    jitter: Sequence[int] = (),
    hidden: tuple[int, int] = (0, 0),
) -> PacketTable:
    """A table whose packet i is shown as the `shown_at[i]`-th; the first and last few hidden."""
    count = len(shown_at)
    pts = np.array(shown_at, dtype=np.int64) * STEP
    pts += np.array([*jitter, *([0] * count)][:count], dtype=np.int64)
    size = np.arange(1, count + 1, dtype=np.int64)
    ordered = np.sort(pts)
    before, after = hidden
    return PacketTable(
        entry=ENTRY,
        timescale=30 * STEP,
        offset=np.cumsum(size) - size,
        size=size,
        pts=pts,
        keyframe=np.array(keyframe, dtype=np.bool_),
        shown_from=int(ordered[before]),
        shown_to=int(ordered[count - after]) if after else None,
    )


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """GOPs, closed and open, of groups of B-frames before the anchor that they hang on."""
    shown_at: list[int] = []
    keyframe: list[bool] = []
    needs: list[frozenset[int]] = []
    leading: set[int] = set()
    anchor, at = -1, 0  # decode position of the last anchor, next place in display order
    for gop in range(draw(st.integers(1, 4))):
        is_open = gop > 0 and draw(st.booleans())
        for group in range(draw(st.integers(1, 4))):
            key = group == 0
            b_frames = draw(st.integers(0, 3)) if not key or is_open else 0
            here = len(shown_at)
            shown_at.append(at + b_frames)
            keyframe.append(key)
            needs.append(frozenset() if key else frozenset({anchor}))
            for number in range(b_frames):
                if key:
                    leading.add(len(shown_at))
                needs.append(frozenset({anchor, here}))
                shown_at.append(at + number)
                keyframe.append(False)
            anchor, at = here, at + b_frames + 1
    count = len(shown_at)
    jitter = draw(st.lists(st.integers(-49, 49), min_size=count, max_size=count))
    before = draw(st.integers(0, count - 1))
    after = draw(st.integers(0, count - 1 - before))
    table = table_of(shown_at, keyframe, jitter=jitter, hidden=(before, after))
    return Stream(table, tuple(needs), frozenset(leading))


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Stream, int, int]:
    """A stream, and some of its shown frames."""
    stream = draw(streams())
    start = draw(st.integers(0, stream.table.frames - 1))
    return stream, start, draw(st.integers(start + 1, stream.table.frames))


def run_of(table: PacketTable, start: int, stop: int) -> PacketRun:
    """The run where every keyframe resets the decoder."""
    return run_of_frames(table, start, stop, resets=lambda _: True)


@given(ranges())
def test_run_shows_the_wanted_frames_after_its_lead(given_: tuple[Stream, int, int]) -> None:
    stream, start, stop = given_
    run = run_of(stream.table, start, stop)
    frame = stream.table.frame_of_packet[run.positions]
    assert sorted(run.display.tolist()) == list(range(run.packets))
    shown = frame[np.argsort(run.display)].tolist()
    assert shown == sorted(shown)
    assert shown[run.lead : run.lead + stop - start] == list(range(start, stop))
    assert run.lead == sum(number < start for number in shown)


@given(ranges())
def test_run_holds_all_that_its_packets_hang_on(given_: tuple[Stream, int, int]) -> None:
    stream, start, stop = given_
    run = run_of(stream.table, start, stop)
    positions = run.positions.tolist()
    assert positions == sorted(set(positions))
    for position in positions:
        assert stream.needs[position] <= set(positions)


@given(ranges())
def test_run_is_no_longer_than_needed(given_: tuple[Stream, int, int]) -> None:
    stream, start, stop = given_
    table = stream.table
    run = run_of(table, start, stop)
    frame = table.frame_of_packet
    first, last = int(run.positions[0]), int(run.positions[-1])
    assert table.keyframe[first]
    assert frame[last] < stop
    later_keys = [
        key
        for key in np.flatnonzero(table.keyframe).tolist()
        if key > first and frame[key] <= start
    ]
    wanted = np.flatnonzero((frame >= start) & (frame < stop))
    # a later keyframe would do only if no wanted frame leads it
    assert all(any(position < key for position in wanted) for key in later_keys)


@given(ranges())
def test_frames_from_the_key_to_the_end_have_no_gap(given_: tuple[Stream, int, int]) -> None:
    stream, start, stop = given_
    run = run_of(stream.table, start, stop)
    frame = stream.table.frame_of_packet
    shown = sorted(frame[run.positions].tolist())
    first = int(frame[run.positions[0]])
    assert shown[: stop - first] == list(range(first, stop))


@given(ranges())
def test_leading_frames_of_the_first_keyframe_are_left_out(
    given_: tuple[Stream, int, int],
) -> None:
    stream, start, stop = given_
    run = run_of(stream.table, start, stop)
    first = int(run.positions[0])
    own_leading = {
        position
        for position in stream.leading
        if first in stream.needs[position]
        and stream.table.frame_of_packet[position] < stream.table.frame_of_packet[first]
    }
    assert not own_leading & set(run.positions.tolist())


@given(ranges(), st.sets(st.integers(0, 40)))
def test_run_starts_where_the_decoder_is_reset(
    given_: tuple[Stream, int, int], keep: set[int]
) -> None:
    stream, start, stop = given_
    table = stream.table
    run = run_of_frames(table, start, stop, resets=keep.__contains__)
    first = int(run.positions[0])
    assert first == 0 or first in keep
    usable = int(run_of(table, start, stop).positions[0])
    between = (
        set(np.flatnonzero(table.keyframe).tolist()) & keep & set(range(first + 1, usable + 1))
    )
    assert not between  # no later keyframe would have done
    frame = table.frame_of_packet
    shown = sorted(frame[run.positions].tolist())
    assert shown[: stop - int(frame[first])] == list(range(int(frame[first]), stop))
    assert shown[run.lead : run.lead + stop - start] == list(range(start, stop))
    own = {p for p in stream.leading if first in stream.needs[p]}
    for position in run.positions.tolist():
        assert stream.needs[position] <= set(run.positions.tolist())
        assert position not in own or frame[position] > frame[first]


@given(streams(), st.integers(-40, 40), st.integers(-40, 40))
def test_ranges_outside_the_file_are_refused(stream: Stream, start: int, stop: int) -> None:
    hidden = stream.table.hidden_before
    assume(not -hidden <= start < stop <= stream.table.packets - hidden)
    with pytest.raises(ValueError, match=r"frames? \[?-?\d"):
        run_of(stream.table, start, stop)


@pytest.mark.parametrize("wanted", [(-1, 1), (-2, 0), (0, 3), (1, 4), (2, 3)])
def test_hidden_frames_are_outside_the_file(wanted: tuple[int, int]) -> None:
    table = table_of(range(6), [True] * 6, hidden=(2, 2))
    assert table.frames == 2
    with pytest.raises(ValueError, match="not all in this file, which has 2"):
        run_of(table, *wanted)


def test_range_before_every_keyframe_is_refused() -> None:
    table = table_of([0, 1, 2, 3], [False, False, True, False])
    with pytest.raises(ValueError, match="no keyframe at or before frame 1"):
        run_of(table, 1, 4)
    assert run_of(table, 2, 4).positions.tolist() == [2, 3]


def test_leading_frames_alone_are_decoded_from_the_keyframe_before() -> None:
    # I0 P1 | I4 B2 B3: the B-frames are shown before I4 and hang on P1
    table = table_of([0, 1, 4, 2, 3], [True, False, True, False, False])
    run = run_of(table, 2, 4)
    assert run.positions.tolist() == [0, 1, 2, 3, 4]
    assert (run.lead, run.display.tolist()) == (2, [0, 1, 4, 2, 3])
    assert run_of(table, 4, 5).positions.tolist() == [2]


@given(streams())
def test_frames_are_numbered_in_display_order_from_the_first_shown(stream: Stream) -> None:
    table = stream.table
    shown = (table.pts >= table.shown_from) & (
        table.pts < (table.shown_to if table.shown_to is not None else np.inf)
    )
    assert table.frames == shown.sum()
    numbers = table.frame_of_packet[np.argsort(table.pts)]
    assert (np.diff(numbers) == 1).all()
    assert sorted(table.frame_of_packet[shown].tolist()) == list(range(table.frames))
    assert table.hidden_before == (table.pts < table.shown_from).sum()
    times = np.sort(table.pts[shown])
    seconds = (times - times[0]) / table.timescale
    assert table.frame_seconds.tolist() == seconds.tolist()


def test_frames_of_equal_time_keep_their_decode_order() -> None:
    table = table_of([0, 1, 1, 2], [True] * 4)
    assert table.frame_of_packet.tolist() == [0, 1, 2, 3]


def test_sample_entry_reads_its_fields() -> None:
    data = bytearray(90)
    data[4:8], data[32:34], data[34:36] = b"avc1", b"\x02\x80", b"\x01\xe0"
    entry = SampleEntry(data=bytes(data), matrix=bytes(36))
    assert (entry.fourcc, entry.width, entry.height) == ("avc1", 640, 480)
    assert entry != dataclasses.replace(entry, matrix=bytes(35) + b"\1")
