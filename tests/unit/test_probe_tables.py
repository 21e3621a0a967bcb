"""Episodes of which nothing is odd are looked at together; what is said of each is the same."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roboreel.format.inventory import FileFacts
from roboreel.probes import probe_tables
from roboreel.probes.probe_request import ProbeRequest
from roboreel.storage.local import LocalRoot

LENGTHS = (4, 1, 3, 6, 2)
NAME = "a.parquet"


def sound() -> dict[str, list[float]]:
    frame = [k for n in LENGTHS for k in range(n)]
    return {
        "timestamp": [float(np.float32(k / 25)) for k in frame],
        "frame_index": list(map(float, frame)),
        "episode_index": [float(e) for e, n in enumerate(LENGTHS) for _ in range(n)],
        "index": [1000.0 + row for row in range(sum(LENGTHS))],
        "task_index": [2.0] * sum(LENGTHS),
    }


def change(column: str, row: int, value: float) -> Callable[[dict[str, list[float]]], None]:
    def done(columns: dict[str, list[float]]) -> None:
        columns[column][row] = value

    return done


CHANGES = {
    "nothing": lambda columns: None,
    "a late timestamp": change("timestamp", 6, 0.5),
    "a timestamp off by one step": change("timestamp", 2, np.nextafter(np.float32(0.08), 1)),
    "no number for a timestamp": change("timestamp", 9, float("nan")),
    "a frame twice": change("frame_index", 7, 1.0),
    "frames out of order": change("frame_index", 8, 5.0),
    "a gap in index": change("index", 10, 2000.0),
    "two tasks": change("task_index", 6, 3.0),
    "another episode": change("episode_index", 4, 9.0),
    "an index beyond floats": change("index", 4, float(1 << 60)),
}


def answer(root: Path, *, fps: Fraction) -> pa.Table:
    starts = np.cumsum([0, *LENGTHS[:-1]])
    asked = np.stack([np.arange(len(LENGTHS)), starts, np.array(LENGTHS)], axis=1)
    request = ProbeRequest(
        context=probe_tables.TableContext(
            one_file_per_episode=False, fps=fps, declared=tuple(sound())
        ),
        paths=[NAME],
        files=[FileFacts(size_bytes=1, stamp="1")],
        bounds=np.array([0, len(LENGTHS)]),
        episodes=asked.astype(np.int64),
        cost_us=np.array([1]),
    )
    return probe_tables.probe_tables(LocalRoot(root), request)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30)])
@pytest.mark.parametrize("name", CHANGES)
def test_together_or_alone_the_same_is_said(
    tmp_path: Path, name: str, fps: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = sound()
    CHANGES[name](columns)
    types = {n: pa.float32() if n == "timestamp" else pa.int64() for n in columns}
    table = pa.table({n: pa.array(v).cast(types[n], safe=False) for n, v in columns.items()})
    pq.write_table(table, tmp_path / NAME)
    together = answer(tmp_path, fps=fps)
    looked_at: list[int] = []
    check = probe_tables._check_index

    def noted(answer: object, member: int, *rest: object) -> None:
        looked_at.append(member)
        check(answer, member, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(probe_tables, "_check_index", noted)
    assert answer(tmp_path, fps=fps).equals(together)
    some = list(looked_at)
    monkeypatch.setattr(probe_tables, "_members_to_check", lambda _, located, *rest: list(located))
    alone = answer(tmp_path, fps=fps)
    for column in alone.column_names:
        assert together[column].to_pylist() == alone[column].to_pylist() or name.startswith("no ")
    assert len(looked_at) - len(some) >= len(LENGTHS) - 1
    assert len(some) <= 1 if fps == 25 else len(some) >= 3
    if name == "nothing" and fps == 25:
        assert together["first_index"].to_pylist() == [[1000, 1004, 1005, 1008, 1014]]
        assert together["tasks"].to_pylist() == [[[2]] * 5]
