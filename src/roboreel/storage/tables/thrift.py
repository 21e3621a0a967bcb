"""Read and write Thrift's compact protocol, in which parquet files store page headers and footers.

A structure is read as it comes, without knowing its fields: a mapping from field number to (type, value).
What was read can be changed and written again.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Struct: TypeAlias = dict[int, tuple[int, Any]]
"""A structure: (type, value) by field number. A value's Python type follows from its Thrift type."""

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_WHOLE = (I16, I32, I64)
_MOST_DEPTH, _MOST_ITEMS = 32, 1 << 20


class ThriftReader:
    """Reads structures one after another from bytes."""

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self.data, self.at = data, at
        """The bytes, and the position of the next one."""

    def struct(self, depth: int = 0) -> Struct:
        """Read a structure.

        Raises:
            ValueError: the bytes are no structure, or end inside it.
        """
        if depth > _MOST_DEPTH:
            raise ValueError("structures are nested too deep")
        found: Struct = {}
        number = 0
        while kind := self._byte():
            step, kind = kind >> 4, kind & 15
            number = number + step if step else self._zigzag()
            if number in found or not 0 < number < 1 << 15:
                raise ValueError(f"field {number} is out of place")
            found[number] = (kind, self._value(kind, depth))
        return found

    def _byte(self) -> int:
        if self.at >= len(self.data):
            raise ValueError("the structure is cut short")
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ValueError("a number is too long")

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind in _WHOLE:
            return self._zigzag()
        if kind == BYTE:
            return self._byte()
        if kind in (DOUBLE, BINARY):
            return self._bytes(8 if kind == DOUBLE else self._varint())
        if kind in (LIST, SET):
            return self._list(depth)
        if kind == STRUCT:
            return self.struct(depth + 1)
        raise ValueError(f"a value of type {kind}")

    def _bytes(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise ValueError("a string is cut short")
        self.at += size
        return bytes(self.data[self.at - size : self.at])

    def _list(self, depth: int) -> tuple[int, list[Any]]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        count = self._varint() if count == 15 else count
        if count > min(_MOST_ITEMS, len(self.data) - self.at):
            raise ValueError(f"a list claims {count} items")
        if kind in (TRUE, FALSE):  # in a list, each boolean is a byte
            return kind, [self._byte() == TRUE for _ in range(count)]
        return kind, [self._value(kind, depth) for _ in range(count)]


def written(struct: Struct) -> bytes:
    """A structure's bytes."""
    out = bytearray()
    before = 0
    for number in sorted(struct):
        kind, value = struct[number]
        if kind in (TRUE, FALSE):
            kind = TRUE if value else FALSE
        step = number - before
        out += bytes([step << 4 | kind]) if step < 16 else bytes([kind]) + _varint(number << 1)
        out += _value(kind, value)
        before = number
    return bytes(out) + b"\0"


def _value(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE):
        return b""
    if kind in _WHOLE:
        return _varint(value << 1 ^ value >> 63)
    if kind == BYTE:
        return bytes([value])
    if kind == DOUBLE:
        return bytes(value)
    if kind == BINARY:
        return _varint(len(value)) + bytes(value)
    if kind in (LIST, SET):
        item, items = value
        short = len(items) < 15
        head = bytes([min(len(items), 15) << 4 | item]) + (b"" if short else _varint(len(items)))
        if item in (TRUE, FALSE):
            return head + bytes(TRUE if one else FALSE for one in items)
        return head + b"".join(_value(item, one) for one in items)
    return written(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
