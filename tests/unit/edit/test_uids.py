"""Episodes keep their uid and their lineage through edits, merges and conversions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.edit.view import View
from roboreel.format.origin_columns import SOURCE_START, SOURCE_STOP, UID
from roboreel.testing import make_dataset
from tests.mutate import edit_lines, set_column

EPISODES = "meta/episodes/chunk-000/file-000.parquet"
LENGTHS = (5, 3, 8, 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("uids")
    for version in ("v2.0", "v2.1", "v3.0"):
        make_dataset(made / version, version=version, episodes=LENGTHS, cameras={})
    return made


def _origins(view: roboreel.Dataset | View) -> list[tuple[Any, ...]]:
    names = (UID, "source_dataset", "source_episode", SOURCE_START, SOURCE_STOP)
    return [tuple(row[name] for name in names) for row in view.lineage().to_pylist()]


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_every_episode_has_a_uid_of_its_own(folder: Path, version: str) -> None:
    uids = roboreel.open(folder / version).uids()
    assert len(set(uids)) == len(LENGTHS)
    assert all(len(uid) == 32 and int(uid, 16) >= 0 for uid in uids)


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_a_copy_by_another_name_has_the_same_uids(
    folder: Path, tmp_path: Path, version: str
) -> None:
    shutil.copytree(folder / version, tmp_path / "other", copy_function=shutil.copyfile)
    copied, original = roboreel.open(tmp_path / "other"), roboreel.open(folder / version)
    assert copied.uids() == original.uids()


@pytest.mark.parametrize(("version", "to"), [("v2.1", "v3.0"), ("v3.0", "v2.1"), ("v3.0", "v3.0")])
def test_a_plain_conversion_keeps_uids_and_writes_no_column(
    folder: Path, tmp_path: Path, version: str, to: str
) -> None:
    roboreel.convert(folder / version, to=to, out=tmp_path / "b")
    made = roboreel.open(tmp_path / "b")
    assert made.uids() == roboreel.open(folder / version).uids()
    assert made.model.extra_columns == ()


def test_edits_that_leave_an_episode_whole_keep_its_uid_unwritten(
    folder: Path, tmp_path: Path
) -> None:
    dataset = roboreel.open(folder / "v2.1")
    view = dataset.delete([1]).set_tasks("x").rename({"action": "act"}).reorder([2, 0, 1])
    roboreel.write(view, out=tmp_path / "b")
    assert roboreel.open(tmp_path / "b").uids() == view.uids()
    assert view.uids() == [dataset.uids()[n] for n in (3, 0, 2)]


@pytest.mark.sample(4)
@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
@pytest.mark.parametrize("to", ["v2.0", "v2.1", "v3.0"])
def test_written_uids_survive_trims_merges_and_conversions(
    folder: Path, tmp_path: Path, version: str, to: str
) -> None:
    dataset = roboreel.open(folder / version)
    uids = dataset.uids()
    cut = (
        dataset.trim({2: (1, 7)}).delete([0]).with_target(to, with_uids=True, drop_unreadable=True)
    )
    roboreel.write(cut, out=tmp_path / "b")
    expected = [
        (uids[1], version, 1, 0, 3), (uids[2], version, 2, 1, 7), (uids[3], version, 3, 0, 4),
    ]  # fmt: skip
    assert _origins(cut) == expected
    assert _origins(roboreel.open(tmp_path / "b")) == expected
    again = roboreel.open(tmp_path / "b").trim({1: (2, 5)})
    roboreel.write(again, out=tmp_path / "c")
    expected[1] = (uids[2], version, 2, 3, 6)
    assert _origins(roboreel.open(tmp_path / "c")) == expected
    merged = roboreel.concat([roboreel.open(tmp_path / "c"), roboreel.open(tmp_path / "b")])
    roboreel.write(merged, out=tmp_path / "d")
    assert roboreel.open(tmp_path / "d").uids() == [*uids[1:], *uids[1:]]
    roboreel.convert(tmp_path / "c", to=version, out=tmp_path / "e")
    assert _origins(roboreel.open(tmp_path / "e")) == expected


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_uids_are_written_where_they_would_be_lost(
    folder: Path, tmp_path: Path, version: str
) -> None:
    dataset = roboreel.open(folder / version)
    edits: dict[str, View] = {
        "cut": dataset.trim({1: (1, 3)}),
        "resampled": dataset.resample(15),
        "without": dataset.remove("action"),
        "with": dataset.add("more", np.zeros(sum(LENGTHS))),
        "recomputed": dataset.recompute(["action"]),
        "v2.0": dataset.with_target("v2.0"),
    }
    for name, view in edits.items():
        roboreel.write(view, out=tmp_path / name)
        made = roboreel.open(tmp_path / name)
        assert UID in made.model.extra_columns
        assert made.uids() == dataset.uids()


@pytest.mark.parametrize("to", ["v2.0", "v2.1", "v3.0"])
def test_a_conversion_from_v20_keeps_uids(folder: Path, tmp_path: Path, to: str) -> None:
    roboreel.convert(folder / "v2.0", to=to, out=tmp_path / "b")
    assert roboreel.open(tmp_path / "b").uids() == roboreel.open(folder / "v2.0").uids()
    assert roboreel.diff(folder / "v2.0", tmp_path / "b").differences == ()


def test_a_merge_keeps_uids_and_has_no_column_of_them(folder: Path, tmp_path: Path) -> None:
    both = roboreel.concat([roboreel.open(folder / "v2.1"), roboreel.open(folder / "v3.0")])
    roboreel.write(both, out=tmp_path / "b")
    made = roboreel.open(tmp_path / "b")
    assert UID not in made.model.extra_columns
    assert len(set(both.uids())) == len(LENGTHS)  # the same recordings, twice
    assert _origins(made)[1][1:] == ("v2.1", 1, 0, 3)


def test_resampled_rows_count_at_the_rate_of_the_source(folder: Path, tmp_path: Path) -> None:
    dataset = roboreel.open(folder / "v3.0")
    half = dataset.keep([2]).resample(float(dataset.fps) / 2).with_target(with_uids=True)
    roboreel.write(half, out=tmp_path / "b")
    made = roboreel.open(tmp_path / "b")
    assert _origins(made)[0][3:] == (0, 8)
    assert made.total_frames == 4
    assert _origins(made.trim({0: (1, 3)}))[0][3:] == (2, 6)


def test_episodes_are_kept_and_deleted_by_uid(folder: Path) -> None:
    dataset = roboreel.open(folder / "v3.0")
    uids = dataset.uids()
    view = dataset.shuffle(seed=1)
    assert view.keep(uid=[uids[2]]).uids() == [uids[2]]
    assert set(view.delete(uid=[uids[2], uids[0]]).uids()) == {uids[1], uids[3]}
    assert dataset.keep([1, 2], uid=[uids[2], uids[3]]).uids() == [uids[2]]
    with pytest.raises(roboreel.UsageError, match=r"no episode has the uid 'abc'.*--lineage"):
        dataset.keep(uid=["abc"])
    with pytest.raises(roboreel.UsageError, match="expected a list of names"):
        dataset.keep(uid=uids[0])


def test_twins_have_uids_of_their_own(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 5), cameras={})
    lines = source / "meta/episodes_stats.jsonl"

    def alike(entries: list[Any]) -> list[Any]:
        return [{**one, "stats": entries[0]["stats"]} for one in entries]

    edit_lines(lines, alike)
    uids = roboreel.open(source).uids()
    assert uids[0] != uids[1]
    assert roboreel.open(source).uids() == uids


def test_a_stored_uid_counts_and_gaps_are_derived(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "a"
    shutil.copytree(folder / "v3.0", source)
    derived = roboreel.open(source).uids()
    set_column(source / EPISODES, UID, pa.array(["mine", None, "", "yours"]))
    assert roboreel.open(source).uids() == ["mine", derived[1], derived[2], "yours"]
    roboreel.convert(source, to="v2.1", out=tmp_path / "b")
    assert roboreel.open(tmp_path / "b").uids() == ["mine", derived[1], derived[2], "yours"]


def test_a_column_of_that_name_with_something_else_stays_or_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "a"
    shutil.copytree(folder / "v3.0", source)
    derived = roboreel.open(source).uids()
    set_column(source / EPISODES, UID, pa.array([1, 2, 3, 4]))
    dataset = roboreel.open(source)
    assert dataset.uids() == derived
    with pytest.raises(roboreel.UsageError, match="does not hold strings: pass with_uids=False"):
        roboreel.write(dataset.with_target(with_uids=True), out=tmp_path / "b")
    roboreel.write(dataset.trim({0: (1, 3)}), out=tmp_path / "b")
    assert pq.read_table(tmp_path / "b" / EPISODES)[UID].to_pylist() == [1, 2, 3, 4]


def test_without_uids_a_view_file_writes_none(folder: Path, tmp_path: Path) -> None:
    roboreel.open(folder / "v3.0").delete([0]).save(tmp_path / "a.view.json")
    view = roboreel.open_view(tmp_path / "a.view.json")
    roboreel.write(view, out=tmp_path / "b")
    assert UID in roboreel.open(tmp_path / "b").model.extra_columns
    roboreel.write(view.with_target(with_uids=False), out=tmp_path / "c")
    assert roboreel.open(tmp_path / "c").model.extra_columns == ()


def test_uids_are_there_where_statistics_are_missing(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "a"
    shutil.copytree(folder / "v2.1", source)
    (source / "meta/episodes_stats.jsonl").unlink()
    assert len(set(roboreel.open(source).uids())) == len(LENGTHS)
