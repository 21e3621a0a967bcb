"""A source that changes while it is read: no result, and the reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

import roboreel
from roboreel.errors import ChangedInputError, StorageError
from roboreel.storage.local import LocalRoot
from roboreel.survey.survey import survey
from tests.unit.convert.sources import TOP

TABLE = "data/chunk-000/episode_000000.parquet"
VIDEO = f"videos/chunk-000/{TOP}/episode_000000.mp4"
STATISTICS = "meta/episodes_stats.jsonl"
Touched = Callable[[str], list[str]]


@pytest.fixture
def changing(monkeypatch: pytest.MonkeyPatch, v21: Path) -> Touched:
    """Let a file of the source be written to as soon as it is opened; gives the names of those that were."""
    opened = LocalRoot.input
    wanted: list[str] = []
    changed: list[str] = []

    def input_(root: LocalRoot, name: str) -> IO[bytes]:
        file = opened(root, name)
        if name in wanted and Path(root.url) == v21:
            wanted.remove(name)
            changed.append(name)
            path = v21 / name
            data = path.read_bytes()
            with path.open("r+b") as other:  # as many bytes, in the same file
                other.write(data[::-1])
            os.utime(path, ns=(1, 1))
        return file

    monkeypatch.setattr(LocalRoot, "input", input_)

    def change(name: str) -> list[str]:
        wanted.append(name)
        return changed

    return change


def left_nothing(tmp_path: Path) -> bool:
    return {path.name for path in tmp_path.iterdir()} == {"source"}


@pytest.mark.parametrize("name", [TABLE, VIDEO, "notes.txt", STATISTICS])
@pytest.mark.parametrize("way", ["v3.0", "v2.1", "v2.0", "trimmed", "measured"])
def test_file_that_changes_while_it_is_read_gives_no_result(
    v21: Path, tmp_path: Path, changing: Touched, name: str, way: str
) -> None:
    (v21 / "notes.txt").write_text("as it was")
    dataset = roboreel.open(v21)
    if way == "trimmed":
        view = dataset.trim({0: (2, 5)})
    elif way == "measured":
        view = dataset.recompute(cameras="all")
    else:
        view = dataset.with_target(way)
    plan = roboreel.plan_write(view, out=tmp_path / "out")
    changed = changing(name)
    with pytest.raises(roboreel.RunError) as caught:
        roboreel.run(plan, executor="serial")
    assert f"'{name}' has changed since the plan was made: run the command again" in str(
        caught.value
    )
    assert left_nothing(tmp_path)
    assert changed == [name]


def test_message_says_so_where_the_file_looks_damaged(
    v21: Path, tmp_path: Path, changing: Touched
) -> None:
    plan = roboreel.plan_convert(v21, to="v3.0", out=tmp_path / "out")
    changing(TABLE)
    with pytest.raises(roboreel.RunError, match="has changed since the plan was made") as caught:
        roboreel.run(plan, executor="serial")
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("name", [TABLE, VIDEO, "notes.txt", "meta/info.json"])
def test_what_has_changed_is_not_replaced_in_place(v21: Path, tmp_path: Path, name: str) -> None:
    (v21 / "notes.txt").write_text("as it was")
    plan = roboreel.plan_convert(v21, to="v3.0", in_place=True)

    def change(_: object) -> None:
        os.utime(v21 / name, ns=(1, 1))  # also after the op that reads it

    with pytest.raises(roboreel.RunError, match=f"'{name}' has changed since the plan was made"):
        roboreel.run(plan, executor="serial", progress=change, discard_original=True)
    assert roboreel.open(v21).version.value == "v2.1"
    assert left_nothing(tmp_path)


@pytest.mark.parametrize("name", ["meta/info.json", "meta/episodes.jsonl", "meta/tasks.jsonl"])
def test_document_that_changes_after_it_was_read_is_noticed(v21: Path, name: str) -> None:
    dataset = roboreel.open(v21)
    (v21 / name).write_bytes((v21 / name).read_bytes() + b"\n")
    with pytest.raises(ChangedInputError, match=f"'{name}' has changed since the dataset was open"):
        survey(dataset)


@pytest.mark.parametrize("name", [TABLE, VIDEO, STATISTICS])
def test_checks_and_comparisons_notice_it(v21: Path, changing: Touched, name: str) -> None:
    before = (v21 / name).read_bytes()
    attempts: list[Callable[[roboreel.Dataset], object]] = [
        roboreel.check,
        lambda dataset: roboreel.diff(dataset, dataset),
        roboreel.check_stats,
    ]
    for attempt in attempts:
        (v21 / name).write_bytes(before)
        dataset = roboreel.open(v21)
        changed = changing(name)
        with pytest.raises(StorageError, match=f"'{name}' (in the first )?changed (during|while)"):
            attempt(dataset)
        assert changed.pop() == name
