"""The words of the source: names and docstrings use the field's words, and one word for one thing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "roboreel"

WORDS = {
    "afresh": "from scratch",
    "allowance": "timeout",
    "anew": "again",
    "binned": "from a histogram",
    "buckets": "histogram",
    "heal": "recover",
    "mend": "fix",
    "mended": "fixed",
    "oddities": "warnings",
    "oddity": "warning",
    "patience": "timeout factor",
    "picture": "frame, or image",
    "pictures": "frames, or images",
    "remark": "finding",
    "remarks": "findings",
    "sane": "that can be read safely",
    "settle": "resolve",
    "settled": "resolved",
    "stretch": "row range, or episode slice",
    "stretches": "row ranges, or episode slices",
    "thinned": "subsampled",
    "truths": "booleans",
    "unite": "merge",
    "united": "merged",
}
ONLY_IN_NAMES = {
    "clips": "external videos",
    "piece": "slice",
    "pieces": "slices",
    "place": "path, or position",
    "places": "paths, or positions",
    "sink": "output",
}
KNOWN = {"in_place", "_in_place", "_edits_in_place", "pictures"}
"""In place is the field's word; `pictures` is a key of the JSON of reports."""
OF_WORKERS = {"sink", "ray"}
"""The layers that hold the distributed sink, whose word it is, and Ray Data's."""
OF_A_CODEC = {"access.py", "headers.py", "reorder.py"}
"""Where a picture is what the specifications of codecs call one."""


def old_words(path: Path) -> Iterator[str]:
    """Names and docstrings of a module that have a word of the lists above."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own_words = {"picture", "pictures"} if path.name in OF_A_CODEC else set()
    own_words |= {"sink"} if path.parent.name in OF_WORKERS else set()
    for line, name in _names(tree):
        parts = set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", name).lower()))
        for word in sorted(parts & {*WORDS, *ONLY_IN_NAMES} - own_words):
            if name not in KNOWN:
                yield f"{path.name}:{line} {name}: say {(WORDS | ONLY_IN_NAMES)[word]}"
    for line, text in _docstrings(tree):
        for word in sorted(set(re.findall(r"[a-z]+", text.lower())) & set(WORDS) - own_words):
            yield f"{path.name}:{line} '{word}': say {WORDS[word]}"


def _names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.lineno, value.value


def test_names_and_docstrings_use_the_words_of_the_field() -> None:
    offenders = [text for path in sorted(SOURCE.rglob("*.py")) for text in old_words(path)]
    assert not offenders, "\n  ".join(["docs/glossary.md has the words:", *offenders])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("def settle(): ...", "resolve"),
        ("class SaneThing: ...", "that can be read safely"),
        ("for place in []: ...", "path, or position"),
        ("class A:\n    picture: int", "frame, or image"),
        ("def f(stretch): ...", "row range, or episode slice"),
        ("'''Made anew.'''", "again"),
    ],
)
def test_an_old_word_is_found(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    (offender,) = old_words(tmp_path / "a.py")
    assert offender.endswith(f"say {word}")


def test_todays_words_pass(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def in_place(frame): 'A frame, again.'", encoding="utf-8")
    assert list(old_words(tmp_path / "a.py")) == []
