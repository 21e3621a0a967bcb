"""The pages' commands and code, run: they print what the pages show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doc_blocks import PAGES, ROOT, blocks_of, normalized, run_page, unmarked

PAGE = """
<!-- run: roboreel demo made -->
```console
$ roboreel info made/v2.0 --json --quiet
```

```python
print(1 + 1)
```

```text
3
```

<!-- not run: needs the network -->
```sh
roboreel pull user/name
```
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_pages_show_what_is_printed(name: str, tmp_path: Path) -> None:
    found = list(run_page((ROOT / name).read_text("utf-8"), tmp_path))
    text = "\n".join(map(str, found))
    assert not found, f"{name}: python scripts/doc_outputs.py --write {name}\n{text}"


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_is_run_or_says_why_not(name: str) -> None:
    assert list(unmarked((ROOT / name).read_text("utf-8"))) == []


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_pages_that_are_run_have_commands(name: str) -> None:
    run = [b for b in blocks_of((ROOT / name).read_text("utf-8")) if not b.skipped]
    assert sum(block.text.count("$ roboreel") for block in run) >= 9


def test_another_output_is_found(tmp_path: Path) -> None:
    (mismatch,) = run_page("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n", tmp_path)
    assert (mismatch.shown, mismatch.printed) == ("3\n", "2\n")


def test_another_output_of_a_command_is_found(tmp_path: Path) -> None:
    (mismatch,) = run_page("```console\n$ roboreel --version\nroboreel 9\n```\n", tmp_path)
    assert mismatch.printed.startswith("$ roboreel --version\nroboreel 0.")


def test_another_exit_code_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exit code 1: roboreel info nowhere"):
        list(run_page("```console\n$ roboreel info nowhere\n```\n", tmp_path))
    assert list(run_page("<!-- run: roboreel --version -->\n```python\n```\n", tmp_path)) == []


def test_blocks_know_what_is_before_them() -> None:
    console, code, text, shell = blocks_of(PAGE)
    assert console.hidden == ["roboreel demo made"]
    assert [block.skipped for block in (console, code, text, shell)] == [False] * 3 + [True]


def test_commands_that_are_not_run_are_found() -> None:
    assert list(unmarked(PAGE)) == []
    assert list(unmarked("```sh\nroboreel info x\n```\n")) == [
        "line 1: use a `console` block, or say why it is not run"
    ]


def test_what_changes_from_run_to_run_does_not_count() -> None:
    assert normalized("12.5 MiB in 0.3 s  x") == normalized("9 MiB in 1 min x")
    assert normalized("12 frames") != normalized("13 frames")
