"""What the owners of several datasets noted of their episodes goes together, whatever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.testing import make_dataset
from tests.mutate import edit_lines
from tests.oracle import read


def _noted(folder: Path, name: str, notes: list[Any]) -> roboreel.Dataset:
    """A dataset with a note for each episode; none for a note that is `...`."""
    root = make_dataset(folder / name, version="v2.1", episodes=(2,) * len(notes), cameras={})
    edit_lines(
        root / "meta/episodes.jsonl",
        lambda lines: [
            line if note is ... else {**line, "note": note}
            for line, note in zip(lines, notes, strict=True)
        ],
    )
    return roboreel.open(root)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], ["a", "5"]),
        (["[1]", "5"], [[1, {"a": 2}], None]),
        ([[1, {"a": 2}], {}], ["[1]", "x"]),
        ([True, False], [[1, 2], [3]]),
        ([1, 2], [3, 1 << 40]),
        ([..., ...], [{"a": 1}, 2]),
    ],
)
@pytest.mark.parametrize("through", ["v2.1", "v3.0"])
def test_notes_of_every_kind_stay_what_they_are(
    tmp_path: Path, one: list[Any], other: list[Any], through: str
) -> None:
    parts = [_noted(tmp_path, "a", one), _noted(tmp_path, "b", other)]
    view = roboreel.concat([*parts, parts[0].keep([1])])
    roboreel.write(view.with_target(through), out=tmp_path / "out")
    roboreel.write(roboreel.open(tmp_path / "out").with_target("v2.1"), out=tmp_path / "back")
    found = [episode.entry.get("note") for episode in read(tmp_path / "back").episodes]
    expected = [None if note is ... else note for note in [*one, *other, one[1]]]
    assert found == expected
    assert [type(note) for note in found] == [type(note) for note in expected]
