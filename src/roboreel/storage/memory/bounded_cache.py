"""What was used last, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from roboreel.storage.memory.process_lock import ProcessLock

_MOST_VALUES = 1 << 16
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class BoundedCache(Generic[_K, _V]):
    """Values by key; those that were not used for longest are dropped. Threads may share it.

    The last value that was made stays, however large it is.
    """

    def __init__(
        self, most_bytes: int, size_of: Callable[[_V], int], most_values: int = _MOST_VALUES
    ) -> None:
        """Make an empty cache.

        Args:
            most_bytes: how much is kept.
            size_of: bytes that a value takes.
            most_values: how many values are kept.
        """
        self._most, self._size_of, self._most_values = most_bytes, size_of, most_values
        self._values: OrderedDict[_K, tuple[_V, int]] = OrderedDict()
        self._bytes = 0
        self._lock = ProcessLock()

    def get(self, key: _K, make: Callable[[], _V]) -> _V:
        """The value of a key; `make` makes it where it is not there.

        Two threads that ask at once may both make it; all get the same one.
        """
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
                return found[0]
        value = make()
        size = self._size_of(value)
        with self._lock:
            kept = self._values.setdefault(key, (value, size))
            if kept[0] is value:
                self._bytes += size
            while len(self._values) > 1 and self._is_full:
                _, (_, freed) = self._values.popitem(last=False)
                self._bytes -= freed
        return kept[0]

    def forget(self, key: _K) -> None:
        """Drop the value of a key."""
        with self._lock:
            found = self._values.pop(key, None)
            self._bytes -= found[1] if found is not None else 0

    @property
    def _is_full(self) -> bool:
        return self._bytes > self._most or len(self._values) > self._most_values

    @property
    def size_bytes(self) -> int:
        """Bytes of all values that are kept."""
        return self._bytes
