"""Read bits of a NAL unit's payload, most significant first, without emulation prevention bytes."""

from __future__ import annotations

_MOST_ZEROS = 32


class Bits:
    """Reads numbers one after another (ITU-T H.264 and H.265, 7.2 and 9.1/9.2).

    Args:
        data: a NAL unit's bytes after its header, as they are in the stream.
    """

    def __init__(self, data: bytes) -> None:
        plain = data.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(plain, "big"), 8 * len(plain)

    def take(self, count: int) -> int:
        """The next `count` bits as a number.

        Raises:
            ValueError: fewer bits are left.
        """
        if count > self._left:
            raise ValueError("the data ends too early")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """The next unsigned Exp-Golomb number, `ue(v)`; also skips a signed one, `se(v)`.

        Raises:
            ValueError: the data ends early, or the number has too many bits.
        """
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise ValueError("a number of too many bits")
        return (1 << zeros) - 1 + self.take(zeros)
