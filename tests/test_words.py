"""The words that users read: pages, help, rules and messages have none of the words that nobody understood.

`tests/test_language.py` holds names and docstrings to the same list.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from roboreel.format.rules import RULES
from tests.test_language import WORDS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "roboreel"

MORE = {
    "sane": "that can be read safely",
    "for ever": "0 disables it",
    "encoded anew": "re-encoded",
    "taken with care": "warnings",
    "hang on": "depend on",
}
OLD = WORDS | MORE
ALLOWED = (
    r"```.*?```",
    r"`[^`\n]*`",  # names of options, keys and functions, such as the key `pictures` of reports
    r"[Ss]torage buckets",  # of the Hub
)
"""What is not prose, or another thing."""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OF_SPECIFICATIONS = {"access.py", "headers.py", "reorder.py"}
"""Codecs call a frame a picture; a message about a bitstream may, too."""


def old_words(text: str) -> Iterator[str]:
    """Words of a text for people that are to be replaced."""
    prose = re.sub("|".join(ALLOWED), " ", text, flags=re.DOTALL).lower()
    for word, instead in OLD.items():
        if re.search(rf"(?<![\w./-]){re.escape(word)}(?![\w/-])", prose):
            yield f"'{word}': say {instead}"


def messages(source: str) -> Iterator[tuple[int, str]]:
    """Texts of several words in a module's code, docstrings left out: (line, text)."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in docstrings:
            continue
        if isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, node.value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_have_no_old_words(page: Path) -> None:
    assert list(old_words(page.read_text("utf-8"))) == []


def test_rules_have_no_old_words() -> None:
    assert [f"{rule.id}: {word}" for rule in RULES.values() for word in old_words(rule.says)] == []


def test_messages_and_help_have_no_old_words() -> None:
    offenders = [
        f"{path.relative_to(SOURCE)}:{line} {word}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.name not in OF_SPECIFICATIONS
        for line, text in messages(path.read_text("utf-8"))
        for word in old_words(text)
    ]
    assert offenders == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The result is written anew.", "anew"),
        ("**Pictures** of a camera", "pictures"),
        ("0 waits for ever", "for ever"),
    ],
)
def test_old_words_are_found(text: str, word: str) -> None:
    assert f"'{word}'" in " ".join(old_words(text))


def test_names_in_code_are_no_words() -> None:
    assert list(old_words("`pictures` is a key. ```\nanew\n``` `roboreel.settle`")) == []


def test_messages_are_found_and_docstrings_are_not() -> None:
    source = 'def f():\n    """Written anew."""\n    raise ValueError(f"{f} is settled here")\n'
    assert list(messages(source)) == [(3, " is settled here")]
