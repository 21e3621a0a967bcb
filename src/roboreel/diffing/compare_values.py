"""Compare two arrays of values bit for bit, whatever Arrow type holds them."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format.feature import is_list
from roboreel.types import Bools

_SHOWN = 60


@lru_cache(maxsize=1024)
def logical_type(type_: pa.DataType) -> Hashable:
    """The type without Arrow's layout (dictionary, list and string widths); equal ones compare bit by bit."""
    if isinstance(type_, pa.BaseExtensionType):
        return logical_type(type_.storage_type)
    if pa.types.is_dictionary(type_):
        return logical_type(type_.value_type)
    if is_list(type_):
        return ("list", logical_type(type_.value_type))
    if pa.types.is_struct(type_):
        fields = [type_.field(i) for i in range(type_.num_fields)]
        return ("struct", frozenset((item.name, logical_type(item.type)) for item in fields))
    if _is_string(type_):
        return "string"
    if _is_bytes(type_):
        return "binary"
    return str(type_)


def storage_array(array: pa.Array) -> pa.Array:
    """Return the array without extension type and dictionary."""
    if isinstance(array, pa.ExtensionArray):
        return storage_array(array.storage)
    if pa.types.is_dictionary(array.type):
        return array.dictionary_decode()
    return array


def differing(a: pa.Array, b: pa.Array) -> Bools:
    """(n,) True where two arrays differ in any bit; NaN payloads and the sign of zero count.

    Args:
        a: (n,) any array.
        b: (n,) an array of the same `logical_type`.
    """
    a, b = storage_array(a), storage_array(b)
    if is_list(a.type):
        return _lists_differ(a, b)
    here, there = valid(a), valid(b)
    differs: Bools = here != there
    both = here & there
    if pa.types.is_struct(a.type):
        for name in [a.type.field(i).name for i in range(a.type.num_fields)]:
            inner = differing(pc.struct_field(a, name), pc.struct_field(b, name))
            differs |= both & inner
    elif pa.types.is_boolean(a.type):
        differs |= both & (_booleans(a) != _booleans(b))
    elif _is_string(a.type) or _is_bytes(a.type):
        differs |= both & _bytes_differ(a, b)
    elif _is_fixed_width(a.type):
        differs |= both & _value_bytes_differ(_value_bytes(a), _value_bytes(b))
    elif not pa.types.is_null(a.type):
        pairs = zip(a.to_pylist(), b.to_pylist(), strict=True)
        differs |= both & np.array([_bits(x) != _bits(y) for x, y in pairs], dtype=np.bool_)
    return differs


def valid(array: pa.Array) -> Bools:
    """(n,) True where the value is not null."""
    if not array.null_count:
        return np.ones(len(array), dtype=np.bool_)
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def list_lengths(array: pa.Array) -> npt.NDArray[np.int64]:
    """(n,) lengths of lists; -1 for null."""
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    return np.where(valid(array), lengths, -1).astype(np.int64)


def without_single_lists(array: pa.Array) -> pa.Array | None:
    """(n,) values of an array of one-value lists, null for null; None if a list has another length."""
    lengths = list_lengths(array)
    if not np.isin(lengths, (-1, 1)).all():
        return None
    items = pc.list_flatten(array)
    if len(items) == len(array):
        return items
    there = lengths == 1
    indices = np.where(there, np.cumsum(there) - 1, 0)
    return items.take(pa.array(indices, mask=~there))


def first_values(a: pa.Array, b: pa.Array, row: int) -> str:
    """Describe two values of a row, e.g. `0.5 against 0.25`; of lists, the first items that differ."""
    return _describe(storage_array(a).slice(row, 1), storage_array(b).slice(row, 1))


def _describe(a: pa.Array, b: pa.Array) -> str:
    """Describe two arrays of one value each."""
    if is_list(a.type) and not (a.null_count or b.null_count):
        lengths = int(list_lengths(a)[0]), int(list_lengths(b)[0])
        if lengths[0] != lengths[1]:
            return f"{lengths[0]} values against {lengths[1]}"
        inner = storage_array(pc.list_flatten(a)), storage_array(pc.list_flatten(b))
        at = int(np.flatnonzero(differing(*inner))[0])
        return f"value {at}: {_describe(inner[0].slice(at, 1), inner[1].slice(at, 1))}"
    x, y = _python_value(a), _python_value(b)
    if isinstance(x, bytes) and isinstance(y, bytes):
        return _bytes_against(x, y)
    strings = _shown(a, x), _shown(b, y)
    if strings[0] == strings[1]:
        bits = [
            _value_bytes(part)[0].tobytes()[::-1].hex() if _is_fixed_width(a.type) else ""
            for part in (a, b)
        ]
        strings = f"{strings[0]} (bits {bits[0]})", f"{strings[1]} (bits {bits[1]})"
    return f"{strings[0]} against {strings[1]}"


def _python_value(array: pa.Array) -> object:
    """Return the only value of an array."""
    try:
        return array[0].as_py()
    except (ValueError, OverflowError):  # Python's own types have no nanoseconds
        return " ".join(str(array).split())


def shortened(value: object) -> str:
    """`repr` of a value, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 2]} …"


def _shown(array: pa.Array, value: object) -> str:
    if isinstance(value, float) and pa.types.is_float32(array.type):
        return str(np.float32(value))
    return shortened(value)


def _bytes_against(x: bytes, y: bytes) -> str:
    at = next(
        (i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y))
    )
    return f"{len(x)} bytes against {len(y)}, the first difference at byte {at}"


def _lists_differ(a: pa.Array, b: pa.Array) -> Bools:
    here, there = list_lengths(a), list_lengths(b)
    differs: Bools = here != there
    rest = np.flatnonzero(~differs & (here > 0))
    if differs.any():
        a, b = a.take(pa.array(rest)), b.take(pa.array(rest))
    items = differing(pc.list_flatten(a), pc.list_flatten(b))
    if items.any():
        differs[np.repeat(rest, here[rest])[items]] = True
    return differs


def _is_string(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _is_bytes(type_: pa.DataType) -> bool:
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(kind(type_) for kind in kinds)


def _is_fixed_width(type_: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(type_) or pa.types.is_decimal(type_))


def _booleans(array: pa.Array) -> Bools:
    return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _bytes_differ(a: pa.Array, b: pa.Array) -> Bools:
    if a.type != b.type or pa.types.is_fixed_size_binary(a.type):
        a, b = a.cast(pa.large_binary()), b.cast(pa.large_binary())
    unequal = pc.fill_null(pc.not_equal(a, b), False)
    return np.asarray(unequal.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _value_bytes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """(n, width) uint8: the bytes of fixed-width values."""
    width = array.type.bit_width // 8
    data = array.buffers()[1]
    if data is None:
        return np.zeros((len(array), width), dtype=np.uint8)
    flat = np.frombuffer(data, dtype=np.uint8)
    return flat[array.offset * width : (array.offset + len(array)) * width].reshape(-1, width)


def _value_bytes_differ(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> Bools:
    if a.shape[1] in (1, 2, 4, 8):
        word = f"u{a.shape[1]}"
        return np.asarray(a.view(word)[:, 0] != b.view(word)[:, 0], dtype=np.bool_)
    return np.asarray((a != b).any(axis=1), dtype=np.bool_)


def _bits(value: object) -> object:
    """Return a Python value in a form that compares floats by their bits."""
    if isinstance(value, float):
        return np.float64(value).tobytes()
    if isinstance(value, (list, tuple)):
        return [_bits(item) for item in value]
    if isinstance(value, dict):
        return {key: _bits(item) for key, item in value.items()}
    return value
