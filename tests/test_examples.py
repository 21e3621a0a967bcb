"""What a plain run tries of many cases that are alike."""

from __future__ import annotations

import pytest

from tests.examples import spread


@pytest.mark.parametrize("count", [1, 2, 5, 24, 243])
def test_a_sample_has_its_size_and_goes_from_the_first_part_to_the_last(count: int) -> None:
    for wanted in range(1, count + 1):
        kept = spread(wanted, count)
        assert len(kept) == wanted
        assert kept <= set(range(count))
        assert min(kept) * wanted < count
        assert (max(kept) + 1) * wanted > count * (wanted - 1)


def test_all_are_tried_where_as_many_are_wanted() -> None:
    assert spread(9, 4) == {0, 1, 2, 3}


@pytest.mark.parametrize("inner", [2, 3, 4, 5, 6, 9])
def test_a_sample_of_two_parameters_has_many_values_of_each(inner: int) -> None:
    kept = spread(9, 9 * inner)
    assert len({at % inner for at in kept}) >= min(inner, 5)
    assert {at // inner for at in kept} == set(range(9))
