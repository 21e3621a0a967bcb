"""Across versions and layouts the same content is the same; and how much is read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.diffing.compare_index_columns import RowSlice
from roboreel.diffing.compare_rows import RowComparer
from roboreel.storage.local import LocalRoot
from roboreel.testing import Camera, Version, make_dataset
from tests.tamper import flip_bit, flip_packet_byte
from tests.unit.diff.bases import SIDE, TOP, base, places

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")


@pytest.mark.parametrize("other", VERSIONS)
@pytest.mark.parametrize("decode", [False, True])
def test_the_same_content_by_another_writer_is_the_same(
    first: Path, tmp_path: Path, other: Version, decode: bool
) -> None:
    made = base(tmp_path / "b", other)
    for pair in ((first, made), (made, first)):
        report = roboreel.diff(*pair, decode=decode)
        assert report.differences == ()
        assert report.compared.episodes == 3
        assert report.compared.rows == 15
        assert report.compared.packets == (0 if decode else 30)
        assert report.compared.pictures == (45 if decode else 0)


@pytest.mark.sample(4)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("to", VERSIONS)
def test_a_conversion_is_the_same(tmp_path: Path, version: Version, to: Version) -> None:
    source = base(tmp_path / "a", version)
    roboreel.convert(source, to=to, out=tmp_path / "b")
    report = roboreel.diff(source, tmp_path / "b")
    assert report.differences == ()
    # from and to v2.0, which has no statistics to derive them from, uids are written
    uids = {"extras"} if "v2.0" in (version, to) else set()
    assert {note.kind for note in report.notes} <= {"statistics", *uids}
    flip_bit(tmp_path / "b", 2, 4)
    flip_packet_byte(tmp_path / "b", 1, 3, SIDE)
    assert places(roboreel.diff(source, tmp_path / "b")) == [
        ("values", 2, 4, "action"),
        ("packets", 1, 3, SIDE),
    ]


def test_layouts_of_v30_do_not_matter(first_v30: Path, tmp_path: Path) -> None:
    cameras = {TOP: Camera(height=32), SIDE: Camera(height=32, gop=4, b_frames=2)}
    many = make_dataset(
        tmp_path / "b",
        version="v3.0",
        episodes=(6, 4, 5),
        cameras=cameras,
        features="rich",
        tasks_per_episode=2,
        chunks_size=1,
        data_episodes_per_file=1,
        video_episodes_per_file=2,
    )
    report = roboreel.diff(first_v30, many)
    assert report.differences == ()


def test_row_groups_do_not_matter(first: Path, second_v30: Path) -> None:
    path = second_v30 / "data/chunk-000/file-000.parquet"
    table = pq.ParquetFile(path).read()
    for size in (1, 2, 4, 7, 15):
        pq.write_table(table, path, row_group_size=size)
        report = roboreel.diff(first, second_v30)
        assert report.differences == ()
        assert report.compared.rows == 15


def test_a_file_is_opened_once_however_many_episodes_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Counter[str] = Counter()
    plain = LocalRoot.input

    def counted(self: LocalRoot, name: str) -> object:
        opened[name] += 1
        return plain(self, name)

    made = [
        make_dataset(
            tmp_path / side,
            version="v3.0",
            episodes=(3,) * 9,
            cameras={TOP: Camera(height=32)},
        )
        for side in "ab"
    ]
    monkeypatch.setattr(LocalRoot, "input", counted)
    assert roboreel.diff(*made).same
    assert opened["data/chunk-000/file-000.parquet"] == 2  # one on each side
    videos = opened[f"videos/{TOP}/chunk-000/file-000.mp4"]
    assert videos == 4  # the index, then the packets


def test_memory_is_bounded_by_a_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = []
    for side in "ab":
        root = make_dataset(tmp_path / side, version="v2.1", episodes=(40_000,), cameras={})
        path = root / "data/chunk-000/episode_000000.parquet"
        table = pq.ParquetFile(path).read()
        wide = np.random.default_rng(0).random((40_000, 64)).reshape(-1)
        values = pa.FixedSizeListArray.from_arrays(pa.array(wide), 64)
        pq.write_table(table.append_column("wide", values), path, row_group_size=2_000)
        roots.append(root)
    held: list[int] = []
    compare = RowComparer._compare

    def watched(self: RowComparer, span: RowSlice) -> None:
        compare(self, span)
        held.append(pa.total_allocated_bytes())

    monkeypatch.setattr(RowComparer, "_compare", watched)
    before = pa.total_allocated_bytes()
    assert roboreel.diff(*roots).same
    assert len(held) == 20
    row_group = 2_000 * 64 * 8
    assert max(held) - before < 10 * row_group  # of 20, on each side


def test_datasets_at_urls_and_open_ones_are_compared(first: Path, second: Path) -> None:
    store = fsspec.filesystem("memory")
    flip_packet_byte(second, 2, 1, TOP)
    for root, name in ((first, "one"), (second, "other")):
        store.put(f"{root}/", f"/diff/{name}/", recursive=True)
    try:
        assert roboreel.diff(roboreel.open(first), "memory://diff/one").same
        found = places(roboreel.diff("memory://diff/one", "memory://diff/other"))
        assert found == [("packets", 2, 1, TOP)]
    finally:
        store.rm("/diff", recursive=True)
