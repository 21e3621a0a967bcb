"""Verbs of view files in words."""

from __future__ import annotations

from collections.abc import Iterable

from roboreel.edit.step_fields import CONTINUES
from roboreel.errors import counted
from roboreel.types import Json, JsonObject

_SHOWN = 6
_LONGEST = 90


def step_words(step: JsonObject) -> str:
    """A verb in one line: its name, how many episodes it names and which, and what else it says."""
    words = [str(step.get("verb"))]
    if isinstance(step.get("positions"), list):
        words.append(_episodes(step["positions"]))
    if step.get("verb") == "trim":
        words.append(_spans(step))
    if step.get("verb") == "tasks":
        words += [", ".join(map(_change, step.get("changes", [])))]
    for key, value in step.items():
        if key in (
            "verb",
            CONTINUES,
            "positions",
            "start",
            "stop",
            "values",
            "changes",
        ) or value in (
            None,
            [],
            {},
        ):
            continue
        words.append(f"{key} {_short(value)}")
    return " ".join(word for word in words if word)


def _episodes(positions: list[Json]) -> str:
    total = sum(one[1] - one[0] if isinstance(one, list) else 1 for one in positions)
    shown = ",".join(_range(one) for one in positions[:_SHOWN])
    more = "…" if len(positions) > _SHOWN else ""
    return f"{counted(total, 'episode')} ({shown}{more})"


def _range(one: Json) -> str:
    return f"{one[0]}:{one[1]}" if isinstance(one, list) else str(one)


def _change(change: JsonObject) -> str:
    """Which episodes get a task, and which; or which texts are replaced."""
    task, replacing = change.get("task"), change.get("replacing", {})
    texts = [f"'{old}' to '{new}'" for old, new in replacing.items()]
    said = ", ".join(texts) if task is None else f"to '{task}'"
    return f"of {_episodes(change['positions'])} {_short(said)}"


def _spans(step: JsonObject) -> str:
    spans = [*zip(step.get("start", []), step.get("stop", []), strict=False)]
    shown = ", ".join(f"{a}:{'' if b < 0 else b}" for a, b in spans[:_SHOWN])
    return f"to {shown}" + (" …" if len(spans) > _SHOWN else "")


def _short(value: Json) -> str:
    if isinstance(value, list):
        text = _joined(value)
    elif isinstance(value, dict):
        text = ", ".join(_entry(key, one) for key, one in value.items())
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]} …"


def _entry(key: str, value: Json) -> str:
    """A pair of an object: `old=new`, or `camera (vcodec h264, crf 23)`."""
    if not isinstance(value, dict):
        return f"{key}={_inner(value)}"
    told = (f"{name} {_inner(one)}" for name, one in value.items() if one not in (None, {}))
    return f"{key} ({', '.join(told)})"


def _joined(values: Iterable[Json]) -> str:
    return ", ".join(map(_inner, values))


def _inner(value: Json) -> str:
    if isinstance(value, dict) and isinstance(value.get("positions"), list):
        rest = {key: one for key, one in value.items() if key != "positions"}
        return f"{_inner(rest)}: {_episodes(value['positions'])}"
    if isinstance(value, dict):
        return "/".join(_inner(one) for one in value.values() if one not in (None, {}))
    if isinstance(value, list):
        return "[" + _joined(value[:_SHOWN]) + (" …]" if len(value) > _SHOWN else "]")
    return str(value)
