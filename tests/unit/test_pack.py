"""Which episodes share a file."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roboreel.plan.pack import MIB, batches, pack, runs
from roboreel.plan.plan import EpisodeRange


def bounds(found: list[EpisodeRange]) -> list[tuple[int, int]]:
    return [(members.start, members.stop) for members in found]


def sizes_of(*mebibytes: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([int(size * MIB) for size in mebibytes], dtype=np.int64)


def test_file_is_full_where_the_next_episode_would_pass_the_limit() -> None:
    assert bounds(pack(sizes_of(3, 3, 4, 1, 9, 1), limit_mb=10)) == [(0, 3), (3, 5), (5, 6)]


def test_limit_may_be_reached_exactly() -> None:
    assert bounds(pack(sizes_of(5, 5), limit_mb=10)) == [(0, 2)]
    assert bounds(pack(sizes_of(5, 5) + np.array([0, 1]), limit_mb=10)) == [(0, 1), (1, 2)]


def test_limit_may_be_a_fraction() -> None:
    assert bounds(pack(sizes_of(0.25, 0.25, 0.25), limit_mb=0.5)) == [(0, 2), (2, 3)]


def test_episode_beyond_the_limit_has_a_file_of_its_own() -> None:
    assert bounds(pack(sizes_of(1, 50, 1, 1), limit_mb=10)) == [(0, 1), (1, 2), (2, 4)]


def test_kinds_never_share_a_file() -> None:
    kind = np.array([0, 0, 1, 0, 0], dtype=np.int64)
    found = pack(sizes_of(1, 1, 1, 1, 1), limit_mb=10, kind=kind)
    assert bounds(found) == [(0, 2), (2, 3), (3, 5)]


def test_kinds_never_share_a_file_even_where_nothing_is_in_it() -> None:
    kind = np.array([0, 1, 1], dtype=np.int64)
    assert bounds(pack(sizes_of(0, 1, 0), limit_mb=10, kind=kind)) == [(0, 1), (1, 3)]


def test_no_episodes_are_no_files() -> None:
    assert pack(sizes_of(), limit_mb=10) == []
    assert batches([], one_file_each=True) == []
    assert runs([], longest=5) == []


@given(
    st.lists(st.tuples(st.integers(0, 5 * MIB), st.integers(0, 2)), max_size=40),
    st.floats(0.001, 12),
)
def test_files_are_filled_in_order_and_no_more_than_needed(
    episodes: list[tuple[int, int]], limit_mb: float
) -> None:
    size = np.array([size for size, _ in episodes], dtype=np.int64)
    kind = np.array([kind for _, kind in episodes], dtype=np.int64)
    found = bounds(pack(size, limit_mb=limit_mb, kind=kind))
    assert [number for start, stop in found for number in range(start, stop)] == list(
        range(len(episodes))
    )
    for start, stop in found:
        assert stop > start
        assert len(set(kind[start:stop].tolist())) == 1
        filled = int(size[start:stop].sum())
        # episodes without bytes fit beside one that is too large for any file
        assert filled <= limit_mb * MIB or np.count_nonzero(size[start:stop]) == 1
        if stop < len(episodes) and kind[stop] == kind[start]:
            assert filled + int(size[stop]) > limit_mb * MIB


@given(st.lists(st.integers(0, 3), max_size=700), st.booleans())
def test_batches_cover_every_episode_in_order(sources: list[int], one_file_each: bool) -> None:
    found = bounds(batches(sources, one_file_each=one_file_each))
    assert [number for start, stop in found for number in range(start, stop)] == list(
        range(len(sources))
    )
    assert all(0 < stop - start <= 256 for start, stop in found)
    if not one_file_each:
        assert all(len(set(sources[start:stop])) == 1 for start, stop in found)


def test_batches_end_with_their_input_file_only_where_it_is_shared() -> None:
    assert bounds(batches(["a", "a", "b", "a"], one_file_each=False)) == [(0, 2), (2, 3), (3, 4)]
    assert bounds(batches(["a", "b", "c"], one_file_each=True)) == [(0, 3)]
    assert bounds(batches(range(300), one_file_each=True)) == [(0, 256), (256, 300)]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 9))
def test_runs_are_the_stretches_that_are_set(flags: list[bool], longest: int) -> None:
    found = bounds(runs(flags, longest=longest))
    covered = [number for start, stop in found for number in range(start, stop)]
    assert covered == [number for number, flag in enumerate(flags) if flag]
    assert all(0 < stop - start <= longest for start, stop in found)
    for (start, stop), (following, _) in itertools.pairwise(found):
        assert following > stop or stop - start == longest
