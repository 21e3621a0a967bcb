"""Mutations of JSON and JSON-lines documents."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tests.fuzz.blobs import mutate_bytes
from tests.fuzz.odd import TEXTS, odd_value


def mutate_document(root: Path, choose: random.Random) -> str:
    """Change one document of the dataset; says what was done."""
    found = sorted(
        p for p in (root / "meta").rglob("*.json*") if p.is_file() and not p.is_symlink()
    )
    if not found:
        return "no document is left"
    path = choose.choice([*found, *(p for p in found if p.name == "info.json")])
    data = path.read_bytes()
    kind = choose.randrange(10)
    if kind < 2 or not data:
        done, data = mutate_bytes(data, choose)
    elif path.suffix == ".jsonl":
        done, data = _mutate_lines(data, choose)
    else:
        done, data = _mutate_text(data, choose)
    path.unlink()
    path.write_bytes(data)
    return f"{path.name}: {done}"


def _mutate_lines(data: bytes, choose: random.Random) -> tuple[str, bytes]:
    lines = data.splitlines()
    at = choose.randrange(len(lines))
    kind = choose.randrange(12)
    if kind == 0:
        del lines[at]
        done = f"line {at} dropped"
    elif kind == 1:
        lines.append(lines[at])
        done = f"line {at} twice"
    elif kind == 2:
        choose.shuffle(lines)
        done = "lines shuffled"
    elif kind == 3:
        lines[at] = _text(odd_value(choose))
        done = f"line {at} is another value"
    else:
        inner, lines[at] = _mutate_text(lines[at], choose)
        done = f"line {at}: {inner}"
    return done, b"\n".join(lines) + b"\n"


def _mutate_text(data: bytes, choose: random.Random) -> tuple[str, bytes]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(data, choose)
    kind = choose.randrange(20)
    if kind == 0:
        depth = choose.choice((200, 3000, 100_000))
        opening, closing = choose.choice((("[", "]"), ('{"a":', "}")))
        return f"{depth} levels", (opening * depth + "1" + closing * depth).encode()
    if kind == 1 and isinstance(value, dict) and value:
        key = choose.choice(list(value))
        twin = _text({key: odd_value(choose)})
        text = data.decode("utf-8", "surrogateescape").rstrip().removesuffix("}")
        return f"'{key}' twice", text.encode("utf-8", "surrogateescape") + b"," + twin[1:]
    if kind == 2:
        return "a byte order mark", b"\xef\xbb\xbf" + data
    done, value = _changed(value, choose)
    return done, _text(value)


def _text(value: Any) -> bytes:
    return json.dumps(value).encode()


def _changed(value: Any, choose: random.Random, depth: int = 0) -> tuple[str, Any]:
    """The value with something inside it changed."""
    inner = list(value) if isinstance(value, dict) else range(len(value)) if _is_list(value) else []
    if not inner or (depth and choose.randrange(4) == 0):
        new = odd_value(choose)
        return f"→ {str(new)[:40]!r}", new
    key = choose.choice(list(inner))
    kind = choose.randrange(8)
    copy = value.copy()
    if kind == 0:
        del copy[key]
        return f"{key} dropped", copy
    if kind == 1 and isinstance(copy, dict):
        name = choose.choice(TEXTS)
        return f"{key} renamed {name[:20]!r}", {name if k == key else k: v for k, v in copy.items()}
    if kind == 2 and _is_list(copy):
        copy.append(copy[key])
        return f"[{key}] twice", copy
    done, copy[key] = _changed(value[key], choose, depth + 1)
    return f"{key} {done}", copy


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
