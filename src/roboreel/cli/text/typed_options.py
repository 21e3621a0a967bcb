"""Say options as they are typed: messages have Python's form, such as `allow_reencode=True`."""

from __future__ import annotations

import re
from shlex import quote

FLAGS = {
    "allow_missing": "--allow-missing",
    "allow_reencode": "--allow-reencode",
    "decode": "--decode",
    "discard_original": "--discard-original",
    "drop_audio": "--drop-audio",
    "drop_missing_cameras": "--drop-missing-cameras",
    "drop_unreadable": "--drop-unreadable",
    "executor": "--executor",
    "features": "--features",
    "follow_links": "--follow-links",
    "in_place": "--in-place",
    "on_broken": "--on-broken",
    "out": "-o",
    "remove": "--remove",
    "rest": "--rest",
    "tasks": "--task",
    "tasks_from": "--tasks-from",
    "timeout_factor": "--timeout-factor",
    "timestamps": "--timestamps",
    "vcodec": "--vcodec",
    "with_global_stats": "--with-global-stats",
    "with_uids": "--with-uids",
    "workers": "--workers",
}
"""The options that messages name, by their keyword in Python."""
_SETTINGS = {
    'leftovers="resume"': "--resume",
    'leftovers="clean"': "--clean",
    "with_uids=False": "--without-uids",
}
"""Settings of a keyword that are options of their own."""
_VALUE = r"""True|\d[\d.]*|[A-Z]+(?:x[A-Z]+)?|"[^"\n]*"|\[(?:"[^"\n]*"|[A-Z]+)(?:, "[^"\n]*")*\]"""
"""A switch, a number, a placeholder such as NAME, a string, or a list of strings."""
_SETTING = re.compile(
    rf"(?<![\w.\"'])(?:{'|'.join(map(re.escape, _SETTINGS))}|({'|'.join(FLAGS)})=({_VALUE}))"
)
_RESAMPLE = re.compile(r"\.resample\((?:(\d+)|Fraction\((\d+), (\d+)\))\)")
_RESIZE = re.compile(r"\.encode\(\{\"[^\n]*?ncoding\(size=\((\d+), (\d+)\)\)\}\)")
_RENAME = re.compile(r'rename=\{("[^"\n]+": "[^"\n]+"(?:, "[^"\n]+": "[^"\n]+")*)\}')
_PAIR = re.compile(r'"([^"\n]+)": "([^"\n]+)"')
_PART = re.compile(r'"([^"\n]*)"|([A-Z]+)')


def as_typed(text: str) -> str:
    """A message with options as they are typed: `on_broken="skip"` becomes `--on-broken skip`."""
    text = _RENAME.sub(_renamed, text) if "rename={" in text else text
    text = _RESAMPLE.sub(_resampled, text) if ".resample(" in text else text
    text = _RESIZE.sub(r"--resize \1x\2", text) if ".encode(" in text else text
    return _SETTING.sub(_typed, text) if "=" in text else text


def _renamed(found: re.Match[str]) -> str:
    return " ".join(f"--rename {quote(f'{old}={new}')}" for old, new in _PAIR.findall(found[1]))


def _resampled(found: re.Match[str]) -> str:
    return f"--fps {found[1]}" if found[1] else f"--fps {found[2]}/{found[3]}"


def _typed(found: re.Match[str]) -> str:
    flag, value = FLAGS.get(found[1] or ""), found[2]
    if flag is None:
        return _SETTINGS[found[0]]
    if value == "True":
        return flag
    if value[0] not in '["':
        return f"{flag} {value}"
    parts = [quote(one[1]) if one[2] is None else one[2] for one in _PART.finditer(value)]
    return " ".join(f"{flag} {part}" for part in parts)
