"""Room for bytes that are read ahead, given out in the order of what is read."""

from __future__ import annotations

from threading import Condition


class ByteBudget:
    """Bytes that may be in memory at once. Threads share it."""

    def __init__(self, limit_bytes: int) -> None:
        """Give out up to so many bytes; a larger part gets its room when nothing else has any."""
        self._limit, self._used, self._next = limit_bytes, 0, 0
        self._closed = False
        self._changed = Condition()

    def take(self, number: int, size_bytes: int) -> bool:
        """Wait for room, after those with smaller numbers got theirs.

        Args:
            number: 0, 1, 2, …: each is taken once.
            size_bytes: how much is needed.

        Returns:
            False if the budget was closed meanwhile.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._is_turn_of(number, size_bytes))
            if self._closed:
                return False
            self._used += size_bytes
            self._next += 1
            self._changed.notify_all()
            return True

    def give(self, size_bytes: int) -> None:
        """Give room back."""
        with self._changed:
            self._used -= size_bytes
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_turn_of(self, number: int, size_bytes: int) -> bool:
        return number == self._next and (not self._used or self._used + size_bytes <= self._limit)
