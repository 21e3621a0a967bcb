"""Appending costs the same, however many episodes there are."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import roboreel
from roboreel.storage.disk import faults
from roboreel.testing.make_dataset import Version
from roboreel.writing.append import create_dataset, open_writer
from roboreel.writing.episode_input import EpisodeInput
from tests.crash.victim import Count

VERSIONS: tuple[Version, ...] = ("v2.1", "v3.0")


@pytest.mark.parametrize("last", [60, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_late_append_does_what_the_3rd_did(tmp_path: Path, version: Version, last: int) -> None:
    features = {"action": {"dtype": "float32", "shape": [3], "names": None}}
    writer = create_dataset(tmp_path / "set", fps=10, features=features, version=version)
    random = np.random.default_rng(0)
    seen: list[Counter[str]] = []
    values = []
    for number in range(last):
        values.append(random.normal(number, 1, (4, 3)).astype(np.float32))
        column = pa.array(values[-1].tolist(), pa.list_(pa.float32()))
        count = Count()
        with faults(count) if number in (2, last - 1) else nullcontext():
            writer.append(EpisodeInput(rows=4, columns={"action": column}, task="t"))
        seen.append(Counter(name for _, name, _ in count.seen))
    assert seen[2]["replace"] > 1
    assert seen[last - 1] == seen[2]
    assert open_writer(tmp_path / "set").episodes == last
    dataset = roboreel.open(tmp_path / "set")
    stats, rows = dataset.stats()["action"], np.concatenate(values).astype(np.float64)
    np.testing.assert_allclose(stats["mean"], rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(stats["std"], rows.std(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(stats["count"], [4 * last])
