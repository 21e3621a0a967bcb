"""Parts of files in memory: what is asked for comes back, whatever was added, and room is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roboreel.storage.memory.held_ranges import RangeStore

FILE = bytes(range(256)) * 2
SPANS = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 90)), max_size=12)


def part(span: tuple[int, int]) -> bytes:
    return FILE[span[0] : sum(span)]


@given(SPANS, SPANS)
def test_bytes_are_those_of_the_file(
    added: list[tuple[int, int]], wanted: list[tuple[int, int]]
) -> None:
    held = RangeStore(1 << 20).of("file")
    have: set[int] = set()
    for span in added:
        held.add(span[0], part(span))
        have.update(range(span[0], sum(span)))
    for span in wanted:
        lacks = {at for gap in held.missing([span]) for at in range(gap[0], sum(gap))}
        assert lacks == set(range(span[0], sum(span))) - have
        assert held.parts([span]) == (None if lacks else [part(span)])


def test_what_was_used_longest_ago_goes_first() -> None:
    store = RangeStore(10)
    first, second = store.of("first"), store.of("second")
    first.add(0, part((0, 4)))
    second.add(0, part((0, 4)))
    second.add(50, part((50, 4)))
    assert (first.parts([(0, 4)]), second.parts([(50, 4)])) == (None, [part((50, 4))])
    assert store.free_bytes == 8


def test_what_is_pinned_stays() -> None:
    store = RangeStore(10)
    held = store.of("file")
    held.add(0, part((0, 6)))
    chunks, again = held.pin([(1, 3)]), held.pin([(0, 6)])
    for start in range(20, 100, 8):
        held.add(start, part((start, 8)))
    assert held.parts([(0, 6)]) == [part((0, 6))]
    held.unpin(chunks)
    assert (held.parts([(0, 6)]), store.free_bytes) == ([part((0, 6))], 8)
    held.unpin(again)
    held.add(120, part((120, 9)))
    assert held.parts([(0, 6)]) is None


def test_a_file_is_the_same_whenever_it_is_asked_for() -> None:
    store = RangeStore(10)
    store.of("file").add(3, b"abc")
    assert store.of("file").parts([(4, 2)]) == [b"bc"]
