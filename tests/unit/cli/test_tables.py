"""Tables on a narrow terminal: no line is broken by the terminal itself."""

from __future__ import annotations

import pytest

from roboreel.cli.text import output
from roboreel.cli.text.output import table, wide_table


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(output, "width_of", lambda _stream: 60)
    return 60


def test_a_last_column_without_room_is_printed_below(
    narrow: int, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "re-encoded, because the cut lies between two keyframes of the file"
    table([("videos", "observation.images.top", "all episodes", reason), ("x", "y", "z", "short")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= narrow
    assert lines[0] == "  videos  observation.images.top  all episodes"
    assert lines[1].startswith("      re-encoded, because")
    assert lines[-1] == "      short"
    assert reason in " ".join(" ".join(lines).split())


def test_columns_without_room_follow_below_with_their_names(
    narrow: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("", *(f"name{n:02d}" for n in range(12))), ("joint", *(f"{n:6d}" for n in range(12)))]
    wide_table(rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= narrow
    assert [line.split()[0] for line in lines] == ["name00", "joint", "name06", "joint"]
    assert " ".join(lines).split().count("joint") == 2


def test_elsewhere_a_row_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    wide_table([("joint", *(f"{n:6d}" for n in range(40)))])
    assert len(capsys.readouterr().out.splitlines()) == 1
