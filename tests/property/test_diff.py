"""Whatever the dataset: its conversion is the same, and one change to it is found at its place."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

import roboreel
from roboreel.testing import Camera, Version, make_dataset
from tests.examples import examples
from tests.mutate import edit_json, edit_lines, edit_table
from tests.oracle import read
from tests.tamper import edit_values, flip_bit, flip_packet_byte, rows_in_file, swap_rows

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
TOP = "observation.images.top"
StatsKey = tuple[str, int | None, int | None, str | None]


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `make_dataset`."""
    version = draw(st.sampled_from(VERSIONS))
    camera = Camera(
        height=32,
        codec=draw(st.sampled_from(["h264", "h264", "av1"])),
        gop=draw(st.sampled_from([1, 2, 5, 250])),
        b_frames=draw(st.sampled_from([0, 2])),
    )
    chosen: dict[str, Any] = {
        "version": version,
        "episodes": draw(st.lists(st.integers(1, 8), min_size=1, max_size=5).map(tuple)),
        "cameras": {TOP: camera},
        "fps": draw(st.sampled_from([30, 29.97, 10])),
        "features": draw(st.sampled_from(["basic", "rich"])),
        "tasks_per_episode": draw(st.integers(1, 2)),
        "seed": draw(st.integers(0, 3)),
    }
    if version == "v3.0":
        chosen["data_episodes_per_file"] = draw(st.sampled_from([None, 1, 2]))
        chosen["video_episodes_per_file"] = draw(st.sampled_from([None, 1, 2]))
    return chosen


def _value(root: Path, episode: int, row: int) -> StatsKey:
    column = ("action", "observation.state")[row % 2]
    flip_bit(root, episode, row, column)
    return "values", episode, row, column


def _reward(root: Path, episode: int, row: int) -> StatsKey:
    def negated(values: Any) -> None:
        values[row] = -7

    edit_values(root, episode, "next.reward", negated)
    return "values", episode, row, "next.reward"


def _swap(root: Path, episode: int, row: int) -> StatsKey:
    if len(read(root).episodes[episode].rows) == 1:
        return _value(root, episode, row)
    at = max(row - 1, 0)
    swap_rows(root, episode, at)
    return "values", episode, at, "action"


def _packet(root: Path, episode: int, row: int) -> StatsKey:
    flip_packet_byte(root, episode, row, TOP)
    return "packets", episode, row, TOP


def _index(root: Path, episode: int, row: int) -> StatsKey:
    def moved(values: Any) -> None:
        values[row] += 1

    name = ("frame_index", "index")[row % 2]
    edit_values(root, episode, name, moved)
    return "index", episode, row, name


def _time(root: Path, episode: int, row: int) -> StatsKey:
    def moved(values: Any) -> None:
        values[row] += 0.01

    edit_values(root, episode, "timestamp", moved)
    return "timestamps", episode, row, "timestamp"


def _column(root: Path, episode: int, row: int) -> StatsKey:
    path, _ = rows_in_file(read(root), episode)
    before = read(root).episodes
    edit_table(path, lambda table: table.append_column("more", pa.array([1] * len(table))))
    first = next(n for n, e in enumerate(before) if root / e.data_path == path)
    return "columns", first, 0, "more"


def _robot(root: Path, episode: int, row: int) -> StatsKey:
    edit_json(root / "meta/info.json", lambda info: info.update(robot_type="another"))
    return "info", None, None, None


def _shape(root: Path, episode: int, row: int) -> StatsKey:
    edit_json(root / "meta/info.json", lambda info: info["features"]["action"].update(shape=[2, 3]))
    return "features", None, None, "action"


def _file(root: Path, episode: int, row: int) -> StatsKey:
    (root / "README.md").write_text("mine")
    return "files", None, None, None


def _task(root: Path, episode: int, row: int) -> StatsKey:
    if (root / "meta/tasks.jsonl").exists():
        edit_lines(
            root / "meta/tasks.jsonl", lambda lines: [*lines, {"task_index": 99, "task": "x"}]
        )
        return "tasks", None, None, None

    def more(table: pa.Table) -> pa.Table:
        added = pa.table({"task_index": [99], "task": ["x"]}).cast(
            table.schema.remove_metadata().empty_table().select(["task_index", "task"]).schema
        )
        rows = table.select(["task_index", "task"]).replace_schema_metadata(None)
        return pa.concat_tables([rows, added])

    edit_table(root / "meta/tasks.parquet", more)
    return "tasks", None, None, None


CHANGES: tuple[Callable[[Path, int, int], StatsKey], ...] = (
    _value,
    _reward,
    _swap,
    _packet,
    _index,
    _time,
    _column,
    _robot,
    _shape,
    _file,
    _task,
)


@examples(short=8, long=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    made=arguments(),
    version=st.sampled_from(VERSIONS),
    small=st.booleans(),
    change=st.sampled_from(CHANGES),
    place=st.tuples(st.integers(0, 99), st.integers(0, 99)),
)
def test_a_conversion_is_the_same_and_one_change_is_found(
    made: dict[str, Any],
    version: Version,
    small: bool,
    change: Callable[[Path, int, int], StatsKey],
    place: tuple[int, int],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, out = make_dataset(Path(folder) / "a", **made), Path(folder) / "b"
        limit = 0.0005 if small else None
        roboreel.convert(source, to=version, out=out, data_file_mb=limit, video_file_mb=limit)
        report = roboreel.diff(source, out)
        assert report.differences == ()
        assert report.compared.rows == report.compared.packets == sum(made["episodes"])
        # from and to v2.0, uids are written: nothing else could tell them afterwards
        uids = {"extras"} if "v2.0" in (made["version"], version) else set()
        assert {note.kind for note in report.notes} <= {"statistics"} | uids
        episode = place[0] % len(made["episodes"])
        expected = change(out, episode, place[1] % made["episodes"][episode])
        found = roboreel.diff(source, out, first_only=True).differences
        assert [(d.kind, d.episode, d.row, d.column) for d in found] == [expected]
        json.dumps(roboreel.diff(source, out).to_json())
        event(change.__name__)


def test_every_change_is_one_that_can_be_read_back(tmp_path: Path) -> None:
    """The changes are of content, not damage: every result opens, and its tables read."""
    for number, change in enumerate(CHANGES):
        for version in VERSIONS:
            root = make_dataset(
                tmp_path / f"{number}-{version}",
                version=version,
                episodes=(4, 3),
                cameras={TOP: Camera(height=32)},
            )
            change(root, 1, 2)
            assert roboreel.open(root).total_episodes == 2
            for path in root.rglob("*.parquet"):
                assert len(pq.ParquetFile(path).read())
