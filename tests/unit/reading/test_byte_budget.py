"""Room for bytes is given in order, and never to more than fit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from roboreel.reading.byte_budget import ByteBudget


def test_room_is_given_in_order() -> None:
    budget = ByteBudget(10)
    assert budget.take(0, 6)
    with ThreadPoolExecutor(2) as pool:
        third = pool.submit(budget.take, 2, 1)
        second = pool.submit(budget.take, 1, 9)
        assert not second.done()
        assert not third.done()
        budget.give(6)
        assert second.result(timeout=30)
        assert third.result(timeout=30)


def test_a_large_part_gets_room_alone() -> None:
    budget = ByteBudget(10)
    assert budget.take(0, 100)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(budget.take, 1, 1)
        assert not waiting.done()
        budget.give(100)
        assert waiting.result(timeout=30)


def test_nobody_waits_for_a_closed_budget() -> None:
    budget = ByteBudget(10)
    assert budget.take(0, 10)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(budget.take, 1, 1)
        budget.close()
        assert not waiting.result(timeout=30)
    assert not budget.take(2, 0)
