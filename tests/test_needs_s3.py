"""Without a server of S3, no test of it is dropped unsaid."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import needs_s3

TESTS = Path(__file__).parent


def test_tests_that_are_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs_s3, "has_s3", lambda: True)
    assert needs_s3.what_is_left_out(TESTS) is None
    monkeypatch.setattr(needs_s3, "has_s3", lambda: False)
    texts = [path.read_text("utf-8") for path in (TESTS / needs_s3.FOLDER).glob("test_*.py")]
    count = sum(text.count("\ndef test_") for text in texts)
    assert count > 10
    said = needs_s3.what_is_left_out(TESTS)
    assert said is not None
    assert said.startswith(f"moto or s3fs is not installed: {count} tests of object stores are not")
